"""Tests of the schema of the state, and of the description of all paths."""

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.test_life import YELLOW, ToldScanner, tree_of
from tests.support.helpers import until
from tests.support.http import connect
from tests.web.test_metrics import Stuck
from tests.web.test_routes import RoutesCase
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.resource import Resource
from twistdp.status import Kind, ResourceCondition, Standing, events_of

SECRET = "hunter2-hunter2"


class Odd(Stuck):
    """Finds devices with all that a device can have; fails, or hangs, if it is to."""

    state = HEALTHY
    broken = False

    def discover(self) -> DeviceTree:
        """Find them."""
        super().discover()
        if self.broken:
            raise OSError("the bus is stuck")
        odd = 'ü\n\udcff"<script>'
        tree = DeviceTree()
        for id_ in ("a", "b"):
            info = DeviceInfo(
                self.state,
                nodes=[DeviceSpec("/dev/null", f"/dev/{id_}")],
                mounts=[Mount("/etc", f"/mnt/{id_}", read_only=True)],
                envs={f"SECRET_{id_}": SECRET},
                annotations={f"x.example/{id_}": SECRET},
                topology=[0, 1],
                group="card",
                reason=odd,
            )
            tree.add_device("yellow", id_, info)
        return tree


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

    async def test_every_kind_of_state(self) -> None:
        """What the kubelet, scanners, files and devices do shows in states of this schema."""
        path = os.path.join(self.directory, "devices.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write("domain: x.example.com\nresources: {null: /dev/null}\n")
        scanner = Odd(self.directory)
        self.addCleanup(scanner.goes_on.set)
        self.kubelet.refusal = "no thanks"
        await self.serve(scanner, files=[path], scan_timeout=0.05)
        schema = await self.document("schema")
        for kind in (schema, *schema["$defs"].values()):
            kind["additionalProperties"] = False
        seen: set[str] = set()

        async def see() -> Any:
            state = await self.state()
            jsonschema.validate(state, schema)
            seen.update(each["session"]["standing"] for each in state["resources"])
            return state

        async def see_until(condition: Callable[[Any], object]) -> None:
            while not condition(await see()):
                await deferLater(reactor, 0.01)

        events = events_of(reactor)
        await see_until(lambda state: state["resources"])
        await see_until(lambda state: state["resources"][0]["session"]["standing"] == "waiting")
        await self.kubelet.start()
        await see_until(lambda state: state["resources"][0]["session"]["standing"] == "failing")
        self.kubelet.refusal = None
        await see_until(lambda state: state["resources"][0]["session"]["standing"] == "registered")
        await until(lambda: "b" in self.kubelet.devices(YELLOW))
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="painter")
        await see_until(lambda state: state["resources"][0]["devices"][1]["holder"])
        for kind in (Kind.CONFIGURATION_REFUSED, Kind.CONFIGURATION_READ):
            events.emit(kind, file=path, problems=["/x:1:2: odd"])
            (file_,) = (await see())["configurations"]
            self.assertEqual(bool(file_["problems"]), kind is Kind.CONFIGURATION_REFUSED)
        scanner.state = UNHEALTHY
        os.mkdir(os.path.join(self.directory, "x"))
        await see_until(lambda state: state["resources"][0]["devices"][0]["history"])
        scanner.broken = True
        os.rmdir(os.path.join(self.directory, "x"))
        await see_until(lambda state: state["scanners"][0]["failing"])
        self.flushLoggedErrors(OSError)
        scanner.goes_on.clear()
        await see_until(lambda state: state["scanners"][0]["hung"])
        self.patch(Resource, "condition", ResourceCondition(2, Standing.STUCK))
        await see()
        self.patch(Resource, "condition", ResourceCondition(2, Standing.REGISTERING))
        await see()
        self.patch(Resource, "condition", ResourceCondition(2, Standing.STANDING_BY))
        await see()
        self.assertEqual(seen, {each.name.lower().replace("_", " ") for each in Standing})

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
        for probe in ("/livez", "/readyz", "/healthz"):
            self.assertLess({probe, f"{probe}/{{check}}", "/api/v1/events"}, paths.keys())
        for path in ("/statusz", "/flagz"):
            answer = await self.ask(path, Accept="image/png")
            self.assertIn(str(answer.status), paths[path]["get"]["responses"])
        for reference in references(document):
            found = document
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
        self.assertEqual(document["servers"], [{"url": "../.."}])

    async def test_no_secrets(self) -> None:
        """No answer has the value of a variable or an annotation in it."""
        await self.kubelet.start()
        await self.serve(Odd(self.directory))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="painter")
        wire = await connect(self.endpoint)
        wire.send(b"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: b"event: allocated" in wire.received)
        bodies = [wire.received]
        for path in self.routes._routes.keys() - {"/api/v1/events"}:
            bodies.append((await self.ask(f"{path}?path=/dev/null")).body)
        self.assertTrue(any(b"SECRET_a" in body for body in bodies))
        for body in bodies:
            self.assertNotIn(SECRET.encode(), body)

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
