"""Converts groups of paths of generic-device-plugin."""

import posixpath
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from twistdp.config.convert.groups import Node, Part
from twistdp.config.convert.report import Report
from twistdp.config.convert.shapes import Field, Shapes, braces
from twistdp.config.document import Mark
from twistdp.select import is_glob

_TOOL: Final = "generic-device-plugin"
_KEYS: Final = ("path", "mountPath", "type", "permissions", "readOnly", "limit", "optional")
_DIRECTORIES: Final = re.compile(
    r"/dev/(accel|block|bus|bus/usb(/\d+)?|char|cpu|crypto|dma_heap|dri|dsa|dvb(/adapter\d+)?"
    r"|input|mapper|net|nvidia-caps|snd|usb|vfio|infiniband|v4l|serial|disk"
    r"|(\w+/)?by-[a-z]+)"
)
"""Directories of device nodes."""

_EXAMPLES: Final = (
    *("/dev/dvb/adapter0", "/dev/bus/usb/001", "/dev/snd", "/dev/dri", "/dev/input", "/dev/vfio"),
    *("/dev/dri/by-path", "/dev/snd/by-path", "/dev/input/by-path", "/dev/serial/by-id"),
)
"""Directories that a glob may match."""


@attrs.frozen(kw_only=True)
class _Path:
    mark: Mark
    at: str
    path: str
    place: str | None
    permissions: str | None
    is_mount: bool
    read_only: bool
    limit: int | None
    optional: bool
    has_slash: bool
    """Whether it ends in a slash, as a directory does."""

    @property
    def is_glob(self) -> bool:
        return is_glob(self.path)

    @property
    def is_directory(self) -> bool:
        return is_directory(self.path) or (self.has_slash and not self.is_glob)

    def node(self, by_name: bool = False) -> Node:
        """The path as a device's node."""
        place = self.place
        if place is not None and self.is_directory and not place.endswith("/"):
            place += "/"
        elif place is not None and place.endswith("/") and not (self.is_glob or self.is_directory):
            place += posixpath.basename(self.path)
        return Node(
            paths=(self.path,),
            place=place,
            permissions=self.permissions,
            optional=self.optional,
            by_name=by_name,
        )

    def mount(self) -> dict[str, Any]:
        """The path as a mount."""
        body: dict[str, Any] = {"hostPath": braces(self.path)}
        if self.place is not None:
            base = posixpath.basename(self.path) if self.place.endswith("/") else ""
            body["containerPath"] = braces(self.place + base)
        if self.read_only:
            body["readOnly"] = True
        if self.optional:
            body["optional"] = True
        return body


def is_directory(path: str) -> bool:
    """Whether a path is that of a directory of device nodes, as far as its name says."""
    return _DIRECTORIES.fullmatch(path) is not None


def part_of_paths(field: Field, count: int, shapes: Shapes, report: Report) -> Part | None:
    """What a group of paths becomes; None if it has no device."""
    return _Paths(field, count, shapes, report).part()


