"""The CDI directory of a plugin: what is described there, and what can go wrong with it."""

import json
import os
import shutil
from typing import Any

from tests.faults.hardware import DESCRIBED


class Specs:
    """The directory `path`, which need not be there, for resources of `domain`."""

    def __init__(self, path: str, domain: str) -> None:
        self.path = path
        self._spec = os.path.join(path, f"twistdp.{domain}_{DESCRIBED}.json")

    def ids(self) -> set[str]:
        """The devices that are described; whatever spec there is must be a whole one."""
        try:
            with open(self._spec, encoding="utf-8") as file:
                spec: Any = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        variables = [device["containerEdits"]["env"][0] for device in spec["devices"]]
        return {variable.partition("=")[2] for variable in variables}

    def half_made(self) -> list[str]:
        """The hidden files as which specs begin."""
        names = os.listdir(self.path) if os.path.isdir(self.path) else []
        return [name for name in names if name.startswith(".")]

    def specs_vanish(self) -> None:
        """With the directory."""
        if os.path.isdir(self.path):
            shutil.rmtree(self.path)

    def specs_cannot_be_written(self) -> None:
        """A file has the directory's name."""
        self.specs_vanish()
        with open(self.path, "w", encoding="ascii"):
            pass

    def specs_can_be_written(self) -> None:
        """Again."""
        if os.path.isfile(self.path):
            os.unlink(self.path)
