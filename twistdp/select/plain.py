"""Devices, and why rules took them or not, as JSON has them."""

from typing import Any

from twistdp.select.device import Device
from twistdp.select.explaining import Step
from twistdp.select.host import Host
from twistdp.select.ids import default_id, stable_path
from twistdp.select.outcome import Outcome
from twistdp.select.vocabulary import describe


def device_at(host: Host, path: str) -> Device | None:
    """The device that a node, a link to one, or a directory in ``/sys`` is about; None if none."""
    if path.startswith("/sys/"):
        inside = path.removeprefix("/sys")
        return host.device(inside) or host.linked(inside)
    return host.of_node(path) or host.bare(path)


def plain_device(device: Device) -> dict[str, Any]:
    """A device with its attributes."""
    return {
        "syspath": device.syspath,
        "node": device.node,
        "links": list(device.host.all_links_to(device.node)) if device.node else [],
        "hostPath": stable_path(device),
        "id": default_id(device),
        "attributes": dict(describe(device)),
    }


def plain_step(step: Step) -> dict[str, Any]:
    """What became of a candidate, with the tests that decided."""
    found: dict[str, Any] = {
        "what": step.what,
        "verdict": step.verdict.value,
        "reason": step.reason,
        "ids": list(step.ids),
    }
    if step.device is not None:
        found["syspath"] = step.device.syspath
    if step.cause is not None:
        found["cause"] = step.cause.value
    if step.tests:
        found["tests"] = [_test(test) for test in step.tests]
    return found


def _test(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"ok": outcome.ok, "reason": outcome.reason}
    if outcome.parts:
        found["parts"] = [_test(part) for part in outcome.parts]
    return found
