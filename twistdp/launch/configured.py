"""Makes the managers that serve the resources of a configuration file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from twistdp.catalog import chosen, load
from twistdp.config import BadConfig, Config, Resource
from twistdp.errors import BadSetting, BadSettings, Untrusted
from twistdp.host import check_file
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


def refusal(path: str) -> str | None:
    """Why a configuration file cannot be trusted, or looked at; None if only root and we write it.

    Its content decides which files of the node containers get.
    """
    try:
        check_file(path)
    except Untrusted as error:
        where = "or put the file where only root may write, as in /etc"
        return f"{error.reason}; {error.remedy}, {where}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def read_trusted(path: str) -> Config:
    """As `read_config`; also raises `BadSettings` if others could change what is in the file."""
    reason = refusal(path)
    if reason is not None:
        raise BadSettings([f"configuration {printable(path)}: {reason}"])
    return read_config(path)


def entries(names: Iterable[str], domain: str | None) -> Iterable[Config]:
    """The configurations that serve entries of the catalogue; raises `BadSettings`."""
    try:
        return chosen(names, domain).values()
    except BadSetting as error:
        raise BadSettings([f"--catalog: {error}"]) from error


def check_once(configs: Iterable[tuple[str, Config]]) -> None:
    """Check that no resource is in two configurations, each given with the name of its place.

    The kubelet knows one plugin for a resource.  Raises `BadSettings`.
    """
    places: dict[str, str] = {}
    twice = []
    for place, config in configs:
        for name in dict.fromkeys(full for own in config.resources for full in config.names(own)):
            if name in places:
                where = f"in {printable(places[name])} and in {printable(place)}"
                twice.append(f"resource {name} is {where}; leave it out of one of them")
            places.setdefault(name, place)
    if twice:
        raise BadSettings(twice)


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
        scanner = DeclaredScanner(resources, plugin_dir=settings.plugin_dir)
        yield Manager(domain, scanner, settings=settings, settings_of=scanner.settings_of)
