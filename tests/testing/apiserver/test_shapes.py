"""How lists are merged: the fake API server's table against what a real one publishes."""

from collections.abc import Iterator, Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.apicontract import OnReal
from twistdp.testing.apiserver.fields import leaves, shown
from twistdp.testing.apiserver.kinds import BUILT_IN, DEFINITIONS
from twistdp.testing.apiserver.shapes import BuiltIn, Custom, Shape

Schema = Mapping[str, Any]


class TableTests(OnReal, TestCase):
    """The table says what the real server's OpenAPI document says."""

    async def test_table(self) -> None:
        """Every list and every atomic object of every built-in kind is as published."""
        client = await self.connect()
        reply = await client.get("/openapi/v2")
        definitions = reply.body["definitions"]
        seen = set()
        for schema in definitions.values():
            for named in schema.get("x-kubernetes-group-version-kind", ()):
                key = named["group"], named["kind"], named["version"]
                for kind in BUILT_IN:
                    # The schema of a definition's schema has no end.
                    if (kind.group, kind.kind, kind.versions[0]) == key and kind != DEFINITIONS:
                        seen.add(kind)
                        found = set(self.differences(definitions, schema, BuiltIn(), ()))
                        self.assertEqual(found, set(), kind.kind)
        self.assertEqual(len(seen), len(BUILT_IN) - 1)

    def differences(
        self, definitions: Schema, schema: Schema, shape: Shape, path: tuple[str, ...]
    ) -> Iterator[str]:
        """Where the table differs from a schema."""
        for name, field in (schema.get("properties") or {}).items():
            here, ours = (*path, name), shape.field(name)
            form = field.get("x-kubernetes-list-type", "atomic")
            target = field.get("items") or field
            inner = definitions.get(target.get("$ref", "").rpartition("/")[2], target)
            is_atomic = "atomic" in (
                field.get("x-kubernetes-map-type"),
                inner.get("x-kubernetes-map-type"),
            )
            if field.get("type") == "array":
                keys = tuple(field.get("x-kubernetes-list-map-keys") or ())
                if (form == "set", keys) != (ours.is_set, tuple(key for key, _ in ours.keys)):
                    yield f"{'.'.join(here)}: {form} {keys}"
                if form == "atomic":
                    continue
                ours = ours.item()
            if ours.is_atomic != is_atomic:
                yield f"{'.'.join(here)}: atomic={is_atomic}"
            if not is_atomic:
                yield from self.differences(definitions, inner, ours, here)


class LeafTests(SynchronousTestCase):
    """What has owners of its own."""

    def test_shown(self) -> None:
        """Paths are shown as the real server shows them."""
        schema = {
            "properties": {
                "parts": {
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "tags": {"x-kubernetes-list-type": "set"},
                "whole": {"x-kubernetes-map-type": "atomic"},
            }
        }
        value = {"parts": [{"name": "a", "n": 1}], "tags": ["x"], "whole": {"a": 1}, "more": {}}
        self.assertEqual(
            [shown(path) for path in leaves(value, Custom(schema))],
            [
                '.parts[name="a"]',
                '.parts[name="a"].name',
                '.parts[name="a"].n',
                '.tags[="x"]',
                ".whole",
                ".more",
            ],
        )
