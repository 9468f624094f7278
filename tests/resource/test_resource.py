"""Tests for `twistdp.resource.resource`, without a kubelet."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory, until
from tests.support.logs import LogTestCase
from tests.support.servers import channel_to
from tests.support.updates import Scans
from twistdp import HEALTHY, UNHEALTHY, CDIDevice, DeviceInfo, Settings
from twistdp.inotify.watches import inotify_of
from twistdp.kubelet.api import GET_OPTIONS, LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    DevicePluginOptions,
    Empty,
    ListAndWatchResponse,
)
from twistdp.kubelet.directory import PluginDirectory
from twistdp.kubelet.registrar import Registrar
from twistdp.kubelet.streams import ListStreams
from twistdp.resource import inventory
from twistdp.resource.alignment import Alignment
from twistdp.resource.resource import Resource
from twistdp.resource.room import that_fit
from twistdp.rpc.clock import keep_steady
from twistdp.status.condition import ResourceCondition, Standing

NAME = "x.example.com/widget"
GOOD = DeviceInfo(HEALTHY, topology=None)


class ResourceTests(TestCase, LogTestCase):
    """A resource in a directory of its own."""

    def setUp(self) -> None:
        """Make the directories."""
        LogTestCase.setUp(self)
        keep_steady(reactor)
        self.top = temporary_directory(self)
        self.settings = Settings(plugin_dir=self.top, cdi_dir=f"{self.top}/cdi")
        os.mkdir(self.settings.cdi_dir)

    def resource(self, **devices: DeviceInfo) -> Resource:
        """A resource that is stopped after the test."""
        self.scans = Scans()
        directory = PluginDirectory(self.top, inotify_of(reactor), reactor)
        directory.startService()
        self.addCleanup(directory.stopService)
        resource = Resource(
            NAME,
            self.scans.update(devices),
            settings=self.settings,
            hooks=None,
            join={},
            directory=directory,
            emptied=lambda: None,
            reactor=reactor,
        )
        self.addCleanup(lambda: resource.running and resource.stopService())
        return resource

    def started(self, **devices: DeviceInfo) -> Resource:
        """A resource that runs."""
        resource = self.resource(**devices)
        resource.startService()
        return resource

    def calls(self, kind: type, name: str) -> list[tuple[Any, ...]]:
        """Record the calls of a method from now on, which still happen."""
        calls: list[tuple[Any, ...]] = []
        method: Callable[..., Any] = getattr(kind, name)

        def recorded(subject: object, *arguments: Any) -> Any:
            calls.append(arguments)
            return method(subject, *arguments)

        self.patch(kind, name, recorded)
        return calls

    def told(self) -> list[tuple[str, str]]:
        """Return severities and texts of the log since the last time, without headers."""
        told = [(severity, text.partition("] ")[2].strip()) for severity, text in self.kept.written]
        del self.kept.written[:]
        return told

    async def test_told(self) -> None:
        """The devices are logged at the start, and when they or their health change."""
        resource = self.started(a=GOOD, b=GOOD)
        self.assertEqual(resource.condition, ResourceCondition(2, Standing.REGISTERING))
        self.assertEqual(self.told(), [("I", f"{NAME}: 2 devices (+a +b)")])
        resource.update(self.scans.update({"a": GOOD, "b": attrs.evolve(GOOD, envs={"A": "1"})}))
        resource.update(self.scans.update({"a": GOOD, "b": attrs.evolve(GOOD, envs={"A": "1"})}))
        self.assertEqual(self.told(), [])
        resource.update(self.scans.update({"a": GOOD, "b": attrs.evolve(GOOD, state=UNHEALTHY)}))
        ((severity, text),) = self.told()
        self.assertEqual(severity, "W")
        self.assertIn(f"{NAME}: 2 devices, 1 unhealthy", text)
        resource.update(self.scans.update({"a": GOOD, "b": GOOD, "c": GOOD}))
        ((severity, text),) = self.told()
        self.assertEqual(severity, "I")
        self.assertIn("+c", text)

    async def test_left_out(self) -> None:
        """Devices without room in the list are logged once, and so is the end of that."""
        self.patch(inventory, "MOST_BYTES", 20)
        self.patch(inventory, "that_fit", partial(that_fit, room=20))
        resource = self.started(a=GOOD, b=GOOD)
        self.assertEqual(len(resource.inventory.left_out), 1)
        ((_, first), (severity, text)) = self.told()
        self.assertIn("1 not listed", first)
        self.assertEqual(severity, "E")
        self.assertIn("1 of 2 devices are not listed", text)
        resource.update(self.scans.update({"a": GOOD, "b": attrs.evolve(GOOD, envs={"A": "1"})}))
        self.assertEqual(self.told(), [])
        resource.update(self.scans.update({"a": GOOD}))
        self.assertIn(("I", f"{NAME}: all devices are listed again"), self.told())
        resource.update(self.scans.update({"b": GOOD}))
        self.assertEqual(len(self.told()), 1)

    async def test_cdi(self) -> None:
        """Devices are described before they are listed, at the start and at each change."""

        def specs() -> str:
            text = ""
            for name in os.listdir(self.settings.cdi_dir):
                with open(os.path.join(self.settings.cdi_dir, name), encoding="utf-8") as file:
                    text += file.read()
            return text

        one, two = (
            attrs.evolve(GOOD, cdi=CDIDevice(env={"WHICH": which})) for which in ("first", "second")
        )
        resource = self.started(a=one)
        self.assertIn("WHICH=first", specs())
        resource.update(self.scans.update({"a": one, "b": two}))
        self.assertIn("WHICH=second", specs())

    async def test_alignment(self) -> None:
        """NUMA nodes are looked at when there are devices, and when they have changed."""
        looks = self.calls(Alignment, "look")
        resource = self.started(a=GOOD)
        self.assertEqual(len(looks), 1)
        resource.update(self.scans.update({"a": GOOD, "b": GOOD}))
        self.assertEqual(len(looks), 2)

    async def test_handed_out(self) -> None:
        """That a device was handed out is forgotten with the device."""
        resource = self.started(a=GOOD, b=GOOD)
        resource._answers.handed_out.update("ab")
        resource.update(self.scans.update({"a": GOOD}))
        self.assertEqual(resource._answers.handed_out, {"a"})

    async def test_ends(self) -> None:
        """A retired resource registers no more; one that was stopped does not run."""
        stops = self.calls(Registrar, "stop")
        parent = MultiService()
        parent.startService()
        resource = self.resource(a=GOOD)
        resource.setServiceParent(parent)
        self.assertIs(parent.getServiceNamed(NAME), resource)
        await soon(resource.retire())
        self.assertEqual(len(stops), 2)  # and when it ends
        resource = self.started(a=GOOD)
        await soon(resource.stopService())
        self.assertFalse(resource.running)

    async def test_kubelets_stream(self) -> None:
        """A caller that asks for the options is a kubelet, and its stream's end is reported."""
        asked = self.calls(ListStreams, "asked")
        lost = self.calls(Registrar, "stream_lost")
        self.started(a=GOOD)
        path = f"{self.top}/{NAME.replace('/', '_')}.sock"
        await until(lambda: os.path.exists(path))
        channel = channel_to(self, path)
        await soon(channel.unary(GET_OPTIONS, Empty(), DevicePluginOptions))
        self.assertEqual(len(asked), 1)
        stream = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        await soon(Deferred.fromCoroutine(anext(stream)))
        self.assertEqual(lost, [])
        stream.cancel()
        await until(lambda: len(lost) == 1)
