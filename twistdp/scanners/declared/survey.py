"""Applies rules to a host: what each selects, and what becomes of it."""

from collections.abc import Iterable, Sequence

from twistdp.scanners.declared.assembly import Unit, assemble
from twistdp.scanners.declared.found import Cause, Found, LeftOut, Listed
from twistdp.scanners.declared.rule import Rule, name_of
from twistdp.select import Device, Host


class Survey:
    """What the rules of one domain find on a host."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules

    def look(self, host: Host) -> Found:
        """Look at the whole host."""
        listed: list[Listed] = []
        left_out: list[LeftOut] = []
        for rule in self.rules:
            for each in self._of_rule(rule, host):
                (listed if isinstance(each, Listed) else left_out).append(each)  # type: ignore[arg-type]
        return Found(listed, left_out)

    def _of_rule(self, rule: Rule, host: Host) -> Iterable[Listed | LeftOut]:
        units: dict[str, Unit] = {}
        for seed in self._selected(rule, host):
            if isinstance(seed, LeftOut):
                yield seed
                continue
            for part in rule.parts(seed):
                reason = part.reason
                if part.function is not None:
                    reason = rule.refuses_typed(part.function)
                if reason or part.function is None:
                    at = part.function or seed
                    yield LeftOut(rule.name, at.node or at.name, reason, Cause.RULE, at)
                    continue
                unit = units.setdefault(part.unit, Unit(part.unit, part.owner))
                if all(name_of(each) != name_of(part.function) for each in unit.functions):
                    unit.functions.append(part.function)
        for unit in units.values():
            yield assemble(rule, unit, host)

    def _selected(self, rule: Rule, host: Host) -> Iterable[Device | LeftOut]:
        for device in rule.candidates(host):
            held = rule.holds(device)
            if held:
                yield device
            elif held is None:
                reason = rule.test(device).reason
                yield LeftOut(
                    rule.name, device.node or device.name, reason, Cause.UNDECIDABLE, device
                )
