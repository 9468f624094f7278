"""Reads configuration files of other programs: YAML, JSON and TOML."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

from twistdp.doctor.host import MOST, Host, Unreadable
from twistdp.model import of_error


def read_yaml(host: Host, path: str, most: int = MOST) -> Any:
    """The content of a YAML or JSON file; None if there is none.  Raises `Unreadable`."""
    content = host.read(path, most)
    if content is None:
        return None
    try:
        # JSON first: it is read fifty times as fast, and most specs are JSON.
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(path, f"it is neither YAML nor JSON ({of_error(error)})") from error


def read_toml(host: Host, path: str) -> dict[str, Any] | None:
    """The content of a TOML file; None if there is none.  Raises `Unreadable`."""
    content = host.read(path)
    if content is None:
        return None
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise Unreadable(path, f"it is no TOML ({of_error(error)})") from error


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables joined; where both have a value, the second one's counts."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged(before, value)
        result[key] = value
    return result


def table(content: Any, *keys: str) -> dict[str, Any]:
    """The table below these keys; an empty one if there is none, or something else."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}
