"""The entries of the catalogue, by their names."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from twistdp.catalog.entry import Entry
from twistdp.config import Resource, load_as
from twistdp.errors import BadSetting
from twistdp.tools import meant

_SUFFIX: Final = ".yaml"


class Shelf:
    """The catalogue.  Entries are read when somebody asks for them."""

    def __contains__(self, name: object) -> bool:
        entry, slash, kind = str(name).partition("/")
        return entry in _entries() and (not slash or kind in _entry(entry).resources)

    @property
    def names(self) -> Sequence[str]:
        """What can stand after `use`: entries, and ``entry/resource`` for those with several."""
        return _names()

    @property
    def entries(self) -> Sequence[str]:
        """The names of the entries."""
        return _entries()

    def entry(self, name: str) -> Entry:
        """An entry; raises `BadSetting` for one that there is not."""
        if name not in _entries():
            hint = meant(name, _entries()) or "; 'twistdp catalog' lists them"
            raise BadSetting(f"the catalogue has no entry {name!r}{hint}")
        return _entry(name)

    def text(self, name: str) -> str:
        """The file of an entry; raises `BadSetting` for one that there is not."""
        self.entry(name)
        return _text(name)

    def applied(self, resource: Resource) -> Resource:
        """`resource` over what its `use` names.

        Raises `BadSetting` if the entry needs a key that the resource does not give.
        """
        name, _, kind = str(resource.use).partition("/")
        entry = self.entry(name)
        if entry.needs and not resource.given & set(entry.needs):
            raise BadSetting(
                f"the entry {name} of the catalogue selects too much alone; "
                f"add {_either(entry.needs)}"
            )
        if kind:
            return resource.over(self._whole(entry.resources[kind]))
        return resource.over(self._resource(name))

    def _resource(self, name: str) -> Resource:
        resource = self.entry(name).resource
        if resource is None:
            raise BadSetting(
                f"the entry {name} of the catalogue is a scanner, which no resource can build on; "
                f"serve it with --catalog={name}"
            )
        return self._whole(resource)

    def arguments(self, entry: str) -> Collection[str]:
        """The arguments of the scanner of an entry; none for what is no entry."""
        return _entry(entry).arguments if entry in _entries() else ()

    def served(self, name: str) -> Mapping[str, Resource]:
        """The resources of an entry, by type, as `--catalog` serves them."""
        entry = self.entry(name)
        if entry.needs:
            raise BadSetting(
                f"the entry {name} of the catalogue selects too much alone; use it in a "
                f"configuration file, with {_either(entry.needs)}"
            )
        if not entry.resources:
            return {name: self._resource(name)}
        return {kind: self._whole(each) for kind, each in entry.resources.items()}

    def scanner(self, name: str) -> str | None:
        """The scanner of an entry, as module:Class; None if it has none."""
        return self.entry(name).scanner

    def _whole(self, resource: Resource) -> Resource:
        return self.applied(resource) if resource.use is not None else resource


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@cache
def _entries() -> tuple[str, ...]:
    found = (each.name for each in files(__package__).joinpath("entries").iterdir())
    return tuple(sorted(each.removesuffix(_SUFFIX) for each in found if each.endswith(_SUFFIX)))


@cache
def _names() -> tuple[str, ...]:
    inner = (f"{name}/{kind}" for name in _entries() for kind in _entry(name).resources)
    return tuple(sorted((*_entries(), *inner)))


def _text(name: str) -> str:
    return files(__package__).joinpath("entries", name + _SUFFIX).read_text(encoding="utf-8")


@cache
def _entry(name: str) -> Entry:
    return load_as(Entry, _text(name), f"{name}{_SUFFIX}")
