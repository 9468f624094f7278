"""Writes and reads YAML documents as Kubernetes does."""

from collections.abc import Iterable
from typing import Any

import attrs
import yaml

from twistdp.errors import BadSetting
from twistdp.model import printable


@attrs.frozen
class Document:
    """A value of dicts, lists, texts and numbers, and the comment before it."""

    content: dict[str, Any]
    comment: str = ""


class ObjectLoader(yaml.SafeLoader):
    """Leaves times as the texts that they are in JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's way
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    """Indents lists, and repeats what occurs twice instead of naming an anchor."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _style(text: str) -> str | None:
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        return '"'  # with escapes
    if len(lines) > 1:
        return "|"
    # Kubernetes' parser reads more words and numbers than PyYAML's, such as y and 1e3.
    is_plain = text[:1].isalpha() or text.startswith("/")
    return None if is_plain and text.lower() not in ("y", "n") else '"'


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # lone surrogates are bytes of the command line
        raise BadSetting(
            f"{printable(text)}: bytes that are not UTF-8 cannot be written into YAML; leave them "
            "out"
        ) from error
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, _style(text))


_Dumper.add_representer(str, _text)


def as_yaml(documents: Iterable[Document]) -> str:
    """The text of some documents, which is the same for the same values.

    Raises `BadSetting` for a text with bytes that are not UTF-8.
    """
    return "---\n".join(map(_written, documents))


def _written(document: Document) -> str:
    comment = "".join(f"# {line}\n" for line in document.comment.splitlines())
    text: str = yaml.dump(
        document.content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return comment + text
