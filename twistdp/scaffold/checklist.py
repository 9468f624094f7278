"""The checklist for a device plugin's project, which looks only at its files.

The list is Intel's for a new plugin: a command, a Dockerfile, a kustomization, unit tests that
cover more than 80 %, lint, end-to-end tests, and documentation with a demo.  Types and least
privileges are added, since they cost little.  `twistdp.scaffold.running` finds out whether what is
there works.
"""

from collections.abc import Callable

import attrs

from twistdp.scaffold.deployment_items import image, manifests, privileges
from twistdp.scaffold.documentation_items import command, demo, documentation
from twistdp.scaffold.quality_items import (
    COVERAGE,
    coverage,
    end_to_end,
    settings_item,
    tests,
    types,
)
from twistdp.scaffold.tree import LookResult, Tree


@attrs.frozen
class Item:
    """One point of the list.

    `look` returns whether the item is there, and what it found or what is wrong.  If it returns no
    text, the line names what was `wanted`.  A line about a missing item ends with its `remedy`.
    """

    name: str
    look: Callable[[Tree], LookResult]
    wanted: str
    remedy: str


@attrs.frozen
class Finding:
    """Whether an item is there, and one line for people."""

    name: str
    good: bool
    line: str


def findings(tree: Tree) -> list[Finding]:
    """One for each item."""
    found = []
    for item in ITEMS:
        good, line = item.look(tree)
        if not good:
            problem = line or f"looked for {item.wanted}, and found none"
            line = f"{problem}; {item.remedy}"
        found.append(Finding(item.name, good, line))
    return found


ITEMS = (
    Item(
        "command",
        command,
        "a command line with --scanner=module:Class, and that class, in the same project",
        "write a scanner, and the command that runs it into README, Makefile or Dockerfile",
    ),
    Item(
        "image",
        image,
        "a Dockerfile or Containerfile with FROM and ENTRYPOINT or CMD",
        "write one whose last stage has the plugin and runs twistd in the foreground",
    ),
    Item(
        "manifests",
        manifests,
        "a kustomization.yaml and a DaemonSet",
        "write a DaemonSet that mounts the kubelet's directory, and list it as a resource",
    ),
    Item(
        "privileges",
        privileges,
        "a DaemonSet with least privileges",
        "correct its securityContext: a plugin needs no privilege, capability or writable root",
    ),
    Item(
        "tests",
        tests,
        "unit tests: test_*.py or *_test.py with functions test_...",
        "test the scanner with twistdp.testing.FakeKubelet",
    ),
    Item(
        "coverage",
        coverage,
        "fail_under of coverage, in its settings or on a command line",
        f"write fail_under = {COVERAGE} into [tool.coverage.report]",
    ),
    Item(
        "lint",
        settings_item("ruff|flake8|pylint", ("ruff.toml", ".ruff.toml", ".flake8", ".pylintrc")),
        "settings of ruff, flake8 or pylint",
        "write [tool.ruff] into pyproject.toml",
    ),
    Item(
        "types",
        types,
        "settings of mypy or pyright",
        "write [tool.mypy] with strict = true into pyproject.toml",
    ),
    Item(
        "end-to-end",
        end_to_end,
        "a test with e2e in its path that uses kubectl or kind",
        "write one that applies the manifests and waits for a pod with a device",
    ),
    Item(
        "documentation",
        documentation,
        "a README",
        "write what the devices are, how to run the plugin, and how a pod asks for one",
    ),
    Item(
        "demo",
        demo,
        "a heading with Demo, Try it or Quick start that a command follows, in README or docs",
        "write one, with commands that work without hardware",
    ),
)
"""In the order in which they are reported."""
