"""Checks the objects of a file before they are applied, as the operator would."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import yaml

from twistdp.config import LARGEST
from twistdp.crds.plugin import GROUP, KIND, VERSION
from twistdp.crds.reading import BadObject, read
from twistdp.deployment import ObjectLoader


@attrs.frozen
class Checked:
    """An object of a file: its name, as far as it has one, and what is wrong with it."""

    name: str
    problems: tuple[str, ...]


def check(source: bytes) -> list[Checked]:
    """The DevicePlugins of a file, alone or in lists; none in a file that is no YAML."""
    if len(source) > LARGEST:
        return []
    try:
        documents = list(yaml.load_all(source, ObjectLoader))  # it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return [_checked(each) for each in _ours(documents)]


def _ours(documents: list[Any]) -> Iterator[Mapping[str, Any]]:
    """The objects of our group."""
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        if str(document.get("apiVersion")).startswith(f"{GROUP}/"):
            yield document
        elif isinstance(items := document.get("items"), list):
            yield from (
                each
                for each in items
                if isinstance(each, Mapping) and str(each.get("apiVersion")).startswith(f"{GROUP}/")
            )


def _checked(document: Mapping[str, Any]) -> Checked:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    problems: list[str] = []
    if (document.get("apiVersion"), document.get("kind")) != (f"{GROUP}/{VERSION}", KIND):
        problems.append(
            f"expected apiVersion {GROUP}/{VERSION} and kind {KIND}, found "
            f"{document.get('apiVersion')} and {document.get('kind')}"
        )
    try:
        read(document)
    except BadObject as error:
        problems += error.problems
    return Checked(str(name or "?"), tuple(problems))
