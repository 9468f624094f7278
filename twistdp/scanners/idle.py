"""Reports patterns that match nothing, and that they match later."""

from collections.abc import Callable, Mapping, Sequence

from twistdp.scanners.patterns import Pattern


class IdlePatterns:
    """Calls `warn` once for each of `patterns` that matches nothing, and `inform` when it does.

    They get the text, a constant text for programs, and its values by name.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        warn: Callable[..., object],
        inform: Callable[..., object],
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
        """Report changes after a scan.

        By a pattern's index, `found` is the number of its files, and `unfit` that of matching files
        that are no devices.  `covered` returns whether all its files count for an earlier pattern.
        """
        for pattern in self._patterns:
            if found.get(pattern.number):
                if pattern.number in self._idle:
                    self._idle.remove(pattern.number)
                    self._inform(
                        f"pattern {pattern.text!r} matches now",
                        "pattern matches now",
                        pattern=pattern.text,
                    )
            elif pattern.number not in self._idle and not covered(pattern):
                self._idle.add(pattern.number)
                others = unfit.get(pattern.number, 0)
                self._warn(
                    f"pattern {pattern.text!r} matches {_what(others)}; "
                    "devices that appear there will be found",
                    "pattern matches nothing",
                    pattern=pattern.text,
                    otherFiles=others,
                )


def _what(unfit: int) -> str:
    if not unfit:
        return "nothing"
    files = "1 file that is" if unfit == 1 else f"{unfit} files that are"
    return f"nothing but {files} no device; -v 1 shows which"
