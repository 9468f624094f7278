"""What devices of a rule need that the rule does not select: members, and paths on the host."""

import os
from collections.abc import Collection, Iterator, Sequence

from twistdp.config import Member, Resource, fill_path, names
from twistdp.scanners.declared.found import Unit
from twistdp.scanners.declared.names import Names
from twistdp.scanners.declared.places import paths_of
from twistdp.select import Device, Host, Refreshed, belonging, bus_device, judged


def is_path(member: Member) -> bool:
    """Whether a member is a fixed path, and not another node of the same hardware."""
    return bool(member.where.path) and member.as_ is None


class Surroundings:
    """Looks at what the units of a resource need, and notes which unit has asked for what.

    So a change makes only those units again that it concerns.  Members with a fixed path, and
    paths that are the same for all units, are looked up once for all.
    """

    def __init__(self, resource: Resource) -> None:
        self._members = resource.members
        paths = [*(mount.host_path for mount in resource.mounts), *resource.requires]
        self._common = [fill_path(each, {}) for each in paths if not any(names(each))]
        self._is_needed = bool(resource.members or paths)
        self._fixed: dict[int, Sequence[Device]] = {}
        """The devices that members with a path mean, by the numbers of these."""
        self._places: dict[int, Sequence[tuple[str, ...]]] = {}
        """The identities and paths of these devices, to see whether they have changed."""
        self._there: dict[str, bool] = {}
        """Whether the paths to mount, and those that are required, are there."""
        self._needs = Names()
        """What each unit has asked for: its hardware, and paths that are not the same for all."""
        self._users = Names()
        """The units that have asked for it."""

    def look(self, host: Host) -> None:
        """Look at a whole host: no unit has asked for anything."""
        self._needs.clear()
        self._users.clear()
        self._there = {path: _is_there(path, host) for path in self._common}
        for number, member in enumerate(self._members):
            if is_path(member):
                self._find(number, member, host)

    def touched(self, found: Refreshed, host: Host, units: Collection[str]) -> dict[str, None]:
        """Those of all `units` that a change concerns, though they may have the same parts."""
        if not self._is_needed:
            return {}
        for_all = [self._is_other(number, member, found, host)
                   for number, member in enumerate(self._members) if is_path(member)]  # fmt: skip
        changed = [path for path in self._tested(found) if self._has_changed(path, host)]
        if any(for_all) or not set(changed).isdisjoint(self._common):
            return dict.fromkeys(units)
        keys = (*changed, *_with_all_above(found.gone))
        return {unit: None for key in keys for unit in self._users.of(key)}

    def begin(self, unit: Unit) -> None:
        """Make a unit again: it has asked for nothing yet."""
        self.forget(unit.key)
        if self._is_needed:
            self._note(unit, _hardware(unit).identity)

    def forget(self, unit: str) -> None:
        """Forget what a unit has asked for."""
        for key in self._needs.pop(unit):
            self._users.remove(key, unit)
            if key not in self._users:
                self._there.pop(key, None)

    def candidates(self, number: int, unit: Unit) -> Iterator[tuple[Device, str]]:
        """What the member of that number may mean, each with the reason why it is not meant."""
        member = self._members[number]
        if is_path(member):
            for device in self._fixed[number]:
                yield device, ""
            return
        where, hardware = member.where, _hardware(unit)
        if member.as_ is not None:
            for device, outcome in judged(hardware, member.as_):
                if outcome.ok:
                    outcome = where.of_parts.test(device)
                yield device, "" if outcome.ok else outcome.reason
            return
        for device in (hardware, *belonging(hardware)):
            if device.node is not None and where.holds(device):
                yield device, ""

    def is_there(self, path: str, unit: Unit, host: Host) -> bool:
        """Whether a path that is to be mounted for a unit, or that it requires, is there."""
        if path in self._common:
            return self._there[path]
        if path not in self._needs.of(unit.key):
            self._note(unit, path)
        there = _is_there(path, host)
        self._there.setdefault(path, there)  # if it differs, the others find that too
        return there

    def _note(self, unit: Unit, key: str) -> None:
        self._needs.add(unit.key, key)
        self._users.add(key, unit.key)

    def _find(self, number: int, member: Member, host: Host) -> None:
        where = member.where
        found = [each for each in where.candidates(host)
                 if each.node is not None and where.holds(each)]  # fmt: skip
        self._fixed[number] = found
        self._places[number] = [(each.identity, *paths_of(each, where.path)) for each in found]

    def _is_other(self, number: int, member: Member, found: Refreshed, host: Host) -> bool:
        """Find a member with a path again where it may have changed; whether it has."""
        before = self._places[number]
        known = {each.identity for each in self._fixed[number]}
        if known.isdisjoint(found.gone) and not any(map(member.where.holds, found.fresh)):
            return False
        self._find(number, member, host)
        return self._places[number] != before

    def _tested(self, found: Refreshed) -> Iterator[str]:
        """The paths that may have come or gone.

        Events are about paths that are watched, so of those that differ from unit to unit, of which
        there may be thousands, only these are looked at; `look` looks at all.
        """
        yield from self._common
        tops = tuple(f"{path}/" for path in found.paths)
        for path in self._there if tops else ():
            if f"{path}/".startswith(tops) and path not in self._common:
                yield path

    def _has_changed(self, path: str, host: Host) -> bool:
        before = self._there[path]
        self._there[path] = _is_there(path, host)
        return self._there[path] != before


def _hardware(unit: Unit) -> Device:
    """The device of which other nodes may be members."""
    hardware = bus_device(unit.owner) or unit.owner
    if hardware in unit.functions and hardware.parent is not None:
        return hardware.parent  # a node on a bus without ids, as the sound card of a board
    return hardware


def _is_there(path: str, host: Host) -> bool:
    return os.path.lexists(f"{host.prefix}{path}")


def _with_all_above(identities: Collection[str]) -> dict[str, None]:
    """Devices, and every directory of sysfs above them: there may be another device."""
    found: dict[str, None] = {}
    for path in identities:
        while path and path not in found:
            found[path] = None
            path = path.rpartition("/")[0]
    return found
