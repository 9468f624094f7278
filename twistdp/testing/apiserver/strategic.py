"""Strategic merge patches of built-in objects, as kubectl and kubelets send them."""

from collections.abc import Mapping
from typing import Any

from twistdp.testing.apiserver import refusals
from twistdp.testing.apiserver.shapes import Shape

_ORDER = "$setElementOrder/"
_REMOVE = "$deleteFromPrimitiveList/"


def strategic_patched(target: Any, patch: Any, shape: Shape) -> Any:
    """The target with a patch; both stay as they are.

    Orders that a patch gives for lists are not obeyed.  Raises `ApiRefused` for ``$retainKeys``.
    """
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    if "$retainKeys" in patch:
        raise refusals.unsupported_media(["strategic merge patches without $retainKeys"])
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if name.startswith(_REMOVE):
            field = name.removeprefix(_REMOVE)
            result[field] = [each for each in result.get(field) or () if each not in value]
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, list) and (inner := shape.field(name)).keys:
            result[name] = _listed(result.get(name) or [], value, inner)
        elif isinstance(value, list) and shape.field(name).is_set:
            old = result.get(name) or []
            result[name] = [*old, *(each for each in value if each not in old)]
        elif not name.startswith("$"):
            result[name] = strategic_patched(result.get(name), value, shape.field(name))
    return result


def _listed(old: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    """A list with items merged by the first of its keys; new items come first."""
    if {"$patch": "replace"} in patch:
        return [each for each in patch if each != {"$patch": "replace"}]
    key = shape.keys[0][0]
    changes: dict[Any, Mapping[str, Any]] = {each[key]: each for each in patch}
    known = {each.get(key) for each in old}
    kept = [
        strategic_patched(each, changes[each.get(key)], shape.item())
        if each.get(key) in changes
        else each
        for each in old
        if changes.get(each.get(key), {}).get("$patch") != "delete"
    ]
    return [each for each in patch if each[key] not in known and "$patch" not in each] + kept
