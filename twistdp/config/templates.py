"""Templates: texts with ``{attribute}``, filled in for each device.

A name in braces is one of the `WORDS` that `twistdp.select` describes devices with, or of `EXTRA`;
``{attribute:NAME}``, ``{property:NAME}`` and ``{uevent:NAME}`` are a sysfs attribute, a udev
property and a key of the uevent.  ``{{`` and ``}}`` are braces.
"""

from collections.abc import Collection, Iterator, Mapping
from string import Formatter
from typing import Final

from twistdp.errors import BadSetting
from twistdp.select import WORDS
from twistdp.tools import meant

SOURCES: Final = {
    "attribute": "a file of the device in sysfs",
    "property": "a property of the device in udev's data base",
    "uevent": "a key of the device's uevent",
}
"""What may stand before ``:`` and the name of something that the vocabulary does not have."""

EXTRA: Final = {
    "id": "the device's id",
    "node": "the path of the device's first node in the container; in health checks, on the host",
    "hostNode": "the path of the device's first node on the host",
    "index": "the number of a node among those of its device, from 0; for paths of nodes",
    "n": "the number of the device among those of a container, from 0; for `env`",
}
"""Further words, with their meanings."""

OF_DEVICE: Final = ("id", "node", "hostNode")
"""Those that each device has."""


_OF_KERNEL: Final = frozenset({"kernelName", "node", "hostNode", "uevent:DEVNAME"})
"""Words that may have a slash."""


def names(template: str) -> Iterator[str]:
    """The names that a template has in braces, such as ``serial`` or ``attribute:idVendor``.

    Raises `BadSetting` for braces that are not in pairs, and for Python's conversions.
    """
    return (name for _, name in _parts(template) if name is not None)


def check_template(template: str, extra: Collection[str] = OF_DEVICE) -> str:
    """Return a template; raise `BadSetting` if it cannot be filled in for any device.

    `extra` are the words of `EXTRA` that have a value where the template stands.
    """
    for name in names(template):
        source, colon, rest = name.partition(":")
        if name in WORDS or name in extra:
            continue
        if colon and source in SOURCES and rest:
            if source == "attribute" and (rest.startswith("/") or ".." in rest.split("/")):
                raise BadSetting(f"{{{name}}}: name a file below the device's directory")
            continue
        if name in EXTRA:
            raise BadSetting(f"{{{name}}}, {EXTRA[name]}, has no value here; leave it out")
        known = (*WORDS, *extra)
        hint = meant(name, known) or f"; use one of {', '.join(known)}"
        raise BadSetting(f"the template has an unknown name {{{name}}}{hint}")
    return template


def fill(template: str, values: Mapping[str, object]) -> str:
    """The text that a template makes of `values`.

    Raises `BadSetting` for a name that `values` lacks, with the name.
    """
    parts = []
    for literal, name in _parts(template):
        parts.append(literal)
        if name is not None:
            parts.append(_value(name, values, template))
    return "".join(parts)


def fill_path(template: str, values: Mapping[str, object]) -> str:
    """As `fill`, for a path: what a device says of itself names one entry in a directory.

    A path may begin with a value that is a path, and a name of the kernel's may have a slash.
    Raises `BadSetting` also for a value that leads elsewhere.
    """
    path, is_filled = "", False
    for literal, name in _parts(template):
        path += literal
        if name is None:
            continue
        is_filled = True
        value = _value(name, values, template)
        if "/" in value and path and name not in _OF_KERNEL:
            raise BadSetting(f"the device's {name} is {value!r}, which is no name for {template!r}")
        path += value
    entries = (path.removesuffix("/") if template.endswith("/") else path).split("/")[1:]
    if is_filled and {"", ".", ".."} & set(entries):
        raise BadSetting(f"{template!r} is {path!r} for the device, which leads elsewhere")
    return path


def _value(name: str, values: Mapping[str, object], template: str) -> str:
    if name not in values:
        raise BadSetting(f"the device has no {name}, which {template!r} needs")
    return str(values[name])


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    if "{" not in template and "}" not in template:
        yield template, None
        return
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise BadSetting(
            f"the template {template!r} has a brace without its other one: {error}; write {{{{ and "
            "}} for braces that are meant as such"
        ) from error
    for literal, name, rest, conversion in parsed:
        if conversion or (name is not None and set(name) & set("{}")) or "{" in (rest or ""):
            raise BadSetting(f"the template {template!r} has more than a name in braces")
        yield literal, f"{name}:{rest}" if rest else name
