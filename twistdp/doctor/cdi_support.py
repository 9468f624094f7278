"""Judges whether a container runtime has CDI on, and what happens if it has not."""

from typing import Final

from twistdp.doctor.findings import Finding, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.runtime import SPEC_DIRECTORIES, Settings, spec_paths
from twistdp.doctor.versions import Version, spelled
from twistdp.model import named

BY_DEFAULT: Version = (2, 0)
"""The first containerd with CDI on by default."""

REFUSES: Version = (2, 3)
"""The first containerd that refuses a container with CDI names if CDI is off."""

CRIO: Version = (1, 23)
"""The first CRI-O with CDI."""

_IGNORED: Final = "containers start without the devices that plugins give by CDI"
_REFUSED: Final = "containers with devices by CDI are refused"
_SWITCH: Final = "set enable_cdi = true and restart containerd before you serve devices with CDI"


def containerd_support(
    host: Host, name: str, seen: Version | None, settings: Settings, stated: int
) -> Finding:
    """Whether containerd has CDI on; `seen` is its version, `stated` the version of its files."""
    if settings.cdi is False:
        refuses = seen is not None and seen >= REFUSES
        cause = f"enable_cdi = false in {named(settings.files)}"
        return _off(host, name, cause, _REFUSED if refuses else _IGNORED, _SWITCH)
    if settings.cdi or (seen is not None and seen >= BY_DEFAULT):
        return ok(f"{name} has CDI on")
    if seen is not None:
        return _off(host, name, "enable_cdi is not set", _IGNORED, _SWITCH)
    if stated >= 3:  # an older one does not read such files
        return ok(f"{name} has CDI on")
    return info(
        f"the version of {name} is not known, and enable_cdi is not set",
        "containerd 1.7 has CDI off by default, and 2.0 has it on",
        "set enable_cdi = true if pods get devices by CDI",
    )


def crio_support(host: Host, name: str, seen: Version | None, settings: Settings) -> Finding:
    """Whether CRI-O has CDI on; `seen` is its version."""
    if seen is not None and seen < CRIO:
        remedy = "update CRI-O before you serve devices with CDI"
        return _off(host, name, f"it came with {spelled(CRIO)}", _IGNORED, remedy)
    if settings.cdi is False:
        cause = f"cdi_spec_dirs is empty in {named(settings.files)}"
        remedy = "remove cdi_spec_dirs from the file, and restart CRI-O"
        return _off(host, name, cause, _REFUSED, remedy)
    return ok(f"{name} has CDI on")


def _off(host: Host, name: str, cause: str, effect: str, remedy: str) -> Finding:
    """A finding that CDI is off: a warning if there are specs."""
    found = f"{name} has CDI off: {cause}"
    specs = [path for each in SPEC_DIRECTORIES for path in spec_paths(host, each)]
    if specs:
        return warning(f"{found}, and there is {named(specs)}", effect, remedy)
    meaning = f"{effect}; devices without CDI work, and there are no specs here"
    return info(found, meaning, remedy)
