"""What the objects of all of Intel's kinds have: metadata, images, nodes and logs."""

from collections.abc import Iterator
from typing import Final

from twistdp.config import convert
from twistdp.crds.intel.spec import Body, Spec

_HIGHEST_LEVEL: Final = 10
_ARCHITECTURE: Final = {"kubernetes.io/arch": "amd64"}
_TOLERATION: Final = ("key", "operator", "value", "effect")

_OF_THE_SERVER: Final = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
"""Metadata that the API server writes itself."""

_REPEATED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps the whole object once more."""


def metadata_of(
    fields: convert.Fields, shapes: convert.Shapes, report: convert.Report
) -> Body | None:
    """The metadata of the object that is made; None after a problem."""
    metadata = shapes.inner(fields.get("metadata"))
    name = shapes.text(metadata.get("name")) if metadata is not None else None
    if metadata is None or not name:
        text = "metadata.name is missing: the object's name"
        report.problem(fields.mark, fields.at, text)
        return None
    found: Body = {"name": name}
    for field in metadata:
        if field.key in ("labels", "annotations"):
            values = _texts(field, shapes)
            values.pop(_REPEATED, None)
            if values:
                found[field.key] = values
        elif field.key not in _OF_THE_SERVER and field.key != "name":
            report.note(field.mark, field.at, f"{field.key} is not carried over")
    return found


def common(spec: Spec) -> Body:
    """The fields that all kinds have."""
    spec.note(
        "image",
        f"{spec.text('image')} is Intel's plugin; it is left out, so that the operator's image is "
        "used",
    )
    found: Body = {}
    if level := spec.count("logLevel", 0):
        found["logLevel"] = min(level, _HIGHEST_LEVEL)
        if level > _HIGHEST_LEVEL:
            spec.note("logLevel", f"it is {_HIGHEST_LEVEL} here, the highest level")
    selector = spec.fields.get("nodeSelector")
    # What Intel's operator writes when the fields are left out.
    found["nodeSelector"] = (_texts(selector, spec.shapes) if selector else None) or _ARCHITECTURE
    found["tolerations"] = list(_tolerations(spec))
    return found


def _texts(field: convert.Field, shapes: convert.Shapes) -> dict[str, str]:
    """A mapping of texts."""
    return {each.key: shapes.text(each) or "" for each in shapes.inner(field) or ()}


def _tolerations(spec: Spec) -> Iterator[Body]:
    shapes = spec.shapes
    for node, at in shapes.items(spec.fields.get("tolerations")):
        fields = shapes.fields(node, at, (*_TOLERATION, "tolerationSeconds"))
        if fields is None:
            continue
        found: Body = {
            field.key: shapes.text(field) for field in fields if field.key in _TOLERATION
        }
        seconds = shapes.whole(fields.get("tolerationSeconds"))
        if seconds is not None:
            found["tolerationSeconds"] = seconds
        yield found
