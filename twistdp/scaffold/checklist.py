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

from twistdp.model import named
from twistdp.scaffold.tree import MAKEFILES, Tree, has_rule

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
    classes = _classes(tree)
    for text in tree.named(*_PROSE, *_COMMANDS).values():
        for module, name in re.findall(r"--scanner[=\s\"',]+([\w.]+):([A-Za-z_]\w*)", text):
            where = "twistdp itself" if module.startswith("twistdp.") else ""
            ends = f"/{module.replace('.', '/')}"
            for place in classes.get((ends.rpartition("/")[2], name), ()):
                if f"/{place}".endswith((f"{ends}.py", f"{ends}/__init__.py")):
                    where = place
            found[f"{module}:{name}"] = where
    return found


def _classes(tree: Tree) -> dict[tuple[str, str], list[str]]:
    """The files that have a class, by the name of their module and its own."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, source in tree.named("*.py").items():
        module = posixpath.basename(place.removesuffix(".py").removesuffix("/__init__"))
        for name in set(re.findall(r"^class (\w+)", source, re.MULTILINE)):
            found.setdefault((module, name), []).append(place)
    return found


_PROSE = ("*.md", "*.rst", "README*")
_IMAGES = ("Dockerfile", "*.Dockerfile", "Containerfile")
_COMMANDS = (*_IMAGES, *MAKEFILES, "*.mk", "*.service", "*.sh", "*.y*ml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SETTINGS = ("*.toml", "*.cfg", "*.ini", ".coveragerc", ".flake8", ".pylintrc", "*.json")


def _uncommented(text: str) -> str:
    """Settings, a manifest or a Makefile without what is only said."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?m)(^\s*;|(^|\s)#).*", "", text))


def _command(tree: Tree) -> Found:
    known = scanners(tree)
    for scanner, place in known.items():
        if place:
            return True, f"{scanner} is in {place}"
    missing = named(known)
    return False, f"{missing} is named as a scanner, and is not there" if known else ""


def _image(tree: Tree) -> Found:
    problem = ""
    for path, text in tree.named(*_IMAGES).items():
        base = re.search(r"^FROM ", text, re.MULTILINE)
        if not base or not re.search(r"^(ENTRYPOINT|CMD) ", text[base.end() :], re.MULTILINE):
            continue
        program = _program(text)
        if program is None or _is_own(tree, path, program):
            return True, path
        problem = problem or (
            f"{path} starts {program}, which is neither twistd nor named elsewhere in the project"
        )
    return False, problem


def _program(dockerfile: str) -> str | None:
    """The name of what an image starts; None if its base or a variable tells that."""
    starts = re.findall(
        r"^(ENTRYPOINT|CMD) +\[?[ \"']*(?:exec +)?([^\s\[\]\"',]+)", dockerfile, re.MULTILINE
    )
    entries = [word for instruction, word in starts if instruction == "ENTRYPOINT"]
    commands = [word for _, word in starts]
    program = posixpath.basename((entries or commands or [""])[-1])
    return program if re.match(r"\w", program) else None


def _is_own(tree: Tree, path: str, program: str) -> bool:
    # What starts another program is not looked through, and a plugin may come with one of its own:
    # then a file, a setting or another line of the Dockerfile has the name.
    if re.fullmatch(r"twistd?|twistdp|python[\d.]*|\w*sh|env|tini|dumb-init", program):
        return True
    rest = re.sub(r"(?m)^(FROM|ENTRYPOINT|CMD)\b.*", "", _uncommented(tree.texts[path]))
    places = [*tree.texts, rest, *(text for name, text in tree.texts.items() if name != path)]
    word = re.compile(rf"(?<![\w-]){re.escape(program)}(?![\w-])")
    return any(word.search(place) for place in places)


