"""Configurations in which entries of the catalogue are used."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from twistdp.catalog.shelf import Shelf
from twistdp.config import Config, Resource
from twistdp.config import load as load_alone
from twistdp.errors import BadSetting


def load(source: str | bytes | Path, name: str | None = None) -> Config:
    """The configuration in a text or file, with the entries of the catalogue that it uses.

    Raises `BadConfig` with all problems, and `BadSetting` for a file that cannot be read.
    """
    return load_alone(source, name, Shelf())


def chosen(
    names: Iterable[str], domain: str | None = None, otherwise: str | None = None
) -> Mapping[str, Config]:
    """The configurations, by domain, that serve entries as they are.

    `domain` is for all of them; without it, an entry has its own or is in `otherwise`.  Raises
    `BadSetting` for unknown names, for entries without a domain, and for resources of one name.
    """
    shelf = Shelf()
    found: dict[str, dict[str, Resource]] = {}
    for name in names:
        own = domain or shelf.entry(name).domain or otherwise
        if own is None:
            raise BadSetting(
                f"the entry {name} of the catalogue has no domain of its own; add "
                "--namespace=DOMAIN"
            )
        resources = found.setdefault(own, {})
        for kind, resource in shelf.served(name).items():
            if kind in resources:
                raise BadSetting(
                    f"the entry {name} of the catalogue has a resource {own}/{kind}, and so has "
                    "another one; name one of them, or use a configuration file"
                )
            resources[kind] = resource
    return {own: Config(domain=own, resources=each) for own, each in found.items()}
