"""Finds Intel's programmable accelerator cards, under resources named after what is in them."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias, get_args

import attrs

from twistdp.model import (
    HEALTHY,
    UNHEALTHY,
    CDIDevice,
    CDIHook,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
)
from twistdp.scan import WatchingScanner
from twistdp.scanners.annotation import ACCOUNT, NodeAnnotation
from twistdp.select import (
    Device,
    Explanation,
    Host,
    Outcome,
    Step,
    belonging,
    called,
    pci_device,
    word,
)

Mode: TypeAlias = Literal["af", "region", "regiondevel"]

_ANNOTATION: Final = "fpga.intel.com/device-plugin-mode"
_HOOK: Final = "/opt/intel/fpga-sw/intel-fpga-crihook"
_NO_ID: Final = "f" * 32
"""What a card that has lost its bitstream says."""

_NO_INTERFACE: Final = "it has no compat_id or pr/interface_id: the region cannot be named"
_NO_PORT: Final = "it has no port, so a container would get nothing to work with"
_NO_FUNCTION: Final = "it has no afu_id: the accelerator function in it is not known"


@attrs.frozen
class _Region:
    """A part of a card that can be programmed: its management engine and ports."""

    interface: str
    engine: Device
    ports: tuple[Device, ...]


class FpgaScanner(WatchingScanner):
    """Finds cards with the kernel's driver DFL or Intel's own, OPAE.

    In mode ``af`` each port is a device, under a resource named after the region's interface and
    the accelerator function in the port; in mode ``region`` each region is one, with its ports,
    and Intel's CRI hook programs it when a container starts; ``regiondevel`` gives the node of the
    management engine too, and no hook.  The annotation ``fpga.intel.com/device-plugin-mode`` of the
    node `node_name`, by default the environment's ``NODE_NAME``, overrides `mode`; without a node,
    it is not read.  `hook` is the hook's path on the host; `root` is where the host's tree is.
    """

    namespace = "fpga.intel.com"
    account = ACCOUNT
    """The directory of the service account that reads the annotation."""

    def __init__(
        self,
        mode: Mode = "af",
        node_name: str | None = None,
        hook: str = _HOOK,
        rescan_interval: float = 5.0,
        root: str = "/",
    ) -> None:
        # Another bitstream in a port makes no event.
        super().__init__([f"{root.rstrip('/')}/dev"], rescan_interval, contents=False)
        if root == "/":
            self.uevents = ("fpga_region", "fpga")
        self._given: str = mode
        self._mode: str = mode
        node = os.environ.get("NODE_NAME") if node_name is None else node_name
        self._override = (
            NodeAnnotation(node, _ANNOTATION, get_args(Mode), self.account) if node else None
        )
        self._hook = hook
        self._root = root
        self._steps: dict[str, list[Step]] = {}

    def discover(self) -> DeviceTree:
        """Look at all cards."""
        tree = DeviceTree()
        self._steps = {}
        override = self._override.value() if self._override is not None else None
        self._mode = override or self._given
        for engine, ports in _cards(Host(self._root)):
            interface = _interface(engine)
            if interface is None or not ports:
                why = _NO_INTERFACE if interface is None else _NO_PORT
                self._note("", Step.of(engine, Outcome(True, why), ""))
                continue
            region = _Region(interface, engine, tuple(ports))
            if self._mode != "af":
                kind, info = f"region-{interface}", self._of_region(region)
                tree.add_device(kind, engine.name, info)
                self._note(kind, Step.listed(called(engine), kind, [engine.name], engine))
                continue
            for port in region.ports:
                function = _id(port.attribute("afu_id"))
                if function is None:
                    self._note("", Step.of(port, Outcome(True, _NO_FUNCTION), ""))
                    continue
                kind = function_type(interface, function)
                tree.add_device(kind, port.name, self._info(port, [port], function))
                self._note(kind, Step.listed(called(port), kind, [port.name], port))
        return tree

    def _note(self, kind: str, step: Step) -> None:
        self._steps.setdefault(kind, []).append(step)

    def explain(self) -> Iterator[Explanation]:
        """What the last look made of the management engines and ports of cards."""
        for kind, steps in self._steps.items():
            yield Explanation(kind, tuple(steps))
        if not self._steps:
            yield Explanation("", (), "there is no card of the drivers DFL and OPAE here")

    def _of_region(self, region: _Region) -> DeviceInfo:
        if self._mode == "regiondevel":
            parts = [*region.ports, region.engine]
            return self._info(region.engine, parts, region.interface)
        info = self._info(region.engine, list(region.ports), region.interface)
        return attrs.evolve(
            info,
            annotations={"com.intel.fpga.mode": f"{self.namespace}/region"},
            cdi=CDIDevice(hooks=[CDIHook("createRuntime", self._hook)]),
        )

    def _info(self, device: Device, parts: list[Device], id_: str) -> DeviceInfo:
        numa = word(device, "numaNode")
        return DeviceInfo(
            UNHEALTHY if id_ == _NO_ID else HEALTHY,
            nodes=[DeviceSpec(str(part.node), permissions="rw") for part in parts],
            topology=(int(numa),) if numa is not None else None,
            reason="the card has no valid id; program it again" if id_ == _NO_ID else "",
        )


def function_type(interface: str, function: str) -> str:
    """The type of the resource of an accelerator function, as Intel's plugin names it.

    Both ids are 32 hexadecimal digits.
    """
    code = urlsafe_b64encode(bytes.fromhex(interface + function)).decode().rstrip("=")
    return f"af-{interface[:3]}.{function[:3]}.{code}"


def _cards(host: Host) -> Iterator[tuple[Device, Sequence[Device]]]:
    """The management engines of all cards with their ports.

    Ports of a virtual function belong to its physical function's engine.
    """
    engines: dict[str, Device] = {}
    ports: dict[str, list[Device]] = {}
    for subsystem in ("fpga_region", "fpga"):
        for card in host.by_subsystem.get(subsystem, ()):
            for part in belonging(card):
                kind = part.name.rpartition(".")[0]
                if part.node is None:
                    continue
                if kind in ("dfl-fme", "intel-fpga-fme"):
                    engines.setdefault(_function(part), part)
                elif kind in ("dfl-port", "intel-fpga-port"):
                    own = ports.setdefault(_function(part), [])
                    if part not in own:
                        own.append(part)
    for function, engine in engines.items():
        yield engine, ports.get(function, ())


def _function(part: Device) -> str:
    """The PCI address of the physical function that a part of a card belongs to."""
    pci = pci_device(part)
    if pci is None:
        return part.syspath.rpartition("/")[0]
    physical = pci.link("physfn")
    return physical.name if physical is not None else pci.name


def _interface(engine: Device) -> str | None:
    for each in (engine, *belonging(engine)):
        found = _id(each.attribute("compat_id")) or _id(each.attribute("pr/interface_id"))
        if found is not None:
            return found
    return None


def _id(text: str | None) -> str | None:
    """An id of 32 hexadecimal digits, or None for what is none."""
    found = (text or "").strip().lower().replace("-", "")
    is_id = len(found) == 32 and all(each in "0123456789abcdef" for each in found)
    return found if is_id else None
