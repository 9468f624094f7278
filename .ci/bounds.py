"""Prints a constraints file: each dependency of setup.cfg at the lowest version that it allows."""

import configparser
import re
import sys
from collections.abc import Iterator


def lowest(setup: str) -> Iterator[str]:
    """A pin for each requirement; raises ValueError for one without a lower bound."""
    parser = configparser.ConfigParser()
    parser.read_string(setup)
    for line in parser["options"]["install_requires"].strip().splitlines():
        requirement, semicolon, marker = line.partition(";")
        found = re.fullmatch(r"([\w.-]+) *>= *([\w.]+)", requirement.strip())
        if not found:
            raise ValueError(f"{line}: no lower bound; write it as name >= version")
        yield f"{found[1]}=={found[2]}" + (f"; {marker.strip()}" if semicolon else "")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(lowest(file.read())))
