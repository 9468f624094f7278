"""From the model back to YAML: what a file amounts to, with the defaults filled in."""

from collections.abc import Mapping
from typing import Any

import yaml

from twistdp.config.fields import Field, fields_of
from twistdp.config.kinds import AnyOf, Items, Kind, OneOf, Record, Table, kind_of


def show(value: object) -> str:
    """A value of the model as YAML, from which `load` makes an equal one."""
    text: str = yaml.dump(
        plain(value), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100
    )
    return text


_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def plain(value: object) -> dict[str, Any]:
    """A value of the model as the file has it, without keys that say nothing."""
    found: dict[str, Any] = {}
    for key, field in fields_of(type(value)).items():
        said = of(value, field)
        if field.required or not says_nothing(said):
            found[key] = _plain(said, kind_of(field.annotation))
    return found


def of(value: Any, field: Field) -> Any:
    """What a value of the model has for a field."""
    holder = value if field.through is None else getattr(value, field.through)
    return getattr(holder, field.name)


def says_nothing(value: object) -> bool:
    """Whether a value is that of a key that was left out, and has no meaning of its own."""
    return value is None or (isinstance(value, str | tuple | Mapping) and not value)


def _plain(value: Any, kind: Kind) -> Any:
    match kind:
        case Items(item):
            if len(value) == 1 and not isinstance(item, Record | OneOf | Items | Table):
                return _plain(value[0], item)
            return [_plain(each, item) for each in value]
        case Table(_, inner):
            return {key: _plain(each, inner) for key, each in value.items()}
        case Record() | OneOf():
            return plain(value)
        case AnyOf():
            return value
        case _:
            return int(value) if isinstance(value, float) and value.is_integer() else value
