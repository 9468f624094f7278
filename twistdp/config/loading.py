"""From a file to a `Config`: every value is converted and checked, and all problems reported."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from twistdp.config.document import LARGEST, MOST_NODES, Node, compose
from twistdp.config.kinds import Record
from twistdp.config.model import Config
from twistdp.config.problems import BadConfig, Problem, Problems
from twistdp.config.refusals import Refused
from twistdp.config.structure import Walk
from twistdp.config.use import Catalog
from twistdp.config.values import node_of
from twistdp.errors import BadSetting
from twistdp.model import printable

_C = TypeVar("_C")


def load(
    source: str | bytes | Path, name: str | None = None, catalog: Catalog | None = None
) -> Config:
    """The configuration in a text, or in the file at a `Path`.

    `name` names the text in problems.  `use` is resolved with `catalog`, and stays without one;
    `twistdp.catalog.load` has the catalogue.  Raises `BadConfig` with all problems, and
    `BadSetting` for a file that cannot be read.
    """
    return load_as(Config, source, name, catalog)


def check(source: str | bytes | Path, name: str | None = None) -> tuple[Problem, ...]:
    """All problems of a configuration; see `load`."""
    try:
        load(source, name)
    except BadConfig as error:
        return error.problems
    return ()


def load_as(
    cls: type[_C],
    source: str | bytes | Path,
    name: str | None = None,
    catalog: Catalog | None = None,
) -> _C:
    """As `load`, for a document whose root is another class of the model."""
    if isinstance(source, Path):
        name = name or str(source)
        source = read(source)
    problems = Problems(printable(name or "text"))
    return _made(cls, compose(source, problems), problems, Walk(problems, catalog), "")


def load_value(
    cls: type[_C],
    value: object,
    at: str,
    name: str = "object",
    catalog: Catalog | None = None,
    most: int = MOST_NODES,
) -> _C:
    """As `load_as`, for a value as JSON has them, of dicts, lists, texts, numbers and so on.

    `at` is its place in the object that `name` names in problems.  A number or flag stands for no
    text: YAML has made it of something else already, as 259 of 0403.  There may be `most` values.
    """
    problems = Problems(printable(name))
    node = node_of(value, problems, at, most)
    return _made(cls, node, problems, Walk(problems, catalog, quoted=True), at)


def _made(cls: type[_C], root: Node, problems: Problems, walk: Walk, at: str) -> _C:
    value = None
    with suppress(Refused):
        value = walk.convert(Record(cls), root, at)
    if problems.found:
        raise BadConfig(problems.found)
    return cast(_C, value)


def read(path: Path) -> bytes:
    """A file's beginning, one byte more than `load` accepts; `BadSetting` if there is none."""
    doing = f"configuration {printable(str(path))}:"
    try:
        # Opening a pipe would block; so would reading it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BadSetting(f"{doing} it is no regular file; give the path of one")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(LARGEST + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise BadSetting(f"{doing} {getattr(error, 'strerror', None) or error}") from error
