"""Tests for `twistdp.launch.arguments`."""

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Literal, NewType, Optional, Tuple, Union  # noqa: UP035

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.launch.arguments import bind


class Colour(enum.Enum):
    """Members whose names and values differ."""

    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    """Members whose values are numbers."""

    LOW = 1
    HIGH = 2


def taking(annotation: Any) -> Callable[..., object]:
    """A class whose constructor takes `value` of that type."""

    class Scanner:
        def __init__(self, value: Any = None) -> None:
            self.value = value

    Scanner.__init__.__annotations__["value"] = annotation
    return Scanner


class ConversionTests(SynchronousTestCase):
    """Texts become what a constructor's annotations say."""

    def test_table(self) -> None:
        """Each type that text can express is converted."""
        for annotation, texts, expected in (
            (str, ["x"], "x"),
            (str, [""], ""),
            (str, ["a=b, c"], "a=b, c"),
            (Any, ["5"], "5"),
            (int, ["5"], 5),
            (int, ["-5"], -5),
            (float, ["0.5"], 0.5),
            (float, ["5"], 5.0),
            (bool, ["true"], True),
            (bool, ["false"], False),
            (Path, ["/a/b"], Path("/a/b")),
            (Colour, ["r"], Colour.RED),
            (Colour, ["GREEN"], Colour.GREEN),
            (Level, ["2"], Level.HIGH),
            (Level, ["LOW"], Level.LOW),
            (Literal["a", "b"], ["b"], "b"),
            (Literal[1, 2], ["2"], 2),
            (Optional[int], ["5"], 5),  # noqa: UP045
            (int | None, ["5"], 5),
            (None | bool, ["true"], True),
            (list, ["a", "b"], ["a", "b"]),
            (list[str], ["a"], ["a"]),
            (list[int], ["1", "2", "1"], [1, 2, 1]),
            (List[int], ["1"], [1]),  # noqa: UP006
            (list[int] | None, ["1", "2"], [1, 2]),
            (list[int | None], ["1"], [1]),
            (list[Path], ["/a", "/b"], [Path("/a"), Path("/b")]),
            (list[Colour], ["r", "GREEN"], [Colour.RED, Colour.GREEN]),
            (list[bool], ["true", "false"], [True, False]),
            (list[Literal["a", "b"]], ["b", "a"], ["b", "a"]),
            (Sequence[float], ["1", "2.5"], [1.0, 2.5]),
            (Sequence, ["a"], ["a"]),
            (tuple, ["a", "b"], ("a", "b")),
            (tuple[int, ...], ["1", "2", "3"], (1, 2, 3)),
            (Tuple[int, ...], ["1"], (1,)),  # noqa: UP006
            (tuple[str, int], ["a", "1"], ("a", 1)),
            (tuple[int], ["1"], (1,)),
            (tuple[str, int] | None, ["a", "1"], ("a", 1)),
        ):
            value = bind(taking(annotation), {"value": texts})["value"]
            self.assertEqual(value, expected, annotation)
            self.assertIs(type(value), type(expected), annotation)

    def test_not_convertible(self) -> None:
        """A text that is no value of the type is refused, with what would be one."""
        for annotation, text, why in (
            (int, "x", "not a whole number"),
            (int, "", "not a whole number"),
            (int, "1.5", "not a whole number"),
            (float, "x", "not a number"),
            (bool, "yes", "use one of: true, false"),
            (bool, "True", "use one of: true, false"),
            (Colour, "blue", "use one of: r, g, RED, GREEN"),
            (Level, "3", "use one of: 1, 2, LOW, HIGH"),
            (Literal["a", 1], "c", "use one of: a, 1"),
            (int | None, "None", "not a whole number"),
            (list[int], "x", "not a whole number"),
            (tuple[str, int], "x", "given 1 times, but it takes 2 values"),
        ):
            error = self.assertRaises(BadSetting, bind, taking(annotation), {"value": [text]})
            self.assertEqual(str(error), f"--set value={text}: {why}")

    def test_names_the_value_that_is_wrong(self) -> None:
        """Of a list's values, the refusal shows the one that does not convert."""
        error = self.assertRaises(BadSetting, bind, taking(list[int]), {"value": ["x", "1"]})
        self.assertEqual(str(error), "--set value=x: not a whole number")

    def test_repeated(self) -> None:
        """An argument that is no list is refused when it is given twice."""
        for annotation in (str, int, bool, Path, Colour, Literal["a"], int | None, Any):
            error = self.assertRaises(BadSetting, bind, taking(annotation), {"value": ["1", "2"]})
            self.assertIn("--set value=2: given 2 times, but it takes a single", str(error))
        for texts in (["a"], ["a", "1", "2"]):
            error = self.assertRaises(BadSetting, bind, taking(tuple[str, int]), {"value": texts})
            self.assertIn(f"given {len(texts)} times, but it takes 2 values", str(error))

    def test_refused_types(self) -> None:
        """A type that text cannot become is refused by its name, whatever the text."""
        for annotation, name in (
            (dict, "dict"),
            (dict[str, int], "dict"),
            (set[int], "set"),
            (bytes, "bytes"),
            (object, "object"),
            (complex, "complex"),
            (int | str, "int | str"),
            (Union[int, str, None], "str"),  # noqa: UP007
            (list[list[int]], "list"),
            (tuple[dict[str, str], ...], "dict"),
            (Callable[[], int], "Callable"),
            (NewType("Metres", int), "Metres"),
            (None, "NoneType"),
        ):
            error = self.assertRaises(BadSetting, bind, taking(annotation), {"value": ["1"]})
            self.assertIn("--set value=1: arguments of type ", str(error))
            self.assertIn(name, str(error))
            self.assertIn("cannot be given on the command line", str(error))

    @given(st.lists(st.integers(), min_size=1))
    def test_any_whole_numbers(self, numbers: list[int]) -> None:
        """Whole numbers of any size and sign survive, in their order."""
        texts = [str(number) for number in numbers]
        self.assertEqual(bind(taking(list[int]), {"value": texts}), {"value": numbers})

    @given(st.floats())
    def test_any_number(self, number: float) -> None:
        """Every float survives."""
        value = bind(taking(float), {"value": [str(number)]})["value"]
        self.assertTrue(value == number or (math.isnan(value) and math.isnan(number)))

    @given(
        st.sampled_from([str, int, float, bool, Path, Colour, Literal[1, "a"], list[int]]),
        st.lists(st.text(), min_size=1, max_size=3),
    )
    def test_never_another_error(self, annotation: Any, texts: list[str]) -> None:
        """Whatever the text, it converts or is refused in words."""
        try:
            bind(taking(annotation), {"value": texts})
        except BadSetting as error:
            self.assertTrue(str(error).startswith("--set value="), str(error))


