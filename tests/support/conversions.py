"""Other tools' configurations, converted."""

from textwrap import dedent
from typing import Any

import yaml

from tests.support.declarations import nodes
from tests.support.trees import host
from twistdp.config.convert.converting import convert
from twistdp.config.convert.report import Converted
from twistdp.config.loading import load
from twistdp.config.problems import BadConfig
from twistdp.scanners.declared.scanner import DeclaredScanner


def converted(tool: str, text: str, domain: str | None = None) -> Converted:
    """What a text comes to."""
    return convert(tool, dedent(text).lstrip("\n"), "f.yaml", domain)


def resources(tool: str, text: str, domain: str | None = None) -> dict[str, Any]:
    """The resources of the converted file, as YAML has them."""
    found = yaml.safe_load(converted(tool, text, domain).text)["resources"]
    assert isinstance(found, dict)
    return found


def notes(tool: str, text: str, domain: str | None = None) -> list[str]:
    """What is reported about the conversion."""
    return [str(note) for note in converted(tool, text, domain).notes]


def problems(tool: str, text: str) -> list[str]:
    """Why a text is refused."""
    try:
        converted(tool, text)
    except BadConfig as error:
        return [str(problem) for problem in error.problems]
    return []


def found(tool: str, text: str, where: str) -> dict[str, dict[str, list[str]]]:
    """The nodes of each device of each converted resource on one of the trees."""
    config = load(converted(tool, text).text)
    tree = DeclaredScanner(dict(config.resources), host(where).root).discover()
    return {name: nodes(tree, name) for name in config.resources}
