"""What a device plugin's project should have, told by looking at its files.

The list is Intel's for a new plugin: a command, a Dockerfile, a kustomization, unit tests that
cover more than 80 %, lint, end-to-end tests, and documentation with a demo; and, since they cost
little, types and least privileges.  What is found is what is written there; whether it works is
told by `twistdp.scaffold.running`.
"""

import posixpath
import re
from collections.abc import Callable

import attrs

from twistdp.scaffold.tree import Tree

COVERAGE = 80
"""Percent that unit tests must cover."""

Found = tuple[bool, str]


@attrs.frozen
class Item:
    """One point of the list.

    `look` tells whether it is there, and what was found or is wrong with it; without words of its
    own the line says what was `wanted` and how to mend it.
    """

    name: str
    look: Callable[[Tree], Found]
    wanted: str
    mend: str


@attrs.frozen
class Verdict:
    """Whether an item is there, and one line for people."""

    name: str
    good: bool
    line: str


def verdicts(tree: Tree) -> list[Verdict]:
    """One for each item."""
    answers = []
    for item in ITEMS:
        good, words = item.look(tree)
        if not good:
            problem = words or f"looked for {item.wanted}, and found none"
            words = f"{problem}; {item.mend}"
        answers.append(Verdict(item.name, good, words))
    return answers


def scanners(tree: Tree) -> dict[str, str]:
    """Where each ``module:Class`` of a ``--scanner`` option is; empty for what is not there."""
    found = {}
    for text in tree.named(*_PROSE, *_COMMANDS).values():
        for module, name in re.findall(r"--scanner[=\s\"',]+([\w.]+):([A-Za-z_]\w*)", text):
            where = "twistdp itself" if module.startswith("twistdp.") else ""
            path = module.replace(".", "/")
            for place, source in tree.texts.items():
                if f"/{place}".endswith((f"/{path}.py", f"/{path}/__init__.py")) and re.search(
                    rf"^class {name}\b", source, re.MULTILINE
                ):
                    where = place
            found[f"{module}:{name}"] = where
    return found


_PROSE = ("*.md", "*.rst", "README*")
_IMAGES = ("Dockerfile", "*.Dockerfile", "Containerfile")
_COMMANDS = (*_IMAGES, "Makefile", "makefile", "GNUmakefile", "*.mk", "*.service", "*.sh", "*.y*ml")
_SETTINGS = ("*.toml", "*.cfg", "*.ini", ".coveragerc", ".flake8", ".pylintrc", "*.json")


def _command(tree: Tree) -> Found:
    known = scanners(tree)
    for scanner, place in known.items():
        if place:
            return True, f"{scanner} is in {place}"
    missing = ", ".join(known)
    return False, f"{missing} is named as a scanner, and is not there" if known else ""


def _image(tree: Tree) -> Found:
    path = tree.with_text(r"^FROM [\s\S]*^(ENTRYPOINT|CMD) ", *_IMAGES)
    return path is not None, path or ""


def _manifests(tree: Tree) -> Found:
    kustomizations = tree.named("kustomization.yaml", "kustomization.yml", "Kustomization")
    for path, text in kustomizations.items():
        for entry in re.findall(r"^\s*-\s+([^\s:]+\.ya?ml)\s*$", text, re.MULTILINE):
            if posixpath.normpath(posixpath.join(posixpath.dirname(path), entry)) not in tree.texts:
                return False, f"{path} names {entry}, which is missing or empty"
    workload = _workload(tree)
    if not kustomizations or not workload:
        return False, ""
    if "/var/lib/kubelet" not in tree.texts[workload]:
        return False, f"the DaemonSet in {workload} does not mount the kubelet's directory"
    return True, f"{next(iter(kustomizations))}, {workload}"


def _workload(tree: Tree) -> str | None:
    return tree.with_text(r"^kind:\s*DaemonSet\s*$", "*.yaml", "*.yml")


def _privileges(tree: Tree) -> Found:
    workload = _workload(tree)
    if workload is None:
        return False, ""
    text = tree.texts[workload]
    lacking = [
        words
        for words, expression in {
            "allowPrivilegeEscalation: false": r"^\s*allowPrivilegeEscalation:\s*false",
            "readOnlyRootFilesystem: true": r"^\s*readOnlyRootFilesystem:\s*true",
            "capabilities: drop: [ALL]": r"^\s*drop:\s*(\[\s*\"?ALL\"?\s*\]|\n\s*-\s*\"?ALL\b)",
            "seccompProfile: type: RuntimeDefault": r"^\s*type:\s*RuntimeDefault",
        }.items()
        if not re.search(expression, text, re.MULTILINE)
    ]
    if re.search(r"^\s*privileged:\s*true", text, re.MULTILINE):
        return False, f"{workload} says privileged: true"
    if lacking:
        return False, f"{workload} lacks {', '.join(lacking)}"
    return True, workload


