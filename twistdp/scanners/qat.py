"""Finds the virtual functions of Intel's QuickAssist, under resources named after services."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Literal

import attrs
from twisted.logger import Logger

from twistdp.catalog import Shelf
from twistdp.config import Resource
from twistdp.errors import BadName
from twistdp.model import DeviceTree, check_resource_type, natural_key
from twistdp.scanners.binding import Binder
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.declared import SILENT, DeclaredScanner
from twistdp.select import (
    Cause,
    Device,
    Explanation,
    Host,
    Match,
    Step,
    Verdict,
    word,
)

_log = Logger()

KernelDriver = Literal[
    "dh895xccvf", "c4xxxvf", "c3xxxvf", "4xxxvf", "420xxvf", "6xxxvf", "c6xxvf", "d15xxvf"
]
"""The kernel's own drivers of virtual functions, as Intel's plugin names them."""

_MODELS: Final[Mapping[KernelDriver, Sequence[str]]] = {
    "dh895xccvf": ("0442", "0443"),
    "c4xxxvf": ("18a1",),
    "c3xxxvf": ("19e3",),
    "4xxxvf": ("4941", "4943", "4945"),
    "420xxvf": ("4947",),
    "6xxxvf": ("4949",),
    "c6xxvf": ("37c9",),
    "d15xxvf": ("6f55",),
}
"""The PCI devices of each."""

_EXAMPLES: Final = 3

GENERIC: Final = "generic"
"""The type of functions whose services are not known."""


class QatScanner(DeclaredScanner):
    """Lists virtual functions by the services that their physical function was configured for.

    `kernel_vf_drivers` choose the models, `driver` is the one that functions must be bound to, and
    at most `limit` functions are listed.  With `bind`, functions are bound to that driver, see
    `Binder`.  What a container gets of one is what the catalogue's entry for the driver says.
    `root` is where the host's tree is.
    """

    namespace = "qat.intel.com"

    def __init__(
        self,
        kernel_vf_drivers: Sequence[KernelDriver] = ("4xxxvf", "420xxvf"),
        driver: Literal["vfio-pci", "igb_uio"] = "vfio-pci",
        bind: bool = False,
        limit: int = 64,
        root: str = "/",
    ) -> None:
        self._models = frozenset(id_ for name in kernel_vf_drivers for id_ in _MODELS[name])
        self._driver = driver
        self._limit = limit
        self._binder = Binder(driver, list(_MODELS), root) if bind else None
        entry = "intel-qat" if driver == "vfio-pci" else "intel-qat-uio"
        found = Shelf().entry(entry).resource
        assert found is not None
        self._base = found
        self._known: dict[str, tuple[str, ...]] = {}
        self._left_out: list[Step] = []
        self._complaints = Complaints(lambda text: _log.warn("QAT: {text}", text=text))
        super().__init__({}, root)
        self._add_events()

    def discover(self) -> DeviceTree:
        """Look at all functions, and bind them if that is wanted."""
        functions = [each for each in _pci_functions(Host(self._root)) if self._is_meant(each)]
        if self._binder is not None and self.may_act:
            self._binder.bind(functions)
        self._left_out = []
        by_type: dict[str, list[str]] = {}
        for function in self._first(functions):
            type_ = self._type(function)
            if type_ is not None:
                by_type.setdefault(type_, []).append(function.name)
        self._complaints.end(everything=True)
        known = {type_: tuple(names) for type_, names in by_type.items()}
        if known != self._known:
            self._known = known
            self.replace({type_: self._resource(names) for type_, names in known.items()})
        tree = super().discover()
        self.rescan_interval = SILENT  # other services make no event
        self._add_events()
        return tree

    def _add_events(self) -> None:
        """Look again when functions appear, too, or are bound to another driver."""
        if self._root == "/":
            self.uevents = tuple(dict.fromkeys((*self.uevents, "pci")))

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look at everything: which services there are shows nowhere in `changed`."""
        return self.discover()

    def explain(self) -> Iterator[Explanation]:
        """What the last look made of the functions of the chosen models."""
        for each in super().explain():
            own = self._known[each.resource]
            steps = (step for step in each.steps if step.verdict is not Verdict.NOT_SELECTED
                     or (step.device is not None and step.device.name in own))  # fmt: skip
            yield attrs.evolve(each, steps=tuple(steps))
        if self._left_out:
            yield Explanation("", tuple(self._left_out))
        elif not self._known:
            yield Explanation("", (), "there is no virtual function of the chosen models here")

    def _is_meant(self, function: Device) -> bool:
        return (
            function.attribute("vendor") == "0x8086"
            and (function.attribute("device") or "").removeprefix("0x") in self._models
        )

    def _first(self, functions: Sequence[Device]) -> Sequence[Device]:
        """At most as many as the limit allows: first those that are listed already."""
        listed = {name for names in self._known.values() for name in names}
        ordered = sorted(functions, key=lambda each: (each.name not in listed,
                                                      natural_key(each.name)))  # fmt: skip
        more = ordered[self._limit :]
        if more:
            self._leave_out("limit", more, f"the limit of {self._limit} functions is reached",
                            Cause.RULE)  # fmt: skip
        return ordered[: self._limit]

    def _leave_out(
        self, about: str, functions: Sequence[Device], reason: str, cause: Cause = Cause.FAULT
    ) -> None:
        names = ", ".join(each.name for each in functions[:_EXAMPLES])
        more = f" and {len(functions) - _EXAMPLES} more" if len(functions) > _EXAMPLES else ""
        self._complaints.add(about, f"left out {names}{more}: {reason}")
        for each in functions:
            self._left_out.append(Step(each.name, Verdict.LEFT_OUT, reason, each, cause=cause))

    def _type(self, function: Device) -> str | None:
        """The type of the resource of a function; None if the function cannot be used."""
        physical = function.link("physfn")
        state = physical.attribute("qat/state") if physical is not None else None
        if physical is not None and state not in ("up", None):
            self._leave_out(
                function.name,
                [function],
                f"the state of its physical function {physical.name} is {state}; configure that "
                "and write up to its qat/state",
            )
            return None
        try:
            return check_resource_type(str(word(function, "qatServices") or GENERIC))
        except BadName:
            return GENERIC

    def _resource(self, names: Sequence[str]) -> Resource:
        """What the catalogue says of a function, for those with these PCI addresses."""
        where = Match(pci_bus_id=tuple(names), driver=self._driver)
        if self._driver != "vfio-pci":
            where = Match(subsystem=self._base.where.subsystem, parent=where)
        return attrs.evolve(self._base, where=where)


def _pci_functions(host: Host) -> Iterator[Device]:
    """The PCI functions of a host, by sysfs' own list of them: far less than all devices."""
    try:
        names = sorted(os.listdir(f"{host.prefix}/sys/bus/pci/devices"), key=natural_key)
    except OSError:
        return
    for name in names:
        device = host.linked(f"/bus/pci/devices/{name}")
        if device is not None:
            yield device
