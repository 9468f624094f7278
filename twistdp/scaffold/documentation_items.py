"""Looks for what a plugin's readers need: a command that runs it, a README and a demo."""

import posixpath
import re

from twistdp.model import named
from twistdp.scaffold.tree import COMMANDS, MAKEFILES, PROSE, LookResult, Tree, has_rule


def command(tree: Tree) -> LookResult:
    """A command that runs a scanner of the project."""
    known = scanners(tree)
    for scanner, place in known.items():
        if place:
            return True, f"{scanner} is in {place}"
    missing = named(known)
    return False, f"{missing} is named as a scanner but is not in the project" if known else ""


def scanners(tree: Tree) -> dict[str, str]:
    """The file of each ``module:Class`` of a ``--scanner`` option; empty if there is none."""
    found = {}
    classes = _classes(tree)
    for text in tree.named(*PROSE, *COMMANDS).values():
        for module, name in re.findall(r"--scanner[=\s\"',]+([\w.]+):([A-Za-z_]\w*)", text):
            where = "twistdp itself" if module.startswith("twistdp.") else ""
            ends = f"/{module.replace('.', '/')}"
            for place in classes.get((ends.rpartition("/")[2], name), ()):
                if f"/{place}".endswith((f"{ends}.py", f"{ends}/__init__.py")):
                    where = place
            found[f"{module}:{name}"] = where
    return found


def _classes(tree: Tree) -> dict[tuple[str, str], list[str]]:
    """The files that define a class, by the names of module and class."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, source in tree.named("*.py").items():
        module = posixpath.basename(place.removesuffix(".py").removesuffix("/__init__"))
        for name in set(re.findall(r"^class (\w+)", source, re.MULTILINE)):
            found.setdefault((module, name), []).append(place)
    return found


def documentation(tree: Tree) -> LookResult:
    """A README of more than three lines."""
    for path, text in tree.named("README*").items():
        if "/" not in path:
            enough = len([line for line in text.splitlines() if line.strip()]) > 3
            return enough, path if enough else f"{path} has hardly any text"
    return False, ""


def demo(tree: Tree) -> LookResult:
    """A heading that a command follows; a ``make TARGET`` needs its rule."""
    # A heading of Markdown or reStructuredText, and the first command before the next heading.
    heading = r"^(#+ .*({0})|.*({0}).*\n[=~^-]{{4,}}$)".format(r"\b(?i:demo|try it|quick ?start)\b")
    step = r"(?:\n(?!#|```|[=~^]{4,}$|( {4,}|\t)\S).*)*\n"
    step += r"(?:```.*\n\s*|(?: {4,}|\t)(?=\S))(?P<step>.+)"
    makefiles = tree.named(*MAKEFILES, "*.mk").values()
    problem = ""
    for path, text in tree.named(*PROSE).items():
        for found in re.finditer(heading + step, text, re.MULTILINE):
            made = re.match(r"(?:[$#] )?make +([A-Za-z_][\w-]*)(?![\w=-])", found["step"])
            if made is None or any(has_rule(rules, made[1]) for rules in makefiles):
                return True, path
            problem = problem or f"{path} runs make {made[1]}, and no Makefile has a rule for it"
    return False, problem
