"""Deletion, finalizers and owners: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map, daemon_set

Object = dict[str, Any]


class DeleteContract(ApiContract):
    """What every API server does with what is deleted."""

    async def test_delete(self) -> None:
        """What nothing keeps is gone at once."""
        await self.ready()
        made = await self.made(self.daemons, daemon_set("a"))
        status = self.good(await self.client.delete(f"{self.daemons}/a"))
        self.assertEqual(
            status,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {
                    "name": "a",
                    "group": "apps",
                    "kind": "daemonsets",
                    "uid": made["metadata"]["uid"],
                },
            },
        )
        self.refused(await self.client.get(f"{self.daemons}/a"), 404, "NotFound")
        self.refused(await self.client.delete(f"{self.daemons}/a"), 404, "NotFound")

    async def test_preconditions(self) -> None:
        """The deletion may be of an object with a uid, or of a version."""
        await self.ready()
        made = await self.made(self.maps, config_map("a"))
        uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
        for wanted, text in (
            (
                {"uid": "x"},
                f"the UID in the precondition (x) does not match the UID in record ({uid}",
            ),
            (
                {"resourceVersion": "1"},
                "the ResourceVersion in the precondition (1) does not match",
            ),
        ):
            reply = await self.client.delete(f"{self.maps}/a", {"preconditions": wanted})
            self.refused(reply, 409, "Conflict", 'cannot be fulfilled on ConfigMap "a"', text)
        wanted = {"uid": uid, "resourceVersion": version}
        self.good(await self.client.delete(f"{self.maps}/a", {"preconditions": wanted}))

    async def test_finalizers(self) -> None:
        """A finalizer keeps an object, marked as deleted, until it is taken away."""
        await self.ready()
        path = f"{self.daemons}/a"
        finalizers = ["example.com/one", "example.com/two"]
        made = await self.made(self.daemons, daemon_set("a", finalizers=finalizers))
        watch = await self.watch(self.daemons, resourceVersion=made["metadata"]["resourceVersion"])
        marked = self.good(await self.client.delete(path))
        metadata = marked["metadata"]
        self.assertEqual(marked["kind"], "DaemonSet")
        self.assertRegex(metadata["deletionTimestamp"], r"^\d{4}-.*Z$")
        self.assertEqual((metadata["deletionGracePeriodSeconds"], metadata["generation"]), (0, 2))
        again = self.good(await self.client.delete(path))
        self.assertEqual(again["metadata"], metadata)
        # It can still be changed, but gets no further finalizers.
        self.good(await self.client.patch(path, {"metadata": {"labels": {"a": "b"}}}))
        more = {"metadata": {"finalizers": [*finalizers, "example.com/three"]}}
        self.refused(
            await self.client.patch(path, more),
            422,
            "Invalid",
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            'deleted, found new finalizers []string{"example.com/three"}',
        )
        self.refused(await self.client.create(self.daemons, daemon_set("a")), 409, "AlreadyExists")
        fewer = {"metadata": {"finalizers": ["example.com/two"]}}
        self.good(await self.client.patch(path, fewer))
        last = self.good(await self.client.patch(path, {"metadata": {"finalizers": None}}))
        self.assertEqual(last["metadata"]["name"], "a")
        self.refused(await self.client.get(path), 404, "NotFound")
        events = await watch.seen(4)
        self.assertEqual([event for event, _ in events], [*["MODIFIED"] * 3, "DELETED"])

    async def test_propagation(self) -> None:
        """Foreground and orphan deletion wait for the garbage collector."""
        await self.ready()
        for policy, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
            path = f"{self.daemons}/{policy.lower()}"
            await self.made(self.daemons, daemon_set(policy.lower()))
            marked = self.good(await self.client.delete(path, {"propagationPolicy": policy}))
            self.assertEqual(marked["metadata"]["finalizers"], [finalizer])
            self.assertIn("deletionTimestamp", marked["metadata"])
            self.good(await self.client.patch(path, {"metadata": {"finalizers": None}}))
            self.refused(await self.client.get(path), 404, "NotFound")
        await self.made(self.daemons, daemon_set("a"))
        path = f"{self.daemons}/a"
        done = self.good(await self.client.delete(path, propagationPolicy="Background"))
        self.assertEqual(done["status"], "Success")

    async def test_another_propagation(self) -> None:
        """The last of two deletions says in which way it goes; others than three there are not."""
        await self.ready()
        path = f"{self.daemons}/a"
        await self.made(self.daemons, daemon_set("a", finalizers=["example.com/one"]))
        for policy, wanted in (
            ("Foreground", ["example.com/one", "foregroundDeletion"]),
            ("Orphan", ["example.com/one", "orphan"]),
            ("Background", ["example.com/one"]),
        ):
            marked = self.good(await self.client.delete(path, {"propagationPolicy": policy}))
            self.assertEqual(marked["metadata"]["finalizers"], wanted)
        reply = await self.client.delete(path, {"propagationPolicy": "Sometime"})
        self.assertGreaterEqual(reply.code, 400)
        self.good(await self.client.patch(path, {"metadata": {"finalizers": None}}))

    async def test_pods(self) -> None:
        """A pod on a node has time to end; one on none, or without a grace, is gone at once."""
        await self.ready()
        pods = f"/api/v1/namespaces/{self.name}/pods"

        def pod(name: str, **spec: Any) -> Object:
            containers = [{"name": "c", "image": "i"}]
            return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}

        await self.made(pods, pod("waiting"))
        gone = self.good(await self.client.delete(f"{pods}/waiting"))
        self.assertEqual(gone["kind"], "Pod")
        self.refused(await self.client.get(f"{pods}/waiting"), 404, "NotFound")
        await self.made(pods, pod("on", nodeName="n"))
        self.good(await self.client.delete(f"{pods}/on"))
        marked = self.good(await self.client.get(f"{pods}/on"))
        self.assertEqual(marked["metadata"]["deletionGracePeriodSeconds"], 30)
        for asked, wanted in ((10, 10), (20, 10)):
            await self.client.delete(f"{pods}/on", {"gracePeriodSeconds": asked})
            marked = self.good(await self.client.get(f"{pods}/on"))
            self.assertEqual(marked["metadata"]["deletionGracePeriodSeconds"], wanted)
        self.good(await self.client.delete(f"{pods}/on", {"gracePeriodSeconds": 0}))
        self.refused(await self.client.get(f"{pods}/on"), 404, "NotFound")
        await self.made(pods, pod("ended", nodeName="n"))
        ended = {"status": {"phase": "Succeeded"}}
        self.good(await self.client.patch(f"{pods}/ended/status", ended))
        self.good(await self.client.delete(f"{pods}/ended"))
        self.refused(await self.client.get(f"{pods}/ended"), 404, "NotFound")

    async def test_namespace(self) -> None:
        """A deleted namespace takes no new objects, and waits for its controller."""
        await self.ready()
        path = f"/api/v1/namespaces/{self.name}"
        marked = self.good(await self.client.delete(path))
        self.assertEqual(marked["status"]["phase"], "Terminating")
        self.assertEqual(marked["spec"]["finalizers"], ["kubernetes"])
        reply = await self.client.create(self.maps, config_map("a"))
        self.refused(reply, 403, "Forbidden", "because it is being terminated")


class FakeDeleteTests(OnFake, DeleteContract, TestCase):
    """The contract, tested on the fake server."""


class RealDeleteTests(OnReal, DeleteContract, TestCase):
    """The contract, tested on a real server."""
