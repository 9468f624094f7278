"""Objects as sets of fields with owners, and how they are merged by field."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twistdp.testing.apiserver.shapes import Shape, item_key, value_key

Path = tuple[str, ...]
"""Elements as in managed fields: ``f:name``, ``k:{"name":"a"}``, ``v:"x"``."""

ITEM = object()
"""The value of a path that stands for an item of a list itself."""


def _is_listed(value: Any, shape: Shape) -> bool:
    return isinstance(value, list) and not shape.is_atomic and bool(shape.keys or shape.is_set)


def _keyed(value: Iterable[Any], shape: Shape) -> dict[str, Any]:
    if shape.is_set:
        return {value_key(item): item for item in value}
    return {item_key(shape.keys, item): item for item in value}


def leaves(value: Any, shape: Shape, path: Path = ()) -> dict[Path, Any]:
    """What can have an owner of its own, by its path."""
    found: dict[Path, Any] = {}
    _collect(value, shape, path, found)
    return found


def _collect(value: Any, shape: Shape, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not shape.is_atomic:
        for name, inner in value.items():
            _collect(inner, shape.field(name), (*path, f"f:{name}"), found)
    elif _is_listed(value, shape):
        for key, item in _keyed(value, shape).items():
            found[*path, key] = ITEM
            if isinstance(item, dict) and not shape.item().is_atomic:
                _collect(item, shape.item(), (*path, key), found)
    else:
        found[path] = value


def repeated(value: Any, shape: Shape, path: Path = ()) -> Iterator[tuple[str, str]]:
    """Where lists have a key twice, with the key, both as people read them."""
    if isinstance(value, dict) and not shape.is_atomic:
        for name, inner in value.items():
            yield from repeated(inner, shape.field(name), (*path, f"f:{name}"))
    elif _is_listed(value, shape):
        found = _keyed(value, shape)
        if len(found) < len(value):
            keys = [item_key(shape.keys, item) for item in value]
            yield shown(path), shown((next(key for key in keys if keys.count(key) > 1),))
        for key, item in found.items():
            yield from repeated(item, shape.item(), (*path, key))


def changed(old: Mapping[Path, Any], new: Mapping[Path, Any]) -> set[Path]:
    """The paths of `new` that are not in `old`, or have another value there."""
    return {path for path, value in new.items() if path not in old or old[path] != value}


def merged(live: Any, applied: Any, shape: Shape) -> Any:
    """The live value with what is applied; both stay as they are."""
    if isinstance(live, dict) and isinstance(applied, dict) and not shape.is_atomic:
        result = dict(live)
        for name, value in applied.items():
            inner = shape.field(name)
            result[name] = merged(live[name], value, inner) if name in live else value
        return result
    if isinstance(live, list) and _is_listed(applied, shape):
        ours, theirs = _keyed(live, shape), _keyed(applied, shape)
        both = {
            key: merged(ours[key], item, shape.item()) if key in ours else item
            for key, item in theirs.items()
        }
        return list(_ordered(ours, both).values())
    return applied


def _ordered(live: Mapping[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """Items in the order of what is applied, with the others in between, as in the real server.

    An item that only one of both has comes as soon as its turn is there, a live one first.
    """
    result: dict[str, Any] = {}
    left, right = list(live), list(applied)

    def take(names: list[str], source: Mapping[str, Any]) -> None:
        name = names.pop(0)
        result[name] = source[name]

    while left or right:
        if left and left[0] not in applied:
            take(left, live)
        elif right and (not left or right[0] not in live):
            take(right, applied)
        elif right and left[0] == right[0]:
            take(right, applied)
            left.pop(0)
        else:
            # It comes where what is applied has it.
            left.pop(0)
    return result


def without(value: Any, shape: Shape, gone: set[Path], path: Path = ()) -> Any:
    """The value without the fields and items at some paths."""
    if isinstance(value, dict) and not shape.is_atomic:
        return {
            name: without(inner, shape.field(name), gone, at)
            for name, inner in value.items()
            if (at := (*path, f"f:{name}")) not in gone
        }
    if _is_listed(value, shape):
        return [
            without(item, shape.item(), gone, at)
            for key, item in _keyed(value, shape).items()
            if (at := (*path, key)) not in gone
        ]
    return value


def closed(paths: Iterable[Path]) -> set[Path]:
    """The paths, and those of all that they lie in."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def as_tree(paths: Iterable[Path]) -> dict[str, Any]:
    """The paths as ``fieldsV1``."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path[-1][0] != "f":
            node["."] = {}
    _tidy(tree)
    return tree


def of_tree(tree: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    """The paths in ``fieldsV1``."""
    if not tree or "." in tree:
        yield path
    for element, inner in tree.items():
        if element != ".":
            yield from of_tree(inner, (*path, element))


def _tidy(tree: dict[str, Any]) -> None:
    """A point marks what is owned itself, only where something in it is owned too."""
    for name, inner in tree.items():
        if inner == {".": {}}:
            tree[name] = {}
        else:
            _tidy(inner)


def shown(path: Path) -> str:
    """A path for people: ``.spec.containers[name="a"].image``."""
    text = ""
    for element in path:
        form, _, rest = element.partition(":")
        if form == "f":
            text += f".{rest}"
        elif form == "v":
            text += f"[={rest}]"
        else:
            text += "[" + ",".join(_pairs(rest)) + "]"
    return text


def _pairs(rest: str) -> Iterable[str]:
    return (f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items())
