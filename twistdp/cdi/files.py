"""The CDI spec files of resources: written in time, kept as long as needed, cleaned up.

One file a resource, ``twistdp.<domain>_<type>.json``.  It is ours if it has that name and holds a
spec of the resource's kind; anything else is never changed.
"""

import errno
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from twisted.logger import Logger

from twistdp.cdi.shared_file import MOST, TEMPORARY, NotAFile, SharedFile, Turn
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
from twistdp.host import MENDING
from twistdp.model import CDIDevice, digest

_log = Logger()

HANDED_OUT = 60.0
"""Seconds that a name is kept after it was handed out, whatever pod-resources says of it: the
kubelet shows a pod's devices only when Allocate has returned."""

_PREFIX, _SUFFIX = "twistdp.", ".json"
_LONGEST = 255 - len("." + TEMPORARY)

_MENDING = {
    **MENDING,
    errno.ENOENT: "make the directory above it, or give another directory with --cdi-dir",
    errno.EFBIG: f"a spec has {MOST} bytes at most: describe fewer devices, or less of each",
    errno.EWOULDBLOCK: "wait for the other process that writes it",
}
_MENDING_OTHERWISE = "let the plugin write there, or give another directory with --cdi-dir"


class SpecNotWritten(AdministratorError):
    """A resource's CDI spec could not be brought up to date; `path` is the spec file's.

    The text lands in the status of pods that are refused a device for it.
    """

    def __init__(self, path: str, reason: str, mending: str) -> None:
        super().__init__(
            f"CDI spec {path} cannot be written: {reason}; {mending}; "
            "it is tried again every second"
        )
        self.path = path


