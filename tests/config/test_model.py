"""Whatever the model allows, and what is one letter away from it."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import documents, example, keys_of
from twistdp.config.fields import fields_of
from twistdp.config.json_schema import schema
from twistdp.config.kinds import Items, OneOf, kind_of
from twistdp.config.loading import check, load, load_as
from twistdp.config.model import As, Config, Policy, Resource
from twistdp.config.problems import BadConfig
from twistdp.config.reference_page import classes, reference
from twistdp.config.showing import show
from twistdp.select.kinds import KINDS
from twistdp.settings import POLICIES
from twistdp.tools.suggestions import nearest

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VALIDATOR = Draft202012Validator(schema())


@st.composite
def misspelt(draw: st.DrawFn, key: str) -> str:
    """A key with one letter wrong, missing or too many, or two exchanged."""
    place = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from(LETTERS))
    rest = key[place + 1 :]
    slips = [f"{key[:place]}{letter}{rest}", f"{key[:place]}{letter}{key[place:]}"]
    if len(key) > 2:
        slips += [key[:place] + rest, key[:place] + rest[:1] + key[place] + rest[1:]]
    return draw(st.sampled_from(slips))


def one_slip(one: str, other: str) -> bool:
    """Whether two words differ by a slip of one letter, by the definition of edit distance."""
    one, other = one.lower(), other.lower()
    letters = set(one + other)
    edits = {one}
    for place in range(len(one) + 1):
        head, tail = one[:place], one[place:]
        edits |= {head + tail[1:], head + tail[1:2] + tail[:1] + tail[2:]}
        edits |= {head + letter + tail for letter in letters}
        edits |= {head + letter + tail[1:] for letter in letters}
    return other in edits


def renamed(mapping: dict[str, Any], key: str, name: str) -> None:
    """Rename a key in its place."""
    items = [(name if each == key else each, value) for each, value in mapping.items()]
    mapping.clear()
    mapping.update(items)


OTHER: Sequence[Any] = (
    *(True, False, 0, 1, -1, 1.5, 10**9, "", "a", "0", "yes", "auto", "/dev/x", "rw", "{serial}"),
    *("2341:0043", [], [1], ["a", "b"], [[]], {}, {"a": "b"}, {"path": "/dev/a"}, {"file": "/x"}),
)
"""Values of all kinds."""


class ModelTests(SynchronousTestCase):
    """Properties of every document."""

    @settings(max_examples=60)
    @given(documents())
    def test_allowed(self, document: dict[str, Any]) -> None:
        """A document of the model loads, and its schema allows it."""
        text = yaml.safe_dump(document, sort_keys=False)
        self.assertEqual([str(problem) for problem in check(text)], [])
        self.assertEqual(load(json.dumps(document)), load(text), "JSON is the same")
        VALIDATOR.validate(document)

    @settings(max_examples=60)
    @given(documents())
    def test_shown(self, document: dict[str, Any]) -> None:
        """What is shown loads as the same configuration, and the schema allows it."""
        config = load(json.dumps(document))
        text = show(config)
        self.assertEqual(load(text), config)
        VALIDATOR.validate(yaml.safe_load(text))

    @settings(max_examples=150)
    @given(documents(), st.data())
    def test_misspelt_key(self, document: dict[str, Any], data: st.DataObject) -> None:
        """A misspelt key anywhere is the only problem, with its place and the right suggestion."""
        keys = list(keys_of(document))
        place = data.draw(st.sampled_from(keys))
        wrong = data.draw(misspelt(place.key))
        assume(wrong not in place.known and wrong not in {each.key for each in keys})
        renamed(place.mapping, place.key, wrong)
        text = yaml.safe_dump(document, sort_keys=False)
        (found,) = check(text)
        assert found.suggestion is not None
        self.assertIn(found.suggestion, place.known)
        self.assertTrue(one_slip(wrong, found.suggestion), found)
        if sum(one_slip(wrong, each) for each in place.known) == 1:
            self.assertEqual(found.suggestion, place.key)
        self.assertIn(f"did you mean {found.suggestion!r}?", found.text)
        self.assertTrue(found.path.endswith(wrong), found.path)
        line = text.splitlines()[found.line - 1]
        self.assertRegex(line[found.column - 1 :], f"^['\"]?{re.escape(wrong)}['\"]?:")
        self.assertFalse(VALIDATOR.is_valid(document), "the schema refuses it too")

    def test_empty(self) -> None:
        """Nor does the schema allow empty lists in conditions and checks."""
        resources: Sequence[dict[str, Any]] = (
            {"usb": []},
            {"attribute": {}},
            {"attribute": {"a": []}},
            {"path": "/dev/a", "health": {"attribute": "a", "equals": []}},
            {"path": "/dev/a", "replicas": {"count": 2, "match": []}},
        )
        for resource in resources:
            document = {"domain": "a.b", "resources": {"x": resource}}
            self.assertEqual(len(check(json.dumps(document))), 1, resource)
            self.assertFalse(VALIDATOR.is_valid(document), resource)

    def test_every_key(self) -> None:
        """A slip in any key of any class has the right suggestion."""
        checks = kind_of(fields_of(Resource)["health"].annotation)
        assert isinstance(checks, Items)
        assert isinstance(checks.item, OneOf)
        checked = checks.item.classes
        seen = set()
        for cls in classes():
            if any(cls is not each and issubclass(each, cls) for each in checked):
                continue  # what several checks have
            known = {
                key for each in (checked if cls in checked else (cls,)) for key in fields_of(each)
            }
            root = Resource if cls in checked else cls
            for key, wrong in slips(cls, known):
                document: dict[str, Any] = whole(cls, key)
                renamed(document, key, wrong)
                if cls in checked:
                    document = {"path": "/dev/a", "health": document}
                error = self.assertRaises(BadConfig, load_as, root, json.dumps(document))
                (found,) = error.problems
                right = {each for each in known if one_slip(wrong, each)}
                self.assertIn(found.suggestion, right, (cls, found))
                self.assertIn(wrong, found.path)
                seen.add((cls, key))
        self.assertGreater(len(seen), 200)

    @settings(max_examples=150)
    @given(documents(), st.data())
    def test_other_value(self, document: dict[str, Any], data: st.DataObject) -> None:
        """With any other value in a place, the schema allows what loads, and refuses other kinds.

        What only a rule refuses, as a name with a wrong letter, the schema may allow.
        """
        document = json.loads(json.dumps(document))  # one example may be in several places
        holder, key = data.draw(st.sampled_from(list(places(document))))
        holder[key] = data.draw(st.sampled_from(OTHER))
        found = check(yaml.safe_dump(document, sort_keys=False))
        if not found:
            VALIDATOR.validate(document)
        elif any(each.text.startswith("expected ") for each in found):
            self.assertFalse(VALIDATOR.is_valid(document), found)


def slips(cls: type[Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each key of a class with what may be written instead, which is no key."""
    for key in fields_of(cls):
        middle = len(key) // 2
        found = {f"{key[:middle]}x{key[middle + 1 :]}", f"{key[:middle]}x{key[middle:]}", f"{key}s"}
        if len(key) > 2:
            found |= {key[:place] + key[place + 1 :] for place in (0, middle, len(key) - 1)}
            found.add(key[: middle - 1] + key[middle] + key[middle - 1] + key[middle + 1 :])
        yield from ((key, wrong) for wrong in sorted(found - set(known)))


