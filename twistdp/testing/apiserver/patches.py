"""JSON patches (RFC 6902) and JSON merge patches (RFC 7386)."""

import copy
from typing import Any


class BadPatch(Exception):
    """A patch does not fit the object; the text says why."""


def merge_patched(target: Any, patch: Any) -> Any:
    """The target with a JSON merge patch; both stay as they are."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value)
    return result


def json_patched(target: Any, operations: Any) -> Any:
    """The target with a JSON patch; raises `BadPatch`."""
    holder = {"": copy.deepcopy(target)}
    try:
        for operation in operations:
            _operate(holder, operation)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadPatch(f"the JSON patch does not apply: {error!r}") from error
    return holder[""]


def _operate(holder: Any, operation: Any) -> None:
    verb, path = operation["op"], _pointer(operation["path"])
    if verb in ("add", "replace"):
        # The real server does not look whether a value that is replaced is there.
        _set(holder, path, copy.deepcopy(operation["value"]), verb == "replace")
    elif verb == "remove":
        _take(holder, path)
    elif verb == "move":
        _set(holder, path, _take(holder, _pointer(operation["from"])), False)
    elif verb == "copy":
        _set(holder, path, copy.deepcopy(_look(holder, _pointer(operation["from"]))), False)
    elif verb == "test":
        if _look(holder, path) != operation["value"]:
            raise BadPatch(f"testing value {operation['path']} failed")
    else:
        raise BadPatch(f"Unexpected kind: {verb}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _look(holder: Any, path: list[str]) -> Any:
    for part in path:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    return holder


def _set(holder: Any, path: list[str], value: Any, replace: bool) -> None:
    parent, last = _look(holder, path[:-1]), path[-1]
    if isinstance(parent, list):
        if last == "-":
            parent.append(value)
        elif replace:
            parent[int(last)] = value
        else:
            parent.insert(int(last), value)
    else:
        parent[last] = value


def _take(holder: Any, path: list[str]) -> Any:
    parent, last = _look(holder, path[:-1]), path[-1]
    return parent.pop(int(last)) if isinstance(parent, list) else parent.pop(last)
