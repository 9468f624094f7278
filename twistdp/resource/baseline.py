"""Keeps over restarts who had which device when the kubelet answered the last time."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from twisted.logger import Logger

from twistdp.errors import Untrusted
from twistdp.host import check_file, close_directory, make_directory
from twistdp.model import Holder
from twistdp.resource.tenancies import Key, Release
from twistdp.settings import RUN_DIRECTORY

_log = Logger()

LARGEST: Final = 64 * 1024 * 1024
"""Bytes that are read of the file."""


class Baseline:
    """A file in `directory` for the scanner `name`, with the domain of its resources before it.

    It has a copy of what the kubelet answered, not a record of our own: what was given back since
    then is found by comparing it with the next answer.
    """

    def __init__(self, directory: str, name: str) -> None:
        self._directory = directory
        safe = re.sub(r"[^A-Za-z0-9.-]+", "_", name)
        self.path = os.path.join(directory, f"{safe}.held.json")
        self._written: str | None = None
        self._complaint = ""

    def read(self) -> tuple[dict[Key, Holder | None], list[Release]]:
        """What was held, and what was released and not reported to its end; empty without a file.

        A file that cannot be used is logged.
        """
        try:
            if self._directory == RUN_DIRECTORY:
                close_directory(self._directory)
            check_file(self.path)
            with open(self.path, encoding="utf-8") as file:
                content = json.loads(file.read(LARGEST))
            held = {(r, i): h for r, i, h in map(_release, content["held"])}
            return held, [*map(_release, content["released"])]
        except FileNotFoundError:
            pass
        except (OSError, Untrusted, ValueError, LookupError, TypeError, RecursionError) as error:
            _log.warn(
                "cannot read {path}: {reason}; devices that were given back while the plugin was "
                "down are not reported to the scanner",
                path=self.path,
                reason=str(error),
            )
        return {}, []

    def write(self, held: Mapping[Key, Holder | None], released: Iterable[Release]) -> None:
        """Replace the file, if anything has changed; a failure is logged once."""
        content = json.dumps(
            {
                "held": [_plain(Release(*key, held[key])) for key in sorted(held)],
                "released": [_plain(release) for release in released],
            },
            separators=(",", ":"),
        )
        if content == self._written:
            return
        try:
            try:
                self._replace(content)
            except FileNotFoundError:  # another process took the new file for abandoned
                self._replace(content)
        except (OSError, Untrusted) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.warn(
                    "cannot keep who has which device: {reason}; devices that are given back while "
                    "the plugin is down are not reported to the scanner; give another --state-dir",
                    reason=self._complaint,
                )
        else:
            self._written = content
            if self._complaint:
                self._complaint = ""
                _log.info("{path} is kept again: who has which device", path=self.path)

    def _replace(self, content: str) -> None:
        make_directory(self._directory)
        # Others cannot write there.
        name = os.path.basename(self.path)
        temporary = os.path.join(self._directory, f".{os.getpid()}.{name}")
        if self._written is None:
            self._remove_abandoned(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(content)
            os.rename(temporary, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def _remove_abandoned(self, name: str) -> None:
        """Remove the new files of writers that were killed."""
        abandoned = re.compile(rf"\.\d+\.{re.escape(name)}")
        for found in filter(abandoned.fullmatch, os.listdir(self._directory)):
            with suppress(OSError):
                os.unlink(os.path.join(self._directory, found))


def _plain(release: Release) -> list[str]:
    holder = release.holder
    who = [] if holder is None else [holder.namespace, holder.pod, holder.container]
    return [release.resource, release.device, *who]


def _release(entry: Any) -> Release:
    resource, device, *who = map(_text, entry)
    return Release(resource, device, Holder(*who) if who else None)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
