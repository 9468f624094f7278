"""The plain texts of the custom resource, as annotations with their rules."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeAlias

from twistdp.crds.rule import ATOMIC, CelRule, count, kept, keys, length, pairs, text
from twistdp.deployment import SELINUX_TYPE
from twistdp.errors import BadName
from twistdp.model import check_namespace

_PART: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_PART}(\.{_PART})*"
QUALIFIED: Final = rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
"""The name of a label or a resource."""
_LONGEST_DOMAIN: Final = 244


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
LabelKey: TypeAlias = Annotated[str, *text(QUALIFIED, _KEY_IS, "a label's key", 317)]
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
    *keys(QUALIFIED, 317, _KEY_IS, "labels with their values"),
]

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

SELinuxType: TypeAlias = Annotated[
    str,
    *text(
        "[A-Za-z0-9_.]+",
        f"the name of an SELinux type has letters, digits, '_' and '.'; write it as {SELINUX_TYPE}",
        "an SELinux type",
        253,
    ),
]
