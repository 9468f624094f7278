"""Whether what the checklist has found works: tests, lint, types and the conformance suite."""

import os
import re
import shlex
import subprocess
import sys
import time

from twistdp.scaffold.checklist import COVERAGE, Verdict, scanners
from twistdp.scaffold.tree import MAKEFILES, Tree, has_rule

TARGETS = ("test", "lint", "types", "conformance")
"""Targets of a project's Makefile; where there is none, a usual command is run instead."""

_ADVICE = "; if it needs options to find a device, write a target conformance into a Makefile"

_SHOWN = 15
"""Lines of a failed command's output."""


def command(tree: Tree, target: str) -> list[str]:
    """What is run for a target; nothing when there is nothing to run."""
    if any(has_rule(tree.texts.get(name, ""), target) for name in MAKEFILES):
        return ["make", target]
    own = os.path.join(tree.root, ".venv", "bin", "python")
    python = os.path.abspath(own) if os.path.exists(own) else sys.executable
    run = [python, "-m"]
    if target == "test":
        coverage = shlex.join([*run, "coverage"])
        tests = "tests" if os.path.isdir(os.path.join(tree.root, "tests")) else ""
        return [
            *("sh", "-c"),
            f"{coverage} run --branch -m twisted.trial --reactor=asyncio {tests} && "
            f"{coverage} report --omit='tests/*,*/tests/*,test_*,*/test_*'",
        ]
    if target == "lint":
        return [*run, "ruff", "check", "."]
    if target == "types":
        return [*run, "mypy", "."]
    scanner = next((name for name, place in scanners(tree).items() if place), None)
    if scanner is None:
        return []
    beside = os.path.dirname(python)
    twistd = os.path.join(beside, "twistd")
    return [
        *(os.path.join(beside, "twistdp"), "conformance", "-j", "4", "--"),
        *(twistd, "-n", "--pidfile=", "deviceplugin", f"--scanner={scanner}"),
        "--plugin-dir={plugin_dir}",
    ]


def outcome(tree: Tree, target: str) -> Verdict:
    """Run it in the project's directory; what it runs is the project's code."""
    words = command(tree, target)
    name = f"make {target}" if words[:1] == ["make"] else target
    if not words:
        return Verdict(name, False, "there is no command to run; see command above")
    # A make that runs this has settings for its own children only.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    begun = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603  # the project's own command is what was asked for
            words,
            cwd=tree.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        advice = "" if os.path.exists(words[0]) else f"; {words[0]} has to be installed"
        ended = f"{shlex.join(words)} cannot be run: {error.strerror}{advice}"
        return Verdict(name, False, ended)
    seconds = f"{time.monotonic() - begun:.1f} s"
    lacking = re.search(r"^(.*): No module named (\w+)$", done.stdout, re.MULTILINE)
    if lacking and done.returncode != 0:
        python, tool = lacking.groups()
        mended = shlex.join([python, "-m", "pip", "install", tool])
        return Verdict(name, False, f"{tool} is not installed for {python}: {mended}")
    if done.returncode != 0:
        last = "".join(f"\n    {line}" for line in done.stdout.splitlines()[-_SHOWN:])
        advice = _ADVICE if name == "conformance" else ""
        ended = f"{shlex.join(words)} ended with {done.returncode}{advice}:{last}"
        return Verdict(name, False, ended)
    if target != "test":
        return Verdict(name, True, seconds)
    return _covered(name, done.stdout, seconds)


def _covered(name: str, output: str, seconds: str) -> Verdict:
    total = re.search(r"^TOTAL\b.*?(\d+(?:\.\d+)?)%", output, re.MULTILINE)
    if total is None:
        return Verdict(name, False, "the tests pass, and no coverage is told; end with the report")
    if float(total[1]) < COVERAGE:
        return Verdict(name, False, f"{total[1]} % is covered; write tests for {COVERAGE} %")
    return Verdict(name, True, f"{seconds}, {total[1]} % is covered")
