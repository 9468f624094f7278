"""Draws docs/imports.svg, which part of twistdp imports which, from the imports that there are.

    diagram.py [--check]

With --check it writes nothing, and status 1 says that the picture is of other imports.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "imports.svg"

TOP_MODULES = {
    "tap": "tap",
    "manager": "manager",
    "settings": "settings",
    "errors, klog": "errors klog _version",
}
"""The modules that are in no package, by the box that they are drawn in."""

PACKAGE = ROOT / "twistdp"
PARTS = {
    **TOP_MODULES,
    **{
        f"{place.name}/": " ".join(
            sorted(
                one.stem
                for one in place.iterdir()
                if (one.suffix == ".py" or one.is_dir()) and not one.name.startswith("__")
            )
        )
        for place in sorted(PACKAGE.iterdir())
        if (place / "__init__.py").exists()
    },
}
"""Each package with its modules, and the modules at the top; a new one of those has to be added."""

WIDTH, GAP, LINE, TOP, DOWN = 224, 36, 16, 30, 54
LETTERS = 30
"""How many letters of a module's name fit into a part's box."""


def part_of() -> dict[str, str]:
    """The part of each package, and of each module at the top."""
    top = {name: part for part, names in TOP_MODULES.items() for name in names.split()}
    return top | {part.rstrip("/"): part for part in PARTS if part.endswith("/")}


def imported(path: Path, package: Path) -> Iterator[str]:
    """The modules and packages of twistdp that a module imports, without what is for mypy only."""
    home = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["twistdp", *home][: len(home) + 2 - node.level] if node.level else []
            base += [node.module] if node.module else []
            names = [".".join([*base, alias.name]) for alias in node.names]
        for name in names:
            if name.startswith("twistdp."):
                yield name.split(".")[1]


def edges(package: Path) -> dict[str, set[str]]:
    """Which parts each part imports; raises KeyError for a module that is of none."""
    parts = part_of()
    found: dict[str, set[str]] = {part: set() for part in PARTS}
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package).with_suffix("").parts
        if relative == ("__init__",):
            continue  # what is offered, not what is built on
        part = parts[relative[0]]
        found[part].update(parts[name] for name in imported(path, package) if name in parts)
    return {part: below - {part} for part, below in found.items()}


def ranks(below: Mapping[str, set[str]]) -> dict[str, int]:
    """How far above what imports nothing each part is; raises ValueError for a circle."""
    found: dict[str, int] = {}
    while len(found) < len(below):
        ready = [p for p, needs in below.items() if p not in found and needs <= set(found)]
        if not ready:
            raise ValueError(f"parts import each other: {sorted(set(below) - set(found))}")
        for part in ready:
            found[part] = 1 + max((found[need] for need in below[part]), default=-1)
    return found


def reduced(below: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that others imply, way by way: those would hide the rest."""

    def reach(part: str) -> set[str]:
        return below[part].union(*(reach(need) for need in below[part]))

    return {
        part: {need for need in needs if not any(need in reach(o) for o in needs - {need})}
        for part, needs in below.items()
    }


def lines_of(part: str) -> list[str]:
    """A part's modules, in lines that fit into its box."""
    lines = [""]
    for name in PARTS[part].split():
        if len(lines[-1]) + len(name) + 1 > LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {name}".strip()
    return lines


def svg(below: Mapping[str, set[str]]) -> str:
    """The picture: parts in rows, importers above what they import."""
    rank = ranks(below)
    rows = [[p for p in PARTS if rank[p] == r] for r in range(max(rank.values()), -1, -1)]
    width = max(map(len, rows)) * (WIDTH + GAP) + GAP
    boxes: dict[str, tuple[float, float, float]] = {}
    y = float(GAP)
    for row in rows:
        x = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for part in row:
            boxes[part] = (x, y, TOP + LINE * len(lines_of(part)))
            x += WIDTH + GAP
        y += max(boxes[part][2] for part in row) + DOWN
    height = y - DOWN + GAP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#567"/></marker>',
    ]
    for part, needs in reduced(below).items():
        for need in sorted(needs):
            (x, y, tall), (to_x, to_y, _) = boxes[part], boxes[need]
            x, y, to_x = x + WIDTH / 2, y + tall, to_x + WIDTH / 2
            bend = (to_y - y) / 2
            out.append(
                f'<path d="M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} '
                f'{to_x:g} {to_y:g}" fill="none" stroke="#567" marker-end="url(#tip)"/>'
            )
    for part, (x, y, tall) in boxes.items():
        out.append(
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{tall:g}" rx="6" fill="#eef4fa" '
            'stroke="#567"/>'
            f'<text x="{x + 8:g}" y="{y + 18:g}" font-weight="bold">{escape(part)}</text>'
        )
        out += [
            f'<text x="{x + 8:g}" y="{y + TOP + LINE * n + 6:g}">{line}</text>'
            for n, line in enumerate(lines_of(part))
        ]
    return "\n".join([*out, "</svg>", ""])


def main(arguments: list[str]) -> int:
    """Draw, or compare; returns the exit status."""
    picture = svg(edges(PACKAGE))
    if arguments == ["--check"]:
        return 0 if PICTURE.exists() and PICTURE.read_text() == picture else 1
    PICTURE.write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
