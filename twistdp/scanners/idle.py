"""Patterns that match nothing: what is said of them, once, and once more when they do match."""

from collections.abc import Callable, Mapping, Sequence

from twistdp.scanners.patterns import Pattern


class IdlePatterns:
    """Which of `patterns` match nothing; calls `warn` and `inform` with what is new about it."""

    def __init__(
        self,
        patterns: Sequence[Pattern],
        warn: Callable[[str], object],
        inform: Callable[[str], object],
    ) -> None:
        self._patterns = patterns
        self._warn = warn
        self._inform = inform
        self._idle: set[int] = set()

    def end(
        self,
        found: Mapping[int, int],
        unfit: Mapping[int, int],
        covered: Callable[[Pattern], bool],
    ) -> None:
        """A scan has ended.

        By a pattern's index, `found` is how many files it has, and `unfit` how many that match and
        are no devices.  `covered` says whether all that it matches counts for an earlier one.
        """
        for pattern in self._patterns:
            if found.get(pattern.index):
                if pattern.index in self._idle:
                    self._idle.remove(pattern.index)
                    self._inform(f"pattern {pattern.text!r} matches by now")
            elif pattern.index not in self._idle and not covered(pattern):
                self._idle.add(pattern.index)
                self._warn(
                    f"pattern {pattern.text!r} matches {_what(unfit.get(pattern.index, 0))}; what "
                    "appears there will be found"
                )


def _what(unfit: int) -> str:
    if not unfit:
        return "nothing"
    files = "1 file that is" if unfit == 1 else f"{unfit} files that are"
    return f"nothing but {files} no device; -v 1 shows which"
