"""Converts the sharing of NVIDIA's device plugin."""

from typing import Any, Final

from twistdp.config import document
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes
from twistdp.config.document import Mark

TOOL: Final = "nvidia"
WORDS: Final = ("sharing", "flags")
DOMAIN: Final = "nvidia.com"

_KEYS: Final = ("version", "flags", "resources", "sharing", "imex")
_SHARED: Final = ("name", "rename", "devices", "replicas")


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    if not isinstance(place.node, document.Mapping):
        return False
    fields = Fields(place.node, "")
    sharing = fields.get("sharing")
    if sharing is not None and isinstance(sharing.node, document.Mapping):
        return Fields(sharing.node, "").get("timeSlicing", "mps") is not None
    flags = fields.get("flags")
    if fields.get("version") is None or flags is None:
        return False
    return isinstance(flags.node, document.Mapping) and bool(
        Fields(flags.node, "").get("migStrategy", "plugin", "gfd")
    )


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resource of one part of a file, and note the others.

    It is the first part that shares devices, if one does.
    """
    found = [place for place in places if recognises(place)]
    found.sort(key=lambda place: not _shares(place))
    for place in found[:1]:
        _Conversion(report, domain or DOMAIN).part(place)
    for place in found[1:]:
        text = (
            "the file has several configurations, of which nodes choose one by a label; only "
            f"that of line {found[0].node.mark.line} is carried over: convert the others with --key"
        )
        report.note(place.node.mark, place.at, text)


def _shares(place: Place) -> bool:
    assert isinstance(place.node, document.Mapping)
    return Fields(place.node, "").get("sharing") is not None


class _Conversion:
    def __init__(self, report: Report, domain: str) -> None:
        self._report = report
        self._shapes = Shapes(report, "NVIDIA's plugin")
        self._domain = domain

    def part(self, place: Place) -> None:
        fields = self._shapes.fields(place.node, place.at, _KEYS)
        if fields is None:
            return
        for name in ("flags", "resources", "imex"):
            if field := fields.get(name):
                inner = field.node.items if isinstance(field.node, document.Mapping) else ()
                keys = ", ".join(key.text for key, _ in inner)
                text = f"{name}{f' ({keys})' if keys else ''} cannot be carried over"
                self._report.note(field.mark, field.at, text)
        where = fields.get("version") or fields.get("sharing")
        mark, at = (where.mark, where.at) if where is not None else (fields.mark, place.at)
        replicas = self._replicas(self._shapes.inner(fields.get("sharing")))
        body: dict[str, Any] = {
            "path": "/dev/nvidia[0-9]*",
            "members": ["/dev/nvidiactl"]
            + [
                {"path": path, "optional": True}
                for path in ("/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
            ],
            **replicas,
        }
        text = (
            "containers get the nodes of a GPU; the driver's libraries, health by XID events, "
            "MIG and NVIDIA_VISIBLE_DEVICES are not carried over: mount the libraries "
            "(mounts), or stay with NVIDIA's plugin"
        )
        self._report.note(mark, at, text)
        self._report.add(Draft(self._domain, "gpu", body, mark, at))

    def _replicas(self, sharing: Fields | None) -> dict[str, Any]:
        if sharing is None:
            return {}
        if mps := sharing.get("mps"):
            text = (
                "MPS is not carried over, since no MPS daemon is started: GPUs are listed whole, "
                "without the names and numbers that stand here"
            )
            self._report.note(mps.mark, mps.at, text)
        slicing = self._shapes.inner(
            sharing.get("timeSlicing"),
            ("renameByDefault", "failRequestsGreaterThanOne", "resources"),
        )
        if slicing is None:
            return {}
        found: dict[str, Any] = {}
        renames = self._shapes.flag(slicing.get("renameByDefault"))
        refuses = self._shapes.flag(slicing.get("failRequestsGreaterThanOne"))
        for node, at in self._shapes.items(slicing.get("resources"), "a list of resources"):
            fields = self._shapes.fields(node, at, _SHARED)
            if fields is None:
                continue
            name = self._shapes.text(fields.get("name")) or ""
            count = self._count(fields.get("replicas"), fields.mark, at)
            for ignored in ("rename", "devices"):
                if field := fields.get(ignored):
                    text = f"NVIDIA's plugin ignores {ignored}, and so it is here"
                    self._report.note(field.mark, field.at, text)
            if name.rpartition("/")[2] != "gpu":
                text = f"{name or 'this'} is not carried over, only whole GPUs (nvidia.com/gpu) are"
                self._report.note(fields.mark, at, text)
            elif count > 1:
                found = {"count": count, "morePerContainer": not refuses}
                if renames:
                    found["rename"] = "gpu.shared"
        return {"replicas": found} if found else {}

    def _count(self, field: Field | None, mark: Mark, at: str) -> int:
        count = self._shapes.whole(field)
        if field is None:
            self._report.problem(mark, at, "the key 'replicas' is missing: a whole number")
        return count or 1
