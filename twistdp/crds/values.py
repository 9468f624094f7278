"""The plain values of the custom resource, as annotations with their rules."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

from twistdp.config import Rule
from twistdp.crds.rule import CelRule, between, count, kept, length, pairs, text, unique
from twistdp.deployment import (
    CONFIG_DIRECTORY,
    OF_THE_CONTAINER,
    SCANNER_DIRECTORY,
    SELINUX_TYPE,
)
from twistdp.errors import BadName
from twistdp.model import check_namespace
from twistdp.settings import RUN_DIRECTORY

_PART: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_PART}(\.{_PART})*"
_QUALIFIED: Final = rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
_LONGEST_DOMAIN: Final = 244
ATOMIC: Final = {"x-kubernetes-list-type": "atomic"}
"""Of a list that one writer has as a whole."""


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def keys(pattern: str, most: int, message: str, what: str) -> tuple[Rule, ...]:
    """Rules for the keys of a mapping; CustomResourceDefinitions have no schema for them."""
    rule = CelRule(
        f"self.all(key, key.size() <= {most} && key.matches(r'^({pattern})$'))",
        message,
        lambda value: all(len(key) <= most and _matches(pattern, key) for key in value),
    )
    return (kept(rule, what),)


def _is_domain(value: str) -> bool:
    try:
        check_namespace(value)
    except BadName:
        return False
    return True


Domain: TypeAlias = Annotated[
    str,
    length(_LONGEST_DOMAIN, 1),
    kept(
        CelRule(
            rf"self.matches(r'^{_SUBDOMAIN}$') && !self.endsWith('kubernetes.io') && "
            "!self.startsWith('requests.')",
            "a domain has lower-case letters, digits, '-' and '.', and neither ends in "
            "kubernetes.io nor begins with requests.; use one of your own, as lab.example.com",
            _is_domain,
        ),
        "a domain, as lab.example.com",
    ),
]

ObjectName: TypeAlias = Annotated[
    str,
    *text(
        _SUBDOMAIN,
        "the name of an object has lower-case letters, digits, '-' and '.'; give that of one in "
        "the operator's namespace",
        "the name of an object",
        253,
    ),
]
PriorityClass: TypeAlias = Annotated[
    str,
    *text(
        _SUBDOMAIN,
        "the name of a priority class has lower-case letters, digits, '-' and '.'; "
        "'kubectl get priorityclasses' lists them",
        "the name of a priority class",
        253,
    ),
]
Image: TypeAlias = Annotated[
    str,
    *text(
        "[!-~]+",
        "an image's name has no blanks; write it as registry.example.com/name:tag",
        "an image's name",
        512,
    ),
]
Word: TypeAlias = Annotated[str, length(1024)]

_KEY_IS: Final = (
    "a label's key has letters, digits, '-', '_' and '.', after a domain and '/' if it has one; "
    "write it as lab.example.com/camera"
)
LabelKey: TypeAlias = Annotated[str, *text(_QUALIFIED, _KEY_IS, "a label's key", 317)]
LabelValue: TypeAlias = Annotated[
    str,
    *text(
        "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?",
        "a label's value has letters, digits, '-', '_' and '.', and begins and ends with a letter "
        "or digit; correct it",
        "a label's value",
        63,
        0,
    ),
]
Labels: TypeAlias = Annotated[
    Mapping[str, LabelValue],
    pairs(32),
    *keys(_QUALIFIED, 317, _KEY_IS, "labels with their values"),
]

_IN_THE_WAY: Final = sorted(
    {*OF_THE_CONTAINER, *(f"/{name}" for name in ("etc", "tmp", "run", "proc"))}
)
_OWN: Final = [SCANNER_DIRECTORY, CONFIG_DIRECTORY, RUN_DIRECTORY]
"""What the container has in directories of its own."""

_IS_PLACE: Final = CelRule(
    r"self.matches(r'^(/[^/:]+)+$') && !self.matches(r'/\.\.?(/|$)')",
    "a path begins with '/' and has no part that is empty, '.' or '..', no ':' and no '/' at its "
    "end; write it as /dev/dri",
    lambda value: _matches("(/[^/:]+)+", value) and not {".", ".."} & set(value.split("/")),
)
Directory: TypeAlias = Annotated[
    str, length(512), kept(_IS_PLACE, "an absolute path in the container")
]
HostDirectory: TypeAlias = Annotated[
    str,
    length(512),
    kept(_IS_PLACE, "an absolute path of the node"),
    kept(
        CelRule(
            f"!(self in {_IN_THE_WAY}) && "
            f"!{_OWN}.exists(own, self == own || self.startsWith(own + '/'))",
            "mounting this directory of the node would hide the container's own files; name what "
            "is needed in it",
            lambda value: (
                value not in _IN_THE_WAY
                and not any(value == own or value.startswith(f"{own}/") for own in _OWN)
            ),
        ),
        "an absolute path of the node",
    ),
]
KubeletDirectory: TypeAlias = Annotated[HostDirectory, length(75)]
"""As long as it can be for sockets in it; a socket's path has at most 107 bytes."""
HostDirectories: TypeAlias = Annotated[Sequence[HostDirectory], count(32), unique()]

