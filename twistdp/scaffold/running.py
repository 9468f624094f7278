"""Runs a project's tests, lint, types and conformance suite."""

import os
import re
import shlex
import subprocess
import sys
import time

from twistdp.scaffold.checklist import Finding
from twistdp.scaffold.documentation_items import scanners
from twistdp.scaffold.quality_items import COVERAGE
from twistdp.scaffold.tree import MAKEFILES, Tree, has_rule

TARGETS = ("test", "lint", "types", "conformance")
"""Targets of a project's Makefile; without the target, the usual command runs instead."""

_ADVICE = "; if it needs options to find a device, write a target conformance into a Makefile"

_SHOWN = 15
"""Lines of a failed command's output."""


def command_for(tree: Tree, target: str) -> list[str]:
    """The command for a target; empty if there is none."""
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
        *("--plugin-dir={plugin_dir}", "--status-socket="),
    ]


def outcome(tree: Tree, target: str) -> Finding:
    """Run the command for a target in the project's directory, and so the project's code."""
    words = command_for(tree, target)
    name = f"make {target}" if words[:1] == ["make"] else target
    if not words:
        return Finding(name, False, "there is no scanner to run it with; see command above")
    # MAKEFLAGS of a make that runs this are for its own children.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    begun = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603  # the user asked for the project's own command
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
        advice = "" if os.path.exists(words[0]) else f"; install {words[0]}"
        ended = f"{shlex.join(words)} cannot be run: {error.strerror}{advice}"
        return Finding(name, False, ended)
    seconds = f"{time.monotonic() - begun:.1f} s"
    lacking = re.search(r"^(.*): No module named (\w+)$", done.stdout, re.MULTILINE)
    if lacking and done.returncode != 0:
        python, tool = lacking.groups()
        remedy = shlex.join([python, "-m", "pip", "install", tool])
        return Finding(name, False, f"{tool} is not installed for {python}: {remedy}")
    if done.returncode != 0:
        last = "".join(f"\n    {line}" for line in done.stdout.splitlines()[-_SHOWN:])
        advice = _ADVICE if name == "conformance" else ""
        ended = f"{shlex.join(words)} ended with {done.returncode}{advice}:{last}"
        return Finding(name, False, ended)
    if target != "test":
        return Finding(name, True, seconds)
    return _covered(name, done.stdout, seconds)


def _covered(name: str, output: str, seconds: str) -> Finding:
    total = re.search(r"^TOTAL\b.*?(\d+(?:\.\d+)?)%", output, re.MULTILINE)
    if total is None:
        return Finding(
            name,
            False,
            "the tests pass but report no coverage; end the command with coverage report",
        )
    if float(total[1]) < COVERAGE:
        return Finding(name, False, f"the tests cover {total[1]} %; write tests for {COVERAGE} %")
    return Finding(name, True, f"{seconds}, the tests cover {total[1]} %")
