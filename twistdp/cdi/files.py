"""The CDI spec files of resources: written in time, and kept as long as needed.

Each resource has one file, ``twistdp.<domain>_<type>.json``.  It is ours if it has that name and
holds a spec of the resource's kind, or nothing at all; no other file is ever changed.
"""

import errno
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from twisted.logger import Logger

from twistdp.cdi.shared_file import MOST, NotAFile, SharedFile
from twistdp.cdi.spec import (
    VERSIONS,
    Entry,
    Spec,
    device_name,
    entry_of,
    host_nodes,
    kind,
    parse_spec,
    qualified_name,
    spec_text,
)
from twistdp.errors import AdministratorError, Untrusted
from twistdp.host import REMEDIES
from twistdp.model import CDIDevice, digest

_log = Logger()

HANDED_OUT = 60.0
"""Seconds that a name is kept after it was handed out, even if no pod seems to hold it: the kubelet
shows a pod's devices only when Allocate has returned."""

_PREFIX, _SUFFIX = "twistdp.", ".json"
_LONGEST = 255 - len("..tmp")

_REMEDIES = {
    **REMEDIES,
    errno.ENOENT: "make the directory above it, or give another directory with --cdi-dir",
    errno.EFBIG: f"a spec has {MOST} bytes at most: describe fewer devices, or less of each",
}
_OTHERWISE = "let the plugin write there, or give another directory with --cdi-dir"


class SpecNotWritten(AdministratorError):
    """A resource's CDI spec could not be brought up to date; `path` is the spec file.

    `reason` has the remedy, too, and names no file.  The status of pods that are refused a device
    for this reason shows the text.
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(
            f"CDI spec {path} cannot be written: {reason}; {remedy}; it is tried again every second"
        )
        self.path = path
        self.reason = f"{reason}; {remedy}"


class _NotOurs(SpecNotWritten):
    """A file of others has the name of a spec file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, f"a file that is not ours has its name, {reason}", "move it away")


def file_name(namespace: str, resource_type: str) -> str:
    """Return the name of a resource's spec file.

    ``_`` cannot occur in a domain, so two resources never share a file.  A name that is too long
    for file systems is cut and ends in a digest.
    """
    stem = f"{_PREFIX}{namespace}_{resource_type}"
    if len(stem) + len(_SUFFIX) > _LONGEST:
        suffix = f"-{digest(stem)}"
        stem = stem[: _LONGEST - len(_SUFFIX) - len(suffix)] + suffix
    return stem + _SUFFIX


def resource_of(name: str) -> tuple[str, str] | None:
    """Return domain and type of the resource whose spec has this name."""
    if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)):
        return None
    namespace, _, resource_type = name[len(_PREFIX) : -len(_SUFFIX)].partition("_")
    return (namespace, resource_type) if namespace and resource_type else None