class ArgumentsTests(SynchronousTestCase):
    """Texts are matched with a constructor's arguments."""

    class Scanner:
        """A constructor with arguments of every kind."""

        def __init__(self, path: str, *more: int, size: int = 5, untyped=None, **rest: int) -> None:
            pass

    def test_bound(self) -> None:
        """Arguments are bound by name; one with a default may be left out."""
        self.assertEqual(bind(self.Scanner, {"path": ["/x"]}), {"path": "/x"})
        self.assertEqual(
            bind(self.Scanner, {"size": ["1"], "path": ["/x"], "untyped": ["5"]}),
            {"path": "/x", "size": 1, "untyped": "5"},
        )

    def test_unknown(self) -> None:
        """An unknown argument is refused with a list of the known ones."""
        for key in ("speed", "self", "more", "rest"):
            error = self.assertRaises(BadSetting, bind, self.Scanner, {key: ["1"], "path": ["/"]})
            self.assertEqual(
                str(error),
                f"--set {key}: ArgumentsTests.Scanner has no such argument; it has: "
                "path, size, untyped",
            )

    def test_unknown_where_there_are_none(self) -> None:
        """A constructor without arguments takes none and says so."""

        class Bare:
            pass

        self.assertEqual(bind(Bare, {}), {})
        error = self.assertRaises(BadSetting, bind, Bare, {"x": ["1"]})
        self.assertIn("has no such argument; it has: none", str(error))

    def test_missing(self) -> None:
        """An argument without a default must be given, and the text says how."""
        error = self.assertRaises(BadSetting, bind, self.Scanner, {"size": ["1"]})
        self.assertEqual(str(error), "ArgumentsTests.Scanner needs an argument: add --set path=...")

    def test_annotations_that_cannot_be_evaluated(self) -> None:
        """Annotations that name what is not there are refused, with the class."""

        class Broken:
            def __init__(self, value: "Absent" = None) -> None:  # type: ignore[name-defined]  # noqa: F821
                pass

        error = self.assertRaises(BadSetting, bind, Broken, {})
        self.assertIn("Broken: its annotations cannot be evaluated: ", str(error))
        self.assertIn("Absent", str(error))

    def test_arguments_that_cannot_be_looked_up(self) -> None:
        """A callable without a signature is refused by its name."""
        error = self.assertRaises(BadSetting, bind, dict, {})
        self.assertIn("dict: its arguments cannot be looked up: ", str(error))

    def test_annotations_as_text(self) -> None:
        """Annotations that are written as strings are evaluated."""

        class Quoted:
            def __init__(self, value: "list[int]") -> None:
                pass

        self.assertEqual(bind(Quoted, {"value": ["1"]}), {"value": [1]})

    def test_generated_constructors(self) -> None:
        """Constructors that attrs or dataclasses write are like others, also inherited ones."""

        @attrs.define
        class One:
            value: int
            other: tuple[str, ...] = ()

        @dataclass
        class Two:
            value: int
            other: tuple[str, ...] = ()

        class Three(Two):
            pass

        for factory in (One, Two, Three):
            self.assertEqual(
                bind(factory, {"value": ["1"], "other": ["a"]}), {"value": 1, "other": ("a",)}
            )

    def test_functions(self) -> None:
        """A function that makes the scanner is annotated like a constructor."""

        def make(value: int, path: Path = Path()) -> object:
            return value, path

        self.assertEqual(
            bind(make, {"value": ["1"], "path": ["/x"]}), {"value": 1, "path": Path("/x")}
        )
