"""Notes what is wrong with values of a document: at which place, and with which remedy."""

from collections.abc import Callable, Iterable
from typing import Any

from twistdp.config import document
from twistdp.config.document import Mark, Node, Scalar
from twistdp.config.kinds import Kind, described
from twistdp.config.problems import BadKey, BadKeys, Problems
from twistdp.config.wording import found_in_words, hint_for, place_below
from twistdp.errors import TwistdpError
from twistdp.model import printable
from twistdp.tools import nearest


class Refused(Exception):
    """A value is wrong; its problems are noted."""


class Refusals:
    """Notes problems, and returns the `Refused` to raise for each.

    `at` is the place of a value in the document.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    @property
    def file(self) -> str:
        """The file's name."""
        return self._problems.file

    def unknown(self, name: Scalar, known: Iterable[str], at: str, elsewhere: str = "") -> Refused:
        """A key is not one of those `known`; `elsewhere` says where it belongs, if anywhere."""
        close = nearest(name.text, known) if not elsewhere else None
        if elsewhere:
            hint = elsewhere
        elif name.text == "<<":
            hint = "; merge keys are not supported: write the keys out"
        elif close is not None:
            hint = f"; did you mean {close!r}?"
        else:
            hint = f"; the keys are {', '.join(known)}"
        text = f"the key {printable(name.text, 60)!r} is unknown{hint}"
        return self.note(name.mark, place_below(at, name.text), text, close)

    def expected(self, kind: Kind, node: Node, at: str, words: Iterable[str] = ()) -> Refused:
        """A node is not a value of its kind; `words` are those that there are, if they are few."""
        close = nearest(node.text, words) if isinstance(node, Scalar) else None
        hint = f"; did you mean {close!r}?" if close is not None else hint_for(kind, node)
        text = f"expected {described(kind)}, found {found_in_words(node)}{hint}"
        return self.note(node.mark, at, text, close)

    def note(self, mark: Mark, at: str, text: str, suggestion: str | None = None) -> Refused:
        """Note any problem."""
        self._problems.note(mark.line, mark.column, at, text, suggestion)
        return Refused()

    def attempt(self, node: Node, at: str, function: Callable[[], Any]) -> Any:
        """What the function returns; raises `Refused` when it refuses what a node says."""
        try:
            return function()
        except (TwistdpError, ValueError) as error:
            for each in error.errors if isinstance(error, BadKeys) else (error,):
                self._blame(each, node, at)
            raise Refused from error

    def _blame(self, error: Exception, node: Node, at: str) -> None:
        """Note an error at the key that it names, or else at the node."""
        mark = node.mark
        for name in error.keys if isinstance(error, BadKey) else ():
            items = node.items if isinstance(node, document.Mapping) else ()
            found = next(((key.mark, each) for key, each in items if key.text == name), None)
            at = place_below(at, name)
            if found is None:  # the key is missing
                break
            mark, node = found
        self.note(mark, at, str(error)[:500])
