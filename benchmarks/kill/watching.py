"""Reads a CDI directory all the time, as container runtimes may."""

import json
import os
import threading


class SpecWatch:
    """A thread that reads every spec in `directory` again and again; a context manager.

    `reads` counts the specs that it has read, `problems` tells of those that were not whole.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.reads = 0
        self.problems: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "SpecWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def names(self) -> set[str]:
        """The devices that a runtime finds now."""
        found: set[str] = set()
        for path in self._specs():
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                continue  # removed as a whole
            self.reads += 1
            try:
                found |= _names(data)
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append(f"{path}: {error!r}: {data[-200:]!r}")
        return found

    def _run(self) -> None:
        while not self._over.wait(0.0005):
            self.names()

    def _specs(self) -> list[str]:
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return [os.path.join(self.directory, name) for name in names if name.endswith(".json")]


def _names(data: bytes) -> set[str]:
    """The qualified names in a spec.  Raises for an incomplete one."""
    spec = json.loads(data)
    if not (spec["cdiVersion"] and spec["devices"]):
        raise ValueError("no version, or no devices")
    if not all(device["containerEdits"]["env"] for device in spec["devices"]):
        raise ValueError("a device without its variable")
    return {f"{spec['kind']}={device['name']}" for device in spec["devices"]}
