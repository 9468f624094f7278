"""Which devices are listed in the end: ids are unique, limits are kept, exclusive claims hold."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from twistdp.model import DeviceInfo, Resources, device_id, natural_key
from twistdp.scanners.declared.found import LeftOut, Listed
from twistdp.scanners.declared.handing import raw_paths
from twistdp.scanners.declared.rule import Rule
from twistdp.select import Cause

Key: TypeAlias = tuple[int, str]
"""A unit: the order of its rule, and its name there."""

MOST_GONE: Final = 1000
"""Devices that are gone of which the nodes are remembered, in case that they come back."""

_NODES: Final = ""
"""Stands for a type where nodes are meant."""


@attrs.frozen
class Entry:
    """A unit as it would be listed."""

    listed: Listed
    kind: str
    info: DeviceInfo
    replicas: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids under which it is listed."""
        if not self.replicas:
            return (self.listed.id,)
        return tuple(device_id(f"{self.listed.id}-{number}") for number in range(self.replicas))


class Ledger:
    """The units of all rules, and the resources' devices that come of them."""

    def __init__(self, rules: Sequence[Rule], before: Resources | None = None) -> None:
        self._rules = rules
        self.devices = {kind: dict(devices) for kind, devices in (before or {}).items()}
        """What is listed, by type and id."""
        self._before: dict[str, dict[str, DeviceInfo]] = {}
        """What was listed before everything is replaced, while it is."""
        self.refused: dict[Key, LeftOut] = {}
        """Why units are not listed that are complete."""
        self.numbered: dict[tuple[str, str], Sequence[tuple[str, str]]] = {}
        """The variables of listed devices that are numbered over those of a container."""
        self.moved: list[str] = []
        """What to report of devices that have other nodes than they had under the same id."""
        self._raw: dict[tuple[str, str], tuple[str, ...]] = {}
        self._units: dict[Key, Entry] = {}
        self._present: dict[Key, None] = {}
        self._holders = Holders()

    @property
    def entries(self) -> Iterator[tuple[Key, Entry]]:
        """The units that are listed, in the rules' order."""
        return ((key, self._units[key]) for key in sorted(self._present, key=_place))

    def forget(self) -> None:
        """Forget all units, but not what is listed, before `replace`."""
        for each in (self._units, self._present, self.refused):
            each.clear()
        self._holders = Holders()

    def as_listed(self, listed: Listed | None) -> Listed | None:
        """The same, with the very value that is listed if that is equal: it is stored once then."""
        if listed is None:
            return None
        known = self.devices.get(listed.resource, {}).get(listed.id)
        return attrs.evolve(listed, info=known) if known == listed.info else listed

    def replace(self, units: Mapping[Key, Listed | None]) -> None:
        """Take these units and no others; what was listed has a limit's places before others."""
        self._before, self.devices = self.devices, {}
        self.change(units)
        self._before = {}
        for kind, id_ in list(self.numbered):
            if id_ not in self.devices.get(kind, ()):
                del self.numbered[kind, id_]
        gone = [(kind, id_) for kind, id_ in self._raw if id_ not in self.devices.get(kind, ())]
        for key in gone[: max(0, len(gone) - MOST_GONE)]:
            del self._raw[key]

    def change(self, units: Mapping[Key, Listed | None]) -> Collection[Key]:
        """Take the new state of these units; returns all units to which that makes a difference."""
        affected: dict[Key, None] = dict.fromkeys(units)
        old: dict[Key, Entry] = {}
        for key, listed in units.items():
            entry = self._units.pop(key, None)
            if entry is not None:
                old[key] = entry
                affected |= self._release(key, entry)
            if listed is not None:
                self._units[key] = entry = made(self._rules[key[0]], listed)
                affected |= self._hold(key, entry)
        for order in {order for order, _ in affected}:
            if self._rules[order].resource.limit is not None:
                affected |= {key: None for key in self._units if key[0] == order}
        for key in affected:
            self._refuse(key)
        self._keep_limits(affected)
        for key in [key for key in affected if key in self._present]:
            entry = old.get(key) or self._units[key]
            devices = self.devices[entry.kind]
            for id_ in entry.ids:
                devices.pop(id_, None)
                self.numbered.pop((entry.kind, id_), None)
            if not devices:
                del self.devices[entry.kind]
            del self._present[key]
        for key in affected:
            if key not in self._units or key in self.refused:
                continue
            entry = self._units[key]
            self.devices.setdefault(entry.kind, {}).update(dict.fromkeys(entry.ids, entry.info))
            self._present[key] = None
            if entry.listed.numbered:
                self.numbered |= {(entry.kind, id_): entry.listed.numbered for id_ in entry.ids}
            self._note_nodes(entry)
        return affected

    def listed(self, key: Key) -> Listed | None:
        """The unit, if it is listed."""
        return self._units[key].listed if key in self._present else None

    def set_health(self, key: Key, state: str, reason: str) -> None:
        """Give the devices of a listed unit another state."""
        entry = self._units[key]
        if (state, reason) != (entry.info.state, entry.info.reason):
            info = attrs.evolve(entry.info, state=state, reason=reason)
            self._units[key] = attrs.evolve(entry, info=info)
            self.devices[entry.kind].update(dict.fromkeys(entry.ids, info))

    def _note_nodes(self, entry: Entry) -> None:
        """Report a device that has lost a node that it had under the same id."""
        now = tuple(sorted(raw_paths([entry.info])))
        before = self._raw.get((entry.kind, entry.ids[0]), now)
        if now:
            self._raw.pop((entry.kind, entry.ids[0]), None)  # so that the oldest stay the first
            self._raw[entry.kind, entry.ids[0]] = now
        if not set(before) <= set(now):
            self.moved.append(
                f"{entry.kind}: device {entry.ids[0]} was {', '.join(before)} and is "
                f"{', '.join(now)} now; a container that has it cannot open that, delete its pod"
            )

    def _refuse(self, key: Key) -> None:
        self.refused.pop(key, None)
        entry = self._units.get(key)
        refusal = self._refusal(key, entry) if entry is not None else None
        if entry is not None and refusal is not None:
            self.refused[key] = left_out(entry.listed, *refusal)

    def _refusal(self, key: Key, entry: Entry) -> tuple[str, Cause] | None:
        for id_ in entry.ids:
            others = len(self._holders.of(entry.kind, id_)) - 1
            if others:
                have = "other device has" if others == 1 else "other devices have"
                return f"{others} {have} the id {id_}; make ids differ with id", Cause.FAULT
        for claim in entry.listed.claims:
            for order, _ in self._holders.of(_NODES, claim):
                rule = self._rules[order]
                if order < key[0] and rule.resource.exclusive:
                    return f"{claim} belongs to {rule.name}, which is exclusive", Cause.RULE
        return None

    def _keep_limits(self, affected: Collection[Key]) -> None:
        """Of a rule with a limit, what is listed stays, and lower ids come before higher ones."""
        for order in {order for order, _ in affected}:
            limit = self._rules[order].resource.limit
            if limit is None:
                continue
            keys = [key for key in affected if key[0] == order and key in self._units]
            keys = [key for key in keys if key not in self.refused]
            keys.sort(key=lambda key: (not self._was_listed(key), _order(self._units[key])))
            count = 0
            for key in keys:
                count += len(self._units[key].ids)
                if count > limit:
                    reason = f"the limit of {limit} device{'' if limit == 1 else 's'} is reached"
                    self.refused[key] = left_out(self._units[key].listed, reason, Cause.RULE)

    def _was_listed(self, key: Key) -> bool:
        entry = self._units[key]
        return key in self._present or entry.ids[0] in self._before.get(entry.kind, ())

    def _hold(self, key: Key, entry: Entry) -> dict[Key, None]:
        """Note what a unit has; returns the others that have it too."""
        others: dict[Key, None] = {}
        for kind, name in _names(entry):
            others.update(dict.fromkeys(self._holders.of(kind, name)))
            self._holders.add(kind, name, key)
        return others

    def _release(self, key: Key, entry: Entry) -> dict[Key, None]:
        others: dict[Key, None] = {}
        for kind, name in _names(entry):
            self._holders.remove(kind, name, key)
            others.update(dict.fromkeys(self._holders.of(kind, name)))
        return others


