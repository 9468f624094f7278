"""The programs of ``.ci``, as modules."""

import importlib.util
from pathlib import Path
from typing import Any


def script(name: str) -> Any:
    """A program of ``.ci``, as a module."""
    path = Path(__file__).resolve().parents[2] / ".ci" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