def _is_end_to_end(path: str) -> bool:
    return re.search(r"e2e|end[-_]to[-_]end", path) is not None


def _has_tests(text: str) -> bool:
    return re.search(r"^\s*(async )?def test_", text, re.MULTILINE) is not None


def _tests(tree: Tree) -> Found:
    paths = [
        path
        for path, text in tree.named("test_*.py", "*_test.py").items()
        if not _is_end_to_end(path) and _has_tests(text)
    ]
    return bool(paths), ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")


def _coverage(tree: Tree) -> Found:
    best = 0
    where = ""
    for path, text in tree.named(*_SETTINGS, *_COMMANDS).items():
        for number in re.findall(r"fail[-_]under\s*[= ]\s*(\d+)", text):
            if int(number) > best:
                best, where = int(number), path
    if 0 < best < COVERAGE:
        return False, f"{where} is content with {best} %"
    return best > 0, f"{where} asks for {best} %" if where else ""


def _settings_of(names: str, own_files: tuple[str, ...]) -> Callable[[Tree], Found]:
    """Looks for a section of a settings file, or for a tool's own file."""

    def look(tree: Tree) -> Found:
        section = tree.with_text(rf"^\[(tool\.)?({names})\b", *_SETTINGS)
        path = section or next(iter(tree.named(*own_files)), None)
        return path is not None, path or ""

    return look


def _end_to_end(tree: Tree) -> Found:
    for path, text in tree.named("*.py", "*.sh", "*.y*ml").items():
        if not _is_end_to_end(path) or not re.search(r"\b(kubectl|kind|kubernetes)\b", text):
            continue
        if not path.endswith(".py") or _has_tests(text):
            return True, path
    return False, ""


def _documentation(tree: Tree) -> Found:
    for path, text in tree.named("README*").items():
        if "/" not in path:
            enough = len([line for line in text.splitlines() if line.strip()]) > 3
            return enough, path if enough else f"{path} says next to nothing"
    return False, ""


def _demo(tree: Tree) -> Found:
    # A heading, of Markdown or reStructuredText, and a command before the next one.
    heading = r"^(#+ .*({0})|.*({0}).*\n[=~^-]{{4,}}$)".format(r"\b(?i:demo|try it|quick ?start)\b")
    path = tree.with_text(heading + r"(?:\n(?!#)(?!( {4,}|\t)\S).*)*\n(```|( {4,}|\t)\S)", *_PROSE)
    return path is not None, path or ""


ITEMS = (
    Item(
        "command",
        _command,
        "a command line with --scanner=module:Class, and that class, in the same project",
        "write a scanner, and the command that runs it into README, Makefile or Dockerfile",
    ),
    Item(
        "image",
        _image,
        "a Dockerfile or Containerfile with FROM and ENTRYPOINT or CMD",
        "write one whose last stage has the plugin and runs twistd in the foreground",
    ),
    Item(
        "manifests",
        _manifests,
        "a kustomization.yaml and a DaemonSet",
        "write a DaemonSet that mounts the kubelet's directory, and list it as a resource",
    ),
    Item(
        "privileges",
        _privileges,
        "a DaemonSet with least privileges",
        "mend its securityContext: a plugin needs no privilege, capability or writable root",
    ),
    Item(
        "tests",
        _tests,
        "unit tests: test_*.py or *_test.py with functions test_...",
        "test the scanner with twistdp.testing.FakeKubelet",
    ),
    Item(
        "coverage",
        _coverage,
        "fail_under of coverage, in its settings or on a command line",
        f"write fail_under = {COVERAGE} into [tool.coverage.report]",
    ),
    Item(
        "lint",
        _settings_of("ruff|flake8|pylint", ("ruff.toml", ".ruff.toml", ".flake8", ".pylintrc")),
        "settings of ruff, flake8 or pylint",
        "write [tool.ruff] into pyproject.toml",
    ),
    Item(
        "types",
        _settings_of("mypy|pyright", ("mypy.ini", ".mypy.ini", "pyrightconfig.json")),
        "settings of mypy or pyright",
        "write [tool.mypy] with strict = true into pyproject.toml",
    ),
    Item(
        "end-to-end",
        _end_to_end,
        "a test with e2e in its path that uses kubectl or kind",
        "write one that applies the manifests and waits for a pod with a device",
    ),
    Item(
        "documentation",
        _documentation,
        "a README",
        "say what the devices are, how to run the plugin, and how a pod asks for one",
    ),
    Item(
        "demo",
        _demo,
        "a heading with Demo, Try it or Quick start that a command follows, in README or docs",
        "write one, with commands that work without hardware",
    ),
)
"""In the order in which they are told."""
