"""One resource of a configuration as a rule: which devices it selects."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

import attrs

from twistdp.config import Resource, names
from twistdp.scanners.declared.asked import asks
from twistdp.scanners.declared.raw import gives_counted, gives_raw, identities
from twistdp.select import (
    KINDS,
    OF_CARDS,
    Device,
    Host,
    Match,
    Outcome,
    Undecidable,
    any_of,
    bus_device,
    card,
    group_of,
    iommu_group,
    is_bridge,
    is_keyboard,
    is_unbound,
    judged,
    nodes_below,
    unready,
)

ALL: Final = "all"
_ABOUT_DEVICE: Final = frozenset(
    {"usb", "vendor_id", "product_id", "serial", "manufacturer", "product", "model_name"}
    | {"usb_path", "path", "path_regex", "subsystem", "devtype", "kernel_name", "udev", "any"}
)
"""Conditions that a USB device meets itself, and not only one of its interfaces."""

_TYPED: Final = frozenset({"input", "hidraw"})
"""Subsystems of what people type on."""


@attrs.frozen
class Part:
    """A node that a selected device gives, or with a `reason` one that it does not give.

    `unit` tells the device of the resource that it is a part of; `owner` is what that device is
    named after.
    """

    unit: str
    owner: Device
    function: Device | None
    reason: str = ""


@attrs.frozen(eq=False)
class Rule:
    """A resource's conditions; `name` is the type of the resource."""

    name: str
    resource: Resource
    matches: tuple[Match, ...] = attrs.field(init=False)

    @matches.default
    def _alternatives(self) -> tuple[Match, ...]:
        return self.resource.alternatives

    @property
    def types(self) -> tuple[str, ...]:
        """The types under which its devices may be listed."""
        return self.resource.types(self.name)

    @property
    def changes_silently(self) -> bool:
        """Whether what the rule reads changes without an event of the kernel."""
        return any(match.reads("qat_services") for match in self.matches)

    @property
    def gives_raw(self) -> bool:
        """Whether the rule may give raw USB nodes, whose names change at every plug."""
        return gives_raw(self.resource, self.matches)

    @property
    def gives_counted(self) -> bool:
        """Whether the rule may give nodes whose names change at every plug, raw ones too."""
        return gives_counted(self.resource, self.matches)

    @property
    def changes_identity(self) -> bool:
        """Whether the alternatives are several USB ids, as of a device that loads its firmware."""
        return len(identities(self.matches)) > 1 and self.gives_raw

    @cached_property
    def names_place(self) -> bool:
        """Whether ids are those of places: only the port of a device stays that changes its maker.

        A serial number that it has with one of the ids only must not decide.
        """
        makers = {vendor for vendor, _ in identities(self.matches)}
        return len(makers) > 1 and self.resource.group in (None, "none") and self.gives_raw

    def candidates(self, host: Host) -> Iterator[Device]:
        """The devices that the rule is about, each once; whether they meet it or not."""
        return _each_once(match.candidates(host) for match in self.matches)

    def likely(self, host: Host) -> Iterator[Device]:
        """As `candidates`, without some that cannot meet the rule."""
        return _each_once(match.likely(host) for match in self.matches)

    def holds(self, device: Device) -> bool | None:
        """Whether the device meets one of the alternatives."""
        answer: bool | None = False
        for match in self.matches:
            held = match.holds(device)
            if held:
                return True
            if held is None:
                answer = None
        return answer

    def turn(self, device: Device) -> int:
        """Which of the alternatives is the first that a device meets."""
        if len(self.matches) == 1:
            return 0
        held = (number for number, match in enumerate(self.matches) if match.holds(device))
        return next(held, len(self.matches))

    def test(self, device: Device) -> Outcome:
        """The answer of `holds` with the reason."""
        return any_of(match.test(device) for match in self.matches)

    def parts(self, seed: Device) -> Iterator[Part]:
        """The nodes that a device which meets the rule gives."""
        group = self.resource.group or "none"
        if group == ALL:
            for function, reason in self._own(seed):
                yield Part(ALL, seed, function, reason)
            return
        if group in ("none", "iommu"):
            yield from self._alone(seed, group)
            return
        owner = group_of(seed, group)
        if owner is None:
            yield Part(name_of(seed), seed, None, f"{seed.name} has no {group} to be grouped by")
            return
        found: dict[str, tuple[Device, str]] = {}
        for function, reason in self._below(owner, seed, group):
            found.setdefault(name_of(function), (function, reason))
        for function, reason in found.values():
            yield Part(name_of(owner), owner, function, reason)

    def _alone(self, seed: Device, group: str) -> Iterator[Part]:
        """Each node is a device; for an IOMMU group the group is."""
        if group == "iommu" or self.resource.as_ == "vfio":
            # The node is that of the group; the function is what people know.
            unit = name_of(seed)
            if group == "iommu":
                number = iommu_group(seed)
                if number is None:
                    yield Part(unit, seed, None, f"{seed.name} is in no IOMMU group")
                    return
                # Bridges belong to the group, and people know it by what is behind them.
                unit = f"iommu {number[0]}"
                seed = next((each for each in number[1] if not is_bridge(each)), seed)
            elif seed.subsystem == "pci" and is_bridge(seed):
                reason = (
                    f"{seed.name} is a bridge, and no program drives it; what is behind it is given"
                )
                yield Part(unit, seed, None, reason)
                return
            elif seed.subsystem == "pci" and seed.driver in (None, "pci-stub"):
                # The group may have a node for another function; this one cannot be opened.
                bound = f"is bound to {seed.driver}" if seed.driver else "has no driver"
                yield Part(unit, seed, None, f"{seed.name} {bound}, and must be bound to vfio-pci")
                return
            for function, reason in self._of_kind(seed, self.resource.as_ or "vfio"):
                yield Part(unit, seed, function, reason)
            return
        for function, reason in self._own(seed):
            owner = function if function is not None else seed
            yield Part(name_of(owner), owner, function, reason)

    def _own(self, seed: Device) -> Iterator[tuple[Device | None, str]]:
        """What the seed itself gives."""
        if self.resource.as_ is not None:
            yield from self._of_kind(seed, self.resource.as_)
        elif seed.node is None:
            ways = dict.fromkeys(_way(each, seed) for each in nodes_below(seed))
            if not ways and self._gives_more:
                yield seed, ""
                return
            say = f"; say which of its nodes is meant with {' or '.join(ways)}" if ways else ""
            yield None, f"{seed.name} has no node of its own{say}"
        elif seed.devtype == "usb_device" and self._is_about_functions(seed):
            why = f"the driver is that of its functions; write as: usb to give {seed.name} itself"
            yield None, why
        else:
            yield seed, ""

    def _is_about_functions(self, usb: Device) -> bool:
        """Whether a USB device meets the rule by the driver of an interface alone."""
        met = (match for match in self.matches if match.holds(usb))
        return all(match.driver and not _ABOUT_DEVICE & set(match.given()) for match in met)

    @property
    def _gives_more(self) -> bool:
        """Whether containers get anything of a device that has no node."""
        resource = self.resource
        templates = (*resource.env.values(), *resource.annotations.values())
        if any("node" in names(template) for template in templates):
            return False  # it is about devices with one
        return bool(templates or resource.mounts or resource.cdi)

    def _of_kind(self, seed: Device, kind: str) -> Iterator[tuple[Device | None, str]]:
        found = judged(seed, kind)
        if not found:
            others = unready(seed) if kind == "vfio" and seed.subsystem == "pci" else ()
            driver = next((each.driver for each in others if each is seed), None)
            why = f"; it is bound to {driver}, and must be bound to vfio-pci" if driver else ""
            unbound = [each.name for each in seed.children if is_unbound(each)]
            if unbound:
                why = f"; {', '.join(unbound)} {'has' if len(unbound) == 1 else 'have'} no driver"
            yield None, f"{seed.name} has no node of the kind {kind}{why}"
        for function, outcome in found:
            yield function, "" if outcome.ok else outcome.reason

    def _below(self, owner: Device, seed: Device, group: str) -> Iterator[tuple[Device, str]]:
        kind = self.resource.as_
        if kind is not None:
            for function, outcome in judged(owner, kind):
                yield function, "" if outcome.ok else outcome.reason
            return
        if group == "card":
            below = nodes_below(owner)
            wanted = seed.subsystem
            if card(seed) is seed:
                kinds = {function.subsystem for function in below}
                wanted = next(kind for kind in OF_CARDS if kind in kinds)
            for function in below:
                if function.subsystem == wanted:
                    yield function, ""
            return
        for function in nodes_below(owner):
            if function is owner and group == "parent" and seed is not owner:
                continue  # the raw device: `group: usb` has it
            if function.subsystem in _TYPED and seed.subsystem not in _TYPED and seed is not owner:
                continue  # it gives what people type, and nobody asked for it
            yield function, ""

    def refuses_typed(self, function: Device, seed: Device) -> str:
        """Why a keyboard is not given away by a rule that did not ask for one; empty if it is."""
        if function.subsystem not in _TYPED:
            return ""
        if any(match.holds(seed) and asks(match) for match in self.matches):
            return ""
        answer = is_keyboard(function)
        if answer is False:
            return ""
        bus = bus_device(function)
        name = f"{function.node}{f' of {bus.name}' if bus is not None else ''}"
        why = f"{name} gives what is typed on a keyboard"
        if isinstance(answer, Undecidable):
            why = f"{name} may give what is typed on a keyboard: {answer.reason}"
        return f"{why}; add a condition that selects it, as usb, serial or path, if it is meant"


def _way(device: Device, seed: Device) -> str:
    """What a rule that selects `seed` has to say to get the nodes of devices like `device`."""
    if device.subsystem == seed.subsystem:
        return "group: parent"
    for name, kind in KINDS.items():
        if device.subsystem in kind.subsystems:
            return f"as: {name}"
    return f"subsystem: {device.subsystem}"


def _each_once(found: Iterable[Iterable[Device]]) -> Iterator[Device]:
    seen: set[str] = set()
    for devices in found:
        for device in devices:
            name = device.identity
            if name not in seen:
                seen.add(name)
                yield device


def name_of(device: Device) -> str:
    """What tells a device apart from all others of a host."""
    return device.identity
