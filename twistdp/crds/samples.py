"""Objects to begin with: one for each entry of the catalogue, a configuration, and a scanner."""

from collections.abc import Mapping
from typing import Any, Final

from twistdp.catalog import Shelf
from twistdp.crds.plugin import GROUP, KIND, VERSION
from twistdp.deployment import Document, as_yaml

DOMAIN: Final = "lab.example.com"

_CONFIG: Final = {
    "domain": DOMAIN,
    "resources": {
        "microscope": {"match": {"subsystem": "video4linux"}, "parent": {"usb": "046d:*"}},
        "shared-kvm": {"path": "/dev/kvm", "replicas": 100},
        "serial": "/dev/serial/by-id/*",
    },
}
_SCANNER: Final = {
    "class": "twistdp.scanners:GlobScanner",
    "arguments": {"resource": ["adapter"], "pattern": ["/dev/ttyUSB*"]},
}
_SELECTION: Final = {"modelName": "SAMSUNG MZQL2*"}
"""What a sample selects by an entry that needs a selection."""


def samples() -> Mapping[str, dict[str, Any]]:
    """An object for each entry of the catalogue, by the entry's name, and two more."""
    return {
        **{name: _of_entry(name) for name in Shelf().entries},
        "config": _object("config", {"config": _CONFIG}),
        "scanner": _object("scanner", {"scanner": _SCANNER, "domain": DOMAIN}),
    }


def samples_yaml() -> Mapping[str, str]:
    """The samples in YAML, each with a comment that says what it serves."""
    return {name: as_yaml([Document(sample, _comment(name))]) for name, sample in samples().items()}


def _of_entry(name: str) -> dict[str, Any]:
    entry = Shelf().entry(name)
    if entry.needs:
        resources = {name: {"use": name, **_SELECTION}}
        return _object(name, {"config": {"domain": DOMAIN, "resources": resources}})
    domain = {} if entry.domain else {"domain": DOMAIN}
    return _object(name, {"catalog": [{"name": name}], **domain})


def _object(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


def _comment(name: str) -> str:
    if name in Shelf():
        return f"{Shelf().entry(name).title}."
    return {
        "config": "Devices that a configuration of your own describes.",
        "scanner": "Devices that a scanner finds; configMap adds one of your own.",
    }[name]
