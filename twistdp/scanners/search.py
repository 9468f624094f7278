"""Finds the files that match patterns: lists whole directories, or looks again at single paths."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from twistdp.scanners.complaints import Complaints
from twistdp.scanners.examiner import Examiner
from twistdp.scanners.match import Match
from twistdp.scanners.matches import Matches
from twistdp.scanners.patterns import (
    MOST_DIRECTORIES,
    Pattern,
    is_directory,
    looked_at,
)

MOST_WATCHED: Final = 1000
"""Directories of patterns that are watched."""


class Search:
    """Keeps `matches` equal to the files that match `patterns`.

    `examiner` examines the files; problems with directories go to `complaints`.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        matches: Matches,
        examiner: Examiner,
        complaints: Complaints,
    ) -> None:
        self._patterns = patterns
        self._matches = matches
        self._examiner = examiner
        self._complaints = complaints
        self._directories: dict[str, list[Pattern]] = {}
        self._tops = {pattern.top: None for pattern in self._patterns}
        self._refused: set[str] = set()  # those of them that others decide about
        self._parents: set[str] = set()  # where directories of patterns appear
        self.watches_all = True
        """Whether every directory in which something may change is watched."""
        self.watched = self._watched()
        """The directories to watch."""

    @property
    def directories(self) -> Mapping[str, Sequence[Pattern]]:
        """The directories that are listed, and the patterns for what is in them."""
        return self._directories

    def is_covered(self, pattern: Pattern) -> bool:
        """Whether the files that `pattern` matches count for patterns before it."""
        return any(
            other.number == pattern.number and other.matches(os.path.basename(match.path))
            for match in self._matches
            for other in self._directories.get(os.path.dirname(match.path), ())
        )

    def look(self) -> None:
        """List all directories."""
        unknown: list[str] = []
        listed: set[str] = set()

        def keep(path: str, error: OSError) -> None:
            unknown.append(path)
            self._complaints.add(
                path, f"cannot look at {path!r}, its devices stay as they were: {error.strerror}"
            )

        self._refused.clear()
        known, parents = self._directories, self._parents
        self._directories, self._parents = {}, set()
        self._examiner.begin(everything=True)
        for pattern in self._patterns:
            *above, directories = pattern.levels(keep, self._is_allowed)
            if len(directories) > MOST_DIRECTORIES:
                self._complain_of_too_many(pattern)
                del directories[MOST_DIRECTORIES:]
            self._parents.update(path for level in above for path in level[:MOST_DIRECTORIES])
            for directory in directories:
                self._directories.setdefault(directory, []).append(pattern)
            if pattern.is_literal and directories:
                self._parents.add(pattern.directory)
                if is_directory(pattern.text, keep) and self._is_allowed(pattern.text):
                    self._directories.setdefault(pattern.text, []).append(pattern.inside())
        # What is below them need not have gone, and is listed again as soon as that is possible.
        self._parents |= {path for path in parents if _is_below(path, unknown)}
        for directory in known.keys() - self._directories:
            if _is_below(directory, unknown):
                self._directories[directory] = known[directory]
        found: dict[str, Match] = {}
        # Directories that others may fill with any number of files come last, so that the bounds
        # leave room for the devices in the rest.
        for directory, patterns in sorted(self._directories.items(), key=self._is_open):
            into = partial(self._list, patterns=patterns, found=found)
            # A directory that is missing is watched, and listed when it appears.
            if looked_at(directory, into, keep):
                listed.add(directory)
            elif directory not in unknown and os.path.exists(directory):
                self._complaints.add(directory, f"cannot look at {directory!r}: it is no directory")
        if unknown:
            for match in self._matches:
                directory = os.path.dirname(match.path)
                if directory not in listed and _is_below(directory, unknown):
                    found[match.path] = match
        self._matches.update(found)
        self.watched = self._watched()

    def follow(self, changed: Collection[str]) -> bool:
        """Look again at these paths only.  Returns whether it had to look at everything."""
        paths = {path for path in changed if os.path.dirname(path) in self._directories}
        links = {link for path in changed for link in self._examiner.targets.links_to(path)}
        known = self._directories.keys() | self._parents
        if any(path in self._directories for path in {*changed, *links}):
            return self._look_at_all()  # perhaps one that could not be listed before
        if any(
            os.path.dirname(path) in self._parents and (path in known or os.path.isdir(path))
            for path in {*changed, *links}
        ):
            # A directory of a pattern may have come or gone.
            return self._look_at_all()
        self._examiner.begin(everything=False)
        places = {
            directory: self._examiner.place(directory)
            for directory in map(os.path.dirname, paths | links)
        }
        if not all(map(self._is_allowed, places)):
            return self._look_at_all()
        targets = len(self._examiner.targets.directories)
        for path in paths | links:
            directory, name = os.path.split(path)
            before = self._matches.get(path)
            match = self._examiner.examine(
                path, name, self._directories[directory], *places[directory]
            )
            if match is not before:
                if before is not None:
                    self._matches.remove(before)
                if match is not None:
                    self._matches.add(match)
        if len(self._examiner.targets.directories) != targets:
            self.watched = self._watched()
        return False

    def _look_at_all(self) -> bool:
        self.look()
        return True

    def _is_allowed(self, directory: str) -> bool:
        """Whether a directory may be looked in: nobody else decides what it holds."""
        if not self._examiner.is_refused(directory):
            return True
        if directory in self._tops:
            self._refused.add(directory)
        above = os.path.dirname(directory)
        if self._examiner.is_sound(above):
            self._parents.add(above)  # which reports it when that has been fixed
        return False

    def _is_open(self, item: tuple[str, object]) -> bool:
        return self._examiner.is_open(item[0])

    def _list(self, directory: str, patterns: Sequence[Pattern], found: dict[str, Match]) -> bool:
        self._examiner.list(directory, patterns, found)
        return True

    def _watched(self) -> list[str]:
        """The directories to watch: the listed ones, those where wildcards in the middle of a
        pattern start, and those that links lead to."""
        watched = dict.fromkeys([*self._directories, *self._parents])
        watched.update((top, None) for top in self._tops if top not in self._refused)
        self.watches_all = len(watched) <= MOST_WATCHED and not self._examiner.targets.is_full
        return [*islice(watched, MOST_WATCHED), *self._examiner.targets.directories]

    def _complain_of_too_many(self, pattern: Pattern) -> None:
        self._complaints.add(
            pattern.text,
            f"pattern {pattern.text!r} matches more than {MOST_DIRECTORIES} directories: the "
            "rest is left out; narrow the pattern",
        )


def _is_below(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(os.path.join(top, "")) for top in tops)
