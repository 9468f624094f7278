"""A resource that a `Manager` serves, and a client that blocks, for callers in a thread."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.fuzz.support import Lines
from tests.fuzz.wire import KNOWN
from tests.support.helpers import Recorder, temporary_directory
from twistdp import (
    HEALTHY,
    UNHEALTHY,
    AllocationRefused,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    INotifier,
    IPreferredAllocator,
    IScanner,
    Manager,
    Settings,
    UseDefaultMethod,
)
from twistdp.inotify.watches import inotify_of
from twistdp.kubelet.api import (
    ALLOCATE,
    GET_INFO,
    GET_OPTIONS,
    GET_PREFERRED_ALLOCATION,
    LIST_AND_WATCH,
    NOTIFY_STATUS,
    PRE_START_CONTAINER,
)
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    DevicePluginOptions,
    Empty,
    ListAndWatchResponse,
    PreferredAllocationRequest,
    PreferredAllocationResponse,
    PreStartContainerRequest,
    PreStartContainerResponse,
)
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.model.names import socket_path

RESOURCE = "fuzz.example.com/thing"

MESSAGES: dict[str, tuple[Any, Any]] = {
    GET_OPTIONS: (Empty, DevicePluginOptions),
    LIST_AND_WATCH: (Empty, ListAndWatchResponse),
    ALLOCATE: (AllocateRequest, AllocateResponse),
    GET_PREFERRED_ALLOCATION: (PreferredAllocationRequest, PreferredAllocationResponse),
    PRE_START_CONTAINER: (PreStartContainerRequest, PreStartContainerResponse),
    GET_INFO: (InfoRequest, PluginInfo),
    NOTIFY_STATUS: (RegistrationStatus, RegistrationStatusResponse),
}
"""The request and the answer of each method."""

BOUND = 10.0
"""Seconds in which every call ends; usual is less than one millisecond."""


@implementer(IScanner)
class Fixed:
    """Finds the known devices, once."""

    def scan(self, notifier: INotifier) -> None:
        """Tell them."""
        tree = DeviceTree()
        for number, id_ in enumerate(KNOWN):
            tree.add_device(
                "thing",
                id_,
                DeviceInfo(
                    UNHEALTHY if id_ == "sick" else HEALTHY,
                    nodes=[DeviceSpec("/dev/null", f"/dev/{id_}")],
                    topology=[number % 2],
                    group=id_.partition("-")[0],
                ),
            )
        notifier.notify(tree)


@implementer(IAllocator, IPreferredAllocator)
class Repeating(Fixed):
    """Has hooks that repeat in a refusal what they were asked for."""

    def allocate(self, request: Any) -> object:
        """Refuse ids that are not known."""
        for part in request.container_requests:
            if len(part.devices) < len(part.devices_ids):
                raise AllocationRefused(f"I do not know one of {' '.join(part.devices_ids)}")
        return UseDefaultMethod

    def get_preferred_allocation(self, request: Any) -> object:
        """Prefer what must be included."""
        return [part.must_include_device_ids for part in request.container_requests]


class ServedTestCase(TestCase):
    """Serves the known devices; `call` is for threads, all else for the reactor's."""

    scanner: Any = Fixed
    registration = "socket"

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Serve."""
        self.directory = temporary_directory(self)
        self.registry = os.path.join(self.directory, "r")
        os.mkdir(self.registry)
        self.lines = Lines(self)
        # Hypothesis minds, for its own inputs, who else uses the module.
        self.patch(random, "uniform", lambda low, high: low)
        settings = Settings(
            plugin_dir=self.directory,
            registry_dir=self.registry,
            registration=self.registration,
            preferred="numa",
        )
        self.path = socket_path(settings.socket_dir, RESOURCE, settings.private_place)
        appeared = Recorder()
        watch = inotify_of(reactor).watch(settings.socket_dir, appeared)
        self.manager = Manager(RESOURCE.partition("/")[0], self.scanner(), settings=settings)
        self.manager.startService()
        self.addCleanup(self.manager.stopService)
        await appeared.until(lambda _: os.path.exists(self.path))
        watch.stop()
        self.lines.take()  # the lines about devices, whatever a caller does

    def said(self) -> list[str]:
        """The events since the last call, but for the kubelet's absence."""
        return [line for line in self.lines.take() if "no kubelet yet" not in line]

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client's channel."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost")]
        with grpc.insecure_channel(f"unix:{self.path}", options) as channel:
            yield channel

    def call(
        self, channel: Any, method: str, data: bytes, **options: Any
    ) -> tuple[grpc.StatusCode, Any]:
        """The status of a call, and its answer or the text of its refusal."""
        answer = MESSAGES[method][1].FromString
        try:
            if method == LIST_AND_WATCH:
                stream = channel.unary_stream(method)(data, timeout=BOUND, **options)
                with_answer = answer(next(stream))
                stream.cancel()
            else:
                with_answer = answer(channel.unary_unary(method)(data, timeout=BOUND, **options))
        except grpc.RpcError as error:
            return error.code(), error.details()
        finally:
            # What is logged of a call is logged in the turn after its answer.
            blockingCallFromThread(IReactorFromThreads(reactor), lambda: None)
        return grpc.StatusCode.OK, with_answer

    def check_serves(self, **options: Any) -> None:
        """Fail unless a well-behaved caller that comes now is answered well; in a thread."""
        with self.client() as channel:
            self.check_answers(channel, **options)

    def check_answers(self, channel: Any, **options: Any) -> None:
        """Fail unless this well-behaved caller is answered well; in a thread."""
        good = AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=["a"])])
        code, answer = self.call(channel, ALLOCATE, good.SerializeToString(), **options)
        self.assertEqual(code, grpc.StatusCode.OK, answer)
        (part,) = answer.container_responses
        self.assertEqual([node.container_path for node in part.devices], ["/dev/a"])
        code, answer = self.call(channel, LIST_AND_WATCH, b"")
        self.assertEqual([device.ID for device in answer.devices], list(KNOWN))
