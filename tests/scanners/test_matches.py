"""Tests for `twistdp.scanners.matches`."""

import os
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec
from twistdp.scanners.match import Match
from twistdp.scanners.matches import REST, Matches
from twistdp.scanners.patterns import Identity

PATHS = [f"/{directory}/{name}" for directory in "abc" for name in ("n", "m", "o")]

MS = 1_000_000
"""Nanoseconds."""


def node(real: str, index: int = 0) -> Match:
    """A node under its own name."""
    return Match(index, real, real, 0, DeviceSpec(real))


def link(path: str, real: str, made: int = 0, identity: int = 1, index: int = 0) -> Match:
    """A link to a node; `made` in milliseconds."""
    return Match(index, path, real, 0, DeviceSpec(path), made * MS, (0, identity, 0))


def made_by(is_still: bool = True, most: int = 99) -> Matches:
    """Matches whose devices are called by their paths."""

    def device(name: str, matches: Sequence[Match]) -> DeviceInfo:
        first = matches[0].part
        assert isinstance(first, DeviceSpec)
        return DeviceInfo(HEALTHY, nodes=[first])

    def still(path: str, identity: Identity) -> bool:
        return is_still

    return Matches(lambda match: match.path, device, lambda name: [name], still, most)


matches = st.one_of(
    st.builds(node, st.sampled_from(PATHS), st.integers(0, 1)),
    st.builds(
        link,
        st.sampled_from(PATHS),
        st.sampled_from([*PATHS, "/x", "/y"]),
        st.sampled_from([0, 1, 70, 75, 1000]),
        st.integers(1, 2),
        st.integers(0, 1),
    ),
)


class MatchesTests(SynchronousTestCase):
    """`Matches`"""

    @given(st.lists(st.lists(matches, max_size=4), max_size=15), st.booleans())
    def test_equals_one_made_anew(self, batches: list[list[Match]], is_still: bool) -> None:
        """After any changes the devices are those of the current matches."""
        subject = made_by(is_still)
        there: dict[str, Match] = {}
        for batch in batches:
            known = dict(subject.known)
            for change in batch:
                old = there.pop(change.path, None)
                self.assertIs(subject.get(change.path), old)
                if old is not None:
                    subject.remove(old)
                if old is None or old.number != change.number:
                    subject.add(change)
                    there[change.path] = change
            subject.settle()
            self.assertEqual(subject.unsettled(), {})
            fresh = made_by(is_still)
            fresh.known.update(known)
            fresh.update(there)
            fresh.settle()
            self.assertEqual(subject.devices, fresh.devices)
            self.assertEqual(subject.names, fresh.names)
            self.assertEqual(set(subject), set(there.values()))
            reals = [there[id_].real for id_ in subject.devices]
            self.assertEqual(len(reals), len(set(reals)))

    def test_forgets(self) -> None:
        """Nothing is kept about files that have gone."""
        subject = made_by(is_still=False)
        all_ = [node("/a/n"), link("/b/n", "/a/n", index=1), link("/b/m", "/x")]
        for match in all_:
            subject.add(match)
        subject.settle()
        for match in all_:
            subject.remove(match)
        subject.settle()
        subject.without_effect.clear()
        self.assertEqual(
            [value for value in vars(subject).values() if isinstance(value, dict | set) and value],
            [],
        )
        self.assertEqual((len(subject), list(subject)), (0, []))


class NameTests(SynchronousTestCase):
    """The choice between several names of a file."""

    def listed(self, *all_: Match) -> list[str]:
        """The devices of all these, found at once."""
        subject = made_by()
        subject.update({match.path: match for match in all_})
        subject.settle()
        return list(subject.devices)

    def test_own_name(self) -> None:
        """A file's own name comes before links of earlier patterns, and before other directories'
        names of it.
        """
        self.assertEqual(self.listed(link("/a/n", "/x"), node("/x", 1)), ["/x"])
        through = Match(0, "/a/x", "/x", 0, DeviceSpec("/a/x"))
        self.assertEqual(self.listed(through, node("/x", 1)), ["/x"])
        self.assertEqual(self.listed(through, link("/a/n", "/x")), ["/a/x"])

    def test_links_made_together(self) -> None:
        """Of links that were made together the first counts, by pattern and natural order."""
        self.assertEqual(self.listed(link("/a/n10", "/x", 0), link("/a/n9", "/x", 40)), ["/a/n9"])
        both = [link("/a/n1", "/x", 0, index=1), link("/b/n2", "/x", 40)]
        self.assertEqual(self.listed(*both), ["/b/n2"])

    def test_links_made_later(self) -> None:
        """A link that was made later does not count, also for a scan that sees both."""
        late = 1000 * REST + 20
        both = [link("/a/n9", "/x", 0), link("/a/n1", "/x", int(late))]
        self.assertEqual(self.listed(*both), ["/a/n9"])
        three = [*both, link("/a/n2", "/x", 45)]
        self.assertEqual(self.listed(*three), ["/a/n1"])  # one after the other

    def test_links_touched(self) -> None:
        """A later change of a link's time, as by udev, changes no name."""
        first = link("/a/n9", "/x", 0)
        subject = made_by()
        subject.add(first)
        subject.settle()
        subject.remove(first)
        for match in (link("/a/n9", "/x", 5000), link("/a/n1", "/x", 5000)):
            subject.add(match)
        subject.settle()
        self.assertEqual(list(subject.devices), ["/a/n9"])

    def test_link_to_another_file(self) -> None:
        """A file whose link leads elsewhere is left out while it exists, since a pod may hold it.

        It is found again when the link leads back.
        """
        mine, other = link("/a/n", "/x", identity=1), link("/a/n", "/y", identity=2)
        second = link("/a/o", "/x", identity=1)
        subject = made_by()
        subject.update({"/a/n": mine, "/a/o": second})
        subject.settle()
        subject.update({"/a/n": other, "/a/o": second})
        subject.settle()
        self.assertEqual({id_: os.path.basename(id_) for id_ in subject.devices}, {"/a/n": "n"})
        self.assertEqual([known.path for known in subject.lost.values()], ["/a/n"])
        subject.update({"/a/n": mine, "/a/o": second})
        subject.settle()
        self.assertEqual(list(subject.devices), ["/a/n"])
        self.assertEqual(list(subject.lost), ["/y"])

    def test_another_file_in_its_place(self) -> None:
        """A new file at a path gets a new name."""
        subject = made_by()
        subject.update({"/a/n": link("/a/n", "/x", identity=1)})
        subject.settle()
        subject.update({"/a/o": link("/a/o", "/x", identity=2)})
        self.assertEqual(subject.unsettled(), {"/x": ["/a/o"]})
        subject.settle()
        self.assertEqual(list(subject.devices), ["/a/o"])

    def test_all_links_gone(self) -> None:
        """The name of a file is kept while the file exists, and forgotten afterwards."""
        for is_still, listed in ((True, []), (False, ["/a/o"])):
            subject = made_by(is_still)
            subject.update({"/a/n": link("/a/n", "/x")})
            subject.settle()
            subject.update({})
            subject.settle()
            subject.update({"/a/o": link("/a/o", "/x")})
            subject.settle()
            self.assertEqual(list(subject.devices), listed)
