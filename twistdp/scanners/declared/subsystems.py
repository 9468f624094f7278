"""Of which subsystems a scanner of rules wants the kernel's events."""

from collections.abc import Iterable, Iterator
from typing import Final

from twistdp.scanners.declared.rule import Rule
from twistdp.select import KINDS, Match
from twistdp.uevents import EVERY

BUSES: Final = frozenset({"pci", "usb"})
"""What nearly every device is a part of, and is named after."""

_BY_PATH: Final = frozenset({"path", "path_regex", "allow", "deny"})
"""Conditions that inotify is enough for."""

_NESTED: Final = frozenset({"any", "not_", "parent", "child", "physfn"})
_OF_BUSES: Final = frozenset(
    {"usb", "pci", "usb_path", "pci_bus_id", "pci_class", "interface", "interface_class"}
    | {"interface_number", "usb_version"}
    | {"subsystem_vendor_id", "subsystem_device_id", "iommu_group", "vendor_id", "product_id"}
    | {"serial", "manufacturer", "product", "qat_services"}
)
"""Conditions that only devices of these buses, and their parts, can meet."""


def subsystems(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The subsystems whose events may change what the rules select; `EVERY` if that is any."""
    found: set[str] = set()
    for rule in rules:
        found.update(_of_rule(rule))
    if EVERY in found:
        return (EVERY,)
    return tuple(sorted(found | BUSES)) if found else ()


def _of_rule(rule: Rule) -> Iterator[str]:
    resource = rule.resource
    for member in resource.members:
        yield from _of_match(member.where)
    for match in (*rule.matches, *(resource.replicas.match if resource.replicas else ())):
        yield from _of_match(match)
    for kind in (resource.as_, *(member.as_ for member in resource.members)):
        if kind is not None:
            yield from KINDS[kind].subsystems
    if resource.group not in (None, "none", "all"):
        yield from BUSES


def _of_match(match: Match) -> Iterator[str]:
    for nested in (match.not_, match.parent, match.child, match.physfn, *match.any):
        if nested is not None:
            yield from _of_match(nested)
    given = set(match.given()) - _BY_PATH
    names = set(match.among())
    if not given:
        return
    if names:
        yield from names
        # A driver may be that of a device above, of any bus.
        if "driver" in given and not names <= BUSES:
            yield EVERY
    elif given - _NESTED - _OF_BUSES:
        yield EVERY
    elif given & _OF_BUSES:
        yield from BUSES
