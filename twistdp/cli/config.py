"""``twistdp config``: checks and shows a configuration file, and converts those of other tools."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from twistdp.catalog import Shelf, load
from twistdp.cli.completing import files
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
from twistdp.crds import check as check_objects
from twistdp.crds import intel
from twistdp.model import printable

_TOOLS: Final = (*convert.TOOLS, intel.TOOL)
_FILE: Final = "A configuration file; '-' is standard input."


@click.group(no_args_is_help=False)
def command() -> None:
    """Check and show configuration files, and convert those of other tools."""


@command.command
@click.argument(
    "names", nargs=-1, required=True, metavar="FILE...", help=_FILE, shell_complete=files
)
def check(names: tuple[str, ...]) -> int:
    """Report every problem of configuration files, and of objects for the operator."""
    # Each file is checked, whatever is wrong with one.
    checked = [_checked(file) for file in names]
    return 0 if all(checked) else 1


def _checked(file: str) -> bool:
    """Whether a file has no problem; prints what it has."""
    source = _source(file)
    objects = check_objects(source)
    for each in objects:
        for problem in each.problems:
            print(f"{printable(file)}: {printable(each.name)}: {problem}", flush=True)
    found = sum(len(each.problems) for each in objects)
    if found:
        print(f"{printable(file)}: {_counted(found, 'problem')}", file=sys.stderr)
        return False
    config = None if objects else _loaded(file, source)
    if not objects and config is None:
        return False
    count = _counted(len(config.resources), "resource") if config else ""
    print(f"{printable(file)}: no problem, {count or _counted(len(objects), 'object')}")
    return True


@command.command("show")
@click.argument("file", metavar="FILE", help=_FILE, shell_complete=files)
def shown(file: str) -> int:
    """Print what a file amounts to, with the defaults filled in."""
    config = _loaded(file, _source(file))
    if config is None:
        return 1
    print(show(config), end="")
    return 0


@command.command("schema")
def printed() -> int:
    """Print the JSON Schema of configuration files."""
    print(json.dumps(schema(catalog=Shelf()), indent=2))
    return 0


@command.command("from")
@click.argument("tool", type=click.Choice(_TOOLS), metavar="TOOL", help=f"{', '.join(_TOOLS)}.")
@click.argument(
    "file",
    metavar="FILE",
    help="The tool's file, or a ConfigMap, DaemonSet, HelmRelease or values file with it; "
    "'-' is standard input.",
    shell_complete=files,
)
@click.option(
    "--key",
    metavar="KEY",
    help="The key of one file in a ConfigMap with several of which a node reads one.",
)
@click.option(
    "--domain", metavar="DOMAIN", help="The domain of the resources instead of the tool's."
)
def converted(tool: str, file: str, key: str | None, domain: str | None) -> int:
    """Print another tool's configuration in our format, and report what is lost.

    What is printed for intel-crd are objects for the operator.
    """
    source = _source(file)
    is_intels = tool == intel.TOOL
    try:
        if is_intels:
            found = intel.convert_intel(source, file, domain, key)
        else:
            found = convert.convert(tool, source, file, domain, key)
    except BadConfig as error:
        _print_problems(error, source, file)
        return 1
    print(found.text, end="", flush=True)
    for note in found.notes:
        print(note, file=sys.stderr)
    resources = _counted(found.resources, "object" if is_intels else "resource")
    notes = _counted(len(found.notes), "note")
    print(f"{printable(file)}: {resources} converted, {notes}", file=sys.stderr)
    return 0


def _loaded(file: str, source: bytes) -> Config | None:
    """The configuration; None after its problems are printed."""
    try:
        return load(source, file)
    except BadConfig as error:
        _print_problems(error, source, file)
        tool = intel.TOOL if intel.is_intels(source) else convert.recognised(source)
        if tool is not None:
            print(
                f"{printable(file)}: this looks like a configuration of {tool}; convert it with "
                f"'twistdp config from {tool} {printable(file)}'",
                file=sys.stderr,
            )
        return None


def _source(file: str) -> bytes:
    return sys.stdin.buffer.read(LARGEST + 1) if file == "-" else read(Path(file))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _print_problems(error: BadConfig, source: bytes, file: str) -> None:
    lines = source.decode(errors="replace").splitlines()
    for problem in error.problems:
        print("\n".join(_listed(problem, lines)), flush=True)
    print(f"{printable(file)}: {_counted(len(error.problems), 'problem')}", file=sys.stderr)


def _listed(problem: Problem, lines: Sequence[str]) -> Iterator[str]:
    """A problem, and its line with a mark below where it is, if it fits a terminal."""
    yield str(problem)
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    start = problem.column - 1
    if line.strip() and len(line) <= 120 and line.isprintable():
        yield f"    {line}"
        yield f"    {' ' * start}^"
