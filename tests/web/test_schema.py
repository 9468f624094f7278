"""Tests of the schema of the state, and of the description of all paths."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema

from tests.integration.test_life import YELLOW, ToldScanner, tree_of
from tests.support.helpers import until
from tests.web.test_routes import RoutesCase
from twistdp import UNHEALTHY


class SchemaTests(RoutesCase):
    """What is answered is what is described."""

    async def document(self, name: str) -> Any:
        """A description."""
        reply = await self.ask(f"/api/v1/{name}.json")
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/json"))
        return json.loads(reply.body)

    async def test_state(self) -> None:
        """The state has all that the schema names, and nothing else."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a", "b"))
        await self.serve(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        scanner.tell(tree_of("a", "b", state=UNHEALTHY))
        await until(self.is_registered)
        schema = await self.document("schema")
        jsonschema.Draft202012Validator.check_schema(schema)
        for kind in (schema, *schema["$defs"].values()):
            kind["additionalProperties"] = False
            self.assertTrue(kind["description"], kind)
        for query in ("", "?devices=false", "?resource=none", "?limit=1"):
            jsonschema.validate(await self.state(query), schema)
        state = await self.state()
        self.assertEqual(len(state["resources"][0]["devices"][0]["history"]), 1)
        state["resources"][0]["devices"][0]["health"] = "Poorly"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(state, schema)

    async def test_openapi(self) -> None:
        """Every path is described, and answers as it says; references lead somewhere."""
        await self.serve(ToldScanner(tree_of("a")))
        document = await self.document("openapi")
        self.assertEqual(document["openapi"], "3.1.0")
        paths = document["paths"]
        for path in self.routes._routes.keys() - {"/api/v1/events"}:
            answer = await self.ask(f"{path}?path=/dev/null")
            self.assertIn(str(answer.status), paths[path]["get"]["responses"])
            kinds = paths[path]["get"]["responses"][str(answer.status)]["content"]
            self.assertIn(answer.headers["content-type"].partition(";")[0], kinds)
        for path in ("/livez", "/readyz", "/healthz", "/readyz/{check}", "/api/v1/events"):
            self.assertIn(path, paths)
        for reference in references(document):
            found = document
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
        self.assertEqual(document["servers"], [{"url": "../.."}])

    async def test_no_absolute_paths(self) -> None:
        """It works behind a prefix: no answer leads to a place on this host."""
        await self.serve(ToldScanner(tree_of("a")))
        for path in self.routes._routes.keys() - {"/api/v1/events"}:
            reply = await self.ask(path)
            self.assertNotIn("location", reply.headers)
            self.assertIsNone(re.search(rb"https?://(localhost|x)", reply.body), path)


def references(value: Any) -> Iterator[str]:
    """All ``$ref`` in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)
