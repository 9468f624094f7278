"""Which health checks a device of the configuration has, and their results."""

from collections.abc import Collection, Iterable, Iterator

import attrs

from twistdp.errors import BadSetting
from twistdp.health import Check, HealthChecks
from twistdp.model import UNHEALTHY
from twistdp.scanners.declared.found import Listed
from twistdp.scanners.declared.ledger import Key, Ledger
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.warnings import is_made
from twistdp.scanners.declared.words import Words

Name = tuple[str, str]
"""A device: the type of its resource, and its id.  A changed configuration keeps it."""


@attrs.frozen
class Checked:
    """The checks of a unit, and why others of it cannot be made."""

    key: Key
    checks: tuple[Check, ...]
    problems: tuple[str, ...]


class Judge:
    """Gives the units of a ledger the states that `checks` find; with none, all are healthy."""

    def __init__(self, ledger: Ledger, checks: HealthChecks | None) -> None:
        self._ledger = ledger
        self._checks = checks
        self._checked: dict[Name, Checked] = {}
        self._names: dict[Key, Name] = {}

    def judge(self, rules: Collection[Rule], keys: Iterable[Key], *, all_of_them: bool) -> None:
        """Judge these units, and those whose state has changed; forget those that are gone.

        With `all_of_them`, there are no others.
        """
        if self._checks is None or not (self._names or any(r.resource.health for r in rules)):
            return
        touched = self._find(list(rules), keys)
        if all_of_them:
            self._checked = touched
            self._checks.keep(touched)
        else:
            self._checked |= touched
            self._checks.forget(name for name in self._gone() if name not in touched)
        self._names = {checked.key: name for name, checked in self._checked.items()}
        changed = self._checks.changed()
        if changed:
            touched |= {name: each for name, each in self._checked.items() if name in changed}
        states = self._checks.states({name: each.checks for name, each in touched.items()})
        for name, checked in touched.items():
            state, reason = states[name]
            listed = self._ledger.listed(checked.key)
            if listed is not None and listed.lead.host.prefix:  # paths as on the recorded host
                reason = reason.replace(f"{listed.lead.host.prefix}/", "/")
            if checked.problems:
                state, reason = UNHEALTHY, "; ".join(filter(None, (*checked.problems, reason)))
            self._ledger.set_health(checked.key, state, reason)

    def _find(self, rules: list[Rule], keys: Iterable[Key]) -> dict[Name, Checked]:
        found: dict[Name, Checked] = {}
        for key in keys:
            rule = rules[key[0]]
            listed = self._ledger.listed(key) if rule.resource.health else None
            if listed is not None:
                checks, problems = made(rule, listed)
                found[rule.name, listed.id] = Checked(key, checks, problems)
        return found

    def _gone(self) -> Iterator[Name]:
        """Forget the units that are not listed any more."""
        for name, checked in list(self._checked.items()):
            listed = self._ledger.listed(checked.key)
            if listed is None or listed.id != name[1]:
                del self._checked[name]
                yield name


def made(rule: Rule, listed: Listed) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """The checks of a unit with its templates filled in, and why some cannot be filled in."""
    info, lead = listed.info, listed.lead
    # The checks are made on the host, where the node may have another name.
    node = listed.parts[0].node if info.nodes else None
    words = Words(lead, id=listed.id, node=node, hostNode=node)
    checks, problems = [], []
    for each in rule.resource.health:
        try:
            check = each.made(words, lead.path, lead.host.prefix)
        except BadSetting as error:
            problems.append(str(error))
        else:
            if check is not None and is_made(each, lead.host):
                checks.append(check)
    return tuple(checks), tuple(problems)
