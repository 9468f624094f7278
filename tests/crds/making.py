"""Makes random specs of the custom resource from its classes."""

from collections.abc import Sequence
from random import Random
from typing import Any

from twistdp.config import Config, Field, Rule, fields_of, kinds
from twistdp.crds import DevicePluginSpec
from twistdp.errors import TwistdpError

TEXTS = (
    *("gpu", "metadata.name", "8", "true", "a.example/b", "a.example", "/run/a", "intel-gpu"),
    *("camscan:CamScanner", "30s"),
)
ODD = "aZ09.-_/:%, =\n\x00\u00e9"
CONFIGS: tuple[dict[str, Any], ...] = (
    {"domain": "lab.example.com", "resources": {"kvm": "/dev/kvm"}},
    {"domain": "lab.example.com", "resources": {"kvm": {"path": "/dev/kvm", "replicas": 3}}},
    {"resources": {}},
)


class Maker:
    """Makes values that are right by themselves, as JSON has them; rules may be broken."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def spec(self) -> dict[str, Any]:
        """A spec, mostly with one source of devices and the domain that it needs."""
        found = self.record(DevicePluginSpec)
        if self._random.random() < 0.8:
            name = self._random.choice(["config", "catalog", "scanner"])
            for other in {"config", "catalog", "scanner", "domain"} - {name}:
                found.pop(other, None)
            field = fields_of(DevicePluginSpec)[name]
            found[name] = self._field(field) or [{"name": "kvm"}]
            if name != "config":
                found["domain"] = "lab.example.com"
        return found

    def record(self, cls: type[Any]) -> dict[str, Any]:
        """A mapping with keys of a class."""
        if cls is Config:
            return dict(self._random.choice(CONFIGS))
        share = self._random.random()
        return {
            name: self._field(field)
            for name, field in fields_of(cls).items()
            if field.required or self._random.random() < share
        }

    def odd_text(self, good: str = "") -> str:
        """A text that may break any rule, or one with a change to a good one."""
        if good and self._random.random() < 0.6:
            at = self._random.randrange(len(good) + 1)
            odd: str = self._random.choice(["", *ODD])
            return good[:at] + odd + good[at + self._random.randint(0, 1) :]
        return "".join(self._random.choice(ODD) for _ in range(self._random.randrange(7)))

    def odd(self) -> Any:
        """A value that is seldom expected."""
        return self._random.choice(
            [None, True, 0, -1, 1 << 70, 0.5, "", "a", [], [None], {}, {"a": {}}, [[]], "0%"]
        )

    def spoilt(self, value: Any) -> Any:
        """A value with something else in one place of it."""
        if isinstance(value, dict) and value and self._random.random() < 0.9:
            name = self._random.choice([*value])
            return {**value, name: self.spoilt(value[name])}
        if isinstance(value, list) and value and self._random.random() < 0.9:
            at = self._random.randrange(len(value))
            return [*value[:at], self.spoilt(value[at]), *value[at + 1 :]]
        return self.odd()

    def _field(self, field: Field) -> Any:
        return self._of(kinds.kind_of(field.annotation))

    def _of(self, kind: kinds.Kind) -> Any:
        match kind:
            case kinds.Record(cls):
                return self.record(cls)
            case kinds.Items(item):
                return [self._of(item) for _ in range(self._random.randrange(3))]
            case kinds.Table(_, value):
                names = self._random.sample(TEXTS[:5], self._random.randrange(3))
                return {name: self._of(value) for name in names}
            case kinds.Flag():
                return self._random.random() < 0.5
            case kinds.Choice(words):
                return self._random.choice(words)
            case kinds.Number(_, rules):
                return self._number(rules)
            case kinds.AnyOf((number, _), _):
                return self._random.choice([self._of(number), "10%", "100m", "0%"])
            case kinds.Text(rules):
                named = [str(word) for rule in rules for word in rule.schema.get("enum", ())]
                right = [each for each in TEXTS if _keeps(each, rules)]
                is_right = right and self._random.random() < 0.95
                return self._random.choice(named or (right if is_right else [*TEXTS]))
        raise TypeError(kind)

    def _number(self, rules: Any) -> int:
        bounds = {name: value for rule in rules for name, value in rule.schema.items()}
        least, most = bounds["minimum"], bounds["maximum"]
        return int(self._random.choice([least, most, self._random.randint(least, least + 5)]))


def _keeps(text: str, rules: Sequence[Rule]) -> bool:
    try:
        for rule in rules:
            rule.check(text)
    except TwistdpError:
        return False
    return True
