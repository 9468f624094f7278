"""Converts the objects of a file, each to a `DevicePlugin` that says the same."""

from typing import Final

import attrs
import yaml

from twistdp.config import BadConfig, convert
from twistdp.crds.intel.common import common, metadata_of
from twistdp.crds.intel.kinds import COMMON, KINDS
from twistdp.crds.intel.spec import Body, Spec
from twistdp.crds.plugin import GROUP, KIND, VERSION
from twistdp.crds.reading import BadObject, read
from twistdp.model import check_namespace, printable
from twistdp.tools import nearest

TOOL: Final = "intel-crd"
"""The name of the tool for ``twistdp config from``."""

_INTELS: Final = "deviceplugin.intel.com/"
_VERSION: Final = f"{_INTELS}v1"
_FPGA: Final = "fpga.intel.com/"
_WORDS: Final = (_INTELS, _FPGA)


@attrs.frozen
class _Draft:
    """A DevicePlugin, and where the object is that it is made of."""

    kind: str
    body: Body
    fields: convert.Fields


def is_intels(source: str | bytes) -> bool:
    """Whether a text has an object of one of Intel's kinds."""
    try:
        report = convert.Report("text")
        places = convert.Places(source, report.problems, _WORDS)
        return any(_api_version(place).startswith(_INTELS) for place in places)
    except BadConfig:
        return False


def convert_intel(
    source: str | bytes, name: str = "text", domain: str | None = None, key: str | None = None
) -> convert.Converted:
    """The DevicePlugin of each of Intel's objects in a file, as YAML documents.

    `domain` and `key` are as for `convert.convert`.  Raises `BadConfig` with all problems.
    """
    if domain is not None:
        check_namespace(domain)
    conversion = _Conversion(convert.Report(printable(name)), domain)
    try:
        places = convert.Places(source, conversion.report.problems, _WORDS, key)
    except BadConfig as error:
        raise convert.hinted(error, source) from None
    for place in places:
        conversion.place(place)
    return conversion.finish()


def _api_version(place: convert.Place) -> str:
    if isinstance(place.node, convert.Mapping):
        field = convert.Fields(place.node, place.at).get("apiVersion")
        if field is not None:
            return str(getattr(field.node, "text", ""))
    return ""


class _Conversion:
    def __init__(self, report: convert.Report, domain: str | None) -> None:
        self.report = report
        self._shapes = convert.Shapes(report, "Intel's operator")
        self._domain = domain
        self._drafts: dict[str, _Draft] = {}

    def place(self, place: convert.Place) -> None:
        """Convert what is at a place, if it is one of Intel's objects."""
        version = _api_version(place)
        if not isinstance(place.node, convert.Mapping):
            return
        fields = convert.Fields(place.node, place.at)
        kind = self._shapes.text(fields.get("kind")) or ""
        if version.startswith(_INTELS):
            self._object(fields, version, kind)
        elif version.startswith(_FPGA):
            self.report.note(
                fields.mark,
                fields.at,
                f"{kind} is not carried over: it gives resources of fpga.intel.com names of its "
                "own, by Intel's webhook; ask for the resource itself in the pods",
            )
        elif place.is_root and kind and not kind.endswith("List"):
            text = f"{kind} is not carried over: it is none of {', '.join(KINDS)}"
            self.report.note(fields.mark, fields.at, text)

    def _object(self, fields: convert.Fields, version: str, kind: str) -> None:
        known = KINDS.get(kind)
        if known is None:
            close = nearest(kind, KINDS)
            hint = f"; did you mean {close!r}?" if close is not None else ""
            text = f"the kind {kind!r} is none of {', '.join(KINDS)}{hint}"
            self.report.problem(fields.mark, fields.at, text)
            return
        if version != _VERSION:
            text = f"expected apiVersion {_VERSION}, found {version}"
            self.report.problem(fields.mark, fields.at, text)
            return
        self._shapes.unknown(fields, ("apiVersion", "kind", "metadata", "spec", "status"))
        metadata = metadata_of(fields, self._shapes, self.report)
        spec = Spec(
            self._shapes.inner(fields.get("spec")) or _none(fields),
            self.report,
            self._shapes,
            self._domain,
        )
        self._shapes.unknown(spec.fields, (*COMMON, *known.fields))
        body = known.devices(spec)
        if self._domain is not None and "catalog" in body:
            body = {**body, "domain": self._domain}
        body |= common(spec)
        if known.initial is not None:
            body |= known.initial.field(spec)
        if metadata is not None:
            made = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND}
            self._add(_Draft(kind, {**made, "metadata": metadata, "spec": body}, fields))

    def _add(self, draft: _Draft) -> None:
        """Add an object, under a name of its own: here all have the same kind."""
        name = draft.body["metadata"]["name"]
        first = self._drafts.get(name)
        if first is not None and first.kind != draft.kind:
            new = f"{name}-{draft.kind.removesuffix('DevicePlugin').lower()}"
            text = (
                f"{name} is the name of the {first.kind} from line {first.fields.mark.line} too; "
                f"this one is called {new}"
            )
            self.report.note(draft.fields.mark, draft.fields.at, text)
            draft.body["metadata"]["name"] = name = new
            first = self._drafts.get(name)
        if first is not None:
            text = (
                f"there is a {first.kind} called {name} already, from line "
                f"{first.fields.mark.line}; give one of them another name"
            )
            self.report.problem(draft.fields.mark, draft.fields.at, text)
        self._drafts.setdefault(name, draft)

    def finish(self) -> convert.Converted:
        """All objects; raises `BadConfig` with all problems, among them what ours refuse."""
        if not self._drafts and not self.report.problems.found:
            text = f"there is no object of {_VERSION} in the file"
            self.report.problem(convert.Mark(1, 1), "", text)
        for draft in self._drafts.values():
            try:
                read(draft.body)
            except BadObject as error:
                for problem in error.problems:
                    text = f"no DevicePlugin can say this: {problem}"
                    self.report.problem(draft.fields.mark, draft.fields.at, text)
        if self.report.problems.found:
            raise BadConfig(self.report.problems.found)
        text = yaml.safe_dump_all(
            (draft.body for draft in self._drafts.values()),
            sort_keys=False,
            allow_unicode=True,
            width=100,
        )
        return convert.Converted(text, len(self._drafts), self.report.notes)


def _none(fields: convert.Fields) -> convert.Fields:
    """No fields, at the place of an object."""
    return convert.Fields(convert.Mapping(fields.mark, ()), fields.at)
