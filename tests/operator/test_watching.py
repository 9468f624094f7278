"""The watches, by kopf, against the fake API server."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.operator.served import (
    DEVICE_PLUGINS,
    NAMESPACE,
    POD_MONITORS,
    Recorder,
    api_server,
    client_of,
    config_map,
    plugin,
)
from tests.support.helpers import failure_of, until
from tests.support.logs import observe
from twistdp.operator import shell as shell_module
from twistdp.operator import watching as watching_module
from twistdp.operator.api import ApiError
from twistdp.operator.asked import Asked
from twistdp.operator.credentials import Token
from twistdp.operator.discovery import offered
from twistdp.operator.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    DEVICE_PLUGIN,
    NODE,
    POD,
    POD_MONITOR,
    SERVICE_ACCOUNT,
    Kind,
)
from twistdp.operator.shell import PAGE
from twistdp.operator.watching import Watching

KINDS = (DEVICE_PLUGIN, DAEMON_SET, CONFIG_MAP, SERVICE_ACCOUNT, POD, NODE)
PLURALS = {kind.plural for kind in KINDS}


class WatchingTests(TestCase):
    """What an observer sees, and what kopf asks for."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial takes coroutines
        """Start a server."""
        self.server = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)
        self.offers: list[list[Kind]] = []
        self.recorder = Recorder()
        self.looks = 0

    def seen(self, asked: Asked, _status: int, _reason: str) -> None:
        """Count the answers about which kinds there are."""
        self.looks += not asked.resource

    async def watch(self, token: Token | None = None) -> Watching:
        """Watch until the end of the test."""
        client = client_of(self.server, token, seen=self.seen)
        self.addCleanup(client.close)
        watching = Watching(
            client,
            self.recorder,
            NAMESPACE,
            KINDS,
            lambda kinds: self.offers.append(list(kinds)),
            reactor,
        )
        watching.startService()
        self.addCleanup(watching.stopService)
        return watching

    async def test_lists(self) -> None:
        """It sees what there is, and when each list is complete."""
        self.server.objects.create(plugin("gpus"))
        self.server.objects.create(config_map("files"))
        self.server.objects.create(config_map("elsewhere", "default"))
        await self.watch()
        await self.recorder.until(lambda: set(self.recorder.lists) == PLURALS)
        self.assertIn(("deviceplugins", None, "gpus"), self.recorder.seen)
        self.assertIn(("configmaps", None, "files"), self.recorder.seen)
        self.assertNotIn(("configmaps", None, "elsewhere"), self.recorder.seen)
        self.assertEqual(self.offers, [[]])

    async def test_changes(self) -> None:
        """It sees changes, each once."""
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.server.objects.create(plugin("gpus"))
        await self.recorder.until(lambda: self.recorder.seen)
        self.server.objects.patch("deviceplugins", "gpus", {"spec": {"logLevel": 4}})
        await self.recorder.until(lambda: len(self.recorder.seen) == 2)
        self.server.objects.delete("deviceplugins", "gpus")
        await self.recorder.until(lambda: len(self.recorder.seen) == 3)
        self.assertEqual(
            self.recorder.seen,
            [("deviceplugins", change, "gpus") for change in ("ADDED", "MODIFIED", "DELETED")],
        )

    async def test_silent(self) -> None:
        """A watch without any event for a time is begun again: its connection may be dead."""
        self.patch(shell_module, "QUIET", 0.2)
        await self.watch()
        await self.server.until(lambda: self.server.counts["watch", "nodes"] > 2)
        self.assertEqual(set(self.recorder.lists), PLURALS)

    async def test_refused_look(self) -> None:
        """Kinds that the API server does not list now are not taken for kinds that it lacks."""

        class Refusing:
            """A client of a server that has trouble."""

            async def document(self, _: str) -> Any:
                """Refuse."""
                raise ApiError(500, "InternalError", "")

        refusing: Any = Refusing()
        await failure_of(Deferred.fromCoroutine(offered(refusing, [POD_MONITOR])), ApiError)

    async def test_requests(self) -> None:
        """Kopf lists and watches the kinds that it is given, and writes nothing.

        An object that another operator on kopf holds back by kopf's usual finalizer keeps it.
        """
        held = config_map("held")
        held["metadata"]["finalizers"] = ["kopf.zalando.org/KopfFinalizerMarker"]
        self.server.objects.create(held)
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        for count in (1, 2):  # kopf has done with the first change when it shows the second one
            data = {"data": {"a": str(count)}}
            self.server.objects.patch("configmaps", "held", data, namespace=NAMESPACE)
            seen = ("configmaps", "MODIFIED", "held")
            await self.recorder.until(lambda: self.recorder.seen.count(seen) == count)  # noqa: B023
        self.assertEqual(
            {(call.verb, call.kind) for call in self.server.calls if call.agent},
            {(verb, plural) for verb in ("list", "watch") for plural in PLURALS},
        )
        found = self.server.objects.get("configmaps", "held", NAMESPACE)
        self.assertEqual(found["metadata"]["finalizers"], held["metadata"]["finalizers"])

    async def test_cut(self) -> None:
        """After a cut the watches go on where they were, without a list."""
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.server.cut_watches()
        self.server.objects.create(plugin("gpus"))
        await self.recorder.until(lambda: ("deviceplugins", "ADDED", "gpus") in self.recorder.seen)
        self.assertEqual(len(self.recorder.lists), len(KINDS))

    async def test_too_old(self) -> None:
        """After 410 Gone there is a list, which lacks what is gone."""
        self.server.objects.create(plugin("gone"))
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.recorder.seen.clear()
        self.recorder.lists.clear()
        await self.server.stop()
        self.server.objects.delete("deviceplugins", "gone")
        self.server.objects.create(plugin("new"))
        self.server.compact()
        await self.server.start()
        await self.recorder.until(lambda: "deviceplugins" in self.recorder.lists)
        self.assertEqual(
            [each for each in self.recorder.seen if each[0] == "deviceplugins"],
            [("deviceplugins", None, "new")],
        )

    async def test_no_definition(self) -> None:
        """Before the kind is defined nothing is watched, and the log has the remedy once."""
        log: list[str] = []
        observe(self, lambda event: log.append(str(event.get("err"))))
        self.server.objects.delete("customresourcedefinitions", "deviceplugins.twistdp.io")
        await self.watch()
        await until(lambda: any("twistdp crds" in line for line in log))
        self.server.objects.create(DEVICE_PLUGINS)
        await self.recorder.until(lambda: set(self.recorder.lists) == PLURALS)
        self.assertEqual(len([line for line in log if "twistdp crds" in line]), 1)

    async def test_definition_that_comes_back(self) -> None:
        """The kind is removed while it is watched, and is watched again once it is back."""
        self.server.objects.create(plugin("gpus"))
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.server.objects.delete("customresourcedefinitions", "deviceplugins.twistdp.io")
        await self.recorder.until(
            lambda: ("deviceplugins", "DELETED", "gpus") in self.recorder.seen
        )
        self.server.objects.create(DEVICE_PLUGINS)
        self.server.objects.create(plugin("new"))
        await self.recorder.until(lambda: any(name == "new" for _, _, name in self.recorder.seen))

    async def test_definition_that_goes_before_the_watch(self) -> None:
        """The kind is removed between its list and its watch, and is watched once it is back."""
        self.server.objects.create(plugin("gpus"))
        listed: Deferred[Any] = self.recorder.until(lambda: "deviceplugins" in self.recorder.lists)
        listed.addCallback(
            lambda _: self.server.objects.delete(
                "customresourcedefinitions", "deviceplugins.twistdp.io"
            )
        )
        await self.watch()
        await self.server.until(
            lambda: (
                ("watch", "deviceplugins", 404)
                in [(call.verb, call.kind, call.code) for call in self.server.calls]
            )
        )
        self.recorder.seen.clear()
        self.server.objects.create(DEVICE_PLUGINS)
        self.server.objects.create(plugin("new"))
        await self.recorder.until(lambda: self.recorder.lists.count("deviceplugins") == 2)
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.assertEqual(
            [each for each in self.recorder.seen if each[0] == "deviceplugins"],
            [("deviceplugins", None, "new")],
        )

    async def test_broken_list(self) -> None:
        """A list that breaks off after its first page begins again."""
        for number in range(PAGE + 1):
            self.server.objects.create(config_map(f"m{number}"))
        begun: Deferred[Any] = self.recorder.until(lambda: "configmaps" in self.recorder.begun)
        begun.addCallback(lambda _: self.server.fail(410, "list", "configmaps"))
        await self.watch()
        await self.recorder.until(lambda: "configmaps" in self.recorder.lists)
        self.assertEqual(self.recorder.begun.count("configmaps"), 2)
        self.assertEqual(self.recorder.lists.count("configmaps"), 1)

    async def test_monitors(self) -> None:
        """Kinds for monitoring are offered and watched where the API server has them."""
        self.server.objects.create(POD_MONITORS)
        await self.watch()
        await self.recorder.until(lambda: "podmonitors" in self.recorder.lists)
        self.assertEqual([kind.plural for kind in self.offers[0]], ["podmonitors"])

    async def test_later_monitors(self) -> None:
        """A kind for monitoring that comes later is watched after a look, and no sooner."""
        self.patch(watching_module, "LOOK", 0.0)
        watching = await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        looks = self.looks
        watching.look()
        await until(lambda: self.looks > looks)
        self.assertEqual(len(self.server.watching), len(KINDS))
        self.server.objects.create(POD_MONITORS)
        watching.look()
        await self.recorder.until(lambda: "podmonitors" in self.recorder.lists, 30)
        await self.server.until(lambda: len(self.server.watching) == len(KINDS) + 1, 30)
        self.server.objects.create(plugin("gpus"))
        await self.recorder.until(lambda: ("deviceplugins", "ADDED", "gpus") in self.recorder.seen)

    async def test_looks_seldom(self) -> None:
        """A look soon after another one asks for nothing."""
        watching = await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        watching.look()
        self.assertFalse(watching._wants_look.is_set())

    async def test_token_rotates(self) -> None:
        """A new token is shown when a watch begins again."""
        path = Path(self.mktemp())
        path.write_text("old")
        self.server.tokens = {"old": "operator"}
        await self.watch(Token(str(path)))
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        path.write_text("new")
        self.server.tokens = {"new": "operator"}
        self.server.cut_watches()
        self.server.objects.create(plugin("gpus"))
        await self.recorder.until(lambda: ("deviceplugins", "ADDED", "gpus") in self.recorder.seen)
        self.assertNotIn(401, [call.code for call in self.server.calls])

    async def test_token_expires(self) -> None:
        """While the token is refused the operator asks ever less often, and goes on later."""
        path = Path(self.mktemp())
        path.write_text("old")
        self.server.tokens = {"old": "operator"}
        await self.watch(Token(str(path)))
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.server.tokens = {}
        self.server.cut_watches()
        await until(lambda: [call.code for call in self.server.calls].count(401) >= len(KINDS))
        refused = [call.code for call in self.server.calls].count(401)
        self.assertLess(refused, 5 * len(KINDS))
        self.server.tokens = {"new": "operator"}
        path.write_text("new")
        self.server.objects.create(plugin("gpus"))
        await self.recorder.until(
            lambda: (
                ("deviceplugins", "gpus") in {(kind, name) for kind, _, name in self.recorder.seen}
            ),
            30,
        )

    async def test_kopf_ends(self) -> None:
        """When kopf gives up, as for a failure within a watch, it is begun again."""
        await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        self.recorder.lists.clear()
        self.server.fail(404, "watch", "pods")
        self.server.end_watches("pods")
        await self.recorder.until(lambda: set(self.recorder.lists) == PLURALS)

    async def test_end(self) -> None:
        """After the stop nothing is asked, and no task of kopf's is left."""
        import asyncio

        watching = await self.watch()
        await self.server.until(lambda: len(self.server.watching) == len(KINDS))
        await watching.stopService()
        loop: Any = reactor
        left = [
            task.get_name()
            for task in asyncio.all_tasks(loop._asyncioEventloop)
            if "kopf" in repr(task)
        ]
        self.assertEqual(left, [])
        await self.server.until(lambda: not self.server.watching)