def whole(cls: type[Any], key: str) -> dict[str, Any]:
    """A mapping for a class with one key, and those that it must have."""
    fields = fields_of(cls)
    keys = {each for each, field in fields.items() if field.required} | {key}
    if cls is Resource:
        keys |= {"kernelName" if key == "path" else "path"}
    if cls is Config:
        keys |= {"domain"}
    return {each: example(fields[each]) for each in sorted(keys)}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each list or mapping in a document, with each index or key in it."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


class DocumentationTests(SynchronousTestCase):
    """Each key says what it means."""

    def test_examples(self) -> None:
        """Each key of each class has a meaning, and an example that loads."""
        for cls in classes():
            fields = fields_of(cls)
            needed = {key: example(field) for key, field in fields.items() if field.required}
            for key, field in fields.items():
                with self.subTest(cls=cls.__name__, key=key):
                    self.assertTrue(field.doc.endswith("."), field.doc)
                    said = {**needed, key: example(field)}
                    if (cls is not Config and key in ("as", "group")) or cls.__name__ == "Resource":
                        said.setdefault("subsystem", "tty")
                    if cls is Config:
                        said.setdefault("domain", "lab.example.com")
                    load_as(cls, json.dumps(said))

    def test_kinds(self) -> None:
        """Kinds of nodes and policies are those that other rooms know."""
        self.assertEqual(get_args(As), tuple(KINDS))
        self.assertEqual(get_args(Policy), POLICIES)

    def test_page(self) -> None:
        """The example of the reference page loads."""
        (text,) = re.findall(r"(?s)```yaml\n(.*?)```", reference())
        self.assertEqual(list(load(text).resources), ["serial", "arduino", "kvm", "camera"])

    def test_suggestions_are_ordered(self) -> None:
        """Each key is the nearest to itself in other letters' case."""
        for cls in classes():
            keys = fields_of(cls)
            for key in keys:
                self.assertEqual(nearest(key.upper(), keys), key)

    def test_discriminators(self) -> None:
        """Each class of alternatives has one required key, which no other one has."""
        for cls in classes():
            for field in fields_of(cls).values():
                kind = kind_of(field.annotation)
                inner = getattr(kind, "item", kind)
                if isinstance(inner, OneOf):
                    required = [
                        {key for key, each in fields_of(one).items() if each.required}
                        for one in inner.classes
                    ]
                    self.assertEqual(sum(map(len, required)), len(inner.classes))
                    self.assertEqual(len(set.union(*required)), len(inner.classes))
