"""Reads an object of the API, and reports every problem of it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from twistdp.catalog import Shelf
from twistdp.config import LARGEST, BadConfig, load_value
from twistdp.crds.definition import WHOLE
from twistdp.crds.limits import MOST_RESOURCES, MOST_VALUES
from twistdp.crds.meaning import config_text, settings
from twistdp.crds.plugin import NAME, DevicePlugin
from twistdp.crds.schema import pruned
from twistdp.crds.spec import DevicePluginSpec
from twistdp.errors import BadSetting, BadSettings
from twistdp.model import printable

_SPEC: Final[Mapping[str, Any]] = WHOLE["properties"]["spec"]


class BadObject(BadSettings):
    """An object is no usable DevicePlugin; each of `problems` names the place, fact and remedy."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems


def read(object: Mapping[str, Any]) -> DevicePlugin:
    """The DevicePlugin that an object of the API is.

    An object with a uid has been through an API server, which knows all of its keys.  Those that
    are unknown here are of a newer definition, and are left alone, but for a configuration's.

    Raises `BadObject` with every problem, and nothing else, whatever JSON the object is.
    """
    problems: list[str] = []
    metadata = object.get("metadata") if isinstance(object, Mapping) else None
    if not isinstance(metadata, Mapping):
        raise BadObject(("metadata: the object has none; give it a name",))
    name = metadata.get("name")
    if not isinstance(name, str) or not NAME.check(name):
        problems.append(f"metadata: {NAME.message}")
    raw = object.get("spec")
    spec = None
    if not isinstance(raw, Mapping):
        problems.append("spec: it is missing; say in it which devices there are, as by catalog")
    else:
        spec = _spec(pruned(raw, _SPEC) if metadata.get("uid") else raw, problems)
    if problems or spec is None or not isinstance(raw, Mapping):
        raise BadObject(tuple(problems))
    plugin = DevicePlugin(
        name=str(name),
        uid=_text(metadata.get("uid")),
        generation=_number(metadata.get("generation")),
        annotations=_annotations(metadata.get("annotations")),
        spec=spec,
        raw_config=raw["config"] if spec.config is not None else None,
        deleting=metadata.get("deletionTimestamp") is not None,
        finalizers=_texts(metadata.get("finalizers")),
    )
    _check(plugin)
    return plugin


def _spec(raw: Mapping[str, Any], problems: list[str]) -> DevicePluginSpec | None:
    config = raw.get("config")
    resources = config.get("resources") if isinstance(config, Mapping) else None
    if isinstance(resources, Mapping) and (found := len(resources)) > MOST_RESOURCES:
        problems.append(
            f"spec.config.resources: it has {found} keys, at most {MOST_RESOURCES} are accepted; "
            "make several DevicePlugins of it"
        )
        return None
    try:
        return load_value(DevicePluginSpec, raw, "spec", catalog=Shelf(), most=MOST_VALUES)
    except BadConfig as error:
        problems += [f"{printable(each.path)}: {each.text}" for each in error.problems]
        return None


def _check(plugin: DevicePlugin) -> None:
    """Raise `BadObject` for what the plugin would refuse although each part is right."""
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("spec.catalog", plugin.configs),
        ("spec.kubeletDirectory", partial(settings, plugin)),
    )
    for place, check in checks:
        try:
            check()
        except BadSetting as error:
            raise BadObject((f"{place}: {error}",)) from error
    if (text := config_text(plugin)) is not None and (size := len(text.encode())) > LARGEST:
        raise BadObject(
            (f"spec.config: it has {size} bytes, and a ConfigMap {LARGEST} at most; split it",)
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value))) if isinstance(value, list | tuple) else ()


def _annotations(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {key: each for key, each in value.items() if isinstance(each, str)}
