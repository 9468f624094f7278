"""What one rule selects, kept from look to look: only what changed is looked at again."""

from collections.abc import Iterable, Mapping, Sequence

from twistdp.model import natural_key
from twistdp.scanners.declared.assembly import assemble
from twistdp.scanners.declared.found import LeftOut, Listed, Unit
from twistdp.scanners.declared.identity import Ids
from twistdp.scanners.declared.names import Names
from twistdp.scanners.declared.rule import Part, Rule, name_of
from twistdp.scanners.declared.surroundings import Surroundings
from twistdp.select import Cause, Device, Host, Refreshed


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
        self._units = Names()  # of each seed
        self._seeds = Names()  # of each unit
        self._around = Surroundings(rule.resource)

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
        self._around.look(host)
        return self._take(self.rule.likely(host), host, {})

    def follow(self, found: Refreshed, host: Host) -> Mapping[str, Listed | None]:
        """Look at the devices that are fresh, and drop those that are gone; returns as `look`."""
        touched = self._around.touched(found, host, self._seeds.keys())
        for name in found.gone:
            self.dropped.pop(name, None)
            for unit in self._units.pop(name):
                touched[unit] = None
                self._seeds.remove(unit, name)
        return self._take(found.fresh, host, touched)

    def _take(
        self, devices: Iterable[Device], host: Host, touched: dict[str, None]
    ) -> Mapping[str, Listed | None]:
        parts: dict[str, Sequence[Part]] = {}
        for device in devices:
            held = self.rule.holds(device)
            if held:
                name = name_of(device)
                parts[name] = self._parts(device)
                for unit in dict.fromkeys(part.unit for part in parts[name]):
                    touched[unit] = None
                    self._units.add(name, unit)
                    self._seeds.add(unit, name)
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
        for name in self._seeds.of(unit):
            if name not in parts:
                seed = host.named(name)
                parts[name] = self._parts(seed) if seed is not None else ()
            for part in parts[name]:
                if part.unit == unit and part.function is not None:
                    owner = owner or part.owner
                    functions.setdefault(name_of(part.function), part.function)
        self.failed.pop(unit, None)
        if owner is None:
            self._around.forget(unit)
            return None
        ordered = list(functions.values())
        if len(ordered) > 1:
            # Those that the rule selects come first: templates are about the first one.
            ordered.sort(key=self._place)
        outcome = assemble(self.rule, Unit(unit, owner, ordered), host, self._ids, self._around)
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
