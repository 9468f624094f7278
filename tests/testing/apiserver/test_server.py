"""The fake API server itself: its life, faults on command, its record, and what is played."""

import json
from typing import Any

from twisted.internet.defer import TimeoutError, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.apiclient import ApiClient, ApiReply
from tests.support.apicontract import ApiContract, OnFake, config_map, daemon_set
from tests.support.helpers import failure_of, soon
from twistdp.testing import ApiFault, ApiRefused, ApiServer
from twistdp.testing.apiserver import Answer, Asked, Watch, store

Object = dict[str, Any]


class FaultTests(OnFake, ApiContract, TestCase):
    """Trouble on command."""

    async def begin(self) -> None:
        """A server with a ConfigMap, whose record is empty."""
        await self.ready()
        await self.made(self.maps, config_map("a", key="1"))
        self.server.calls.clear()

    async def change(self, value: str) -> ApiReply:
        """Change the ConfigMap."""
        return await self.client.patch(f"{self.maps}/a", {"data": {"key": value}})

    async def test_conflicts(self) -> None:
        """The next writes of a kind conflict, and nothing else does."""
        await self.begin()
        fault = self.server.fail(409, "write", "configmaps", times=2)
        self.good(await self.client.get(f"{self.maps}/a"))
        await self.made(self.daemons, daemon_set("a"))
        for _ in range(2):
            self.refused(
                await self.change("2"), 409, "Conflict", "the object has been modified; please"
            )
        self.assertEqual(self.good(await self.change("3"))["data"], {"key": "3"})
        self.assertEqual(fault.met, 2)

    async def test_which(self) -> None:
        """A fault is about the requests that it names, by verb, object and part of an object."""
        await self.begin()
        path = f"{self.maps}/a"
        await self.made(self.maps, config_map("b"))
        await self.made(self.daemons, daemon_set("a"))
        for code, reason in ((401, "Unauthorized"), (404, "NotFound"), (410, "Expired")):
            fault = self.server.fail(code, "get", "configmaps", name="a", times=float("inf"))
            self.good(await self.client.get(f"{self.maps}/b"))
            self.good(await self.client.get(self.maps))
            self.good(await self.client.get(f"{self.daemons}/a"))
            for _ in range(2):
                self.refused(await self.client.get(path), code, reason)
            fault.end()
            self.good(await self.client.get(path))
        self.server.fail(500, "patch", "daemonsets", subresource="status")
        changes = {"metadata": {"labels": {"a": "b"}}}
        self.good(await self.client.patch(f"{self.daemons}/a", changes))
        reply = await self.client.patch(f"{self.daemons}/a/status", {"status": {}})
        self.refused(reply, 500, "InternalError")

    async def test_overload(self) -> None:
        """429 says when to come back."""
        await self.begin()
        self.server.fail(429, retry_after=7)
        reply = await self.change("2")
        status = self.refused(reply, 429, "TooManyRequests", "asked us to try again later")
        self.assertEqual(reply.headers["retry-after"], "7")
        self.assertEqual(status["details"]["retryAfterSeconds"], 7)

    async def test_errors(self) -> None:
        """Errors of the server itself, until they are ended."""
        await self.begin()
        for code, reason in ((500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")):
            fault = self.server.fail(code, times=float("inf"))
            for _ in range(2):
                self.refused(await self.change("2"), code, reason)
            fault.end()
        self.good(await self.change("2"))

    async def test_forbidden(self) -> None:
        """A verb of a kind is refused, in the words of the authorizer."""
        await self.begin()
        self.server.fail(403, "list", "configmaps")
        status = self.refused(await self.client.get(self.maps), 403, "Forbidden")
        self.assertEqual(
            status["message"],
            'configmaps is forbidden: User "system:admin" cannot list resource "configmaps" in API '
            f'group "" in the namespace "{self.name}"',
        )
        self.good(await self.client.get(self.maps))

    async def test_lost_answer(self) -> None:
        """The request is obeyed, and the client never learns it."""
        await self.begin()
        self.server.fault(ApiFault("patch", lost=True))
        await failure_of(self.change("2"), ConnectionError)
        self.assertEqual(self.server.objects.get("configmaps", "a", self.name)["data"]["key"], "2")
        self.assertEqual([call.code for call in self.server.calls], [0])

    async def test_slow(self) -> None:
        """A slow answer comes after its delay, and is taken from what is there then."""
        await self.begin()
        self.server.fault(ApiFault("get", delay=0.2))
        got = soon(ensureDeferred(self.client.get(f"{self.maps}/a")))
        self.server.objects.patch("configmaps", "a", {"data": {"key": "2"}}, self.name)
        reply = await got
        self.assertEqual(self.good(reply)["data"], {"key": "2"})

    async def test_slow_and_broken(self) -> None:
        """A test's own function that fails after a delay is logged, and answered with 500."""
        await self.begin()

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        self.server.admission.append(broken)
        self.server.fault(ApiFault("patch", delay=0.01))
        reply = await soon(ensureDeferred(self.change("2")))
        self.assertEqual(reply.code, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_restart(self) -> None:
        """A server that is away refuses connections, cuts watches, and comes back as it was."""
        await self.begin()
        watch = await self.watch(self.maps)
        version = (await self.client.get(self.maps)).version
        url = self.server.url
        await self.server.stop()
        await soon(watch.ended)
        await failure_of(self.change("2"), ConnectionError)
        await self.server.start()
        self.assertEqual(self.server.url, url)
        self.good(await self.change("2"))
        watch = await self.watch(self.maps, resourceVersion=version)
        self.assertEqual((await watch.seen(1))[0][0], "MODIFIED")
        await self.server.restart(compact=True)
        await soon(watch.ended)
        watch = await self.watch(self.maps, resourceVersion=version)
        self.assertEqual((await watch.seen(1))[0][0], "ERROR")

    async def test_tokens(self) -> None:
        """With tokens, others are unauthorized, as are those that have expired."""
        await self.begin()
        self.server.tokens = {"secret": "somebody"}
        status = self.refused(await self.change("2"), 401, "Unauthorized")
        self.assertEqual(status["message"], "Unauthorized")
        client = ApiClient(self.server.url, "secret")
        self.good(await client.get(self.maps))
        self.assertEqual(self.server.calls[-1].user, "somebody")
        self.server.tokens.clear()
        self.refused(await client.get(self.maps), 401, "Unauthorized")
        self.refused(await client.get("/version"), 401, "Unauthorized")

    async def test_rights(self) -> None:
        """A function decides who may do what."""
        await self.begin()
        self.server.authorize = lambda call: call.verb != "apply"
        self.good(await self.client.get(self.maps))
        reply = await self.client.apply(f"{self.maps}/b", config_map("b"))
        self.refused(reply, 403, "Forbidden", 'cannot patch resource "configmaps"')

    async def test_admission(self) -> None:
        """Functions change objects, or refuse them."""
        await self.begin()

        def admit(operation: str, kind: Any, new: Object, old: Object | None) -> Object | None:
            if kind.plural != "configmaps" or operation == "DELETE":
                return None
            if new["data"].get("key") == "bad":
                raise ApiRefused(403, "Forbidden", "admission webhook denied the request: bad")
            new["metadata"]["labels"] = {"by": operation}
            return new

        self.server.admission.append(admit)
        self.assertEqual(self.good(await self.change("2"))["metadata"]["labels"], {"by": "UPDATE"})
        self.refused(await self.change("bad"), 403, "Forbidden", "denied the request: bad")

    async def test_record(self) -> None:
        """Calls are recorded and counted; what the test does itself is not."""
        await self.begin()
        self.server.counts.clear()
        await self.client.apply(f"{self.daemons}/a", daemon_set("a"), "me")
        await self.client.patch(f"{self.daemons}/a/status", {"status": {}}, dryRun="All")
        await self.client.get("/api/v1/nodes/none")
        self.server.objects.list("configmaps")
        self.assertEqual(
            [
                (c.verb, c.group, c.kind, c.namespace, c.name, c.subresource, c.manager, c.code)
                for c in self.server.calls
            ],
            [
                ("apply", "apps", "daemonsets", self.name, "a", "", "me", 201),
                ("patch", "apps", "daemonsets", self.name, "a", "status", "tests", 200),
                ("get", "", "nodes", "", "none", "", "tests", 404),
            ],
        )
        self.assertEqual([c.dry_run for c in self.server.calls], [False, True, False])
        self.assertEqual({c.agent for c in self.server.calls}, {"tests/1"})
        self.assertEqual(self.server.counts["apply", "daemonsets"], 1)

    async def test_until(self) -> None:
        """It can be waited for what must become true, and that has an end."""
        await self.begin()
        waiting = self.server.until(lambda: self.server.counts["delete", "configmaps"], 100)
        self.good(await self.client.delete(f"{self.maps}/a"))
        await soon(waiting)
        await failure_of(self.server.until(lambda: False, 0.01), TimeoutError)

    async def test_until_unwatched(self) -> None:
        """A watch that ends is noticed, whether the server or the client ends it."""
        await self.begin()
        for by_client in (True, False):
            watch = await self.watch(self.maps)
            await soon(self.server.until(lambda: self.server.watching, 100))
            unwatched = self.server.until(lambda: not self.server.watching, 100)
            if by_client:
                await watch.close()
            else:
                self.server.end_watches()
            await soon(unwatched)

    async def test_discovery(self) -> None:
        """Clients find versions, groups and health."""
        await self.begin()
        for path, field, expected in (
            ("/version", "gitVersion", "v1.36.0"),
            ("/api", "versions", ["v1"]),
            ("/apis/apps", "name", "apps"),
            ("/apis/apps/v1", "groupVersion", "apps/v1"),
            ("/api/v1", "groupVersion", "v1"),
        ):
            self.assertEqual(self.good(await self.client.get(path))[field], expected)
        for path in ("/apis/none/v1", "/nonsense", "/api/v2"):
            self.refused(await self.client.get(path), 404, "NotFound")
        self.assertEqual((await self.client.get("/readyz")).code, 200)


class ObjectTests(SynchronousTestCase):
    """A server that listens nowhere, in a test's own time."""

    def setUp(self) -> None:
        """A server."""
        self.clock = Clock()
        self.server = ApiServer(reactor=self.clock)
        self.objects = self.server.objects

    def owned(self, name: str, owner: Object, **reference: Any) -> Object:
        """Create a ConfigMap that belongs to an object."""
        obj = config_map(name)
        metadata = owner["metadata"]
        obj["metadata"]["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                **reference,
            }
        ]
        return self.objects.create(obj)

    def test_applied_later(self) -> None:
        """What is applied again later changes nothing, not even the time."""
        made = self.objects.apply(config_map("a", key="1"))
        self.clock.advance(10)
        self.assertEqual(self.objects.apply(config_map("a", key="1")), made)
        new = self.objects.apply(config_map("a", key="2"))
        times = [each["metadata"]["managedFields"][0]["time"] for each in (made, new)]
        self.assertEqual(times, ["1970-01-01T00:00:00Z", "1970-01-01T00:00:10Z"])

    def test_in_process(self) -> None:
        """A client of this process is answered, recorded and troubled without a network."""
        body = json.dumps(config_map("a", key="1")).encode()
        path = "/api/v1/namespaces/default/configmaps"
        made = self.server.answer(Asked("POST", path, body=body))
        assert isinstance(made, Answer)
        self.assertEqual((made.code, json.loads(made.body)["data"]), (201, {"key": "1"}))
        watch = self.server.answer(Asked("GET", path, {"watch": "1"}))
        assert isinstance(watch, Watch)
        lines: list[bytes] = []
        watch.write = lines.append
        watch.begin()
        self.objects.delete("configmaps", "a")
        self.assertEqual([json.loads(each)["type"] for each in lines], ["ADDED", "DELETED"])
        watch.end()
        self.server.fail(503, "list")
        self.server.fault(ApiFault("list", lost=True))
        refused = self.server.answer(Asked("GET", path))
        assert refused is None
        self.assertEqual(
            [(call.verb, call.code) for call in self.server.calls],
            [("create", 201), ("watch", 200), ("list", 0)],
        )

    def test_kinds(self) -> None:
        """Kinds are found by any of their names; unknown ones are refused."""
        self.objects.create(daemon_set("a"))
        for name in ("daemonsets", "DaemonSet", "daemonsets.apps", "DaemonSet.apps"):
            self.assertEqual(self.objects.get(name, "a")["metadata"]["name"], "a")
        self.assertIsNone(self.objects.find("daemonsets", "b"))
        self.assertRaises(ApiRefused, self.objects.get, "daemonsets", "b")
        self.assertRaises(ApiRefused, self.objects.list, "nonsense")
        self.assertRaises(ApiRefused, self.objects.create, {"apiVersion": "v9", "kind": "Node"})

    def test_background(self) -> None:
        """What belonged to a deleted object goes, step by step, when the collector runs."""
        root = self.objects.create(config_map("root"))
        child = self.owned("child", root)
        self.owned("grandchild", child)
        other = self.objects.create(config_map("other"))
        both = self.owned("both", root)
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other"}
        both["metadata"]["ownerReferences"].append({**reference, "uid": other["metadata"]["uid"]})
        self.objects.update(both)
        self.objects.delete("configmaps", "root")
        self.assertIsNotNone(self.objects.find("configmaps", "child"))
        self.assertEqual(self.server.collect_garbage(), 2)
        self.assertEqual(
            [each["metadata"]["name"] for each in self.objects.list("configmaps")],
            ["both", "other"],
        )

    def test_foreground(self) -> None:
        """An owner waits for what blocks its deletion, and that for its finalizers."""
        root = self.objects.create(config_map("root"))
        obj = self.owned("child", root, blockOwnerDeletion=True)
        obj["metadata"]["finalizers"] = ["example.com/kept"]
        self.objects.update(obj)
        self.owned("free", root)
        self.objects.delete("configmaps", "root", propagationPolicy="Foreground")
        self.server.collect_garbage()
        self.assertIsNone(self.objects.find("configmaps", "free"))
        self.assertIsNotNone(self.objects.find("configmaps", "root"))
        self.objects.patch("configmaps", "child", {"metadata": {"finalizers": None}})
        self.server.collect_garbage()
        self.assertEqual(self.objects.list("configmaps"), [])

    def test_orphan(self) -> None:
        """An orphan stays, and belongs to nobody."""
        self.owned("child", self.objects.create(config_map("root")))
        self.objects.delete("configmaps", "root", propagationPolicy="Orphan")
        self.server.collect_garbage()
        [child] = self.objects.list("configmaps")
        self.assertEqual(child["metadata"]["name"], "child")
        self.assertNotIn("ownerReferences", child["metadata"])

    def test_by_itself(self) -> None:
        """With garbage collection on, nobody need ask for it."""
        self.server.garbage = True
        self.owned("child", self.objects.create(config_map("root")))
        gone = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "u"}}
        self.owned("stray", gone)
        self.objects.delete("configmaps", "root")
        self.clock.advance(1)
        self.assertEqual(self.objects.list("configmaps"), [])
        self.owned("stray", gone)
        self.clock.advance(1)
        self.assertEqual(self.objects.list("configmaps"), [])
        self.owned("child", self.objects.create(config_map("root")), blockOwnerDeletion=True)
        self.objects.delete("configmaps", "root", propagationPolicy="Foreground")
        self.clock.advance(1)
        self.assertEqual(self.objects.list("configmaps"), [])

    def test_namespace(self) -> None:
        """A namespace goes with what is in it, and with nothing else."""
        for name in ("n", "m"):
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.objects.create(space)
            obj = config_map("a")
            obj["metadata"]["namespace"] = name
            self.objects.create(obj)
        self.objects.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        self.objects.delete("namespaces", "n")
        self.assertIsNotNone(self.objects.find("configmaps", "a", "n"))
        self.server.collect_garbage()
        self.assertIsNone(self.objects.find("namespaces", "n"))
        [left] = self.objects.list("configmaps")
        self.assertEqual(left["metadata"]["namespace"], "m")
        self.assertIsNotNone(self.objects.find("nodes", "n"))

    def test_kubeconfig(self) -> None:
        """A client's configuration names the server and the token."""
        self.assertIn("token: secret", self.server.kubeconfig("secret"))
        self.assertIn("server: http://127.0.0.1:", self.server.kubeconfig())

    def test_history_is_bounded(self) -> None:
        """Old changes are forgotten by themselves."""
        self.patch(store, "KEPT", 20)
        made = self.objects.create(config_map("a", key=""))
        for number in range(100):
            self.objects.patch("configmaps", "a", {"data": {"key": str(number)}})
        shelf = self.server._api.store.shelf(self.server._api.registry.named("configmaps"))
        self.assertLessEqual(len(shelf.history), 20)
        self.assertGreater(shelf.compacted, int(made["metadata"]["resourceVersion"]))


