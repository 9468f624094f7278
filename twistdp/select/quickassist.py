"""The services of Intel's QuickAssist, as its device plugin names resources after them."""

from collections.abc import Iterator
from typing import Final

from twistdp.select.buses import pci_device
from twistdp.select.device import Device
from twistdp.select.reading import read_bytes

_CONFIGURABLE: Final = frozenset({"0x4941", "0x4943", "0x4945", "0x4947", "0x4949"})
"""The virtual functions of models that can be configured for services."""

_LONGEST: Final = 65_536
"""Bytes of a configuration in debugfs."""


def services(device: Device) -> str | None:
    """The services that the physical function of a virtual one was configured for, as ``sym-dc``.

    Symmetric and asymmetric cryptography together are ``cy``.  None for other devices, and where
    the services are not known, as in a virtual machine.
    """
    function = pci_device(device)
    if (
        function is None
        or function.attribute("device") not in _CONFIGURABLE
        or function.attribute("vendor") != "0x8086"
    ):
        return None
    physical = function.link("physfn")
    if physical is None:
        return None
    return joined(physical.attribute("qat/cfg_services") or _of_debugfs(physical)) or None


def joined(text: str) -> str:
    """The services in the kernel's text, as ``sym;dc``, joined for the name of a resource."""
    found = "-".join(each.strip() for each in text.split(";"))
    return "cy" if found in ("sym-asym", "asym-sym") else found


def _of_debugfs(physical: Device) -> str:
    """The services that older drivers show: ``ServicesEnabled`` below ``[GENERAL]``."""
    directory = f"{physical.host.prefix}/sys/kernel/debug/qat_{physical.driver}_{physical.name}"
    content = read_bytes(f"{directory}/dev_cfg", _LONGEST)
    if not isinstance(content, bytes):
        return ""
    return next((value for section, key, value in _settings(content.decode(errors="replace"))
                 if (section, key) == ("GENERAL", "ServicesEnabled")), "")  # fmt: skip


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif "=" in line:
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()
