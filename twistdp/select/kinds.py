"""Function nodes: which node of a device is meant by ``as: tty``, ``as: video`` and the others."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.select.buses import pci_device, usb_device
from twistdp.select.device import Device
from twistdp.select.outcome import Outcome
from twistdp.select.reading import Undecidable


@attrs.frozen
class Kind:
    """A kind of function: the subsystems of its devices, and what else one must be."""

    subsystems: frozenset[str]
    check: Callable[[Device], Outcome] = lambda _: Outcome(True, "")
    has_node: bool = True


def _is_video(device: Device) -> Outcome:
    """Leave out the nodes for metadata: they give no picture."""
    if not device.name.startswith("video"):
        return Outcome(False, f"{device.name} is no video node")
    capabilities = device.property("ID_V4L_CAPABILITIES")
    if isinstance(capabilities, str):
        if not capabilities.strip(":"):
            return Outcome(False, f"{device.name} is a metadata node: it can capture nothing")
        return Outcome(True, f"{device.name} can {capabilities.strip(':').replace(':', ', ')}")
    # Without udev: each stream of a USB camera has a node for pictures, then one for metadata.
    index = device.attribute("index")
    if usb_device(device) is not None and index is not None and index.isdigit() and int(index) % 2:
        return Outcome(False, f"{device.name} is a metadata node: its index is {index}")
    return Outcome(True, f"{device.name} is a video node")


def _is_drm(device: Device) -> Outcome:
    if device.node is None:
        return Outcome(False, f"{device.name} is a connector")
    if device.name.startswith("controlD"):
        return Outcome(False, f"{device.name} is a control node of an old kernel: nothing uses it")
    return Outcome(True, f"{device.name} is a drm node")


def _is_block(device: Device) -> Outcome:
    if device.attribute("hidden") == "1":
        return Outcome(False, f"{device.name} is one path of a multipath device, and hidden")
    if device.devtype == "partition":
        return Outcome(False, f"{device.name} is a partition")
    return Outcome(True, f"{device.name} is a disk")


def _is_printer(device: Device) -> Outcome:
    if device.name.startswith("lp"):
        return Outcome(True, f"{device.name} is a printer")
    return Outcome(False, f"{device.name} is no printer")


def _kind(*subsystems: str, check: Callable[[Device], Outcome] | None = None,
          has_node: bool = True) -> Kind:  # fmt: skip
    made = Kind(frozenset(subsystems), has_node=has_node)
    return attrs.evolve(made, check=check) if check is not None else made


KINDS: Final[Mapping[str, Kind]] = {
    "usb": _kind("usb"),
    "tty": _kind("tty"),
    "video": _kind("video4linux", check=_is_video),
    "hid": _kind("hidraw"),
    "input": _kind("input"),
    "sound": _kind("sound"),
    "block": _kind("block", check=_is_block),
    "net": _kind("net", has_node=False),
    "pci": _kind("pci", has_node=False),
    "drm": _kind("drm", check=_is_drm),
    "accel": _kind("accel"),
    "printer": _kind("usbmisc", check=_is_printer),
    "i2c": _kind("i2c-dev"),
    "spi": _kind("spidev"),
    "gpio": _kind("gpio"),
    "iio": _kind("iio"),
    "tpm": _kind("tpm", "tpmrm"),
    "watchdog": _kind("watchdog"),
    "vfio": _kind("vfio", "vfio-dev"),
    "media": _kind("media"),
    "dvb": _kind("dvb"),
    "nvme": _kind("nvme"),
}
"""What can stand after ``as:``."""


def functions(device: Device, kind: str) -> list[Device]:
    """The devices of a kind that a device is or has below it, in natural order.

    For `usb` it is the raw USB device that the device belongs to, for `pci` the PCI function, and
    for `vfio` the IOMMU group.
    Raises `BadSetting` for an unknown kind.
    """
    return [each for each, outcome in judged(device, kind) if outcome.ok]


def judged(device: Device, kind: str) -> list[tuple[Device, Outcome]]:
    """As `functions`, with those of the kind that are left out, and why."""
    wanted = KINDS.get(kind)
    if wanted is None:
        raise BadSetting(f"as: {kind}: there is no such kind; use one of {', '.join(KINDS)}")
    if kind == "usb":
        usb = usb_device(device)
        return [(usb, Outcome(True, f"{usb.name} is the USB device"))] if usb is not None else []
    if kind == "pci":
        pci = pci_device(device)
        return [(pci, Outcome(True, f"{pci.name} is the PCI function"))] if pci is not None else []
    found = []
    for each in _all(device, kind):
        if each.subsystem in wanted.subsystems and (each.node or not wanted.has_node):
            found.append((each, wanted.check(each)))
    return found


def _all(device: Device, kind: str) -> Iterator[Device]:
    yield device
    if kind == "vfio":
        group = device.attribute("iommu_group")
        # Without an IOMMU, if the host allows that, the kernel makes up groups.
        for name in (group, f"noiommu-{group}") if group else ():
            above = device.host.device(f"/devices/virtual/vfio/{name}")
            if above is not None and above is not device:
                yield above
    if kind == "block" and device.subsystem == "nvme":
        yield from heads(device)
    yield from belonging(device)
    if kind in ("block", "nvme") and device.subsystem == "pci":
        for each in belonging(device):
            if kind == "block" and each.subsystem == "nvme":
                yield from heads(each)


def belonging(device: Device) -> Iterator[Device]:
    """The devices below one, without other USB devices and PCI functions and what they have.

    What is plugged into a hub does not belong to the hub.
    """
    for child in device.children:
        if usb_device(child) is not child and child.subsystem != "pci":
            yield child
            yield from belonging(child)


def heads(controller: Device) -> Iterator[Device]:
    """The disks of an NVMe controller that has several ways to them: they are below no controller.

    A disk of several controllers is below the subsystem's virtual device, which has a link to each
    controller.
    """
    for subsystem in controller.host.by_subsystem.get("nvme-subsystem", ()):
        if subsystem.attribute(controller.name) == controller.name:
            for each in belonging(subsystem):
                if each.subsystem == "block":
                    yield each


def is_keyboard(device: Device) -> bool | Undecidable:
    """Whether a hidraw or input node could be used to read what somebody types, or to type."""
    if device.subsystem == "input":
        key = device.property("ID_INPUT_KEYBOARD")
        if isinstance(key, Undecidable):
            return _boots_as_keyboard(device) or key
        return key == "1"
    if device.subsystem != "hidraw":
        return False
    for each in device.lineage:
        if each.subsystem == "hid":
            inputs = [below for below in belonging(each) if below.subsystem == "input"]
            answers = [is_keyboard(below) for below in inputs]
            if any(answer is True for answer in answers):
                return True
            undecided = [answer for answer in answers if isinstance(answer, Undecidable)]
            return _boots_as_keyboard(device) or (undecided[0] if undecided else False)
    return _boots_as_keyboard(device)


def _boots_as_keyboard(device: Device) -> bool:
    """Whether the USB interface says that it is a keyboard."""
    for each in device.lineage:
        if each.devtype == "usb_interface":
            return each.uevent.get("INTERFACE") == "3/1/1"
    return False
