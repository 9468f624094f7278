"""Tests of the paths and their answers, with an emulated kubelet and a real socket."""

import json
import os
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import soon, temporary_directory, until
from tests.support.http import Reply, Wire, ask, connect
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from tests.support.servers import server_of
from tests.web.observed import observe
from twistdp import UNHEALTHY
from twistdp.kubelet import holdings
from twistdp.kubelet.api import POD_RESOURCES_LIST
from twistdp.kubelet.podresources_v1_pb2 import ListPodResourcesRequest
from twistdp.rpc.calls import Method
from twistdp.status import Tallies, events_of
from twistdp.web.routes import Routes
from twistdp.web.scraping import Scraper
from twistdp.web.service import Web
from twistdp.web.stream import MOST_STREAMS


class RoutesCase(LifeTestCase):
    """A manager, an emulated kubelet with pod-resources, and a socket to ask."""

    def setUp(self) -> None:
        """The kubelet does not run yet."""
        super().setUp()
        know_pods_at_once(self)
        self.pods = os.path.join(temporary_directory(self), "pods.sock")
        self.kubelet = PatientKubelet(self.directory, force=True, pod_resources=self.pods)

    async def serve(self, scanner: Any, *, files: Sequence[str] = (), **settings: Any) -> None:
        """Start all; the metrics name pods."""
        events = events_of(reactor)
        self.tallies = Tallies(events, list)
        self.addCleanup(self.tallies.stop)
        self.observatory, _ = observe(self, scanner, self.pods, files, **settings)
        flags = {"plugin-dir": self.directory}
        self.scraper = Scraper(self.observatory, self.tallies, reactor, pods=True)
        self.routes = Routes(self.observatory, lambda: flags, self.scraper, reactor)
        self.addCleanup(self.routes.stop)
        base = os.path.join(self.directory, "web", "x")
        self.web = Web(lambda: self.routes, reactor, socket=base)
        self.web.startService()
        self.addCleanup(lambda: self.web.running and self.web.stopService())
        self.endpoint = f"unix:{base}.sock"

    def is_registered(self) -> bool:
        """Whether the resource is, with its stream."""
        (resource,) = self.observatory.state(devices=False).resources
        return (resource.session.standing, resource.session.streams) == ("registered", 1)

    async def ask(self, path: str, **headers: str) -> Reply:
        """Make a request."""
        return await ask(self.endpoint, path, **headers)

    async def state(self, query: str = "") -> Any:
        """The state."""
        reply = await self.ask(f"/api/v1/state{query}")
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/json"))
        return json.loads(reply.body)


