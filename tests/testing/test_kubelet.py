"""The emulated kubelet behaves as a real one; the contract can be run against a real one too."""

import errno
import os
import shlex
import shutil
import socket
import stat
import tempfile
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.utils import getProcessValue
from twisted.trial.unittest import SkipTest, TestCase

from tests.support.helpers import failure_of, temporary_directory, until
from tests.support.kubelets import PatientKubelet
from tests.support.plugins import UNIMPLEMENTED, ThrowAwayPlugin, device_list
from twistdp.errors import BadSetting, CallFailed, PeerUnavailable
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateResponse,
    ContainerAllocateResponse,
    DevicePluginOptions,
)
from twistdp.testing import admission, endpoint, node
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.node import NodeResource

RESOURCE = "contract.example.com/widget"


if TYPE_CHECKING:
    Mixed = TestCase
else:
    Mixed = object  # trial would run a test case


class KubeletContract(Mixed):
    """The behaviour of every kubelet, from a plugin's point of view.

    A test case mixes it in and says how to get and to restart a kubelet.
    """

    directory: str
    dial_timeout: float

    async def start_kubelet(self) -> None:
        """See to it that a kubelet runs in `directory`."""
        raise NotImplementedError

    async def restart_kubelet(self) -> None:
        """Restart it."""
        raise NotImplementedError

    async def plugin(self, endpoint: str = "contract.sock", *, serve: bool = True) -> Any:
        """A plugin that serves, not registered yet."""
        await self.start_kubelet()
        plugin = ThrowAwayPlugin(self.directory, RESOURCE, endpoint, reactor)
        self.addCleanup(plugin.stop)
        if serve:
            await plugin.serve()
        return plugin

    async def refusal(self, plugin: Any, **arguments: str) -> str:
        """The text of a registration's refusal, which always has the status UNKNOWN."""
        try:
            await plugin.register(**arguments)
        except CallFailed as error:
            self.assertEqual(error.status, "UNKNOWN")
            return error.details
        raise AssertionError("the registration was accepted")

    async def test_dials_back_inside_register(self) -> None:
        """The options are asked before Register is answered, and a stream is opened."""
        plugin = await self.plugin()
        await plugin.register()
        await plugin.log.seen("stream")
        self.assertLess(plugin.log.events.index("options"), plugin.log.events.index("answered"))

    async def test_refuses_another_version(self) -> None:
        """Only v1beta1 is accepted, and the text says so."""
        text = await self.refusal(await self.plugin(), version="v1")
        self.assertIn('"v1" is not supported by kubelet', text)
        self.assertIn("v1beta1", text)

    async def test_refuses_bad_names(self) -> None:
        """Names that are no extended resource are refused."""
        plugin = await self.plugin()
        for name in (
            "",
            "widget",
            "/widget",
            "example.com/",
            "a/b/c",
            "x.kubernetes.io/widget",
            "requests.example.com/widget",
            "Example.com/widget",
            "example.com/wid get",
            "example.com/" + "w" * 64,
            "example.com/-widget",
            "exam_ple.com/widget",
        ):
            text = await self.refusal(plugin, resource=name)
            self.assertIn(f'the ResourceName "{name}" is invalid', text)

    async def test_needs_the_options(self) -> None:
        """A plugin whose GetDevicePluginOptions fails is not registered."""
        plugin = await self.plugin()
        plugin.options = UNIMPLEMENTED
        await self.refusal(plugin)
        self.assertNotIn("stream", plugin.log.events)

    async def test_dials_for_a_while(self) -> None:
        """An endpoint that is not there is refused when the dial has timed out."""
        plugin = await self.plugin("nobody.sock", serve=False)
        begin = reactor.seconds()
        text = await self.refusal(plugin)
        self.assertIn("failed to dial device plugin", text)
        self.assertGreaterEqual(
            reactor.seconds() - begin,
            self.dial_timeout,
        )

    async def test_an_older_streams_end_disconnects_the_newer(self) -> None:
        """One resource may be registered twice, but when the first ends, the second is dropped."""
        old = await self.plugin("old.sock")
        await old.register()
        await old.log.seen("stream")
        new = await self.plugin("new.sock")
        await new.register()
        await new.log.seen("stream")
        self.assertNotIn("ended", old.log.events)
        await old.stop()
        await new.log.seen("cancelled")

    async def test_restart_wipes_sockets(self) -> None:
        """A starting kubelet deletes every socket, but no files or directories."""
        plugin = await self.plugin()
        await plugin.register()
        await plugin.log.seen("stream")
        kept = [os.path.join(self.directory, name) for name in ("contract.txt", "contract.d")]
        with open(kept[0], "w", encoding="ascii"):
            os.mkdir(kept[1])
        self.addCleanup(os.rmdir, kept[1])
        self.addCleanup(os.unlink, kept[0])
        before = os.stat(os.path.join(self.directory, "kubelet.sock"))
        await self.restart_kubelet()
        await plugin.log.seen("ended")
        after = os.stat(os.path.join(self.directory, "kubelet.sock"))
        self.assertNotEqual((before.st_ino, before.st_ctime_ns), (after.st_ino, after.st_ctime_ns))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "contract.sock")))
        self.assertTrue(all(map(os.path.exists, kept)))

    async def test_socket_mode(self) -> None:
        """Everybody may look at its socket, and only its owner may connect."""
        await self.start_kubelet()
        mode = os.stat(os.path.join(self.directory, "kubelet.sock")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o755)

    async def test_writes_its_checkpoint(self) -> None:
        """Every list makes the kubelet write a file into the directory."""
        plugin = await self.plugin()
        await plugin.register()
        await plugin.log.seen("stream")
        await self.checkpoint_written()

    async def checkpoint_written(self) -> None:
        """Wait for the checkpoint file."""
        path = os.path.join(self.directory, "kubelet_internal_checkpoint")
        await until(lambda: os.path.exists(path))

    async def test_drops_a_list_over_4_mib(self) -> None:
        """A message over 4 194 304 bytes ends the stream; the plugin notices nothing else."""
        plugin = await self.plugin()
        message = device_list(*(f"device-{number:054d}" for number in range(60_000)))
        self.assertGreater(message.ByteSize(), 4_194_304)
        plugin.latest.publish(message)
        await plugin.register()
        await plugin.log.seen("ended")