class _Paths:
    def __init__(self, field: Field, count: int, shapes: Shapes, report: Report) -> None:
        self._field = field
        self._count = count
        self._shapes = shapes
        self._report = report
        self._paths = [path for path in self._read() if path is not None]

    def _read(self) -> list[_Path | None]:
        return [
            self._path(node, at) for node, at in self._shapes.items(self._field, "a list of paths")
        ]

    def _path(self, node: Any, at: str) -> _Path | None:
        fields = self._shapes.fields(node, at, _KEYS)
        if fields is None:
            return None
        path = self._shapes.text(fields.get("path"))
        if not path:
            self._report.problem(fields.mark, at, "the key 'path' is missing: a path or glob")
            return None
        if "\\" in path:
            text = "a backslash in a glob has no meaning here; put the character in brackets"
            self._report.problem(fields.mark, at, text)
        kind = self._shapes.text(fields.get("type")) or "Device"
        if kind not in ("Device", "Mount"):
            text = f"type {kind!r}: expected Device or Mount"
            self._report.problem(fields.mark, at, text)
        if kind == "Device" and not path.startswith("/dev/") and path.startswith("/"):
            text = f"{path} matches nothing, since nodes are looked for only below /dev"
            self._report.note(fields.mark, at, text)
        return _Path(
            mark=fields.mark,
            at=at,
            path=path.rstrip("/") or path,
            place=self._shapes.text(fields.get("mountPath")) or None,
            permissions=self._shapes.text(fields.get("permissions")) or None,
            is_mount=kind == "Mount",
            read_only=self._shapes.flag(fields.get("readOnly")),
            limit=self._shapes.whole(fields.get("limit")),
            optional=self._shapes.flag(fields.get("optional")),
            has_slash=len(path) > 1 and path.endswith("/"),
        )

    def part(self) -> Part | None:
        devices = [each for each in self._paths if not each.is_mount]
        if not devices:
            if not self._shapes.is_empty(self._field) and self._paths:
                text = (
                    "a group of mounts alone is not carried over: a resource here selects a "
                    "device; add a path with a node, such as /dev/null"
                )
                self._report.note(self._field.mark, self._field.at, text)
            return None
        for each in devices:
            if each.is_directory:
                text = (
                    f"{each.path} is a directory: a container gets the nodes that are in it, "
                    "without links, when the pod starts"
                )
                self._report.note(each.mark, each.at, text)
            elif each.is_glob:
                self._note_glob(each)
        part = Part(self._field.mark, self._field.at, mounts=self._mounts(), count=self._count)
        required = [each for each in devices if not each.optional]
        if len(required) == 0 and len(devices) > 1:
            text = "all paths are optional, so the device is there when one of them is"
            self._report.note(self._field.mark, self._field.at, text)
            return self._together(part, devices)
        if all(each.is_directory for each in required) and len(required) > 1:
            text = "the device is there when one of these directories has a node"
            self._report.note(self._field.mark, self._field.at, text)
            optional = tuple(each.node() for each in devices if each.optional)
            return attrs.evolve(self._together(part, required), members=optional)
        lead = _lead(required or devices)
        if lead.optional and self._paths != [lead]:
            text = f"{lead.path} is optional, and without it there is no device here"
            self._report.note(lead.mark, lead.at, text)
        rest = [each for each in devices if each is not lead]
        return attrs.evolve(
            part,
            lead=attrs.evolve(lead.node(), optional=False),
            members=tuple(self._member(each, lead) for each in rest),
            group="all" if lead.is_directory else None,
            limit=self._limit(lead, [each for each in self._paths if each is not lead]),
        )

    def _note_glob(self, path: _Path) -> None:
        """Note what the tool takes a glob for, and it is not here."""
        if "[!" in path.path:
            text = (
                f"{path.path}: {_TOOL} takes ! in brackets as a character, and here it means none "
                "of those after it"
            )
            self._report.note(path.mark, path.at, text)
        if path.place == "/dev/" and "/by-" in path.path:
            text = (
                f"{path.path} are links, which {_TOOL} places in /dev by their own names; here "
                "they are there by the names of their nodes, as ttyUSB0"
            )
            self._report.note(path.mark, path.at, text)
        example = next((each for each in _EXAMPLES if _matches(path.path, each)), None)
        if example is not None:
            text = (
                f"{path.path} may match directories, as {example}, of which {_TOOL} makes a device "
                f"each; here only nodes are devices: write {path.path}/* and group: parent"
            )
            self._report.note(path.mark, path.at, text)

    def _together(self, part: Part, devices: Sequence[_Path]) -> Part:
        """All nodes that are there as one device."""
        first = devices[0].node()
        for each in devices:
            if each.place is not None or each.permissions != first.permissions:
                text = (
                    "mountPath and permissions of single paths are not carried over, since all "
                    "paths are one device (group: all)"
                )
                self._report.note(each.mark, each.at, text)
        paths = tuple(each.path for each in devices)
        return attrs.evolve(
            part, lead=Node(paths=paths, permissions=first.permissions), group="all"
        )

    def _member(self, path: _Path, lead: _Path) -> Node:
        if not (path.is_glob and lead.is_glob):
            if path.is_glob:
                text = (
                    f"{path.path} may match several nodes: {_TOOL} pairs its first one with "
                    f"{lead.path}, and here containers get all of them"
                )
                self._report.note(path.mark, path.at, text)
            return path.node()
        text = (
            f"{_TOOL} pairs the matches of {lead.path} and {path.path} by their order; here "
            "they are paired if they are of the same hardware"
        )
        if max(path.limit or 1, lead.limit or 1) > 1:
            text += ", whatever their limit"
        if "/by-" in path.path:
            text += (
                f"; {path.path} are links, which have no kernel name: write kernelName with "
                "the names of the nodes"
            )
        self._report.note(path.mark, path.at, text)
        return path.node(by_name=True)

    def _limit(self, lead: _Path, rest: Sequence[_Path]) -> int | None:
        globs = [each for each in rest if each.is_glob]
        for each in (lead, *rest):
            if each.limit is None or each.limit <= 1 or (each is not lead and lead.is_glob):
                continue
            if globs and not lead.is_glob:
                text = (
                    f"{_TOOL} makes a device of each match of {globs[0].path}, as far as the limit "
                    f"of {each.path} goes; here there is one with all of them"
                )
            elif globs:
                continue  # how they are paired is noted
            else:
                text = (
                    f"limit has no effect: no other path of the group matches more than {each.path}"
                )
            self._report.note(each.mark, each.at, text)
        if not lead.is_glob or lead.is_directory:
            return None
        for each in rest:
            if each.optional and not each.is_glob:
                text = (
                    f"while {each.path} is there, {_TOOL} lists at most {each.limit or 1} of "
                    f"{lead.path}: its limit, 1 by default; here all are listed"
                )
                self._report.note(each.mark, each.at, text)
        limits = [each.limit or 1 for each in rest if not each.is_glob and not each.optional]
        if not limits:
            return None
        text = (
            f"at most {min(limits)} of {lead.path} are listed, as {_TOOL} does: one of the "
            "other paths has this limit, 1 by default"
        )
        self._report.note(lead.mark, lead.at, text)
        return min(limits)

    def _mounts(self) -> list[dict[str, Any]]:
        found = []
        for each in self._paths:
            if each.is_mount and each.is_glob:
                text = (
                    f"the mount of {each.path} is not carried over: a mount here is of one "
                    "path, without a glob"
                )
                self._report.note(each.mark, each.at, text)
            elif each.is_mount:
                found.append(each.mount())
        return found


def _lead(paths: Sequence[_Path]) -> _Path:
    """The path that says how many devices there are: a glob, else one that is no directory."""
    return min(paths, key=lambda each: (not each.is_glob, each.is_directory))


def _matches(glob: str, path: str) -> bool:
    """Whether a glob matches a path; what is wrong with it is reported with the resource."""
    globs, parts = glob.split("/"), path.split("/")
    return len(globs) == len(parts) and all(map(fnmatchcase, parts, globs))
