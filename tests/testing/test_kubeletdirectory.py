"""Which directories an emulated kubelet takes, since it deletes the sockets in them."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests.support.helpers import failure_of, temporary_directory
from tests.support.kubelets import PatientKubelet
from tests.support.plugins import ThrowAwayPlugin
from twistdp.errors import BadSetting
from twistdp.rpc.socketfile import SocketFile
from twistdp.testing import kubeletdirectory
from twistdp.testing.kubeletdirectory import CONTROL, refuse_used_directory, write_checkpoint

RESOURCE = "directory.example.com/widget"
ENDPOINT = "directory.example.com_widget.sock"


class RefusalTests(SynchronousTestCase):
    """A directory is taken if all who have sockets in it only wait for a kubelet."""

    def setUp(self) -> None:
        """An empty directory."""
        self.directory = temporary_directory(self)

    def bind(self, path: str, is_live: bool, kind: int = socket.SOCK_STREAM) -> None:
        """Bind a socket, and listen on it or leave it behind."""
        bound = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(bound.close)
        bound.bind(path)
        if not is_live:
            bound.close()
        elif kind == socket.SOCK_STREAM:
            bound.listen()

    def other(self, name: str, *, is_live: bool = True) -> None:
        """The socket of some program."""
        self.bind(os.path.join(self.directory, name), is_live)

    def twistdp(self, name: str, *, is_live: bool = True) -> None:
        """The socket of a twistdp plugin, or of an emulated kubelet."""
        file = SocketFile(os.path.join(self.directory, name))
        self.bind(file.claim(), is_live)
        file.publish()

    def assert_taken(self) -> None:
        """The directory is not refused."""
        refuse_used_directory(self.directory, force=False)

    def assert_refused(self, what: str) -> None:
        """The error names the socket and who serves it; --force takes the directory."""
        with self.assertRaises(BadSetting) as caught:
            refuse_used_directory(self.directory, force=False)
        self.assertEqual(
            str(caught.exception),
            f"{self.directory}: holds the socket {what}, which a starting kubelet deletes; use an "
            "empty directory, or --force",
        )
        refuse_used_directory(self.directory, force=True)

    def test_waiting_plugins(self) -> None:
        """Plugins of twistdp that wait are no reason, nor are those that were killed."""
        self.assert_taken()
        self.twistdp("directory.example.com_live.sock")
        self.twistdp("directory.example.com_dead.sock", is_live=False)
        self.other(CONTROL)
        self.assert_taken()

    def test_strangers(self) -> None:
        """The socket of any other program is refused, whether somebody listens on it or not."""
        self.twistdp("directory.example.com_waiting.sock")
        self.other("left.sock", is_live=False)
        self.assert_refused("left.sock (left over)")
        os.unlink(os.path.join(self.directory, "left.sock"))
        self.other("docker.sock")
        self.assert_refused(f"docker.sock (served by process {os.getpid()})")
        os.unlink(os.path.join(self.directory, "docker.sock"))
        self.bind(os.path.join(self.directory, "log"), True, socket.SOCK_DGRAM)
        self.assert_refused("log (served by another process)")

    def test_socket_that_goes(self) -> None:
        """A socket that is removed meanwhile is no reason."""
        self.other("gone.sock")
        self.patch(kubeletdirectory, "listener", os.unlink)
        self.assert_taken()

    def test_exchanged_socket(self) -> None:
        """A stranger's socket is refused under a name that a twistdp plugin had before it."""
        name = "directory.example.com_plugin.sock"
        self.twistdp(name)
        os.unlink(os.path.join(self.directory, name))
        self.other(name, is_live=False)
        self.assert_refused(f"{name} (left over)")

    def test_status_sockets(self) -> None:
        """The directory of plugins' status sockets is refused: no plugin makes these again."""
        name = "status.example.com.sock"
        self.twistdp(name)
        self.assert_refused(f"{name} (served by process {os.getpid()})")

    def test_running_kubelet(self) -> None:
        """A kubelet that runs is refused: a real one, and an emulated one with its checkpoint."""
        self.twistdp("directory.example.com_plugin.sock")
        self.other("kubelet.sock")
        self.assert_refused(f"kubelet.sock (served by process {os.getpid()})")
        os.unlink(os.path.join(self.directory, "kubelet.sock"))
        self.twistdp("kubelet.sock")
        write_checkpoint(self.directory)
        self.assert_refused(f"kubelet.sock (served by process {os.getpid()})")

    def test_stopped_kubelet(self) -> None:
        """What a real kubelet leaves behind is refused, also if it never wrote a checkpoint."""
        self.twistdp("directory.example.com_plugin.sock")
        self.other("kubelet.sock", is_live=False)
        self.assert_refused("kubelet.sock (left over)")

    def test_emulated_kubelets(self) -> None:
        """Where an emulated kubelet was before, all plugins only wait for the next one."""
        self.other("kubelet.sock", is_live=False)
        self.other("plugin.sock")
        write_checkpoint(self.directory)
        self.assert_taken()


class StartTests(TestCase):
    """Emulated kubelets that start without `force` where a plugin waits."""

    timeout = 300

    def setUp(self) -> None:
        """A plugin that does not serve yet."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("needs trial --reactor=asyncio")
        self.directory = temporary_directory(self)
        self.plugin = ThrowAwayPlugin(self.directory, RESOURCE, ENDPOINT, reactor)
        self.addCleanup(self.plugin.stop)

    async def start(self) -> PatientKubelet:
        """Start a kubelet when the plugin waits; its socket is deleted."""
        await self.plugin.serve()
        kubelet = PatientKubelet(self.directory)
        await kubelet.start()
        self.addCleanup(lambda: kubelet.running and kubelet.stop())
        self.assertFalse(os.path.exists(os.path.join(self.directory, ENDPOINT)))
        return kubelet

    async def register(self, kubelet: PatientKubelet) -> None:
        """The plugin makes its socket again and registers."""
        await self.plugin.serve()
        await self.plugin.register()
        await kubelet.listed(RESOURCE, ["a", "b"])

    async def test_plugin_that_waits(self) -> None:
        """The plugin may be there first, and no second kubelet takes it away."""
        kubelet = await self.start()
        await self.register(kubelet)
        await failure_of(PatientKubelet(self.directory).start(), BadSetting)
        self.assertTrue(os.path.exists(os.path.join(self.directory, ENDPOINT)))

    async def test_one_after_another(self) -> None:
        """A kubelet follows one that has stopped, with which no plugin had registered."""
        first = await self.start()
        await first.stop()
        self.assertTrue(os.path.exists(first.socket))
        await self.register(await self.start())