class EmulatedKubeletContractTests(KubeletContract, TestCase):
    """The contract, tested on the emulator."""

    dial_timeout = 0.3

    def setUp(self) -> None:
        """An empty directory with a short path."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.kubelet = PatientKubelet(self.directory)
        self.addCleanup(self.kubelet.stop)

    async def test_dials_for_a_while(self) -> None:
        """It dials for a shorter while."""
        self.patch(endpoint, "DIAL_TIMEOUT", self.dial_timeout)
        await super().test_dials_for_a_while()

    async def start_kubelet(self) -> None:
        """Start it once."""
        if not self.kubelet.running:
            await self.kubelet.start()

    async def restart_kubelet(self) -> None:
        """Restart it."""
        await self.kubelet.restart()


class RealKubeletContractTests(KubeletContract, TestCase):
    """The contract, tested on the kubelet of this node.

    TWISTDP_REAL_KUBELET_DIR names its device plugin directory and TWISTDP_REAL_KUBELET_RESTART a
    command that restarts it.
    """

    dial_timeout = 10.0
    timeout = 300

    def setUp(self) -> None:
        """Find the kubelet."""
        directory = os.environ.get("TWISTDP_REAL_KUBELET_DIR")
        self.command = os.environ.get("TWISTDP_REAL_KUBELET_RESTART")
        if not directory or not self.command:
            raise SkipTest(
                "no real kubelet: set TWISTDP_REAL_KUBELET_DIR and TWISTDP_REAL_KUBELET_RESTART"
            )
        self.directory = directory

    async def start_kubelet(self) -> None:
        """It runs."""

    async def restart_kubelet(self) -> None:
        """Run the command, and wait for the new socket."""
        path = os.path.join(self.directory, "kubelet.sock")
        before = os.stat(path)
        assert self.command is not None
        program, *arguments = shlex.split(self.command)
        await getProcessValue(program, arguments, env=os.environ)

        def replaced() -> bool:
            try:
                after = os.stat(path)
            except FileNotFoundError:
                return False
            return (before.st_ino, before.st_ctime_ns) != (after.st_ino, after.st_ctime_ns)

        await until(replaced, 120.0)


class FakeKubeletTests(TestCase):
    """Features of the emulator alone: the node's figures, pods, and trouble on demand."""

    def setUp(self) -> None:
        """A running kubelet and a plugin that serves."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.lines: list[str] = []
        self.kubelet = PatientKubelet(self.directory, observe=self.lines.append)
        self.addCleanup(self.kubelet.stop)

    async def registered(self) -> ThrowAwayPlugin:
        """A plugin whose two devices are listed."""
        await self.kubelet.start()
        plugin = ThrowAwayPlugin(self.directory, RESOURCE, "x.sock", reactor)
        self.addCleanup(plugin.stop)
        await plugin.serve()
        await plugin.register()
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        return plugin

    async def test_counts_devices(self) -> None:
        """Capacity counts all devices, allocatable the healthy ones."""
        plugin = await self.registered()
        self.assertEqual(self.kubelet.capacity(RESOURCE), 2)
        bad = device_list("a", health="Unhealthy")
        bad.MergeFrom(device_list("b"))
        plugin.latest.publish(bad)
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 1)
        self.assertEqual(self.kubelet.capacity(RESOURCE), 2)
        self.assertEqual(self.kubelet.devices(RESOURCE), {"a": "Unhealthy", "b": "Healthy"})

    async def test_nothing_is_used_after_the_end(self) -> None:
        """A registration that was on its way at the stop is refused, and leaves nothing."""
        await self.registered()
        await self.kubelet.stop()
        path = os.path.join(self.directory, "x.sock")
        late = Deferred.fromCoroutine(self.kubelet.connect("late.example.com/thing", path))
        await failure_of(late, CallFailed)
        self.assertNotIn("late.example.com/thing", self.kubelet.resources)

    async def test_never_redials(self) -> None:
        """When the plugin ends its stream, capacity stays, allocatable is 0, until it registers."""
        plugin = await self.registered()
        plugin.latest.close()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        self.assertEqual(self.kubelet.capacity(RESOURCE), 2)
        self.assertEqual(plugin.log.events.count("stream"), 1)

    async def test_capacity_ends_at_last(self) -> None:
        """The capacity of a plugin that does not come back becomes 0."""
        self.patch(node, "STALE_AFTER", 0.01)
        plugin = await self.registered()
        plugin.latest.close()
        await self.kubelet.until(lambda: self.kubelet.capacity(RESOURCE) == 0)

    async def test_forgets_at_restart(self) -> None:
        """After a restart there are no devices until plugins register again."""
        plugin = await self.registered()
        await self.kubelet.restart()
        await plugin.log.seen("cancelled")
        self.assertEqual(self.kubelet.capacity(RESOURCE), 0)
        await plugin.serve()
        await plugin.register()
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        self.assertEqual([r.error for r in self.kubelet.registrations], ["", ""])

    async def test_restarts_follow_each_other(self) -> None:
        """Two restarts at once are two restarts, one after the other."""
        plugin = await self.registered()
        await DeferredList([self.kubelet.restart(), self.kubelet.restart()], fireOnOneErrback=True)
        self.assertEqual(
            [line for line in self.lines if "stopped" in line], ["kubelet stopped"] * 2
        )
        self.assertTrue(self.kubelet.running)
        await plugin.serve()
        await plugin.register()

    async def test_replacing_follows_a_restart(self) -> None:
        """Replacements of its socket follow each other, and the last one answers."""
        plugin = await self.registered()
        await DeferredList(
            [self.kubelet.restart(), self.kubelet.replace_socket()], fireOnOneErrback=True
        )
        self.assertEqual(self.lines[-1], "kubelet.sock was replaced")
        await plugin.serve()
        await plugin.register()
        await self.kubelet.stop()
        await self.kubelet.replace_socket()
        self.assertEqual(self.lines[-1], "kubelet stopped")

    async def test_leaves_a_dead_socket(self) -> None:
        """A stopped kubelet's socket stays, and nobody answers there."""
        plugin = await self.registered()
        await self.kubelet.stop()
        self.assertTrue(os.path.exists(os.path.join(self.directory, "kubelet.sock")))
        await failure_of(Deferred.fromCoroutine(plugin.register()), PeerUnavailable)

    async def test_replaces_only_its_socket(self) -> None:
        """Only kubelet.sock is replaced: plugins' sockets and streams stay."""
        plugin = await self.registered()
        await self.kubelet.replace_socket()
        self.assertTrue(os.path.exists(os.path.join(self.directory, "x.sock")))
        self.assertEqual(self.kubelet.allocatable(RESOURCE), 2)
        self.assertNotIn("ended", plugin.log.events)
        await plugin.register()

    async def test_a_failed_registration_breaks_liveness(self) -> None:
        """After a failed re-registration the old plugin's end goes unnoticed."""
        plugin = await self.registered()
        plugin.options = UNIMPLEMENTED
        await failure_of(Deferred.fromCoroutine(plugin.register()), CallFailed)
        plugin.latest.close()
        await plugin.log.seen("ended")
        await failure_of(
            self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0, 0.2), TimeoutError
        )

    async def test_ends_in_the_middle_of_a_registration(self) -> None:
        """No stream is opened by a kubelet that has ended while it dialled."""
        await self.kubelet.start()
        plugin = ThrowAwayPlugin(self.directory, RESOURCE, "x.sock", reactor)
        self.addCleanup(plugin.stop)
        await plugin.serve()
        resource = NodeResource(RESOURCE, self.kubelet, reactor)
        asked = plugin.log.seen("options")
        asked.addCallback(lambda _: resource.disconnect_all())
        connecting = Deferred.fromCoroutine(resource.connect(f"{self.directory}/x.sock"))
        await failure_of(connecting, CallFailed)
        self.assertFalse(resource.connected)

    async def test_refuses_and_hangs_on_demand(self) -> None:
        """Register can be refused with a text, or left unanswered."""
        await self.kubelet.start()
        plugin = ThrowAwayPlugin(self.directory, RESOURCE, "x.sock", reactor)
        self.addCleanup(plugin.stop)
        await plugin.serve()
        self.kubelet.refusal = "not today"
        failure = await failure_of(Deferred.fromCoroutine(plugin.register()), CallFailed)
        self.assertEqual(failure.details, "not today")
        self.kubelet.refusal, self.kubelet.hanging = None, True
        call = Deferred.fromCoroutine(plugin.register())
        await failure_of(plugin.log.seen("options", timeout=0.2), TimeoutError)
        self.assertFalse(call.called)
        await self.kubelet.stop()
        await failure_of(call, CallFailed)

    async def test_allocates(self) -> None:
        """One container request with random order; the devices are taken until released."""
        plugin = await self.registered()
        plugin.answer = AllocateResponse(
            container_responses=[ContainerAllocateResponse(envs={"X": "1"})]
        )
        answer = await self.kubelet.allocate(RESOURCE, 2)
        self.assertEqual(dict(answer.envs), {"X": "1"})
        (request,) = plugin.requests
        self.assertEqual(len(request.container_requests), 1)
        self.assertEqual(sorted(request.container_requests[0].devices_ids), ["a", "b"])
        refused = await failure_of(self.kubelet.allocate(RESOURCE), AdmissionRefused)
        self.assertIn("Requested: 1, Available: 0", str(refused))
        self.kubelet.release("pod")
        await self.kubelet.allocate(RESOURCE, ids=["b"])
        self.assertEqual(list(plugin.requests[-1].container_requests[0].devices_ids), ["b"])

    async def test_refuses_pods_without_devices(self) -> None:
        """Unknown resources, absent plugins and empty answers refuse the pod with a reason."""
        plugin = await self.registered()
        refused = await failure_of(self.kubelet.allocate("x.io/y"), AdmissionRefused)
        self.assertEqual(
            str(refused), f"x.io/y: no such resource on this node; there is {RESOURCE}"
        )
        plugin.answer = AllocateResponse()
        refused = await failure_of(self.kubelet.allocate(RESOURCE), AdmissionRefused)
        self.assertIn("no containers return", str(refused))
        plugin.latest.close()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        refused = await failure_of(self.kubelet.allocate(RESOURCE), AdmissionRefused)
        self.assertIn("no healthy devices present", str(refused))

    async def test_aligns(self) -> None:
        """With a topology policy, devices of one NUMA node go together, and others are refused."""
        self.kubelet = PatientKubelet(
            self.directory, topology_policy="single-numa-node", observe=self.lines.append
        )
        self.addCleanup(self.kubelet.stop)
        plugin = await self.registered()
        devices = device_list("near1", "near2", "other", "anywhere")
        for device, where in zip(devices.devices, (0, 0, 1), strict=False):
            device.topology.nodes.add(ID=where)
        plugin.latest.publish(devices)
        await self.kubelet.listed(RESOURCE, ["near1", "near2", "other", "anywhere"])
        await self.kubelet.allocate(RESOURCE, 2, pod="two")
        taken = plugin.requests[-1].container_requests[0].devices_ids
        self.assertEqual(sorted(taken), ["near1", "near2"])
        refused = self.kubelet.allocate(RESOURCE, 2, pod="mixed")
        error = await failure_of(refused, AdmissionRefused)
        self.assertIn("TopologyAffinityError", str(error))
        await self.kubelet.allocate(RESOURCE, ids=["other"], pod="one")
        refused = self.kubelet.allocate(RESOURCE, pod="last")
        error = await failure_of(refused, AdmissionRefused)
        self.assertIn("TopologyAffinityError", str(error))

    async def test_prefers_among_the_aligned(self) -> None:
        """Devices that are aligned must be included where there are not enough of them."""
        self.kubelet = PatientKubelet(
            self.directory, topology_policy="best-effort", observe=self.lines.append
        )
        self.addCleanup(self.kubelet.stop)
        plugin = await self.registered()
        devices = device_list("near", "x", "y")
        devices.devices[0].topology.nodes.add(ID=0)
        plugin.latest.publish(devices)
        await self.kubelet.listed(RESOURCE, ["near", "x", "y"])
        await self.kubelet.allocate(RESOURCE, pod="aligned")
        self.assertEqual(list(plugin.requests[-1].container_requests[0].devices_ids), ["near"])
        await self.kubelet.allocate(RESOURCE, 2, pod="rest")
        taken = plugin.requests[-1].container_requests[0].devices_ids
        self.assertEqual(sorted(taken), ["x", "y"])

    async def test_starts_again(self) -> None:
        """A container is started again while PreStartContainer fails, until its pod has ended."""
        self.patch(admission, "START_AGAIN", 0.01)
        plugin = await self.registered()
        plugin.options = DevicePluginOptions(pre_start_required=True)
        await plugin.register()
        await self.kubelet.allocate(RESOURCE)
        plugin.failing_starts = 2
        await self.kubelet.start_container()
        self.assertEqual(plugin.log.events.count("pre start"), 3)
        self.assertEqual(self.lines[-1], "started default/pod")
        failed = [line for line in self.lines if "CreateContainerConfigError" in line]
        self.assertEqual(len(failed), 2)
        self.assertIn("it is not ready", failed[0])
        plugin.latest.close()
        await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
        starting = self.kubelet.start_container()
        await self.kubelet.until(lambda: "has been stopped" in self.lines[-1])
        self.assertFalse(starting.called)
        self.kubelet.release("pod")
        await starting

    async def test_shows_the_plugins_error(self) -> None:
        """The status and text of a plugin's error are in what the pod shows."""
        plugin = await self.registered()
        plugin.options = DevicePluginOptions(get_preferred_allocation_available=True)
        await plugin.register()  # announces a method that it does not have
        refused = await failure_of(self.kubelet.allocate(RESOURCE), AdmissionRefused)
        self.assertIn("UNIMPLEMENTED", str(refused))

    async def test_refuses_a_used_directory(self) -> None:
        """A directory that holds sockets is refused unless forced, and left as it was."""
        path = os.path.join(self.directory, "other.sock")
        with socket.socket(socket.AF_UNIX) as live:
            live.bind(path)
            live.listen()
            refused = await failure_of(self.kubelet.start(), BadSetting)
            self.assertIn("other.sock", str(refused))
            self.assertIn(f"process {os.getpid()}", str(refused))
            self.assertTrue(os.path.exists(path))
            forced = PatientKubelet(self.directory, force=True)
            await forced.start()
            self.addCleanup(forced.stop)
            self.assertFalse(os.path.exists(path))

    async def test_checkpoint_of_another_kubelet(self) -> None:
        """A checkpoint that appears while it runs is kept and reported; it does not restart."""
        path = os.path.join(self.directory, "kubelet_internal_checkpoint")
        plugin = await self.registered()
        with open(path, "w", encoding="ascii") as file:
            file.write('{"Data":{}}')
        plugin.latest.publish(device_list("c"))
        await self.kubelet.until(lambda: any("never overwritten" in line for line in self.lines))
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), '{"Data":{}}')
        await failure_of(self.kubelet.restart(), BadSetting)

    async def test_foreign_checkpoints(self) -> None:
        """Another kubelet's checkpoint is never overwritten, and then no socket is deleted."""
        directory = temporary_directory(self)
        left = os.path.join(directory, "other.sock")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(left)
        path = os.path.join(directory, "kubelet_internal_checkpoint")

        async def assert_refused() -> None:
            for force in (False, True):
                kubelet = PatientKubelet(directory, force=force)
                error = await failure_of(kubelet.start(), BadSetting)
                self.assertIn("kubelet_internal_checkpoint of another kubelet", str(error))
            self.assertTrue(os.path.exists(left))

        for content in ('{"Data":{"PodDeviceEntries":null},"Checksum":1}', "", "{}\n"):
            with open(path, "w", encoding="ascii") as file:
                file.write(content)
            await assert_refused()
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), content)
        os.unlink(path)
        os.symlink("other.sock", path)
        await assert_refused()

    async def test_checkpoint_that_cannot_be_written(self) -> None:
        """When the checkpoint cannot be written, the kubelet reports it and goes on."""

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        plugin = await self.registered()
        self.patch(os, "rename", full)
        before = os.listdir(self.directory)
        plugin.latest.publish(device_list("c"))
        await self.kubelet.until(lambda: any("No space left" in line for line in self.lines))
        plugin.latest.publish(device_list("d"))
        await self.kubelet.listed(RESOURCE, ["d"])
        self.assertEqual(os.listdir(self.directory), before)

    async def test_tells_its_observer(self) -> None:
        """Every event has a line for people."""
        await self.registered()
        await self.kubelet.allocate(RESOURCE)
        text = "\n".join(self.lines)
        for part in ("kubelet started", "registered", "2 devices, 2 allocatable", "allocated"):
            self.assertIn(part, text)