class ClusterTests(SynchronousTestCase):
    """What nodes and controllers do is played."""

    def setUp(self) -> None:
        """Two nodes, and a DaemonSet with a pod on each."""
        self.server = ApiServer(reactor=Clock())
        self.objects, self.cluster = self.server.objects, self.server.cluster
        self.objects.create(daemon_set("a"))
        self.pods = []
        for name in ("one", "two"):
            self.cluster.add_node(name, {"example.com/x": (4, 3)}, {"pool": name})
            pod = self.cluster.add_pod("a", "default", name)
            self.pods.append(pod["metadata"]["name"])

    def test_nodes(self) -> None:
        """Nodes report their devices."""
        self.cluster.set_devices("one", {"example.com/y": (1, 0)})
        status = self.objects.get("nodes", "one")["status"]
        self.assertEqual(status["capacity"], {"example.com/x": "4", "example.com/y": "1"})
        self.assertEqual(status["allocatable"], {"example.com/x": "3", "example.com/y": "0"})
        self.assertEqual(status["conditions"], [{"type": "Ready", "status": "True"}])
        [node] = self.objects.list("nodes", labels="pool=two")
        self.assertEqual(node["metadata"]["name"], "two")

    def test_daemon_set(self) -> None:
        """A DaemonSet counts its pods."""
        new = self.cluster.set_daemon_set("a", "default", ["one", "two"], ready=["one"], updated=[])
        self.assertEqual(
            {key: new["status"][key] for key in new["status"] if new["status"][key]},
            {
                "observedGeneration": 1,
                "desiredNumberScheduled": 2,
                "currentNumberScheduled": 2,
                "numberReady": 1,
                "numberAvailable": 1,
                "numberUnavailable": 1,
            },
        )

    def test_pods(self) -> None:
        """Pods run as the template has it, wait, and end."""
        [pod] = self.objects.list("pods", "default", "app=a", "spec.nodeName=one")
        self.assertEqual(pod["spec"]["containers"][0]["image"], "example.com/plugin:1")
        self.assertEqual(pod["status"]["phase"], "Running")
        self.assertTrue(pod["status"]["containerStatuses"][0]["ready"])
        pod = self.cluster.set_pod(self.pods[0], "default", waiting="ImagePullBackOff", message="x")
        self.assertEqual(
            pod["status"]["containerStatuses"][0]["state"],
            {"waiting": {"reason": "ImagePullBackOff", "message": "x"}},
        )
        self.assertEqual(pod["status"]["conditions"], [{"type": "Ready", "status": "False"}])
        self.objects.delete("daemonsets", "a")
        self.server.collect_garbage()
        marked = self.objects.list("pods")
        self.assertEqual(len([p for p in marked if "deletionTimestamp" in p["metadata"]]), 2)
        for name in self.pods:
            self.cluster.end_pod(name, "default")
        self.assertEqual(self.objects.list("pods"), [])
