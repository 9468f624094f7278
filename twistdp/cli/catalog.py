"""``twistdp catalog``: what the catalogue has, and what an entry amounts to."""

import click

from twistdp.catalog import Shelf
from twistdp.cli.completing import entries
from twistdp.cli.terminal import console


@click.command
@click.argument(
    "names", nargs=-1, metavar="[NAME]...", help="An entry to print.", shell_complete=entries
)
def command(names: tuple[str, ...]) -> int:
    """List the devices that need no configuration, or print the files of entries."""
    shelf = Shelf()
    texts = [shelf.text(name) for name in names]
    if texts:
        print("---\n".join(texts), end="")
        return 0
    titles = {name: shelf.entry(name).title for name in shelf.entries}
    if (people := console()) is not None:
        from twistdp.cli.drawing import table, text

        rows = ((text(name, style="bold"), text(title)) for name, title in titles.items())
        people.print(table(("entry", "devices"), rows))
        return 0
    width = max(map(len, titles))
    for name, title in titles.items():
        print(f"{name:{width}}  {title}")
    return 0
