"""Whether the pinned packages have known vulnerabilities, as far as that can be found out here.

    audit.py DIRECTORY COMMAND...

DIRECTORY is the project's, COMMAND is pip-audit.  What it says is not taken on trust: behind an
index without advisories it finds no package at all, and reports "no known vulnerabilities".  A
package counts as audited only if a data base has answered for it.

Status 1 for a known vulnerability, and for pins that are not all there; 0 otherwise, also when no
data base could be reached.  The last line says which it was.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

SERVICES = ("pypi", "osv")
"""Data bases, in the order in which they are asked for what the ones before do not know."""

UNPINNED = {"pip", "twistdp"}
"""What is in the environment without a pin: the tool that makes it, and the project itself."""

TIMEOUT = 120.0
"""Seconds that a data base gets for all packages."""


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """The pins of a constraints file, version by name; raises ValueError for any other line."""
    found = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        name, equals, version = line.partition("==")
        if not equals or not re.fullmatch(r"[\w.-]+==[\w.+!-]+", line):
            raise ValueError(f"{line}: not a pin; write it as name==version")
        found[plain(name)] = version
    return found


def checked(text: str) -> dict[str, tuple[str, str]]:
    """The table of docs/dependencies.md: version and date of the last check by name."""
    rows = re.findall(r"^\| ([\w.-]+) \| ([\w.+!-]+) \| (never|\d{4}-\d\d-\d\d) \|$", text, re.M)
    return {plain(name): (version, date) for name, version, date in rows}


def gaps(
    pinned: Mapping[str, str],
    listed: Mapping[str, tuple[str, str]],
    installed: Iterable[tuple[str, str]],
) -> Iterator[str]:
    """What is wrong with the pins, the table of them, or an environment that was made with them."""
    for name, version in installed:
        if plain(name) not in pinned.keys() | UNPINNED:
            yield f"{name} {version} is installed without a pin: add it to constraints.txt"
    for name in sorted(pinned.keys() | listed.keys()):
        pin, (row, _) = pinned.get(name, "none"), listed.get(name, ("none", ""))
        if pin != row:
            yield (
                f"{name}: the pin is {pin}, in the table of docs/dependencies.md it is {row}; "
                "write it there, with the date when it was looked up, or 'never'"
            )


def ask(command: Sequence[str], service: str, pinned: Mapping[str, str]) -> dict[str, list[str]]:
    """The ids of known vulnerabilities of each package that a data base has answered for."""
    with tempfile.TemporaryDirectory() as directory:
        wanted, report = (os.path.join(directory, name) for name in ("wanted.txt", "report.json"))
        with open(wanted, "w", encoding="ascii") as file:
            file.writelines(f"{name}=={version}\n" for name, version in pinned.items())
        arguments = ["--requirement", wanted, "--no-deps", "--disable-pip", "--format", "json"]
        arguments += ["--output", report, "--progress-spinner", "off"]
        try:
            subprocess.run(
                [*command, "--vulnerability-service", service, *arguments],
                capture_output=True,
                check=False,
                timeout=TIMEOUT,
            )
            with open(report, encoding="utf-8") as file:
                packages = json.load(file)["dependencies"]
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
            return {}  # no report: it could not be run, or nothing answered
    return {
        plain(package["name"]): [found["id"] for found in package["vulns"]]
        for package in packages
        if "vulns" in package
    }


def main(directory: str, *command: str) -> int:
    """Print what there is to say; the exit status."""
    with open(os.path.join(directory, "constraints.txt"), encoding="utf-8") as file:
        pinned = pins(file.read())
    with open(os.path.join(directory, "docs", "dependencies.md"), encoding="utf-8") as file:
        listed = checked(file.read())
    installed = [(d.name, d.version) for d in importlib.metadata.distributions()]
    wrong = list(gaps(pinned, listed, installed))
    answers: dict[str, list[str]] = {}
    for service in SERVICES:
        if rest := {name: pinned[name] for name in pinned if name not in answers}:
            answers.update(ask(command, service, rest))
    for name, ids in sorted(answers.items()):
        if ids:
            wrong.append(f"{name} {pinned[name]}: known vulnerabilities: {', '.join(ids)}")
    for line in wrong:
        print(f"audit: {line}")
    silent = [name for name in pinned if name not in answers]
    dates: dict[str, list[str]] = {}
    for name in silent:
        date = listed.get(name, ("", "never"))[1]
        dates.setdefault(date, []).append(f"{name} {pinned[name]}")
    for date, names in sorted(dates.items()):
        print(f"audit: no data base answered, checked by hand: {date}: {', '.join(names)}")
    if silent:
        print(f"audit: NOT AUDITED: {len(silent)} of {len(pinned)} pins; {len(wrong)} problems")
    else:
        print(f"audit: {len(pinned)} pins audited; {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