ClassName: TypeAlias = Annotated[
    str,
    *text(
        r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*",
        "a scanner's name has a module and a class; write it as module:Class",
        "a scanner's name, as module:Class",
        253,
    ),
]
Arguments: TypeAlias = Annotated[
    Mapping[str, Annotated[Sequence[Word], count(64, 1, ATOMIC)]],
    pairs(32),
    *keys(
        "[A-Za-z_][A-Za-z0-9_]*",
        63,
        "an argument's name has letters, digits and '_'; correct it",
        "arguments with lists of values",
    ),
]
Environment: TypeAlias = Annotated[
    Mapping[str, Word],
    pairs(64),
    *keys(
        "[A-Za-z_][A-Za-z0-9_]*",
        253,
        "a variable's name has letters, digits and '_', and does not begin with a digit; "
        "correct it",
        "variables with their values",
    ),
]

_QUANTITY: Final = "([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?"
_UNITS: Final = {
    **{unit: Decimal(1000) ** power for power, unit in zip(range(-3, 0), "num", strict=True)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def amount(quantity: int | str) -> Decimal:
    """How much a quantity is."""
    text = str(quantity)
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return Decimal(text.removesuffix(unit)) * factor
    return Decimal(text)


Quantity: TypeAlias = Annotated[
    Annotated[int, between(0, 1 << 53)] | Annotated[str, length(32, 1)],
    kept(
        CelRule(
            f"type(self) == string ? self.matches(r'^{_QUANTITY}$') : self >= 0",
            "a quantity is a number with a unit or without; write it as 100m, 0.5 or 64Mi",
            lambda value: isinstance(value, int) or _matches(_QUANTITY, value),
        ),
        "a quantity, as 100m or 64Mi",
    ),
]
Quantities: TypeAlias = Annotated[
    Mapping[str, Quantity],
    pairs(16),
    *keys(
        _QUALIFIED,
        317,
        "a resource's name has letters, digits, '-', '_' and '.', after a domain and '/' if it "
        "has one; write it as cpu or memory",
        "resources with quantities",
    ),
]

Nodes: TypeAlias = Annotated[
    Annotated[int, between(0, 100_000)] | Annotated[str, length(4, 1)],
    kept(
        CelRule(
            "type(self) == string ? self.matches(r'^(100|[1-9]?[0-9])%$') : self >= 0",
            "a number of nodes is a whole number, or a part of them in percent; write it as 1 or "
            "10%",
            lambda value: isinstance(value, int) or _matches("(100|[1-9]?[0-9])%", value),
        ),
        "a number of nodes, as 1 or 10%",
    ),
    kept(
        CelRule(
            "type(self) == string ? self != '0%' : self != 0",
            "no pod could be replaced on 0 nodes at once; write 1 or more",
            lambda value: value not in (0, "0%"),
        ),
        "a number of nodes, as 1 or 10%",
    ),
]
Seconds: TypeAlias = Annotated[int, between(1, 86_400)]
Interval: TypeAlias = Annotated[
    str,
    *text(
        "([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?",
        "an interval is a time in hours, minutes, seconds or milliseconds; write it as 30s",
        "an interval, as 30s",
        16,
    ),
]
SELinuxType: TypeAlias = Annotated[
    str,
    *text(
        "[A-Za-z0-9_.]+",
        f"the name of an SELinux type has letters, digits, '_' and '.'; write it as {SELINUX_TYPE}",
        "an SELinux type",
        253,
    ),
]
Port: TypeAlias = Annotated[int, between(1, 65_535)]
Priority: TypeAlias = Annotated[int, between(1, 100)]
LogLevel: TypeAlias = Annotated[int, between(0, 10)]
