"""Lists with selectors, in pages and at versions: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map, daemon_set

Object = dict[str, Any]


def names(reply: Any) -> list[str]:
    """The names of a list's objects."""
    return [each["metadata"]["name"] for each in reply.body["items"]]


class ListContract(ApiContract):
    """What every API server lists."""

    async def some(self) -> None:
        """Make ConfigMaps a to d with labels."""
        await self.ready()
        for name, labels in (
            ("a", {"app": "x", "tier": "1"}),
            ("b", {"app": "x", "tier": "2"}),
            ("c", {"app": "y"}),
            ("d", {}),
        ):
            obj = config_map(name)
            obj["metadata"]["labels"] = labels
            await self.made(self.maps, obj)

    async def test_list(self) -> None:
        """A list is ordered, has a version, and its items say not what kind they are of."""
        await self.some()
        reply = await self.client.get(self.maps)
        self.assertEqual((reply.body["kind"], reply.body["apiVersion"]), ("ConfigMapList", "v1"))
        self.assertEqual(names(reply), ["a", "b", "c", "d"])
        self.assertGreaterEqual(
            int(reply.version), int(reply.body["items"][-1]["metadata"]["resourceVersion"])
        )
        self.assertFalse({"kind", "apiVersion"} & set(reply.body["items"][0]))
        self.assertNotIn("continue", reply.body["metadata"])
        empty = await self.client.get(self.daemons)
        self.assertEqual(empty.body["items"], [])

    async def test_label_selectors(self) -> None:
        """Labels select by value, by sets of values and by being there."""
        await self.some()
        for selector, expected in (
            ("app=x", "ab"),
            ("app==x", "ab"),
            ("app!=x", "cd"),
            ("app=x,tier=2", "b"),
            ("app in (x,y)", "abc"),
            ("app in (x, z),tier", "ab"),
            ("app in (y)", "c"),
            ("app in (z)", ""),
            ("app notin (x)", "cd"),
            ("tier", "ab"),
            ("!tier", "cd"),
            ("app,!tier", "c"),
            ("app=", ""),
        ):
            reply = await self.client.get(self.maps, labelSelector=selector)
            self.assertEqual("".join(names(reply)), expected, selector)
        reply = await self.client.get(self.maps, labelSelector="a(b")
        self.refused(reply, 400, "BadRequest", "unable to parse requirement")

    async def test_namespaces(self) -> None:
        """A list is of one namespace, or of all."""
        await self.some()
        other = f"/api/v1/namespaces/{self.name}-2"
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{self.name}-2"}}
        await self.made("/api/v1/namespaces", space)
        await self.made(f"{other}/configmaps", config_map("e"))
        for path, expected in ((self.maps, "abcd"), (f"{other}/configmaps", "e")):
            self.assertEqual("".join(names(await self.client.get(path))), expected)
        everywhere = names(await self.client.get("/api/v1/configmaps"))
        self.assertLessEqual({*"abcde"}, {*everywhere})
        self.good(await self.client.delete(other))

    async def test_full_page(self) -> None:
        """A page with all that there is is the last one."""
        await self.some()
        reply = await self.client.get(self.maps, limit=4)
        self.assertEqual(names(reply), ["a", "b", "c", "d"])
        self.assertFalse(reply.body["metadata"].get("continue"))

    async def test_field_selectors(self) -> None:
        """Fields select by value; a field that is none of the kind's is refused."""
        await self.some()
        for selector, expected in (
            ("metadata.name=b", "b"),
            ("metadata.name!=b", "acd"),
            (f"metadata.namespace={self.name},metadata.name=c", "c"),
            ("metadata.namespace=other", ""),
        ):
            reply = await self.client.get(self.maps, fieldSelector=selector)
            self.assertEqual("".join(names(reply)), expected, selector)
        reply = await self.client.get(
            "/api/v1/configmaps", fieldSelector=f"metadata.namespace={self.name}"
        )
        self.assertEqual("".join(names(reply)), "abcd")
        reply = await self.client.get(self.maps, fieldSelector="data.key=1")
        self.refused(reply, 400, "BadRequest", "data.key")
        reply = await self.client.get("/api/v1/nodes", fieldSelector="spec.x=1")
        self.refused(reply, 400, "BadRequest", "field label not supported: spec.x")

    async def test_fields_of_kinds(self) -> None:
        """Pods are selected by their node, slices by node and driver, nodes by being closed."""
        await self.ready()
        pods = f"/api/v1/namespaces/{self.name}/pods"
        for node in ("one", "two"):
            spec: Object = {"containers": [{"name": "c", "image": "i"}], "nodeName": node}
            await self.made(pods, {"metadata": {"name": node}, "spec": spec})
        reply = await self.client.get(pods, fieldSelector="spec.nodeName=two")
        self.assertEqual(names(reply), ["two"])
        reply = await self.client.get(pods, fieldSelector="status.phase=Pending")
        self.assertEqual(names(reply), ["one", "two"])
        slices = "/apis/resource.k8s.io/v1/resourceslices"
        driver = f"{self.name}.example.com"
        for node in ("one", "two"):
            pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
            await self.made(
                slices,
                {
                    "metadata": {"name": f"{self.name}-{node}"},
                    "spec": {"driver": driver, "nodeName": node, "pool": pool},
                },
            )
        reply = await self.client.get(slices, fieldSelector=f"spec.driver={driver}")
        self.assertEqual(names(reply), [f"{self.name}-one", f"{self.name}-two"])
        selector = f"spec.driver={driver},spec.nodeName=two"
        reply = await self.client.get(slices, fieldSelector=selector)
        self.assertEqual(names(reply), [f"{self.name}-two"])
        reply = await self.client.delete(slices, fieldSelector=selector)
        self.assertEqual(names(reply), [f"{self.name}-two"])
        reply = await self.client.get(slices, fieldSelector=f"spec.driver={driver}")
        self.assertEqual(names(reply), [f"{self.name}-one"])

    async def test_pages(self) -> None:
        """A list comes in pages, all of the same version, whatever happens in between."""
        await self.some()
        first = await self.client.get(self.maps, limit=2)
        self.assertEqual(names(first), ["a", "b"])
        self.assertEqual(first.body["metadata"]["remainingItemCount"], 2)
        await self.made(self.maps, config_map("e"))
        self.good(await self.client.delete(f"{self.maps}/c"))
        token = first.body["metadata"]["continue"]
        second = await self.client.get(self.maps, **{"limit": 1, "continue": token})
        self.assertEqual(names(second), ["c"])
        self.assertEqual(second.version, first.version)
        token = second.body["metadata"]["continue"]
        last = await self.client.get(self.maps, **{"continue": token})
        self.assertEqual(names(last), ["d"])
        self.assertNotIn("continue", last.body["metadata"])
        self.assertEqual(names(await self.client.get(self.maps)), ["a", "b", "d", "e"])
        chosen = await self.client.get(self.maps, limit=1, labelSelector="app=x")
        self.assertNotIn("remainingItemCount", chosen.body["metadata"])
        self.assertIn("continue", chosen.body["metadata"])
        reply = await self.client.get(self.maps, **{"continue": "nonsense"})
        self.refused(reply, 400, "BadRequest")

    async def test_versions(self) -> None:
        """A list may be of a version, or not older than one; one of the future is refused."""
        await self.some()
        before = await self.client.get(self.maps)
        self.good(await self.client.delete(f"{self.maps}/a"))
        exact = {"resourceVersion": before.version, "resourceVersionMatch": "Exact"}
        reply = await self.client.get(self.maps, **exact)
        self.assertEqual((names(reply), reply.version), (["a", "b", "c", "d"], before.version))
        now = await self.client.get(self.maps)
        newer = {"resourceVersion": now.version, "resourceVersionMatch": "NotOlderThan"}
        self.assertEqual(names(await self.client.get(self.maps, **newer)), ["b", "c", "d"])
        newer["resourceVersion"] = str(int(now.version) + 1_000_000)
        reply = await self.client.get(self.maps, **newer)
        status = self.refused(reply, 504, "Timeout", "Too large resource version")
        self.assertEqual(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge")

    async def test_delete_collection(self) -> None:
        """What is selected is deleted, and returned."""
        await self.some()
        reply = await self.client.delete(self.maps, labelSelector="app=x")
        self.assertEqual((reply.body["kind"], names(reply)), ("ConfigMapList", ["a", "b"]))
        self.assertEqual(names(await self.client.get(self.maps)), ["c", "d"])
        self.good(await self.client.delete(self.maps))
        self.assertEqual(names(await self.client.get(self.maps)), [])

    async def test_all_namespaces(self) -> None:
        """A list of all namespaces is only read."""
        await self.some()
        self.assertLessEqual(
            {"a", "b", "c", "d"}, set(names(await self.client.get("/api/v1/configmaps")))
        )
        await self.made(self.daemons, daemon_set("a"))
        for reply in (
            await self.client.create("/api/v1/configmaps", config_map("x")),
            await self.client.update("/api/v1/nodes", config_map("x")),
        ):
            self.refused(reply, 405, "MethodNotAllowed")


class FakeListTests(OnFake, ListContract, TestCase):
    """The contract, tested on the fake server, and what no test can make a real one do."""

    async def test_compacted(self) -> None:
        """Pages and versions of a list that are compacted are gone; one can go on with the rest."""
        await self.some()
        first = await self.client.get(self.maps, limit=2)
        await self.made(self.maps, config_map("e"))
        self.server.compact()
        token = first.body["metadata"]["continue"]
        reply = await self.client.get(self.maps, **{"limit": 1, "continue": token})
        status = self.refused(
            reply, 410, "Expired", "The provided continue parameter is too old to display a"
        )
        rest = await self.client.get(self.maps, **{"continue": status["metadata"]["continue"]})
        self.assertEqual(names(rest), ["c", "d", "e"])
        exact = {"resourceVersion": first.version, "resourceVersionMatch": "Exact"}
        for path in (self.maps, "/api/v1/nodes"):
            reply = await self.client.get(path, **exact)
            self.refused(reply, 410, "Expired", "resourceVersion for the provided list is too old")


class RealListTests(OnReal, ListContract, TestCase):
    """The contract, tested on a real server."""
