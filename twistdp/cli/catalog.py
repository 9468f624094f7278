"""``twistdp catalog``: what the catalogue has, and what an entry amounts to."""

import argparse

from twistdp.catalog import Shelf


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="an entry to show")


def run(arguments: argparse.Namespace) -> int:
    """List all entries, or print the files of some."""
    shelf = Shelf()
    texts = [shelf.text(name) for name in arguments.names]
    if texts:
        print("---\n".join(texts), end="")
        return 0
    width = max(map(len, shelf.entries))
    for name in shelf.entries:
        print(f"{name:{width}}  {shelf.entry(name).title}")
    return 0
