"""Applies the rules of one domain to a host, and keeps the outcome up to date."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from twistdp.health import HealthChecks
from twistdp.model import Resources
from twistdp.scanners.declared.found import LeftOut, Listed
from twistdp.scanners.declared.health import Judge
from twistdp.scanners.declared.identity import Ids
from twistdp.scanners.declared.ledger import Key, Ledger
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.selection import Selection
from twistdp.scanners.declared.warnings import (
    of_changes,
    of_checks,
    of_groups,
    of_listed,
    of_mounted,
    of_shared,
    of_unlike,
)
from twistdp.select import Cause, Host, Refreshed


class Survey:
    """What the rules of one domain find on a host; `before` is what was listed by other rules.

    Without `checks`, no health checks are made.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        before: Resources | None = None,
        checks: HealthChecks | None = None,
    ) -> None:
        self.rules = rules
        self.ledger = Ledger(rules, before)
        self._judge = Judge(self.ledger, checks)
        self._ids = Ids()
        self.selections = [Selection(rule, self._ids) for rule in rules]

    def look(self, host: Host) -> None:
        """Look at the whole host."""
        self._ids.begin()
        self.ledger.forget()
        found = []
        for selection in self.selections:
            units = selection.look(host).items()
            found.append({unit: self.ledger.as_listed(listed) for unit, listed in units})
        self._ids.end()
        self.ledger.replace(_by_key(found))
        self._judge.judge(self.rules, [key for key, _ in self.ledger.entries], all_of_them=True)

    def follow(self, found: Refreshed, host: Host) -> None:
        """Look again at what a refresh of the host found to differ."""
        touched = [selection.follow(found, host) for selection in self.selections]
        affected = self.ledger.change(_by_key(touched))
        self._judge.judge(self.rules, affected, all_of_them=False)

    def follow_health(self) -> None:
        """Look again at the devices of which the results of checks have changed."""
        self._judge.judge(self.rules, (), all_of_them=False)

    @property
    def left_out(self) -> Iterator[LeftOut]:
        """What the rules met, or may have met, and is not listed; in the rules' order."""
        for order in range(len(self.selections)):
            yield from self.left_out_of(order)

    def left_out_of(self, order: int) -> Iterator[LeftOut]:
        """As `left_out`, of one rule: a node of several seeds is left out once."""
        selection = self.selections[order]
        dropped = (each for found in selection.dropped.values() for each in found)
        yield from {(each.what, each.reason): each for each in dropped}.values()
        yield from selection.failed.values()
        for (at, _), refused in self.ledger.refused.items():
            if at == order:
                yield refused

    def missing_of(self, order: int) -> Iterator[LeftOut]:
        """The optional members that devices of one rule are listed without."""
        name = self.rules[order].name
        if any(member.optional for member in self.rules[order].resource.members):
            listed = (entry.listed for (at, _), entry in self.ledger.entries if at == order)
            for what in dict.fromkeys(what for each in listed for what in each.missing):
                yield LeftOut(name, what, "optional, not there", Cause.ABSENT)

    def listed(self) -> Mapping[int, Sequence[Listed]]:
        """What each rule lists, by the orders of rules; without those that list nothing."""
        found: dict[int, list[Listed]] = {}
        for (order, _), entry in self.ledger.entries:
            found.setdefault(order, []).append(entry.listed)
        return found

    def warnings(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """What people should know of devices that are listed all the same, with the resources."""
        listed = self.listed()
        yield from of_shared(self.rules, listed)
        for order, rule in enumerate(self.rules):
            found = listed.get(order, ())
            for text in (
                *of_changes(rule),
                *(text for each in found for text in of_listed(each)),
                *of_groups(rule, found),
                *of_unlike(rule, found),
                *of_mounted(found),
                *of_checks(rule, found),
            ):
                yield (rule.name,), text

    def is_absent(self, order: int) -> bool:
        """Whether nothing on this host has to do with a rule."""
        selection = self.selections[order]
        dropped = (each for found in selection.dropped.values() for each in found)
        return selection.is_empty and all(each.has_no_node for each in dropped)


def _by_key(found: Iterable[Mapping[str, Listed | None]]) -> dict[Key, Listed | None]:
    """What became of the units of all rules."""
    return {
        (order, unit): listed for order, units in enumerate(found) for unit, listed in units.items()
    }