def _manifests(tree: Tree) -> Found:
    kustomizations = tree.named(*_KUSTOMIZATIONS)
    for path, text in kustomizations.items():
        entries = _entries(_uncommented(text))
        if entries is None:
            return False, f"{path} has resources that cannot be read as a list of files"
        for entry in entries:
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry))
            names = (place, *(posixpath.join(place, name) for name in _KUSTOMIZATIONS))
            if not _is_remote(entry) and not any(name in tree.texts for name in names):
                return False, f"{path} names {entry}, which is missing or empty"
    workload = _workload(tree)
    if not kustomizations or not workload:
        return False, ""
    if "/var/lib/kubelet" not in tree.texts[workload]:
        return False, f"the DaemonSet in {workload} does not mount the kubelet's directory"
    return True, f"{next(iter(kustomizations))}, {workload}"


def _entries(kustomization: str) -> list[str] | None:
    """The files and directories that it names; None when it is not written as a list."""
    files = r"^\s*-\s+[\"']?([^\s:\"']+\.ya?ml)[\"']?\s*$"
    entries: list[str] = re.findall(files, kustomization, re.MULTILINE)
    for value in re.findall(
        r"^(?:resources|bases|components):(.*(?:\n(?:(?!---)[ \t\]-].*)?)*)",
        kustomization,
        re.MULTILINE,
    ):
        flow = re.fullmatch(r"\s*\[([^\]]*)\]\s*", value)
        words = flow[1].split(",") if flow else value.splitlines()
        for word in filter(None, map(str.strip, words)):
            if not flow and not word.startswith("- "):
                return None
            entries.append(word.removeprefix("- ").strip(" \"'"))
    return entries


def _is_remote(entry: str) -> bool:
    return re.match(r"[\w.-]+\.[a-z]{2,}/|.*(//|@|\?)", entry) is not None


def _workload(tree: Tree) -> str | None:
    return tree.with_text(r"^kind:\s*DaemonSet\s*$", "*.yaml", "*.yml")


def _privileges(tree: Tree) -> Found:
    workload = _workload(tree)
    if workload is None:
        return False, ""
    text = _uncommented(tree.texts[workload])
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
    if said := re.search(r"\b(privileged|hostNetwork|hostPID|hostIPC):\s*true\b", text):
        return False, f"{workload} says {said[1]}: true"
    if added := re.search(r"\badd:\s*(?:\[\s*|-\s*)[\"']?(\w+)", text):
        return False, f"{workload} adds the capability {added[1]}"
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
        for number in re.findall(r"fail[-_]under\s*[= ]\s*(\d+)", _uncommented(text)):
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


def _types(tree: Tree) -> Found:
    section = r"(?m)^\[(?:tool\.)?mypy\]\n(?:(?!\[).*\n)*?"
    off = re.compile(section + r"\s*(strict\s*=\s*(?i:false|no|off|0))\b")
    for path, text in tree.named(*_SETTINGS).items():
        if said := off.search(_uncommented(text)):
            return False, f"{path} says {said[1]}"
    own_files = ("mypy.ini", ".mypy.ini", "pyrightconfig.json")
    return _settings_of("mypy|pyright", own_files)(tree)


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
    # A heading, of Markdown or reStructuredText, and a command before the next one; the first of
    # several is looked at.
    heading = r"^(#+ .*({0})|.*({0}).*\n[=~^-]{{4,}}$)".format(r"\b(?i:demo|try it|quick ?start)\b")
    command = r"(?:\n(?!#|```|[=~^]{4,}$|( {4,}|\t)\S).*)*\n"
    command += r"(?:```.*\n\s*|(?: {4,}|\t)(?=\S))(?P<command>.+)"
    makefiles = tree.named(*MAKEFILES, "*.mk").values()
    problem = ""
    for path, text in tree.named(*_PROSE).items():
        for found in re.finditer(heading + command, text, re.MULTILINE):
            made = re.match(r"(?:[$#] )?make +([A-Za-z_][\w-]*)(?![\w=-])", found["command"])
            if made is None or any(has_rule(rules, made[1]) for rules in makefiles):
                return True, path
            problem = problem or f"{path} says make {made[1]}, of which no Makefile has a rule"
    return False, problem


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
        _types,
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
