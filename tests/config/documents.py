"""Documents that the model allows, made from its classes and the examples in them."""

from collections.abc import Iterator
from typing import Any

import attrs
import yaml
from hypothesis import strategies as st

from twistdp.config.fields import Field, fields_of
from twistdp.config.kinds import Items, Kind, OneOf, Record, Table, kind_of
from twistdp.config.model import Config, Resource

NESTED = 3
"""Mappings of the model in one another, below a resource."""


CONDITIONS = {
    "path": "/dev/ttyUSB*",
    "pathRegex": "'/dev/ttyUSB[0-3]'",
    "usb": "'046d:*'",
    "pci": "'8086:56c0'",
    "vendorID": "'10c4'",
    "productID": "'ea60'",
    **dict.fromkeys(("interface", "interfaceNumber"), "'00'"),
    "usbVersion": "2.*",
    "macAddress": "'02:00:*'",
    **dict.fromkeys(("major", "minor"), "188"),
    "interfaceClass": "'0b'",
    "portNumber": "'0'",
    "pciBusID": "'0000:03:00.0'",
    "pciClass": "'0300*'",
    "subsystemVendorID": "'8086'",
    "subsystemDeviceID": "'0001'",
    "attribute": "{authorized: '1', bInterfaceClass: ['0a', '0b']}",
    "property": "{ID_MODEL: Uno*}",
    "uevent": "{MODALIAS: /^usb:/}",
    "udev": """'SUBSYSTEM=="tty", ATTRS{idVendor}=="10c4"'""",
    **dict.fromkeys(("parent", "child", "physfn", "not"), "{driver: xhci_hcd}"),
    "any": "[{driver: i915}, /dev/dri/renderD128]",
    **dict.fromkeys(("allow", "deny"), "['8086:56c0', '0000:03:00.0']"),
    **dict.fromkeys(("subsystem", "driver", "kernelName", "devtype", "serial"), "a*"),
    **dict.fromkeys(("manufacturer", "product", "modelName", "usbPath"), "/b+/"),
    **dict.fromkeys(("numaNode", "iommuGroup", "vfNumber"), "1"),
    "qatServices": "cy",
}
"""A value for each condition."""


@attrs.frozen
class Key:
    """A key of a document: the mapping that has it, and the keys that are valid there."""

    mapping: dict[str, Any]
    key: str
    known: frozenset[str]


def example(field: Field) -> Any:
    """The example of a field, as YAML takes it."""
    return yaml.safe_load(field.example or CONDITIONS[field.key])


@st.composite
def records(draw: st.DrawFn, cls: type[Any], depth: int = NESTED) -> dict[str, Any]:
    """A mapping for a class, with some of its keys."""
    fields = fields_of(cls)
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=5))
    keys = {key for key, field in fields.items() if field.required} | set(chosen)
    if cls is Resource:
        keys = keys - {"match"} | {"subsystem"}  # any and match exclude each other
    found = {}
    for key in sorted(keys):
        found[key] = draw(values(kind_of(fields[key].annotation), fields[key], depth))
    return found


def values(kind: Kind, field: Field, depth: int) -> st.SearchStrategy[Any]:
    """Values for a field."""
    match kind:
        case Record(cls) if depth:
            return records(cls, depth - 1)
        case OneOf(classes) if depth:
            return st.sampled_from(classes).flatmap(lambda cls: records(cls, depth - 1))
        case Items(Record() | OneOf() as item) if depth:
            return st.lists(values(item, field, depth), min_size=1, max_size=2)
        case _:
            return st.just(example(field))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A whole document."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True))
    return {
        "domain": "lab.example.com",
        "exclusive": draw(st.booleans()),
        "resources": {name: draw(records(Resource)) for name in names},
    }


def keys_of(document: Any, kind: Kind | None = None) -> Iterator[Key]:
    """All keys of the model in a document."""
    kind = kind or Record(Config)
    match kind:
        case Items(item):
            for each in document if isinstance(document, list) else [document]:
                yield from keys_of(each, item)
        case Table(_, value):
            for each in document.values():
                yield from keys_of(each, value)
        case Record() | OneOf() if isinstance(document, dict):
            classes = (kind.cls,) if isinstance(kind, Record) else kind.classes
            (cls,) = (each for each in classes if set(document) <= set(fields_of(each)))
            known = frozenset(key for each in classes for key in fields_of(each))
            for key, inner in document.items():
                yield Key(document, key, known)
                yield from keys_of(inner, kind_of(fields_of(cls)[key].annotation))
