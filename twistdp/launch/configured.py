"""Makes the managers that serve the resources of a configuration file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from twistdp.catalog import chosen, load
from twistdp.config import BadConfig, Config, Resource
from twistdp.errors import BadSetting, BadSettings
from twistdp.manager import Manager
from twistdp.model import printable
from twistdp.scanners.declared import DeclaredScanner
from twistdp.settings import Settings


def read_config(path: str) -> Config:
    """The configuration in a file; raises `BadSettings`."""
    try:
        return load(Path(path), printable(path))
    except BadConfig as error:
        raise BadSettings([str(problem) for problem in error.problems]) from error
    except BadSetting as error:
        raise BadSettings([str(error)]) from error


def entries(names: Iterable[str], domain: str | None) -> Iterable[Config]:
    """The configurations that serve entries of the catalogue; raises `BadSettings`."""
    try:
        return chosen(names, domain).values()
    except BadSetting as error:
        raise BadSettings([f"--catalog: {error}"]) from error


def by_domain(config: Config) -> dict[str, dict[str, Resource]]:
    """The resources of a configuration by domain and type, in the file's order.

    Whether a resource is exclusive is filled in.
    """
    found: dict[str, dict[str, Resource]] = {}
    for name, resource in config.resources.items():
        domain, _, kind = config.full_name(name).partition("/")
        if resource.exclusive is None:
            resource = attrs.evolve(resource, exclusive=config.exclusive)
        found.setdefault(domain, {})[kind] = resource
    return found


def managers_of(config: Config, settings: Settings) -> Iterator[Manager]:
    """A manager for each domain of a configuration."""
    for domain, resources in by_domain(config).items():
        scanner = DeclaredScanner(resources)
        yield Manager(domain, scanner, settings=settings, settings_of=scanner.settings_of)
