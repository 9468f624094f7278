"""Tests for `twistdp.scanners.matches`."""

import os
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.devices import HEALTHY, DeviceInfo, Mount
from twistdp.naming import digest, plain_id
from twistdp.scanners.matches import Match, Matches

NAMES = ["n", "m", f"n-{digest('/a')}", "odd name", f"odd-name-{digest('odd name')}"]
"""Among them some that are the ids of others."""

PATHS = [f"/{directory}/{name}" for directory in "abc" for name in NAMES]


def match(path: str, real: str, order: int) -> Match:
    """A match whose device tells it from all others."""
    return Match(order, path, real, 0, DeviceInfo(HEALTHY, mounts=[Mount(real, path)]))


matches = st.builds(match, st.sampled_from(PATHS), st.sampled_from("xyzuvw"), st.integers(0, 1))


def anew(matches: list[Match], most: int) -> dict[str, DeviceInfo]:
    """The devices of matches, from nothing."""
    ordered = sorted(matches, key=lambda match: (match.index, match.path))
    first: dict[str, Match] = {}
    for one in ordered:
        first.setdefault(one.real, one)
    counted = list(first.values())[:most]
    names = sorted(os.path.basename(one.path) for one in counted)
    equal = {name for name, group in groupby(names) if len(list(group)) > 1}
    return {
        plain_id(name, distinguish=directory if name in equal else ""): one.info
        for one in counted
        for directory, name in [os.path.split(one.path)]
    }


class MatchesTests(SynchronousTestCase):
    """`Matches`"""

    @given(st.lists(matches, max_size=40))
    @settings(deadline=None)
    def test_equals_one_made_anew(self, changes: list[Match]) -> None:
        """Whatever was added, removed and replaced, the devices are those of what is there."""
        subject = Matches()
        there: dict[str, Match] = {}
        for change in changes:
            old = there.pop(change.path, None)
            self.assertIs(subject.get(change.path), old)
            if old is not None:
                subject.remove(old)
            if old is None or old.index != change.index:
                subject.add(change)
                there[change.path] = change
            for most in (99, 2):
                self.assertEqual(subject.devices(most), anew(list(there.values()), most))
            self.assertEqual(len(subject), len({one.real for one in there.values()}))
            self.assertEqual(set(subject), set(there.values()))
        for one in there.values():
            subject.remove(one)
        self.assertEqual(vars(subject), vars(Matches()))
