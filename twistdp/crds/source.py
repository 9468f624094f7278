"""Which devices a plugin serves: a configuration, entries of the catalogue, or a scanner."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

import attrs

from twistdp.catalog import Shelf
from twistdp.config import Config, Rule, key
from twistdp.crds.rule import CelRule, Ruled, between, count, length, unique
from twistdp.crds.values import Arguments, ClassName, Domain, ObjectName

_SHELF: Final = Shelf()

Policy = Literal["none", "packed", "spread", "numa"]


def _texts(names: Sequence[str]) -> str:
    return f"[{', '.join(map(repr, names))}]"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence has them: "a, b and c"."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


WITH_SCANNER: Final = [name for name in _SHELF.entries if _SHELF.scanner(name)]
"""Entries that a scanner serves, which has arguments."""
_NEEDY: Final = [name for name in _SHELF.entries if _SHELF.entry(name).needs]
_WITH_DOMAIN: Final = [name for name in _SHELF.entries if _SHELF.entry(name).domain]


def _arguments_of(name: str) -> CelRule:
    known = sorted(_SHELF.arguments(name))
    return CelRule(
        f"self.name != {name!r} || !has(self.arguments) || "
        f"self.arguments.all(key, key in {_texts(known)})",
        f"{name} has no such argument; it has {listed(known)}",
        lambda item: item.name != name or set(item.arguments) <= set(known),
        "arguments",
    )


EntryName: TypeAlias = Annotated[
    str,
    length(63),
    Rule(_SHELF.entry, "an entry of the catalogue", {"enum": list(_SHELF.entries)}),
]


@attrs.frozen(kw_only=True)
class CatalogItem(Ruled):
    """An entry of the catalogue, and how its devices are shared."""

    rules = (
        CelRule(
            f"!(self.name in {_texts(_NEEDY)})",
            "the entry selects too much alone; write config instead, with use and the keys that "
            "say which devices",
            lambda item: item.name not in _NEEDY,
            "name",
        ),
        CelRule(
            f"!has(self.arguments) || self.arguments.all(key, self.name in {_texts(WITH_SCANNER)})",
            f"only {listed(WITH_SCANNER)} have arguments; write config instead, with keys "
            "beside use",
            lambda item: not item.arguments or item.name in WITH_SCANNER,
            "arguments",
        ),
        *map(_arguments_of, WITH_SCANNER),
        CelRule(
            f"!has(self.replicas) || !(self.name in {_texts(WITH_SCANNER)})",
            f"the devices of {listed(WITH_SCANNER)} are shared as their arguments say; leave "
            "replicas out",
            lambda item: item.replicas is None or item.name not in WITH_SCANNER,
            "replicas",
        ),
        CelRule(
            "!(has(self.morePerContainer) && self.morePerContainer) || "
            "(has(self.replicas) && self.replicas >= 2)",
            "a device that is not shared cannot be given to a container more than once; add "
            "replicas, 2 or more, or leave morePerContainer out",
            lambda item: not item.more_per_container or (item.replicas or 0) >= 2,
            "morePerContainer",
        ),
    )

    name: EntryName = key("name", "The entry; 'twistdp catalog' lists them.", example="intel-gpu")
    replicas: Annotated[int, between(1, 100_000)] | None = key(
        "replicas", "How many containers share a device.", None, "4"
    )
    more_per_container: bool = key(
        "morePerContainer",
        "Whether a container may get several of the replicas; each is the same device.",
        False,
        "true",
    )
    preferred: Policy | None = key(
        "preferred", "The policy by which a container gets some devices first.", None, "packed"
    )
    arguments: Arguments = key(
        "arguments",
        f"Arguments of the scanner, for {listed(WITH_SCANNER)}, each a list of texts.",
        {},
        '{limit: ["4"]}',
    )


@attrs.frozen(kw_only=True)
class Scanner:
    """A scanner of your own, in the image or in a ConfigMap."""

    name: ClassName = key("class", "The class, as module:Class.", example="camscan:CamScanner")
    arguments: Arguments = key(
        "arguments",
        "Arguments of its constructor, each a list of texts.",
        {},
        '{pattern: ["/dev/cam*"]}',
    )
    config_map: ObjectName | None = key(
        "configMap",
        "A ConfigMap in the operator's namespace.  Its files are on Python's path, and pods are "
        "replaced when they change.",
        None,
        "camscan",
    )


SOURCE_RULES: Final = (
    CelRule(
        "[has(self.config), has(self.catalog), has(self.scanner)].filter(given, given).size() == 1",
        "a plugin has exactly one of config, catalog and scanner; give one, and leave the "
        "others out",
        lambda spec: (
            [spec.config is None, not spec.catalog, spec.scanner is None].count(False) == 1
        ),
    ),
    CelRule(
        "!has(self.scanner) || has(self.domain)",
        "a scanner's resources need a domain; add domain, as lab.example.com",
        lambda spec: spec.scanner is None or spec.domain is not None,
        "domain",
    ),
    CelRule(
        "!has(self.config) || !has(self.domain)",
        "a configuration has a domain of its own; move domain into config",
        lambda spec: spec.config is None or spec.domain is None,
        "domain",
    ),
    CelRule(
        f"!has(self.catalog) || has(self.domain) || "
        f"self.catalog.all(item, item.name in {_texts(_WITH_DOMAIN)})",
        "an entry of the catalogue has no domain of its own; add domain, as lab.example.com",
        lambda spec: (
            spec.domain is not None or all(item.name in _WITH_DOMAIN for item in spec.catalog)
        ),
        "domain",
    ),
    CelRule(
        "has(self.domain) == has(oldSelf.domain) && "
        "(!has(self.domain) || self.domain == oldSelf.domain)",
        "domain cannot change, since pods know the resources by it; make another DevicePlugin",
        lambda spec, old: spec.domain == old.domain,
        "domain",
        transition=True,
    ),
)
"""Rules about the keys of a source."""


@attrs.frozen(kw_only=True, slots=False)
class Source:
    """Which devices a plugin serves; exactly one of the first three keys."""

    config: Config | None = key(
        "config",
        "The devices in the format of configuration files.  Texts need quotes where YAML takes "
        "them for numbers or flags.  The API server puts the resources in alphabetical order.",
        None,
        "{domain: lab.example.com, resources: {kvm: /dev/kvm}}",
    )
    catalog: Annotated[Sequence[CatalogItem], count(64, 1), unique("name")] = key(
        "catalog", "Entries of the catalogue.", (), "[{name: intel-gpu, replicas: 4}]"
    )
    scanner: Scanner | None = key(
        "scanner", "A scanner of your own.", None, '{class: "camscan:CamScanner"}'
    )
    domain: Domain | None = key(
        "domain",
        "The domain of the resources of a scanner, or of the catalogue instead of the entries' own."
        "  It cannot change.",
        None,
        "lab.example.com",
    )
