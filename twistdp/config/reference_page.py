"""The reference page of the file's format, made from the classes."""

import re
from collections.abc import Callable, Container, Iterator
from typing import Any, Final

import attrs
import yaml

from twistdp.config.fields import Field, fields_of, short_of
from twistdp.config.json_schema import default_of
from twistdp.config.kinds import AnyOf, Items, Kind, OneOf, Record, Table, described, kind_of
from twistdp.config.model import Config
from twistdp.config.showing import says_nothing
from twistdp.config.templates import EXTRA, SOURCES
from twistdp.select import WORDS

_HEAD: Final = """\
# The configuration file

This page lists everything that a configuration file may say. It is made from the code by
`make config-reference`. Four commands help to write a file:

- `twistdp config check FILE` reports every problem of a file with its line and column.
- `twistdp config show FILE` prints what the file amounts to, with the defaults filled in.
- `twistdp config schema` prints a JSON Schema, with which editors complete and check keys.
- `twistdp config from TOOL FILE` prints a file for the configuration of
  [another tool](migrating-devices.md).

An editor with the language server for YAML takes the schema from a first line such as
`# yaml-language-server: $schema=twistdp.schema.json`.

```yaml
domain: lab.example.com
resources:
  serial:  /dev/serial/by-id/*               # a text is a path
  arduino: {{usb: "2341:0043", as: tty}}       # which node of which hardware
  kvm:     {{path: /dev/kvm, replicas: 100}}
  camera:
    match:  {{subsystem: video4linux}}
    parent: {{usb: "046d:*"}}                  # one and the same ancestor
    group:  parent                           # all nodes of one camera are one device
    health: {{attribute: authorized, equals: "1"}}
```

The file is YAML, and so may be JSON. It is one document of at most 1 MiB.

- A **text** is taken as it is written: `0403` keeps its zero, `12:34:56` is no time, and `no` is a
  text. Numbers, `true` and `false` stand without quotes. A value that is left empty, or `null` or
  `~` without quotes, is refused.
- A single value stands for a **list** of one.
- Anchors and aliases (`&a`, `*a`) work. Merge keys (`<<`) and tags (`!x`) do not.
- A **template** is a text with words in braces, which are filled in for each device. `{{{{` and
  `}}}}` are braces.

The words of templates:

| word | meaning |
|---|---|
{words}

"""


def reference() -> str:
    """The page, in Markdown."""
    words = "\n".join(f"| {word} | {meaning} |" for word, meaning in _words())
    parts = [_HEAD.format(words=words)]
    for cls in classes():
        parts.append("\n".join(section(cls)))
    return "\n".join(parts)


def _words() -> Iterator[tuple[str, str]]:
    for name, (_, meaning) in WORDS.items():
        yield f"`{{{name}}}`", meaning.removesuffix(".")
    for source, meaning in SOURCES.items():
        yield f"`{{{source}:NAME}}`", meaning
    for name, meaning in EXTRA.items():
        yield f"`{{{name}}}`", meaning


def classes(*roots: type[Any], but: Container[type[Any]] = ()) -> list[type[Any]]:
    """All classes that are in the `roots`, in the order of the page, `but` those of other pages.

    Without roots they are those of a configuration file.
    """
    found: list[type[Any]] = list(roots) or [Config]
    for cls in found:
        for field in fields_of(cls).values():
            named = _named(kind_of(field.annotation))
            found += [each for each in named if each not in found and each not in but]
        found += [each for each in (*_lent(cls), *_bases(cls)) if each not in found]
    return found


def _lent(cls: type[Any]) -> Iterator[type[Any]]:
    for attribute in cls.__attrs_attrs__:
        if attribute.metadata.get("flatten"):
            yield attribute.default.factory


def _bases(cls: type[Any]) -> Iterator[type[Any]]:
    return (base for base in reversed(cls.__bases__) if attrs.has(base))


def _named(kind: Kind) -> tuple[type[Any], ...]:
    match kind:
        case Items(inner) | Table(_, inner):
            return _named(inner)
        case Record(cls):
            return (cls,)
        case OneOf(classes):
            return classes
        case _:
            return ()


def section(cls: type[Any], worded: Callable[[Kind], str] | None = None) -> Iterator[str]:
    """The lines about a class; `worded` names the kind of a value."""
    yield f"## {_title(cls)}"
    yield ""
    for paragraph in (cls.__doc__ or "").strip().split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""
    if (short := short_of(cls)) is not None:
        yield f"A value that is no mapping stands for `{short.key}`."
        yield ""
    for other in (*_lent(cls), *_bases(cls)):
        yield f"The keys of {link(other)} may be given too."
        yield ""
    inherited = {key for base in _bases(cls) for key in fields_of(base)}
    own = [
        field
        for field in fields_of(cls).values()
        if field.through is None and field.key not in inherited
    ]
    if own:
        yield "| key | value | meaning |"
        yield "|---|---|---|"
    for field in own:
        kind = (worded or _kind)(kind_of(field.annotation))
        yield f"| `{field.key}` | {kind} | {_meaning(field)} |"
    if own:
        yield ""


def _title(cls: type[Any]) -> str:
    if cls is Config:
        return "The file"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=CDI)(?=[A-Z])", " ", cls.__name__).split()
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def link(cls: type[Any]) -> str:
    """A link to the section about a class."""
    return f"[{_title(cls).lower()}](#{_anchor(cls)})"


def _anchor(cls: type[Any]) -> str:
    return _title(cls).lower().replace(" ", "-")


def _kind(kind: Kind) -> str:
    match kind:
        case Items(item):
            return f"{_kind(item)}, or a list"
        case Table(_, value):
            return f"mapping: {_kind(value)} for each key"
        case Record() | OneOf():
            return " or ".join(map(link, _named(kind)))
        case AnyOf(kinds):
            return " or ".join(_kind(each) for each in kinds)
        case _:
            return described(kind)


def _meaning(field: Field) -> str:
    text = " ".join(field.doc.split()) + (" Required." if field.required else "")
    default = default_of(field)
    if not (field.required or says_nothing(default) or attrs.has(type(default))):
        text += f" Default: `{_inline(default)}`."
    if field.example:
        text += f" Example: `{field.key}: {field.example}`"
    return text.replace("|", "\\|")


def _inline(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return str(yaml.safe_dump(plain, default_flow_style=True)).removesuffix("\n...\n").strip()
