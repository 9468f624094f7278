"""``twistdp config``: checks and shows a configuration file, and converts those of other tools."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from twistdp.catalog import Shelf, load
from twistdp.config import (
    LARGEST,
    BadConfig,
    Config,
    Problem,
    convert,
    read,
    schema,
    show,
)
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
    converted = actions.add_parser(
        "from",
        help="print another tool's configuration in our format, and report what is lost",
        allow_abbrev=False,
    )
    converted.add_argument(
        "tool", choices=convert.TOOLS, metavar="TOOL", help=", ".join(convert.TOOLS)
    )
    converted.add_argument(
        "file",
        metavar="FILE",
        help="the tool's file, or a ConfigMap, DaemonSet, HelmRelease or values file with it; "
        "'-' is standard input",
    )
    converted.add_argument(
        "--key", help="the key of one file in a ConfigMap with several of which a node reads one"
    )
    converted.add_argument("--domain", help="the domain of the resources instead of the tool's")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; 1 if a file has problems."""
    if arguments.action == "from":
        return _convert(arguments)
    if arguments.action == "schema":
        print(json.dumps(schema(catalog=Shelf()), indent=2))
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
            count = _counted(len(config.resources), "resource")
            print(f"{printable(file)}: no problem, {count}")
    return 0 if all(loaded) else 1


def _loaded(file: str) -> Config | None:
    """The configuration; None after its problems are printed."""
    source = _source(file)
    try:
        return load(source, file)
    except BadConfig as error:
        _print_problems(error, source, file)
        if (tool := convert.recognised(source)) is not None:
            print(
                f"{printable(file)}: this looks like a configuration of {tool}; convert it with "
                f"'twistdp config from {tool} {printable(file)}'",
                file=sys.stderr,
            )
        return None


def _convert(arguments: argparse.Namespace) -> int:
    """Print the configuration, and the notes to standard error."""
    file = arguments.file
    source = _source(file)
    try:
        found = convert.convert(arguments.tool, source, file, arguments.domain, arguments.key)
    except BadConfig as error:
        _print_problems(error, source, file)
        return 1
    print(found.text, end="")
    for note in found.notes:
        print(note, file=sys.stderr)
    resources = _counted(found.resources, "resource")
    notes = _counted(len(found.notes), "note")
    print(f"{printable(file)}: {resources} converted, {notes}", file=sys.stderr)
    return 0


def _source(file: str) -> bytes:
    return sys.stdin.buffer.read(LARGEST + 1) if file == "-" else read(Path(file))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _print_problems(error: BadConfig, source: bytes, file: str) -> None:
    lines = source.decode(errors="replace").splitlines()
    for problem in error.problems:
        print("\n".join(_listed(problem, lines)))
    print(f"{printable(file)}: {_counted(len(error.problems), 'problem')}", file=sys.stderr)


def _listed(problem: Problem, lines: Sequence[str]) -> Iterator[str]:
    """A problem, and its line with a mark below where it is, if it fits a terminal."""
    yield str(problem)
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    start = problem.column - 1
    if line.strip() and len(line) <= 120 and line.isprintable():
        yield f"    {line}"
        yield f"    {' ' * start}^"
