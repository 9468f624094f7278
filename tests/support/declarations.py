"""Configuration files for tests, and what they yield on a tree."""

from collections.abc import Mapping
from textwrap import dedent, indent

from tests.support.trees import host
from twistdp.config.loading import load
from twistdp.config.model import Resource
from twistdp.model.devices import DeviceInfo, DeviceTree
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.select.host import Host


def resources(text: str) -> dict[str, Resource]:
    """The resources of a file whose `resources` are this text."""
    text = indent(dedent(text).strip(), "  ")
    return dict(load(f"domain: x.example.com\nresources:\n{text}\n").resources)


def scanner(where: str | Host, text: str, *, udev: bool = True) -> DeclaredScanner:
    """The scanner of these resources on one of the trees, or on a host."""
    found = host(where, udev=udev) if isinstance(where, str) else where
    return DeclaredScanner(resources(text), found.root)


def devices(tree: DeviceTree, kind: str = "thing") -> Mapping[str, DeviceInfo]:
    """The devices of a type; none if there is no such type."""
    return dict(tree[kind]) if kind in tree else {}


def nodes(tree: DeviceTree, kind: str = "thing") -> dict[str, list[str]]:
    """The nodes of each device, as ``HOST`` or ``HOST as CONTAINER``."""
    return {
        id_: [
            node.host_path
            if node.host_path == node.container_path
            else f"{node.host_path} as {node.container_path}"
            for node in info.nodes
        ]
        for id_, info in devices(tree, kind).items()
    }


def yielded(where: str | Host, text: str, *, udev: bool = True) -> dict[str, list[str]]:
    """The nodes of each device of the resource ``thing``."""
    return nodes(scanner(where, text, udev=udev).discover())