class SpecFile:
    """The spec of the resource ``namespace/resource_type`` in `directory`.

    Not for use by several threads at once.  `clock` returns seconds.
    """

    def __init__(
        self,
        directory: str,
        namespace: str,
        resource_type: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = SharedFile(os.path.join(directory, file_name(namespace, resource_type)))
        self._kind = kind(namespace, resource_type)
        self._clock = clock
        self._devices: Mapping[str, CDIDevice] = {}
        self._entries: dict[str, Entry] = {}
        self._handed_out: dict[str, float] = {}
        self._written: Mapping[str, Entry] = {}

    @property
    def path(self) -> str:
        """The file's path."""
        return self._file.path

    @property
    def surplus(self) -> bool:
        """Whether the file has names of absent devices: then it is time to ask who holds them."""
        return not self._written.keys() <= {entry.name for entry in self._entries.values()}

    def write(
        self, devices: Mapping[str, CDIDevice], held: Collection[str] | None = None
    ) -> Mapping[str, str]:
        """Describe `devices`, by id, in the file; return their qualified names by id.

        The file keeps another device as it is while `held`, the ids that pods hold, has its id
        or is None for "not known", unless one of `devices` has a node of that device.  A file
        without devices is removed.  A file that is right already is not written.  Raises
        `SpecNotWritten`; then the file is as it was, and `names` tries again.
        """
        entries = {
            id_: self._entries[id_] if self._devices.get(id_) is device else entry_of(id_, device)
            for id_, device in devices.items()
        }
        self._devices, self._entries = devices, entries
        if entries or os.path.lexists(self.path):
            self._bring_up_to_date(_names_of(held))
        else:
            self._written = {}
            self._file.close()
        return {id_: self._qualified(id_) for id_ in devices}

    def names(self, ids: Iterable[str]) -> list[str]:
        """Hand out the qualified names of these devices; those without a CDI part have none.

        If the file is not as `write` left it, it is written again first.  Raises `SpecNotWritten`
        if the file does not describe the devices as they are now and cannot be written.
        """
        names = {entry.name: entry for entry in map(self._entries.get, ids) if entry is not None}
        if names and not (names.items() <= self._written.items() and self._file.untouched):
            self.write(self._devices)
        self._handed_out.update(dict.fromkeys(names, self._clock()))
        return [qualified_name(self._kind, name) for name in names]

    def close(self) -> None:
        """Leave the file as it is, for the next process."""
        self._file.close()

    def clean(self, held: Collection[str] | None) -> bool:
        """Drop devices that no pod holds from the file of a resource that we do not serve.

        Does nothing while another process serves it, or if the file is not ours.  Returns whether
        another call may do more later.  Raises `SpecNotWritten`.
        """
        try:
            self._bring_up_to_date(_names_of(held), if_in_use=False)
            return os.path.lexists(self.path)
        except _NotOurs:
            return False
        finally:
            self.close()

    @property
    def in_use(self) -> bool:
        """Whether somebody else serves the resource of this file, which we do not serve."""
        try:
            return self._file.read() is not None and not self._file.held
        except (NotAFile, Untrusted, OSError):
            return False
        finally:
            self.close()

    def _qualified(self, device_id: str) -> str:
        return qualified_name(self._kind, self._entries[device_id].name)

    def _recent(self) -> Collection[str]:
        since = self._clock() - HANDED_OUT
        self._handed_out = {k: when for k, when in self._handed_out.items() if when > since}
        return self._handed_out

    def _bring_up_to_date(self, held: Collection[str] | None, *, if_in_use: bool = True) -> None:
        """Write what is wrong in the file; the names `held` stay in it, all of them for None."""
        try:
            data = self._file.read()
            if data is None or self._file.held or if_in_use:
                self._put(data, held)
        except NotAFile as error:
            raise _NotOurs(self.path, str(error)) from error
        except Untrusted as error:
            raise SpecNotWritten(self.path, error.reason, error.remedy) from error
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, _OTHERWISE)
            raise SpecNotWritten(self.path, error.strerror or str(error), remedy) from error

    def _put(self, data: bytes | None, held: Collection[str] | None) -> None:
        try:
            # A power failure may have left a file that is empty, or holds only zero bytes.
            found = (data or b"").strip(b"\0")
            old = parse_spec(found, self._kind) if found else Spec(VERSIONS[0], {})
        except ValueError as error:
            raise _NotOurs(self.path, str(error)) from error
        ours = {entry.name: entry for entry in self._entries.values()}
        recent = self._recent()
        kept = {
            name: entry
            for name, entry in old.entries.items()
            if name not in ours and (held is None or name in held or name in recent)
        }
        if kept:  # the node of a vanished device may belong to another device by now
            nodes = {
                node.host_path or node.path for d in self._devices.values() for node in d.nodes
            }
            kept = {
                name: entry for name, entry in kept.items() if nodes.isdisjoint(host_nodes(entry))
            }
        # If we do not know the version, some device has a field that we do not know.
        version = old.version if kept and old.version not in VERSIONS else None
        content = kept | ours
        if content:
            text = spec_text(self._kind, content.values(), version)
            if text != data or not self._file.untouched:
                self._file.put(text)
        elif data is not None:
            self._file.remove()
        self._written = content


def _names_of(ids: Collection[str] | None) -> set[str] | None:
    return None if ids is None else set(map(device_name, ids))
