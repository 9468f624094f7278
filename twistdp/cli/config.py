"""``twistdp config``: what is wrong with a configuration file, and what it amounts to."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from twistdp.config import LARGEST, BadConfig, Config, Problem, load, read, schema, show
from twistdp.model import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="report every problem of configuration files", allow_abbrev=False
    )
    check.add_argument("files", nargs="+", metavar="FILE", help="'-' is standard input")
    shown = actions.add_parser(
        "show", help="print what a file amounts to, with the defaults filled in", allow_abbrev=False
    )
    shown.add_argument("file", metavar="FILE", help="'-' is standard input")
    actions.add_parser(
        "schema", help="print the JSON Schema of configuration files", allow_abbrev=False
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; 1 if a file has problems."""
    if arguments.action == "schema":
        print(json.dumps(schema(), indent=2))
        return 0
    if arguments.action == "show":
        config = _loaded(arguments.file)
        if config is None:
            return 1
        print(show(config), end="")
        return 0
    loaded = [_loaded(file) for file in arguments.files]
    for file, config in zip(arguments.files, loaded, strict=True):
        if config is not None:
            count = len(config.resources)
            print(f"{printable(file)}: no problem, {count} resource{'' if count == 1 else 's'}")
    return 0 if all(loaded) else 1


def _loaded(file: str) -> Config | None:
    """The configuration; None after its problems are printed."""
    source = sys.stdin.buffer.read(LARGEST + 1) if file == "-" else read(Path(file))
    try:
        return load(source, file)
    except BadConfig as error:
        lines = source.decode(errors="replace").splitlines()
        for problem in error.problems:
            print("\n".join(_listed(problem, lines)))
        count = len(error.problems)
        print(f"{printable(file)}: {count} problem{'' if count == 1 else 's'}", file=sys.stderr)
        return None


def _listed(problem: Problem, lines: Sequence[str]) -> Iterator[str]:
    """A problem, and its line with a mark below where it is, if it fits a terminal."""
    yield str(problem)
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    start = problem.column - 1
    if line.strip() and len(line) <= 120 and line.isprintable():
        yield f"    {line}"
        yield f"    {' ' * start}^"