class _NotOurs(SpecNotWritten):
    """Something else has the name of a spec file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, f"a file that is not ours has its name, {reason}", "move it away")


def file_name(namespace: str, resource_type: str) -> str:
    """The name of a resource's spec file.

    ``_`` cannot occur in a domain, so two resources never share a file.  A name that file
    systems would not take is cut and ends in a digest.
    """
    stem = f"{_PREFIX}{namespace}_{resource_type}"
    if len(stem) + len(_SUFFIX) > _LONGEST:
        suffix = f"-{digest(stem)}"
        stem = stem[: _LONGEST - len(_SUFFIX) - len(suffix)] + suffix
    return stem + _SUFFIX


class SpecFile:
    """The spec of the resource ``namespace/resource_type`` in `directory`.

    Not for use by several threads at once.  `clock` tells seconds.
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
        """Whether the file has names of no present device: a reason to ask who holds devices."""
        return not self._written.keys() <= {entry.name for entry in self._entries.values()}

    def write(
        self, devices: Mapping[str, CDIDevice], held: Collection[str] | None = None
    ) -> Mapping[str, str]:
        """Make the file hold `devices`, by id; returns their qualified names by id.

        Other devices stay in the file as they are while `held`, the ids that pods hold, has
        theirs or is None for "not known", unless one of `devices` has a node of theirs.  Without
        anything to hold there is no file.  A file that is right already is not written.  Raises
        `SpecNotWritten`; then the file is as it was, and `names` tries again.
        """
        entries = {
            id_: self._entries[id_] if self._devices.get(id_) is device else entry_of(id_, device)
            for id_, device in devices.items()
        }
        self._devices, self._entries = devices, entries
        if entries or self._file.exists():
            self._mend(None if held is None else set(map(device_name, held)))
        else:
            self._written = {}
            self._file.close()
        return {id_: self._qualified(id_) for id_ in devices}

    def names(self, ids: Iterable[str]) -> list[str]:
        """Hand out the qualified names of these devices; those without a CDI part have none.

        The file is seen to first, and written again if it is not as `write` left it.  Raises
        `SpecNotWritten` when a device is not in it as it is now, and cannot be brought in.
        """
        names = {entry.name: entry for entry in map(self._entries.get, ids) if entry is not None}
        if names and not (names.items() <= self._written.items() and self._file.untouched()):
            self.write(self._devices)
        self._handed_out.update(dict.fromkeys(names, self._clock()))
        return [qualified_name(self._kind, name) for name in names]

    def close(self) -> None:
        """Leave the file as it is, to whoever comes next."""
        self._file.close()

    def clean(self, held: Collection[str] | None) -> None:
        """Drop what nobody holds from the file of a resource that this process does not serve.

        Does nothing while another process serves it, or if the file is not ours.  Raises
        `SpecNotWritten`.
        """
        with suppress(_NotOurs):
            self._mend(None if held is None else set(map(device_name, held)), if_in_use=False)
        self.close()

    def _qualified(self, device_id: str) -> str:
        return qualified_name(self._kind, self._entries[device_id].name)

    def _recent(self) -> Collection[str]:
        since = self._clock() - HANDED_OUT
        self._handed_out = {k: when for k, when in self._handed_out.items() if when > since}
        return self._handed_out

    def _mend(self, held: Collection[str] | None, *, if_in_use: bool = True) -> None:
        """Bring the file up to date; the names `held` stay in it, all of them for None."""
        try:
            with self._file.turn() as turn:
                if if_in_use or not turn.in_use:
                    self._put(turn, held)
        except NotAFile as error:
            raise _NotOurs(self.path, str(error)) from error
        except Untrusted as error:
            raise SpecNotWritten(self.path, error.reason, error.mending) from error
        except OSError as error:
            mending = _MENDING.get(error.errno or 0, _MENDING_OTHERWISE)
            raise SpecNotWritten(self.path, error.strerror or str(error), mending) from error

    def _put(self, turn: Turn, held: Collection[str] | None) -> None:
        try:
            old = Spec(VERSIONS[0], {}) if turn.data is None else parse_spec(turn.data, self._kind)
        except ValueError as error:
            raise _NotOurs(self.path, str(error)) from error
        ours = {entry.name: entry for entry in self._entries.values()}
        recent = self._recent()
        kept = {
            name: entry
            for name, entry in old.entries.items()
            if name not in ours and (held is None or name in held or name in recent)
        }
        if kept:  # the node of a vanished device may be another one's by now
            nodes = {
                node.host_path or node.path for d in self._devices.values() for node in d.nodes
            }
            kept = {
                name: entry for name, entry in kept.items() if nodes.isdisjoint(host_nodes(entry))
            }
        # A version that we do not know was needed by something that we do not know.
        version = old.version if kept and old.version not in VERSIONS else None
        content = kept | ours
        if content:
            turn.put(spec_text(self._kind, content.values(), version))
        else:
            turn.remove()
        self._written = content


def clean(
    directory: str,
    namespaces: Collection[str],
    served: Collection[str],
    held: Mapping[str, Collection[str]] | None,
) -> None:
    """Clean up after earlier processes that served resources of `namespaces` from `directory`.

    `served` are the names, ``domain/type``, of the resources that this process serves now: their
    files are left to their `SpecFile`.  Of others, what nobody holds is dropped; `held` maps
    resources to the ids that pods hold, None means that this is not known and all is kept.
    Other domains are other plugins' business, and so is a resource that another process serves.
    What cannot be cleaned is logged and left.
    """
    try:
        found = os.listdir(directory)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            _log.warn("cannot clean {path}: {reason}", path=directory, reason=error.strerror)
        return
    for namespace, resource_type in sorted({*filter(None, map(_resource_of, found))}):
        resource = f"{namespace}/{resource_type}"
        if namespace in namespaces and resource not in served:
            try:
                ids = None if held is None else held.get(resource, ())
                SpecFile(directory, namespace, resource_type).clean(ids)
            except SpecNotWritten as reason:
                _log.warn("stale {reason}", reason=reason)


def _resource_of(name: str) -> tuple[str, str] | None:
    """Whose spec, or hidden file, has this name."""
    if name.startswith(".") and name.endswith(TEMPORARY):
        name = name[1 : -len(TEMPORARY)]
    if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)):
        return None
    namespace, _, resource_type = name[len(_PREFIX) : -len(_SUFFIX)].partition("_")
    return (namespace, resource_type) if namespace and resource_type else None
