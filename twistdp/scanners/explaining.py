"""Explains what patterns made of each file in their directories."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from twistdp.model import natural_key
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.examiner import Examiner
from twistdp.scanners.match import Match
from twistdp.scanners.matches import Matches
from twistdp.scanners.patterns import Pattern
from twistdp.select import Cause, Explanation, Outcome, Step, Verdict


class Notes(Complaints):
    """Complaints that are kept instead of logged, by what they are about."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.texts: dict[str, str] = {}

    def add(self, about: str, text: str) -> None:
        """Keep the first text about something."""
        self.texts.setdefault(about, text)


class Account:
    """What became of the files in `directories`, by the patterns that look there.

    `matches` are those of the last look.  `examiner` knows no file and examines the others again;
    its complaints go to `faults`, and matching files that are no devices to `unfit`.  With
    `together`, all files are one device.
    """

    def __init__(
        self,
        directories: Mapping[str, Collection[Pattern]],
        matches: Matches,
        examiner: Examiner,
        faults: Notes,
        unfit: Notes,
        together: bool,
    ) -> None:
        self._directories = directories
        self._matches = matches
        self._examiner = examiner
        self._faults = faults
        self._unfit = unfit
        self._together = together

    def explanation(self, resource: str, patterns: Sequence[Pattern]) -> Explanation:
        """The account of a resource's `patterns`."""
        self._examiner.begin(everything=True)
        steps = {pattern.top: step for pattern in patterns for step in self._refused(pattern.top)}
        for directory, there in self._directories.items():
            for path in sorted(_paths(directory), key=natural_key):
                if path not in self._directories and path not in steps:
                    steps[path] = self._step(path, resource, patterns, there)
        found = sorted(steps.values(), key=lambda step: step.verdict is Verdict.NOT_SELECTED)
        absent = "" if any(_is_met(step) for step in found) else "; ".join(map(_nothing, patterns))
        return Explanation(resource, tuple(found), absent)

    def _refused(self, directory: str) -> Iterator[Step]:
        """A directory that is not looked at, since others decide what it holds."""
        if os.path.isdir(directory) and self._examiner.is_refused(directory):
            reason = _without_path(self._faults.texts[directory], directory)
            yield Step(directory, Verdict.LEFT_OUT, reason, cause=Cause.FAULT)

    def _step(
        self, path: str, resource: str, patterns: Sequence[Pattern], there: Collection[Pattern]
    ) -> Step:
        match = self._matches.get(path)
        if match is not None:
            return self._matched(match, resource, patterns[match.number].text)
        directory, name = os.path.split(path)
        wanted = [each for each in there if each.matches(name)]
        if not wanted:
            texts = [f"the pattern {each.text} does not match" for each in there]
            tests = tuple(Outcome(False, text) for text in texts)
            reason = texts[0] if len(texts) == 1 else f"none of {len(texts)} patterns matches"
            return Step(path, Verdict.NOT_SELECTED, reason, tests=tests)
        self._examiner.examine(path, name, wanted, *self._examiner.place(directory))
        reason, cause = "it was not there at the last look, or its link leads to nothing", None
        for notes, why in ((self._faults, Cause.FAULT), (self._unfit, Cause.RULE)):
            if path in notes.texts:
                reason, cause = _without_path(notes.texts[path], path), why
        return Step(path, Verdict.LEFT_OUT, reason, cause=cause)

    def _matched(self, match: Match, resource: str, pattern: str) -> Step:
        known, first, ids = self._matches.fate(match)
        cause = Cause.RULE
        if known is None:
            reason = "the file was known by another link, which leads elsewhere now"
            cause = Cause.FAULT
        elif known is not match:
            reason = f"{match.real} is known as {known.path}, which counts"
        elif first is not match and not (self._together or match.whole):
            reason = f"{first.path} has the same id"
            cause = Cause.FAULT
        elif not ids:
            reason = "there are max_devices others"
        else:
            return Step.listed(match.path, resource, ids, by=f"by the pattern {pattern}")
        return Step(match.path, Verdict.LEFT_OUT, reason, cause=cause)


def _paths(directory: str) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry.path
    except OSError:
        return  # the scanner has reported it


def _is_met(step: Step) -> bool:
    return step.verdict is not Verdict.NOT_SELECTED


def _without_path(text: str, path: str) -> str:
    """The reason in a complaint about a path."""
    for start in (f"left out {path!r}", f"{path!r}"):
        if text.startswith(start):
            return text.removeprefix(start).lstrip(":, ")
    return text


def _nothing(pattern: Pattern) -> str:
    top = pattern.top
    missing = ""
    while not os.path.lexists(top):
        missing, top = top, os.path.dirname(top)
    text = f"nothing matches {pattern.text}"
    return f"{text}: {missing} does not exist on this node" if missing else text
