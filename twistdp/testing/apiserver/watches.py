"""Watches: what happens to the objects of a scope, as lines of JSON."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver.reads import Scope, number, version_of
from twistdp.testing.apiserver.refusals import ApiRefused
from twistdp.testing.apiserver.store import Change, Store, Stored

INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """A watch; `write` gets lines from `begin` on, and `finish` is called at its end."""

    def __init__(
        self, store: Store, scope: Scope, api_version: str, query: Mapping[str, str]
    ) -> None:
        self.scope = scope
        self.write: Callable[[bytes], object] = lambda line: None
        self.finish: Callable[[], object] = lambda: None
        self.cut: Callable[[], object] = lambda: None
        self.timeout = number(query.get("timeoutSeconds") or "0")
        """Seconds that the client wants it to last, 0 for any time."""
        self._store = store
        self._shelf = store.shelf(scope.kind)
        self._api_version = api_version
        self._query = query
        self._is_open = False

    @property
    def takes_bookmarks(self) -> bool:
        """Whether the client asks for bookmarks."""
        return self._query.get("allowWatchBookmarks", "") in ("1", "true")

    def begin(self) -> None:
        """Send what happened since the client's version, and what happens from now on."""
        self._is_open = True
        try:
            lines = b"".join(self._initial())
        except ApiRefused as error:
            self.fail(error)
            return
        if lines:
            self.write(lines)
        self._shelf.watchers.add(self)

    def end(self) -> None:
        """End it as the server does when the time is over."""
        if self._is_open:
            self.lost()
            self.finish()

    def lost(self) -> None:
        """The client has gone."""
        self._is_open = False
        self._shelf.watchers.discard(self)

    def fail(self, error: ApiRefused) -> None:
        """Send an error, and end."""
        self.write(_line("ERROR", json.dumps(error.status).encode()))
        self.end()

    def bookmark(self) -> None:
        """Send the current version, if the client asked for bookmarks."""
        if self._is_open and self.takes_bookmarks:
            self.write(self._bookmark({}))

    def _bookmark(self, annotations: Mapping[str, str]) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self._store.revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {
            "kind": self.scope.kind.kind,
            "apiVersion": self._api_version,
            "metadata": metadata,
        }
        return _line("BOOKMARK", json.dumps(obj, separators=(",", ":")).encode())

    def _initial(self) -> Iterator[bytes]:
        version = self._query.get("resourceVersion", "")
        wants_all = self._query.get("sendInitialEvents", "") in ("1", "true")
        if not wants_all and version not in ("", "0"):
            for change in self._shelf.since(version_of(version)):
                if change.revision > version_of(version):
                    yield self._event(change)
            return
        for place in sorted(self._shelf.objects):
            stored = self._shelf.objects[place]
            if self.scope.has(stored):
                yield self._shown("ADDED", stored)
        if wants_all and self.takes_bookmarks:
            yield self._bookmark({INITIAL_END: "true"})

    def happened(self, change: Change) -> None:
        """Send a change of an object that is in the scope, or was."""
        if line := self._event(change):
            self.write(line)

    def _event(self, change: Change) -> bytes:
        was, is_now = self.scope.has(change.old), self.scope.has(change.new)
        if is_now:
            assert change.new is not None
            return self._shown("MODIFIED" if was else "ADDED", change.new)
        if was:
            return self._shown("DELETED", change.last or change.left())
        return b""

    def _shown(self, event: str, stored: Stored) -> bytes:
        return _line(event, stored.json(self._api_version))


def _line(event: str, obj: bytes) -> bytes:
    return b'{"type":"' + event.encode() + b'","object":' + obj + b"}\n"
