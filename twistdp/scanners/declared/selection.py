"""What one rule selects, kept from look to look: only what changed is looked at again."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from twistdp.model import natural_key
from twistdp.scanners.declared.assembly import Unit, assemble
from twistdp.scanners.declared.found import LeftOut, Listed
from twistdp.scanners.declared.identity import Ids
from twistdp.scanners.declared.rule import Part, Rule, name_of
from twistdp.select import Cause, Device, Host


class Selection:
    """The devices that meet `rule`, and the devices of the resource that they make.

    A device that meets a rule is a seed; its nodes are parts of units, and a unit becomes a device
    of the resource, or is left out.
    """

    def __init__(self, rule: Rule, ids: Ids) -> None:
        self.rule = rule
        self._ids = ids
        self.outcomes: dict[str, Listed | LeftOut] = {}
        """What became of each unit."""
        self.failed: dict[str, LeftOut] = {}
        """Those of the outcomes that list nothing."""
        self.dropped: dict[str, list[LeftOut]] = {}
        """What else of a seed, or of a device that may be one, is left out."""
        self._parts: dict[str, list[Part]] = {}  # of each seed
        self._seeds: dict[str, list[str]] = {}  # of each unit

    def look(self, host: Host) -> Collection[str]:
        """Look at all devices; returns the units there are or were."""
        before = dict.fromkeys(self.outcomes)
        self.outcomes.clear()
        self.failed.clear()
        self.dropped.clear()
        self._parts.clear()
        self._seeds.clear()
        return self._take(self.rule.likely(host), host, before)

    def follow(self, gone: Collection[str], fresh: Iterable[Device], host: Host) -> Collection[str]:
        """Look at `fresh` devices, and drop those with the names `gone`; returns units touched."""
        touched: dict[str, None] = {}
        for name in gone:
            self.dropped.pop(name, None)
            for part in self._parts.pop(name, ()):
                touched[part.unit] = None
                seeds = self._seeds.get(part.unit)
                if seeds is not None and name in seeds:
                    seeds.remove(name)
        if self.rule.resource.members or self.rule.resource.mounts:
            # What these need may have come or gone, wherever it is.
            touched |= dict.fromkeys(self._seeds)
        return self._take(fresh, host, touched)

    def _take(
        self, devices: Iterable[Device], host: Host, touched: dict[str, None]
    ) -> Collection[str]:
        for device in devices:
            held = self.rule.holds(device)
            if held:
                touched.update(dict.fromkeys(self._take_seed(device)))
            elif held is None:
                self._drop(device, device, self.rule.test(device).reason, Cause.UNDECIDABLE)
        for unit in touched:
            self._make(unit, host)
        return touched

    def _take_seed(self, seed: Device) -> Iterator[str]:
        name = name_of(seed)
        parts = self._parts[name] = []
        for part in self.rule.parts(seed):
            reason = part.reason
            if part.function is not None and not reason:
                reason = self.rule.refuses_typed(part.function, seed)
            if reason or part.function is None:
                self._drop(seed, part.function or seed, reason, Cause.RULE)
                continue
            parts.append(part)
            seeds = self._seeds.setdefault(part.unit, [])
            if not seeds or seeds[-1] != name:
                seeds.append(name)
            yield part.unit

    def _drop(self, seed: Device, device: Device, reason: str, cause: Cause) -> None:
        left_out = LeftOut(self.rule.name, device.node or device.name, reason, cause, device)
        self.dropped.setdefault(name_of(seed), []).append(left_out)

    def _make(self, key: str, host: Host) -> None:
        functions: dict[str, Device] = {}
        owner: Device | None = None
        for seed in self._seeds.get(key, ()):
            for part in self._parts[seed]:
                if part.unit == key and part.function is not None:
                    owner = owner or part.owner
                    functions.setdefault(name_of(part.function), part.function)
        self.failed.pop(key, None)
        if owner is None:
            self._seeds.pop(key, None)
            self.outcomes.pop(key, None)
            return
        ordered = list(functions.values())
        if len(ordered) > 1:
            # Those that the rule selects come first: templates are about the first one.
            ordered.sort(key=self._place)
        outcome = assemble(self.rule, Unit(key, owner, ordered), host, self._ids)
        self.outcomes[key] = outcome
        if isinstance(outcome, LeftOut):
            self.failed[key] = outcome

    def _place(self, function: Device) -> tuple[bool, int, Sequence[object]]:
        name = function.identity
        turn = self.rule.turn(function) if name in self._parts else 0
        return name not in self._parts, turn, natural_key(name)
