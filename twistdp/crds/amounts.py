"""Numbers, quantities and times, as annotations with their rules."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

from twistdp.crds.rule import CelRule, between, kept, keys, length, matches, pairs, text
from twistdp.crds.values import QUALIFIED

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
            lambda value: isinstance(value, int) or matches(_QUANTITY, value),
        ),
        "a quantity, as 100m or 64Mi",
    ),
]
Quantities: TypeAlias = Annotated[
    Mapping[str, Quantity],
    pairs(16),
    *keys(
        QUALIFIED,
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
            lambda value: isinstance(value, int) or matches("(100|[1-9]?[0-9])%", value),
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
Port: TypeAlias = Annotated[int, between(1, 65_535)]
Priority: TypeAlias = Annotated[int, between(1, 100)]
LogLevel: TypeAlias = Annotated[int, between(0, 10)]