class Holders:
    """The units that have a name of a kind; a single one, the usual case, needs no list."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Key | list[Key]]] = {}

    def of(self, kind: str, name: str) -> Sequence[Key]:
        """The units that have a name."""
        found = self._of.get(kind, {}).get(name, [])
        return found if isinstance(found, list) else [found]

    def add(self, kind: str, name: str, key: Key) -> None:
        """Note that a unit has a name that it did not have."""
        others = self.of(kind, name)
        self._of.setdefault(kind, {})[name] = [*others, key] if others else key

    def remove(self, kind: str, name: str, key: Key) -> None:
        """Note that a unit has a name no longer."""
        others = [each for each in self.of(kind, name) if each != key]
        if len(others) > 1:
            self._of[kind][name] = others
        elif others:
            self._of[kind][name] = others[0]
        else:
            del self._of[kind][name]


def made(rule: Rule, listed: Listed) -> Entry:
    """A unit with the ids under which it is listed."""
    replicas = rule.resource.replicas
    if replicas is None or not (
        not replicas.match or any(match.of_parts.holds(listed.lead) for match in replicas.match)
    ):
        return Entry(listed, rule.name, listed.info)
    info = attrs.evolve(listed.info, group=listed.id)
    # A device with more than the limit would be left out with all of them.
    count = min(replicas.count, rule.resource.limit or replicas.count)
    return Entry(listed, replicas.rename or rule.name, info, count)


def left_out(listed: Listed, reason: str, cause: Cause) -> LeftOut:
    """A complete unit that is left out all the same."""
    return LeftOut(
        listed.resource, listed.lead.node or listed.lead.name, reason, cause, listed.lead
    )


def _names(entry: Entry) -> Iterator[tuple[str, str]]:
    """What only one unit may have: nodes, and ids by type."""
    for claim in entry.listed.claims:
        yield _NODES, claim
    for id_ in entry.ids:
        yield entry.kind, id_


def _order(entry: Entry) -> object:
    return natural_key(entry.ids[0])


def _place(key: Key) -> tuple[int, list[object]]:
    return key[0], natural_key(key[1])  # type: ignore[return-value]