class PathTests(RoutesCase):
    """Each path."""

    async def test_state(self) -> None:
        """All of it, numbers only, or one resource."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        (resource,) = (await self.state())["resources"]
        self.assertEqual([device["id"] for device in resource["devices"]], ["a"])
        (resource,) = (await self.state("?devices=false"))["resources"]
        self.assertIsNone(resource["devices"])
        self.assertEqual(len((await self.state(f"?resource={YELLOW}"))["resources"]), 1)
        self.assertEqual((await self.state("?resource=x.example/y"))["resources"], [])
        for query in ("devices=maybe", "limit=0x10", "limit=", "limit=-1"):
            self.assertEqual((await self.ask(f"/api/v1/state?{query}")).status, 400, query)

    async def test_parts(self) -> None:
        """Some devices, by their ids or one piece after the other."""
        await self.kubelet.start()
        ids = [f"d-{number}" for number in range(12)]
        await self.serve(ToldScanner(tree_of(*ids)))
        await self.kubelet.listed(YELLOW, ids)

        async def asked(query: str) -> list[str]:
            (resource,) = (await self.state(f"?{query}"))["resources"]
            self.assertEqual(resource["capacity"], 12)
            return [device["id"] for device in resource["devices"]]

        self.assertEqual(await asked("device=d-3&device=d-11&device=none"), ["d-3", "d-11"])
        self.assertEqual(await asked("limit=2"), ["d-0", "d-1"])
        self.assertEqual(await asked("limit=2&after=d-9"), ["d-10", "d-11"])
        self.assertEqual(await asked("after=d-9.5"), ["d-10", "d-11"])
        self.assertEqual(await asked("after=d-11"), [])

    async def test_ready(self) -> None:
        """Readiness is lost and found with the session, exactly."""
        await self.serve(ToldScanner(tree_of("a")))
        self.assertEqual((await self.ask("/readyz")).status, 500)
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        self.assertEqual((await self.ask("/readyz")).body, b"ok")
        self.kubelet.refusal = "no thanks"
        await self.kubelet.restart()
        reply = await self.ask(f"/readyz/{YELLOW}")
        self.assertEqual(reply.status, 500)
        self.assertEqual((await self.ask("/livez")).body, b"ok")
        self.kubelet.refusal = None
        await until(self.is_registered)
        self.assertEqual((await self.ask("/readyz")).body, b"ok")

    async def test_elsewhere(self) -> None:
        """Other paths are not found, however odd."""
        await self.serve(ToldScanner(tree_of("a")))
        for path in ("/nothing", "/..", "/api/v1", "//", "/%00", "/readyz/none", "/page"):
            self.assertEqual((await self.ask(path)).status, 404, path)

    async def test_too_many_parameters(self) -> None:
        """They are refused."""
        await self.serve(ToldScanner(tree_of("a")))
        query = "&".join(f"a{number}=1" for number in range(200))
        self.assertEqual((await self.ask(f"/readyz?{query}")).status, 400)

    async def test_statusz(self) -> None:
        """Text for people, JSON for those who name its version, and nothing else."""
        await self.serve(ToldScanner(tree_of("a")))
        reply = await self.ask("/statusz")
        self.assertIn(b"not meant to be machine parseable", reply.body)
        self.assertIn(b"Started: ", reply.body)
        kind = "application/json;v=v1alpha1;g=config.k8s.io;as="
        found = json.loads((await self.ask("/statusz", Accept=kind + "Statusz")).body)
        self.assertEqual(
            (found["kind"], found["apiVersion"]), ("Statusz", "config.k8s.io/v1alpha1")
        )
        self.assertIn("/readyz", found["paths"])
        found = json.loads((await self.ask("/flagz", Accept=kind + "Flagz")).body)
        self.assertEqual(found["flags"], {"plugin-dir": self.directory})
        for accept in ("application/json", kind + "Flagz", "image/png"):
            self.assertEqual((await self.ask("/statusz", Accept=accept)).status, 406, accept)
        for accept in ("*/*", "text/plain", "text/html, text/*;q=0.5"):
            self.assertEqual((await self.ask("/statusz", Accept=accept)).status, 200, accept)


class HoldersTests(RoutesCase):
    """Who has which device."""

    async def held(self) -> tuple[bool, int | None, list[str | None]]:
        """Whether it can be known, how many, and the pods of all devices."""
        state = await self.state()
        (resource,) = state["resources"]
        holders = [device["holder"] for device in resource["devices"]]
        pods = [holder and holder["pod"] for holder in holders]
        return state["podResources"]["available"], resource["held"], pods

    async def test_first_answer(self) -> None:
        """The first answer has the holders, and so has one after a pod has ended."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a", "b")))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="painter")
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="other")
        self.patch(holdings, "PATIENCE", 60.0)  # for a busy machine
        self.assertEqual(await self.held(), (True, 2, ["other", "painter"]))
        self.kubelet.release("other")
        self.patch(holdings, "FRESH", 0.0)
        self.assertEqual(await self.held(), (True, 1, [None, "painter"]))

    async def test_live(self) -> None:
        """Who gets a device is an event, and so is a kubelet that cannot be asked any more."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        wire = await follow(self.endpoint)
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="painter")
        await until(lambda: b"event: held\n" in wire.received)
        data = wire.received.partition(b"event: held\ndata: ")[2].partition(b"\n")[0]
        event = json.loads(data.partition(b"\r")[0])
        holder = {"namespace": "default", "pod": "painter", "container": "main"}
        self.assertEqual((event["held"], event["released"]), ([["a", holder]], []))
        await soon(self.kubelet.stop())
        await until(lambda: b'"kind": "podResources", "available": false' in wire.received)
        self.assertEqual(await self.held(), (False, None, [None]))

    async def test_a_kubelet_that_hangs(self) -> None:
        """The state is there within a second all the same."""
        await self.serve(ToldScanner(tree_of("a")))
        handler = Method(POD_RESOURCES_LIST, ListPodResourcesRequest, lambda _: Deferred())
        await soon(server_of(self, self.pods, handler).listen())
        self.assertEqual(await self.held(), (False, None, [None]))

    async def test_a_peer_that_goes(self) -> None:
        """A peer that does not wait for its answer leaves nothing behind."""
        await self.serve(ToldScanner(tree_of("a")))
        waiting: Deferred[Any] = Deferred()
        self.patch(self.observatory.holdings, "fresh", lambda: waiting)
        wire = await connect(self.endpoint)
        wire.send(b"GET /api/v1/state HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: waiting.callbacks)
        wire.close()
        await until(lambda: waiting.called)
        self.assertEqual(self.logged("answering"), [])

    async def test_a_late_failure(self) -> None:
        """An answer that fails later is a failure with a log line, too."""
        await self.serve(ToldScanner(tree_of("a")))
        self.patch(self.observatory.holdings, "fresh", lambda: fail(ValueError("oops")))
        self.assertEqual((await self.ask("/api/v1/state")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


async def follow(endpoint: str, query: str = "", **headers: str) -> Wire:
    """A stream of events that has begun."""
    wire = await connect(endpoint)
    lines = [f"GET /api/v1/events{query} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    wire.send("\r\n".join([*lines, "", ""]).encode())
    await until(lambda: b"retry:" in wire.received or wire.over or b"\r\n\r\n" in wire.received)
    return wire


class StreamTests(RoutesCase):
    """Events, live."""

    async def follow(self, query: str = "", **headers: str) -> Wire:
        """A stream that has begun."""
        wire = await follow(self.endpoint, query, **headers)

        def end() -> Deferred[None]:
            wire.close()
            return soon(wire.ended)

        self.addCleanup(end)
        return wire

    async def test_live(self) -> None:
        """What happens arrives at once, as JSON with its number."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a"))
        await self.serve(scanner)
        await self.kubelet.listed(YELLOW, ["a"])
        wire = await self.follow()
        self.assertNotIn(b"devicesChanged", wire.received)
        scanner.tell(tree_of("a", state=UNHEALTHY))
        await until(lambda: b"event: devicesChanged" in wire.received)
        data = wire.received.partition(b"event: devicesChanged\ndata: ")[2].partition(b"\n")[0]
        event = json.loads(data.partition(b"\r")[0])
        self.assertEqual((event["resource"], event["worse"]), (YELLOW, ["a (worn out)"]))
        wire.close()
        await until(lambda: len(self.routes.streams) == 0)

    async def test_resume(self) -> None:
        """A peer that names the last event it has seen gets those since."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        kept = [event.number for event in events_of(reactor).kept]
        last, first = kept[-1], f"id: {kept[0]}\n".encode()
        wire = await self.follow(Last_Event_ID=str(last - 1))
        await until(lambda: f"id: {last}\n".encode() in wire.received)
        self.assertNotIn(f"id: {last - 1}\n".encode(), wire.received)
        wire = await self.follow("?after=0", Last_Event_ID=str(last - 1))
        await until(lambda: f"id: {last}\n".encode() in wire.received)
        self.assertNotIn(first, wire.received)
        wire = await self.follow("?after=0")
        await until(lambda: f"id: {last}\n".encode() in wire.received)
        self.assertIn(first, wire.received)
        for odd in ("x", "-1", "9" * 30):
            wire = await self.follow(Last_Event_ID=odd)
            self.assertNotIn(f"id: {last}\n".encode(), wire.received)

    async def test_too_many(self) -> None:
        """One stream too many is refused, politely."""
        await self.serve(ToldScanner(tree_of("a")))
        for _ in range(MOST_STREAMS):
            await self.follow()
        wire = await self.follow()
        self.assertIn(b"429", wire.received)
        await soon(self.web.stopService())
        await soon(wire.ended)

    async def test_stop(self) -> None:
        """The end of the service ends the streams."""
        await self.serve(ToldScanner(tree_of("a")))
        wire = await self.follow()
        await soon(self.web.stopService())
        await soon(wire.ended)
