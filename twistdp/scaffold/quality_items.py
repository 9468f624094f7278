"""Looks for what tests a plugin's code: unit tests, coverage, lint, types, end-to-end tests."""

import re
from collections.abc import Callable

from twistdp.scaffold.tree import COMMANDS, SETTINGS, LookResult, Tree, uncommented

COVERAGE = 80
"""Percent that unit tests must cover."""


def _is_end_to_end(path: str) -> bool:
    return re.search(r"e2e|end[-_]to[-_]end", path) is not None


def _has_tests(text: str) -> bool:
    return re.search(r"^\s*(async )?def test_", text, re.MULTILINE) is not None


def tests(tree: Tree) -> LookResult:
    """Files with unit tests."""
    paths = [
        path
        for path, text in tree.named("test_*.py", "*_test.py").items()
        if not _is_end_to_end(path) and _has_tests(text)
    ]
    return bool(paths), ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")


def coverage(tree: Tree) -> LookResult:
    """A lower limit of coverage."""
    best = 0
    where = ""
    for path, text in tree.named(*SETTINGS, *COMMANDS).items():
        for number in re.findall(r"fail[-_]under\s*[= ]\s*(\d+)", uncommented(text)):
            if int(number) > best:
                best, where = int(number), path
    if 0 < best < COVERAGE:
        return False, f"{where} accepts {best} %"
    return best > 0, f"{where} asks for {best} %" if where else ""


def settings_item(names: str, own_files: tuple[str, ...]) -> Callable[[Tree], LookResult]:
    """Return a function that looks for a section of a settings file, or for a tool's own file."""

    def look(tree: Tree) -> LookResult:
        section = tree.with_text(rf"^\[(tool\.)?({names})\b", *SETTINGS)
        path = section or next(iter(tree.named(*own_files)), None)
        return path is not None, path or ""

    return look


def types(tree: Tree) -> LookResult:
    """Settings of a type checker that do not turn off its strictness."""
    section = r"(?m)^\[(?:tool\.)?mypy\]\n(?:(?!\[).*\n)*?"
    off = re.compile(section + r"\s*(strict\s*=\s*(?i:false|no|off|0))\b")
    for path, text in tree.named(*SETTINGS).items():
        if setting := off.search(uncommented(text)):
            return False, f"{path} has {setting[1]}"
    own_files = ("mypy.ini", ".mypy.ini", "pyrightconfig.json")
    return settings_item("mypy|pyright", own_files)(tree)


def end_to_end(tree: Tree) -> LookResult:
    """A test that uses a cluster."""
    for path, text in tree.named("*.py", "*.sh", "*.y*ml").items():
        if not _is_end_to_end(path) or not re.search(r"\b(kubectl|kind|kubernetes)\b", text):
            continue
        if not path.endswith(".py") or _has_tests(text):
            return True, path
    return False, ""
