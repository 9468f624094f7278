"""The converters by the names of their tools."""

from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Final

import attrs

from twistdp.config.convert import akri, generic, kubevirt, nvidia, smarter, sriov
from twistdp.config.convert.finding import Places, pattern_of
from twistdp.config.convert.report import Converted, Report
from twistdp.config.document import Mark
from twistdp.config.problems import BadConfig, Problems
from twistdp.errors import BadSetting
from twistdp.model import check_namespace, printable

TOOLS: Final[Mapping[str, ModuleType]] = {
    "generic-device-plugin": generic,
    "smarter-device-manager": smarter,
    "akri": akri,
    "sriov": sriov,
    "nvidia": nvidia,
    "kubevirt": kubevirt,
}
"""Each has ``recognises(place)``, ``convert(places, report, domain)``, and ``WORDS``: each of the
tool's files has one of them."""


def convert(
    tool: str,
    source: str | bytes,
    name: str = "text",
    domain: str | None = None,
    key: str | None = None,
) -> Converted:
    """The configuration of one of `TOOLS`, which is anywhere in `source`, in our format.

    `domain` is that of the resources, if it is to be another than the tool's; `key` is that of the
    file in a ConfigMap with several of which each node reads one.  Raises `BadConfig`
    with all problems, each with its line, and `BadSetting` for an unknown tool.
    """
    converter = TOOLS.get(tool)
    if converter is None:
        raise BadSetting(f"there is no converter for {tool}; use one of {', '.join(TOOLS)}")
    if domain is not None:
        check_namespace(domain)
    report = Report(printable(name))
    try:
        places = Places(source, report.problems, converter.WORDS, key)
    except BadConfig as error:
        raise hinted(error, source) from None
    if not any(map(converter.recognises, places)) and not report.problems.found:
        other = recognised(source)
        hint = f"; it looks like that of {other}" if other is not None else ""
        where = f"under the key {key}" if key is not None else "in the file"
        text = f"there is no configuration of {tool} {where}{hint}"
        report.problem(Mark(1, 1), "", text)
    converter.convert(places, report, domain)
    return report.finish()


def hinted(error: BadConfig, source: str | bytes) -> BadConfig:
    """The error of a file that is no YAML, with what to do for the template of a chart."""
    text = source if isinstance(source, str) else source.decode(errors="replace")
    if "{{" not in text:
        return error
    hint = "; this may be the template of a chart: convert what 'helm template' makes of it"
    return BadConfig([attrs.evolve(each, text=each.text + hint) for each in error.problems])


def recognised(source: str | bytes) -> str | None:
    """The tool whose configuration is in `source`, if it is that of one of `TOOLS`."""
    text = source if isinstance(source, str) else source.decode(errors="replace")
    for tool, converter in TOOLS.items():
        if not pattern_of(converter.WORDS).search(text):
            continue
        with suppress(BadConfig):
            if any(map(converter.recognises, Places(source, Problems("text"), converter.WORDS))):
                return tool
    return None
