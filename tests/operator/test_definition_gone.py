"""The kind DevicePlugin is removed while the operator runs, and comes back."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.operator.served import DEVICE_PLUGINS, NAMESPACE, api_server, plugin
from tests.support.helpers import until
from twistdp.operator.credentials import Cluster
from twistdp.operator.service import Operator
from twistdp.operator.settings import OperatorSettings
from twistdp.testing.apiserver import ApiCall

KINDS = [
    "configmaps",
    "daemonsets",
    "deviceplugins",
    "nodes",
    "pods",
    "serviceaccounts",
    "services",
]


class DefinitionGoneTests(TestCase):
    """What the operator forgets, and what it does once the kind is back."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Run an operator that has made the DaemonSet of a plugin."""
        self.server = await api_server(DEVICE_PLUGINS, garbage=True)
        self.addCleanup(self.server.stop)
        self.server.objects.create(plugin("gone", catalog=[{"name": "intel-gpu"}]))
        settings = OperatorSettings(namespace=NAMESPACE, plugin_image="x:1", status_interval=0.1)
        operator = Operator(Cluster(self.server.url), settings, reactor)
        self.reconciler = operator.reconciler
        operator.startService()
        self.addCleanup(operator.stopService)
        await self.server.until(lambda: self.server.watching == KINDS)
        await until(lambda: len(self.reconciler.cache.owned("gone")) == 2)
        self.assertEqual(self.daemon_sets(), ["gone"])

    def daemon_sets(self) -> list[str]:
        """The names of those that there are."""
        return [each["metadata"]["name"] for each in self.server.objects.list("daemonsets")]

    def remove(self) -> None:
        """Remove the definition, and with it the plugin, and with that its objects."""
        self.server.objects.delete("customresourcedefinitions", "deviceplugins.twistdp.io")

    async def back(self) -> None:
        """Define the kind again; the operator knows what is there now, and nothing of before."""
        self.server.calls.clear()
        self.server.objects.create(DEVICE_PLUGINS)
        self.server.objects.create(plugin("new", catalog=[{"name": "intel-gpu"}]))
        cache = self.reconciler.cache
        await self.server.until(lambda: self.daemon_sets() == ["new"])
        await self.server.until(lambda: self.server.watching == KINDS)
        await until(lambda: set(cache.plugins) == {"new"} and not cache.owned("gone"))
        await until(lambda: set(self.reconciler._works) == {"new"})
        made = {call.name for call in self.server.calls if call.kind == "daemonsets" if call.name}
        self.assertEqual(made, {"new"})

    async def test_while_watched(self) -> None:
        """The watch shows that the plugin goes, and ends."""
        self.remove()
        await until(lambda: not self.reconciler.cache.plugins)
        await self.back()

    async def test_between_list_and_watch(self) -> None:
        """The list has the plugin still, and the watch that would show its end is refused."""

        def authorize(call: ApiCall) -> bool:
            if (call.verb, call.kind) == ("watch", "deviceplugins"):
                self.server.authorize = None
                self.remove()
            return True

        self.server.authorize = authorize
        self.server.expire_watches("deviceplugins")
        await self.server.until(
            lambda: (
                ("watch", "deviceplugins", 404)
                in [(call.verb, call.kind, call.code) for call in self.server.calls]
            )
        )
        await self.server.until(lambda: not self.daemon_sets())
        self.assertEqual(set(self.reconciler.cache.plugins), {"gone"})
        await self.back()
