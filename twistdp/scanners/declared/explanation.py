"""Why devices of a host are listed by rules, or not: for every candidate the test that decided."""

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import takewhile

import attrs

from twistdp.model import HEALTHY
from twistdp.scanners.declared.found import LeftOut
from twistdp.scanners.declared.ledger import Entry
from twistdp.scanners.declared.rule import Rule, name_of
from twistdp.scanners.declared.survey import Survey
from twistdp.select import (
    Cause,
    Device,
    Explanation,
    Host,
    Step,
    Verdict,
    about,
    any_of,
    belonging,
    bus_device,
    called,
    card,
    path_expressions,
    path_pattern,
)

_NEAREST = 2000
"""Candidates among which the nearest is looked for, where none meets a rule."""


def explained(survey: Survey, host: Host) -> Iterator[Explanation]:
    """What every rule of a survey, which has looked at `host`, made of its candidates."""
    entries: dict[int, list[Entry]] = {}
    for (order, _), entry in survey.ledger.entries:
        entries.setdefault(order, []).append(entry)
    for order, rule in enumerate(survey.rules):
        steps = [*_listed(entries.get(order, ())), *_left_out(survey, order)]
        known = {name_of(step.device) for step in steps if step.device is not None}
        steps += (_tested(rule, each) for each in _not_selected(rule, host, known))
        absent = why_absent(rule, host) if survey.is_absent(order) else ""
        yield Explanation(rule.name, tuple(steps), absent)


def of_device(survey: Survey, device: Device) -> Iterator[tuple[Rule, tuple[Step, ...]]]:
    """What every rule made of one device, also of one that it had no reason to look at.

    Where a rule made nothing of the device itself, what it made of the functions below it.
    """
    own = {name_of(device), device.node} - {None}
    below = {name_of(each) for each in belonging(device)}
    for order, rule in enumerate(survey.rules):
        known = [
            (step, {name_of(step.device), step.device.node})
            for step in (
                *_listed([entry for (at, _), entry in survey.ledger.entries if at == order]),
                *_left_out(survey, order),
            )
            if step.device is not None
        ]
        steps = [step for step, names in known if names & own]
        steps = steps or [step for step, names in known if names & below]
        yield rule, tuple(steps or [_tested(rule, device)])


def _listed(entries: "list[Entry] | tuple[Entry, ...]") -> Iterator[Step]:
    for entry in entries:
        several = len(entry.listed.parts) > 1
        for device in entry.listed.parts:
            step = Step.listed(called(device), entry.kind, entry.ids, device)
            hardware = bus_device(device) or card(device)
            if several and hardware is not None and hardware is not device:
                step = attrs.evolve(step, reason=f"{step.reason}, a node of {hardware.name}")
            if entry.info.state != HEALTHY:
                step = attrs.evolve(step, reason=f"{step.reason}, unhealthy: {entry.info.reason}")
            yield step


def _left_out(survey: Survey, order: int) -> Iterator[Step]:
    for each in (*survey.left_out_of(order), *survey.missing_of(order)):
        yield _step(each)


def _step(each: LeftOut) -> Step:
    verdict = Verdict.UNDECIDABLE if each.cause is Cause.UNDECIDABLE else Verdict.LEFT_OUT
    return Step(each.what, verdict, each.reason, each.device, cause=each.cause)


def _not_selected(rule: Rule, host: Host, known: Collection[str]) -> Iterator[Device]:
    """The candidates that do not meet a rule, without those that are part of one that does."""
    for device in rule.candidates(host):
        if name_of(device) not in known and rule.holds(device) is False:
            yield device


def _tested(rule: Rule, device: Device) -> Step:
    outcome = rule.test(device)
    if outcome.ok is False:
        # That it is a part of the device that is meant says less than what that device lacks.
        why = any_of(match.of_parts.test(device) for match in rule.matches)
        outcome = why if why.ok is False else outcome
    if outcome.ok:  # it has parts, none of which is listed or left out
        return Step(called(device), Verdict.LEFT_OUT, "it gives no node", device)
    return Step.of(device, outcome, rule.name)


def why_absent(rule: Rule, host: Host) -> str:
    """Why nothing on a host meets a rule; for people."""
    patterns = [path for match in rule.matches for path in match.path]
    if patterns and all(match.path for match in rule.matches):
        return "; ".join(_no_path(pattern, host) for pattern in patterns[:4])
    texts = [text for match in rule.matches for text in match.path_regex]
    if all(tuple(match.given()) == ("path_regex",) for match in rule.matches):
        return f"no path of a device matches {path_expressions(texts)}"
    nearest = ""
    nodeless = ""
    met = -1, 0
    count = 0
    for count, device in enumerate(rule.candidates(host), 1):  # it is used below
        if count > _NEAREST:
            break
        outcome = rule.test(device)
        if outcome.ok and not nodeless:
            nodeless = next((part.reason for part in rule.parts(device)), "")
        inner = outcome.parts[0] if len(rule.matches) == 1 and outcome.parts else outcome
        held = sum(part.ok is True for part in inner.parts), _alike(device, texts)
        if outcome.ok is False and held > met:
            nearest, met = about(device, outcome.reason), held
    if nodeless:
        return f"nothing that meets the rule has such a node: {nodeless}"
    if not nearest:
        return f"there is no {_about(rule)} here"
    if count == 1:
        return f"the only {_about(rule)} here does not meet the rule: {nearest}"
    many = f"more than {_NEAREST}" if count > _NEAREST else str(count)
    return f"none of {many} devices meets the rule; the nearest: {nearest}"


def _alike(device: Device, texts: Iterable[str]) -> int:
    """How many letters the device's path and one of some texts begin with alike."""
    pairs = (zip(device.node or "", text.lstrip("^"), strict=False) for text in texts)
    return max((sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], each)) for each in pairs),
               default=0)  # fmt: skip


_CALLED = {"usb": "USB", "pci": "PCI", "nvme": "NVMe", "scsi": "SCSI", "mmc": "MMC"}


def _about(rule: Rule) -> str:
    """The kind of device that a rule looks among."""
    names = (name for match in rule.matches for name in match.among())
    kinds = dict.fromkeys(_CALLED.get(name, name) for name in names)
    return f"{' or '.join(kinds)} device".lstrip()


def _no_path(pattern: str, host: Host) -> str:
    if not f"{pattern}/".startswith("/dev/"):
        return f"no path {pattern}: only paths below /dev are devices; files belong in mounts"
    parsed = path_pattern(pattern)
    if parsed.literal is not None and os.path.lexists(host.prefix + pattern):
        if os.path.isdir(host.prefix + pattern):
            if any(found.startswith(f"{pattern}/") for found in host.nodes(f"{pattern}/*")):
                return f"the directory {pattern} has only links; write {pattern}/* for these"
            return f"the directory {pattern} has no nodes"
        return f"{pattern} leads to no node"
    missing = os.path.dirname(pattern) if parsed.literal is not None else parsed.directory
    top = ""
    while missing not in ("/", "") and not os.path.lexists(host.prefix + missing):
        top, missing = missing, os.path.dirname(missing)
    text = f"no path {pattern}" if parsed.literal is not None else f"nothing matches {pattern}"
    return f"{text}: {top} does not exist on this node" if top else text
