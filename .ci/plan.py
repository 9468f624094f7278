"""Writes the lines of each part of twistdp into the plan in docs/architecture.md.

    plan.py

A part is a package, or a module at the top.  The rows and their sentences are written by hand;
`make diagram` runs this for the numbers.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"(?m)^\| `([\w/.]+)` \| *([\d ]*?) *\|")
"""A row of the plan: the part, and its lines with a space before the last three digits."""


def parts(package: Path) -> dict[str, int]:
    """The lines of each part of a package, without what protoc has generated."""
    found = {}
    for place in sorted(package.iterdir()):
        if (place / "__init__.py").exists():
            found[f"{place.name}/"] = sum(map(lines, place.rglob("*.py")))
        elif place.suffix == ".py":
            found[place.name] = lines(place)
    return found


def lines(path: Path) -> int:
    """The lines of a module; none of a generated one."""
    return 0 if path.stem.endswith("_pb2") else len(path.read_text(encoding="utf-8").splitlines())


def quoted(page: str) -> dict[str, int]:
    """The lines that a page quotes, by part."""
    return {part: int(number.replace(" ", "") or "0") for part, number in ROW.findall(page)}


def filled(page: str, found: dict[str, int]) -> str:
    """The page with these lines; raises KeyError for a row of no part."""

    def row(match: "re.Match[str]") -> str:
        return f"| `{match[1]}` | {found[match[1]]:,} |".replace(",", " ")

    return ROW.sub(row, page)


def main() -> int:
    """Fill the page in; returns the exit status, 1 if a part has no row."""
    found = parts(ROOT / "twistdp")
    page = filled(PAGE.read_text(encoding="utf-8"), found)
    PAGE.write_text(page, encoding="utf-8")
    missing = sorted(set(found) - set(quoted(page)))
    if missing:
        print(f"{PAGE.name} has no row for {', '.join(missing)}: write one each", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
