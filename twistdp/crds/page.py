"""The reference page of the custom resource, made from its classes and rules."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from twistdp.config import Config, fields_of, kinds, reference_page
from twistdp.crds.limits import MOST_RESOURCES, MOST_VALUES
from twistdp.crds.plugin import GROUP, KIND, NAME, VERSION
from twistdp.crds.rule import VALIDATIONS, CelRule
from twistdp.crds.spec import DevicePluginSpec
from twistdp.crds.status import DevicePluginStatus
from twistdp.deployment import Document, as_yaml

_HEAD: Final = """\
# The resource DevicePlugin

This page lists everything that an object of the kind `DevicePlugin` may say. It is made from the
code by `make generate`, and so are `deploy/operator/crd` and `deploy/operator/samples`, which has
an object for each entry of the [catalogue](catalog.md). `twistdp crds` prints the definition, and
`twistdp crds --samples` the samples.

```yaml
{example}```

The kind is cluster scoped; its short name is `dplug`, so `kubectl get dplug` lists the objects,
with nodes, devices, and how many of these are unhealthy. What runs is in the operator's
namespace.

The annotation `twistdp.io/paused: "true"` pauses an object: nothing is changed then, and the
status goes on.

The API server checks every rule on this page itself, by CEL in the definition (since Kubernetes
1.30), and answers with the rule's message. A configuration has [a format of its
own](config-reference.md), which the operator checks: an object with a wrong one is `Degraded`,
with every problem, and the plugin goes on as before. In an object, texts need quotes where YAML
takes them for numbers or flags: `"0403"` is a text, and `0403` is the number 259, which is
refused. The API server keeps no order of `resources`, so the plugin gets them in alphabetical
order; that matters with `exclusive`.

A configuration in an object has at most {resources} resources, which the API server checks too, and
a spec at most {values} values, at any depth. The operator reads such an object in less than a
second; no kubelet has as many resources. A file has no such limits.

An operator that is older than the definition leaves alone the keys that it does not know.

An object's name is that of its DaemonSet and ServiceAccount too. Another one is refused:

- {name}
"""

_EXAMPLE: Final = {
    "apiVersion": f"{GROUP}/{VERSION}",
    "kind": KIND,
    "metadata": {"name": "gpus"},
    "spec": {
        "catalog": [{"name": "intel-gpu", "replicas": 4, "preferred": "packed"}],
        "nodeSelector": {"intel.feature.node.kubernetes.io/gpu": "true"},
        "updateStrategy": {"type": "Surge", "maxSurge": 2},
        "http": {"port": 9102},
        "monitoring": {"kind": "PodMonitor"},
    },
}


def reference() -> str:
    """The page, in Markdown."""
    head = _HEAD.format(
        example=as_yaml([Document(_EXAMPLE)]),
        name=_plain(NAME),
        resources=MOST_RESOURCES,
        values=MOST_VALUES,
    )
    parts = [base for base in reversed(DevicePluginSpec.__bases__) if attrs.has(base)]
    found = reference_page.classes(DevicePluginSpec, *parts, but=(Config,))
    found += reference_page.classes(DevicePluginStatus)
    return "\n".join([head, *("\n".join(_section(cls)) for cls in found)])


def _section(cls: type[Any]) -> Iterator[str]:
    yield from reference_page.section(cls, _kind)
    rules = [*getattr(cls, "rules", ()), *_rules_of_values(cls)]
    if rules:
        yield "What breaks one of these rules is refused in these words:"
        yield ""
        yield from dict.fromkeys(f"- {_plain(rule)}" for rule in rules)
        yield ""


def _rules_of_values(cls: type[Any]) -> Iterator[CelRule]:
    """The rules of the values of a class's own keys."""
    lent = {name for base in cls.__bases__ if attrs.has(base) for name in fields_of(base)}
    for field in fields_of(cls).values():
        if field.key not in lent:
            yield from _in(kinds.kind_of(field.annotation))


def _in(kind: kinds.Kind) -> Iterator[CelRule]:
    rules: Iterable[Any] = getattr(kind, "rules", ())
    for rule in rules:
        yield from rule.schema.get(VALIDATIONS, ())
    if isinstance(kind, kinds.Items):
        yield from _in(kind.item)
    if isinstance(kind, kinds.Table):
        yield from _in(kind.value)


def _plain(rule: CelRule) -> str:
    """A rule's message as Markdown takes it."""
    return re.sub(r"([*|<\[\]])", r"\\\1", rule.message)


def _kind(kind: kinds.Kind) -> str:
    match kind:
        case kinds.Record(cls) if cls is Config:
            return "[configuration](config-reference.md)"
        case kinds.Record(cls):
            return reference_page.link(cls)
        case kinds.Items(item):
            return f"list: {_kind(item)}"
        case kinds.Table(_, value):
            return f"mapping: {_kind(value)} for each key"
        case _:
            return kinds.described(kind)
