"""Makes the health checks that need no waiting: of paths, attributes and files.

`Health.judge` is the one place where checks become a state and a reason.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from twistdp.config import AnyCheck, AttributeCheck, FileCheck, PresentCheck, fill, fill_path
from twistdp.errors import BadSetting
from twistdp.model import HEALTHY, UNHEALTHY
from twistdp.scanners.declared.words import Words
from twistdp.select import Device, Undecidable, read_bytes

MADE: Final = (AttributeCheck, FileCheck, PresentCheck)
"""The checks that are made here; the others need a program or a network."""

SOONEST: Final = 5.0
"""Seconds between two looks at least: each looks at everything."""


@attrs.define
class _Run:
    """The results of one check of one device in a row, and what they have come to."""

    is_healthy: bool
    count: int = 0
    reason: str = ""


class Health:
    """Remembers how often the checks of each device have passed or failed in a row."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str, int], _Run] = {}

    def judge(
        self,
        kind: str,
        id_: str,
        checks: Sequence[AnyCheck],
        device: Device,
        node: str | None,
        counts: bool,
    ) -> tuple[str, str]:
        """The state of a device, and why it is unhealthy.

        The first results of a device decide; of later ones only those that count do.
        """
        words = Words(device, id=id_, node=node, hostNode=node)
        reasons = []
        for number, check in enumerate(checks):
            run = self._runs.get((kind, id_, number))
            if run is None or counts:
                found = _problem(check, device, words)
                if found is None:
                    continue
                if run is None:
                    run = self._runs[kind, id_, number] = _Run(not found, reason=found)
                self._count(run, check, found)
            if not run.is_healthy:
                reasons.append(_told(check, run.reason, words))
        return (UNHEALTHY, "; ".join(reasons)) if reasons else (HEALTHY, "")

    def forget(self, present: Iterable[tuple[str, str]]) -> None:
        """Forget all devices but those that are there."""
        kept = set(present)
        self._runs = {key: run for key, run in self._runs.items() if key[:2] in kept}

    def _count(self, run: _Run, check: AnyCheck, found: str) -> None:
        if found:
            run.reason = found
        if (not found) == run.is_healthy:
            run.count = 0
            return
        run.count += 1
        if run.is_healthy and run.count >= check.unhealthy_after:
            run.is_healthy, run.count = False, 0
        elif not run.is_healthy and check.recover and run.count >= check.healthy_after:
            run.is_healthy, run.count = True, 0


def interval(checks: Iterable[AnyCheck], longest: float) -> float:
    """Seconds between two looks that checks ask for."""
    wanted = [each.every for each in checks if isinstance(each, MADE)]
    return max(SOONEST, min(wanted)) if wanted else longest


def _told(check: AnyCheck, found: str, words: Words) -> str:
    if not check.reason:
        return found
    try:
        return f"{fill(check.reason, words)}: {found}"
    except BadSetting:
        return found


def _problem(check: AnyCheck, device: Device, words: Words) -> str | None:
    """What is wrong; empty if nothing is, None for a check that is not made here."""
    try:
        if isinstance(check, PresentCheck):
            path = fill_path(check.present, words)
            there = os.path.lexists(f"{device.host.prefix}{path}")
            return "" if there else f"{path} is not there"
        if isinstance(check, FileCheck):
            return _of_file(check, f"{device.host.prefix}{fill_path(check.file, words)}")
        if isinstance(check, AttributeCheck):
            return _of_attribute(check, device)
    except BadSetting as error:
        # A file that has no name for this device cannot be read.
        return "" if isinstance(check, FileCheck) and check.optional else str(error)
    return None


def _of_attribute(check: AttributeCheck, device: Device) -> str:
    for each in device.lineage:
        # A device of its own, since one remembers what it has read.
        value = Device(device.host, each.syspath).reading(check.attribute)
        if isinstance(value, Undecidable):
            return value.reason
        if value is not None:
            return _against(check, f"attribute {check.attribute}", value)
    return f"there is no attribute {check.attribute}"


def _of_file(check: FileCheck, path: str) -> str:
    content = read_bytes(path)
    if check.optional and not isinstance(content, bytes):
        return ""
    if isinstance(content, Undecidable):
        return content.reason
    if content is None:
        return f"{path} is no file that is there"
    return _against(check, path, content.decode(errors="replace").strip(" \t\r\n\0"))


def _against(check: AttributeCheck | FileCheck, what: str, value: str) -> str:
    name = f"{what} is {value}"
    if check.equals and value not in check.equals:
        return f"{name}, and must be {' or '.join(check.equals)}"
    if check.contains and check.contains not in value:
        return f"{name}, and must contain {check.contains}"
    if check.at_least is None and check.at_most is None:
        return ""
    try:
        number = float(int(value, 0)) if value.lower().startswith("0x") else float(value)
    except ValueError:
        return f"{name}, which is no number"
    if check.at_least is not None and not number >= check.at_least:
        return f"{name}, less than {check.at_least:g}"
    if check.at_most is not None and not number <= check.at_most:
        return f"{name}, more than {check.at_most:g}"
    return ""
