"""The model, the rules in CEL and the schema agree about random objects."""

from collections.abc import Iterator
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.celling import broken, holds
from tests.crds.making import Maker
from tests.crds.objects import an_object
from twistdp.config import Config, Field, fields_of, kinds
from twistdp.crds import BadObject, DevicePluginSpec, crd, read, rules
from twistdp.crds.rule import VALIDATIONS, CelRule

RANDOM = st.randoms(use_true_random=False)
MESSAGES = {rule.message for found in rules().values() for rule in found}


def problems(found: Any) -> tuple[str, ...]:
    """What the model says against an object."""
    try:
        read(found)
    except BadObject as error:
        return error.problems
    return ()


def closed(schema: Any) -> Any:
    """A schema that refuses the keys that an API server prunes."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    if "properties" in found and "x-kubernetes-preserve-unknown-fields" not in found:
        found.setdefault("additionalProperties", False)
    return found


SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
VALIDATOR = Draft202012Validator(closed({**SPEC, "properties": dict(SPEC["properties"])}))


class ObjectTests(SynchronousTestCase):
    """Objects whose values are each right by themselves, and spoilt ones."""

    @given(RANDOM)
    @settings(max_examples=200)
    def test_rules(self, random: Random) -> None:
        """What breaks a rule in Python breaks it in CEL; what breaks none in either is accepted."""
        found = an_object(**Maker(random).spec())
        said = {f"{place}: {rule.message}" for place, rule in broken(found)}
        model = set(problems(found))
        ours = {each for each in model if each.partition(": ")[2] in MESSAGES}
        self.assertLessEqual(ours, said)
        if said:
            self.assertTrue(model, said)
        if not model:
            self.assertEqual(set(), said)

    @given(RANDOM, st.booleans())
    @settings(max_examples=200)
    def test_schema(self, random: Random, is_spoilt: bool) -> None:
        """What the model accepts, the schema accepts."""
        maker = Maker(random)
        spec = maker.spec()
        if is_spoilt:
            spec = maker.spoilt(spec)
        if isinstance(spec, dict) and not problems(an_object(**spec)):
            self.assertEqual([], [each.message for each in VALIDATOR.iter_errors(spec)])

    @given(RANDOM)
    @settings(max_examples=50)
    def test_spoilt(self, random: Random) -> None:
        """An object with anything anywhere is read or refused, and nothing else happens."""
        maker = Maker(random)
        spec = maker.spoilt(maker.spoilt(maker.spec()))
        for more in ({}, {"uid": "1-2"}):
            for problem in problems({"metadata": {"name": "gpus", **more}, "spec": spec}):
                self.assertRegex(problem, "^[^ ]+: .")
                self.assertTrue(problem.isprintable())


def values(cls: type[Any]) -> Iterator[tuple[Field, kinds.Kind]]:
    """All values in a class that rules are about, with the field that they are in."""
    for field in fields_of(cls).values():
        yield from _inside(field, kinds.kind_of(field.annotation))


def _inside(field: Field, kind: kinds.Kind) -> Iterator[tuple[Field, kinds.Kind]]:
    yield field, kind
    match kind:
        case kinds.Items(inner) | kinds.Table(_, inner):
            yield from _inside(field, inner)
        case kinds.Record(cls) if cls is not Config:
            yield from values(cls)


def _rules() -> Iterator[tuple[str, kinds.Kind, CelRule]]:
    """Each rule about values, with a text that keeps it and the kind of the values."""
    seen: set[str] = set()
    for field, kind in values(DevicePluginSpec):
        for rule in getattr(kind, "rules", ()):
            for each in rule.schema.get(VALIDATIONS, ()):
                if each.expression not in seen:
                    seen.add(each.expression)
                    yield _good(field), kind, each


def _good(field: Field) -> str:
    """A text from the example of a field."""
    example = yaml.load(field.example, yaml.BaseLoader)
    while not isinstance(example, str):
        example = next(iter(example))
    return example


class ValueTests(SynchronousTestCase):
    """Texts that are nearly right."""

    @given(st.sampled_from([*_rules()]), RANDOM)
    @settings(max_examples=600)
    def test_texts(self, ruled: tuple[str, kinds.Kind, CelRule], random: Random) -> None:
        """A rule about a text or keys says the same in Python and in CEL."""
        good, kind, rule = ruled
        for _ in range(4):
            text = Maker(random).odd_text(good)
            value = {text: "", "b": ""} if isinstance(kind, kinds.Table) else text
            self.assertEqual(rule.check(value), holds(rule, value), (rule.expression, value))
