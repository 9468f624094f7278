"""Watches: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apiclient import ApiClient
from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map
from tests.support.helpers import PATIENCE, soon
from twistdp.operator.shell import QUIET
from twistdp.testing.apiserver import ApiServer
from twistdp.testing.apiserver.server import BOOKMARKS

Object = dict[str, Any]


def told(events: list[tuple[str, Object]]) -> list[tuple[str, str]]:
    """Each event's type and its object's name."""
    return [(event, obj["metadata"]["name"]) for event, obj in events]


class WatchContract(ApiContract):
    """What every API server says about changes."""

    async def test_since(self) -> None:
        """A watch begins after the version that it is given, and goes on."""
        await self.ready()
        await self.made(self.maps, config_map("before"))
        version = (await self.client.get(self.maps)).version
        await self.made(self.maps, config_map("a", key="1"))
        watch = await self.watch(self.maps, resourceVersion=version)
        self.assertEqual(watch.code, 200)
        new = self.good(await self.client.patch(f"{self.maps}/a", {"data": {"key": "2"}}))
        await self.client.delete(f"{self.maps}/a")
        events = await watch.seen(3)
        self.assertEqual(told(events), [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
        self.assertEqual(events[1][1], new)
        self.assertEqual((events[0][1]["kind"], events[0][1]["apiVersion"]), ("ConfigMap", "v1"))
        last = events[2][1]
        self.assertEqual(last["data"], {"key": "2"})
        versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
        self.assertEqual(versions, sorted(set(versions)))
        again = await self.watch(self.maps, resourceVersion=str(versions[1]))
        self.assertEqual(told(await again.seen(1)), [("DELETED", "a")])

    async def test_from_nothing(self) -> None:
        """Without a version, what is there comes first."""
        await self.ready()
        for name in "ba":
            await self.made(self.maps, config_map(name))
        for query in ({}, {"resourceVersion": "0"}):
            watch = await self.watch(self.maps, **query)
            self.assertEqual(sorted(told(await watch.seen(2))), [("ADDED", "a"), ("ADDED", "b")])

    async def test_selected(self) -> None:
        """An object that begins or ceases to match is added or deleted."""
        await self.ready()
        version = (await self.client.get(self.maps)).version
        watch = await self.watch(self.maps, resourceVersion=version, labelSelector="on=yes")
        one = await self.watch(
            self.maps, resourceVersion=version, fieldSelector="metadata.name=other"
        )
        await self.made(self.maps, config_map("a", key="1"))
        for labels in ({"on": "yes"}, {"more": "1"}, {"on": "no"}, {"on": "yes"}):
            last = self.good(
                await self.client.patch(f"{self.maps}/a", {"metadata": {"labels": labels}})
            )
        await self.made(self.maps, config_map("other"))
        events = await watch.seen(4)
        self.assertEqual([event for event, _ in events], ["ADDED", "MODIFIED", "DELETED", "ADDED"])
        left = events[2][1]["metadata"]
        self.assertEqual(left["labels"], {"on": "yes", "more": "1"})
        self.assertLess(
            int(events[1][1]["metadata"]["resourceVersion"]), int(left["resourceVersion"])
        )
        self.assertLess(int(left["resourceVersion"]), int(last["metadata"]["resourceVersion"]))
        self.assertEqual(told(await one.seen(1)), [("ADDED", "other")])

    async def test_all_namespaces(self) -> None:
        """A watch may be of all namespaces, or of one object."""
        await self.ready()
        version = (await self.client.get(self.maps)).version
        everywhere = await self.watch(
            "/api/v1/configmaps",
            resourceVersion=version,
            fieldSelector=f"metadata.namespace={self.name}",
        )
        await self.made(self.maps, config_map("a"))
        self.assertEqual(told(await everywhere.seen(1)), [("ADDED", "a")])

    async def test_initial_events(self) -> None:
        """With sendInitialEvents a bookmark marks the end of what was there."""
        await self.ready()
        await self.made(self.maps, config_map("a"))
        query = {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
        }
        watch = await self.watch(self.maps, **query)
        (added, _), (mark, obj) = await watch.seen(2)
        self.assertEqual((added, mark, obj["kind"]), ("ADDED", "BOOKMARK", "ConfigMap"))
        self.assertEqual(obj["metadata"]["annotations"], {"k8s.io/initial-events-end": "true"})
        self.assertGreater(int(obj["metadata"]["resourceVersion"]), 0)
        await self.made(self.maps, config_map("b"))
        self.assertEqual(told((await watch.seen(3))[2:]), [("ADDED", "b")])

    async def test_timeout(self) -> None:
        """A watch lasts as long as the client wants, and then ends well."""
        await self.ready()
        await self.made(self.maps, config_map("a"))
        watch = await self.watch(self.maps, timeoutSeconds="1")
        await soon(watch.ended)
        self.assertEqual(told(await watch.seen(1)), [("ADDED", "a")])


class FakeWatchTests(OnFake, WatchContract, TestCase):
    """The contract, tested on the fake server, and what can only be brought about there."""

    async def test_compacted(self) -> None:
        """A version that is compacted is gone, as an event says."""
        await self.ready()
        await self.made(self.maps, config_map("a"))
        version = (await self.client.get(self.maps)).version
        await self.made(self.maps, config_map("b"))
        self.server.compact()
        watch = await self.watch(self.maps, resourceVersion=version)
        [(event, status)] = await watch.seen(1)
        self.assertEqual((event, status["code"], status["reason"]), ("ERROR", 410, "Expired"))
        await soon(watch.ended)
        now = (await self.client.get(self.maps)).version
        watch = await self.watch(self.maps, resourceVersion=now)
        await self.made(self.maps, config_map("c"))
        self.assertEqual(told(await watch.seen(1)), [("ADDED", "c")])

    async def test_gone(self) -> None:
        """A watch may be refused with the status 410, too."""
        await self.ready()
        self.server.fail(410, "watch", "configmaps")
        reply = await self.client.get(self.maps, watch="1", resourceVersion="1")
        self.refused(reply, 410, "Expired")

    async def test_expire(self) -> None:
        """An open watch gets the error on command."""
        await self.ready()
        watch = await self.watch(self.maps, resourceVersion="1")
        other = await self.watch("/api/v1/nodes", resourceVersion="1")
        await self.server.until(lambda: self.server.watching == ["configmaps", "nodes"], PATIENCE)
        self.server.expire_watches("configmaps")
        [(event, status)] = await watch.seen(1)
        self.assertEqual((event, status["code"]), ("ERROR", 410))
        await soon(watch.ended)
        self.assertFalse(other.ended.called)

    async def test_cut(self) -> None:
        """A watch may be cut in the middle, or ended."""
        await self.ready()
        for end in (self.server.cut_watches, self.server.end_watches):
            watch = await self.watch(self.maps, resourceVersion=str(self.server.revision))
            await self.made(self.maps, {"metadata": {"generateName": "a-"}})
            await watch.seen(1)
            end()
            await soon(watch.ended)
            self.assertEqual(self.server.watching, [])

    async def test_bookmarks(self) -> None:
        """Those that want bookmarks get them, and one when their time is over."""
        await self.ready()
        version = str(self.server.revision)
        watch = await self.watch(self.maps, resourceVersion=version, allowWatchBookmarks="true")
        other = await self.watch(self.maps, resourceVersion=version)
        self.server.objects.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        self.server.bookmark()
        await self.made(self.maps, config_map("a"))
        (event, obj), _ = await watch.seen(2)
        self.assertEqual(event, "BOOKMARK")
        self.assertGreater(int(obj["metadata"]["resourceVersion"]), int(version))
        self.assertEqual(told(await other.seen(1)), [("ADDED", "a")])

    async def test_periodic_bookmarks(self) -> None:
        """They get them again and again by themselves, and after a restart too."""
        self.server = ApiServer(bookmarks=0.05)
        await self.server.start()
        self.addCleanup(self.server.stop)
        self.client = ApiClient(self.server.url)
        path = "/api/v1/nodes"
        for _ in range(2):
            watch = await self.watch(path, allowWatchBookmarks="true")
            events = await watch.seen(3)
            self.assertEqual([event for event, _ in events], ["BOOKMARK"] * 3)
            self.assertEqual(events[0][1]["metadata"]["resourceVersion"], f"{self.server.revision}")
            await self.server.restart()

    async def test_no_bookmarks(self) -> None:
        """Others get none."""
        self.server = ApiServer(bookmarks=0.05)
        await self.server.start()
        self.addCleanup(self.server.stop)
        self.client = ApiClient(self.server.url)
        path = "/api/v1/nodes"
        other = await self.watch(path)
        watch = await self.watch(path, allowWatchBookmarks="true")
        await watch.seen(3)
        self.assertEqual(other.events.calls, [])

    def test_like_a_real_one(self) -> None:
        """By default they come as often as those of a real server: clients count on that."""
        self.assertLess(BOOKMARKS, QUIET)


class RealWatchTests(OnReal, WatchContract, TestCase):
    """The contract, tested on a real server."""
