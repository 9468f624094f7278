"""What one rule selects, kept from look to look: only what changed is looked at again."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from twistdp.model import natural_key
from twistdp.scanners.declared.assembly import Unit, assemble
from twistdp.scanners.declared.found import LeftOut, Listed
from twistdp.scanners.declared.identity import Ids
from twistdp.scanners.declared.rule import Part, Rule, name_of
from twistdp.select import Cause, Device, Host


class Selection:
    """The devices that meet `rule`, and the devices of the resource that they make.

    A device that meets a rule is a seed; its nodes are parts of units, and a unit becomes a device
    of the resource, or is left out.  Only names are kept: there may be many thousands of devices.
    """

    def __init__(self, rule: Rule, ids: Ids) -> None:
        self.rule = rule
        self._ids = ids
        self.failed: dict[str, LeftOut] = {}
        """The units that list nothing."""
        self.dropped: dict[str, list[LeftOut]] = {}
        """What else of a seed, or of a device that may be one, is left out."""
        # A single name, the usual case, needs no tuple.
        self._units: dict[str, str | tuple[str, ...]] = {}  # of each seed
        self._seeds: dict[str, str | tuple[str, ...]] = {}  # of each unit

    @property
    def is_empty(self) -> bool:
        """Whether there is no unit, complete or not."""
        return not self._seeds

    def look(self, host: Host) -> Mapping[str, Listed | None]:
        """Look at all devices; returns what became of the units there are."""
        self.failed.clear()
        self.dropped.clear()
        self._units.clear()
        self._seeds.clear()
        return self._take(self.rule.likely(host), host, {})

    def follow(
        self, gone: Collection[str], fresh: Iterable[Device], host: Host
    ) -> Mapping[str, Listed | None]:
        """Look at `fresh` devices, and drop those with the names `gone`; returns as `look`."""
        touched: dict[str, None] = {}
        for name in gone:
            self.dropped.pop(name, None)
            for unit in _several(self._units.pop(name, ())):
                touched[unit] = None
                seeds = _several(self._seeds[unit])
                self._seeds[unit] = tuple(each for each in seeds if each != name)
        resource = self.rule.resource
        if resource.members or resource.mounts or resource.requires:
            # What these need may have come or gone, wherever it is.
            touched |= dict.fromkeys(self._seeds)
        return self._take(fresh, host, touched)

    def _take(
        self, devices: Iterable[Device], host: Host, touched: dict[str, None]
    ) -> Mapping[str, Listed | None]:
        parts: dict[str, Sequence[Part]] = {}
        for device in devices:
            held = self.rule.holds(device)
            if held:
                name = name_of(device)
                parts[name] = self._parts(device)
                units = tuple(dict.fromkeys(part.unit for part in parts[name]))
                self._units[name] = units[0] if len(units) == 1 else units
                for unit in units:
                    touched[unit] = None
                    others = _several(self._seeds.get(unit, ()))
                    self._seeds[unit] = (*others, name) if others else name
            elif held is None:
                self._drop(device, device, self.rule.test(device).reason, Cause.UNDECIDABLE)
        return {unit: self._made(unit, parts, host) for unit in touched}

    def _parts(self, seed: Device) -> Sequence[Part]:
        """The parts that a seed gives; notes what it does not give."""
        self.dropped.pop(name_of(seed), None)
        found = []
        for part in self.rule.parts(seed):
            reason = part.reason
            if part.function is not None and not reason:
                reason = self.rule.refuses_typed(part.function, seed)
            if reason or part.function is None:
                lacks = part.function is None and self.rule.resource.as_ not in (None, "vfio")
                self._drop(seed, part.function or seed, reason, Cause.RULE, lacks)
            else:
                found.append(part)
        return found

    def _drop(
        self, seed: Device, device: Device, reason: str, cause: Cause, lacks: bool = False
    ) -> None:
        what = device.node or device.name
        left_out = LeftOut(self.rule.name, what, reason, cause, device, lacks)
        self.dropped.setdefault(name_of(seed), []).append(left_out)

    def _made(self, unit: str, parts: dict[str, Sequence[Part]], host: Host) -> Listed | None:
        """What a unit lists now; `parts` has the parts of seeds, and gets those it has not."""
        functions: dict[str, Device] = {}
        owner: Device | None = None
        for name in _several(self._seeds.get(unit, ())):
            if name not in parts:
                seed = host.named(name)
                parts[name] = self._parts(seed) if seed is not None else ()
            for part in parts[name]:
                if part.unit == unit and part.function is not None:
                    owner = owner or part.owner
                    functions.setdefault(name_of(part.function), part.function)
        self.failed.pop(unit, None)
        if owner is None:
            if not self._seeds.get(unit):  # otherwise its seeds may give something again
                self._seeds.pop(unit, None)
            return None
        ordered = list(functions.values())
        if len(ordered) > 1:
            # Those that the rule selects come first: templates are about the first one.
            ordered.sort(key=self._place)
        outcome = assemble(self.rule, Unit(unit, owner, ordered), host, self._ids)
        for function in ordered:
            # What was read of it is seldom asked for again, and there may be many thousands.
            function.spare()
        if isinstance(outcome, Listed):
            return outcome
        self.failed[unit] = outcome
        return None

    def _place(self, function: Device) -> tuple[bool, int, Sequence[object]]:
        name = function.identity
        turn = self.rule.turn(function) if name in self._units else 0
        return name not in self._units, turn, natural_key(name)


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
