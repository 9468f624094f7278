"""``twistdp demo``: show a plugin's whole life on this machine, and time every step."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import click
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.threads import deferToThread

from twistdp.cli.running import run_on_reactor
from twistdp.errors import TwistdpError

NAMESPACE = "demo.example.com"
STEP_TIMEOUT = 10.0


@click.command
@click.option("--keep", is_flag=True, help="Leave kubelet and plugin running until Ctrl-C.")
def command(keep: bool) -> int:
    """Show a plugin's whole life on this machine in a few seconds."""

    async def main(reactor: Any) -> int:
        demo = Demo(reactor)
        try:
            await demo.run()
            if keep:
                await demo.keep()
        except StepFailed as error:
            print(f"\nFAILED: {error}", file=sys.stderr)
            return 1
        finally:
            await demo.clean_up()
        print("\nAll steps succeeded.")
        return 0

    return run_on_reactor(main)


class StepFailed(Exception):
    """A step failed; the text names the step and the reason."""


class Demo:
    """A kubelet in this process, a plugin in a child process, and devices of this machine."""

    def __init__(self, reactor: Any) -> None:
        from twistdp.testing import FakeKubelet, loopdevices

        self._reactor = reactor
        self._loop = loopdevices
        self._directory = tempfile.mkdtemp(prefix="twistdp-")
        self._plugins = os.path.join(self._directory, "device-plugins")
        os.mkdir(self._plugins)
        self._kubelet = FakeKubelet(self._plugins, reactor=reactor)
        self._plugin: Any = None
        self._plugged: Callable[[], None] | None = None
        self._path = ""
        self._removing: Deferred[None] = succeed(None)
        self._real = loopdevices.usable()
        self._number = loopdevices.free_number() if self._real else 0
        self._folder = os.path.join(self._directory, "hardware")
        os.mkdir(self._folder)
        for number in range(0 if self._real else 3):
            self._make_file(number)
        self._resource = f"{NAMESPACE}/{'loop' if self._real else 'device'}"

    async def run(self) -> None:
        """Run all steps."""
        kubelet, resource = self._kubelet, self._resource
        pattern = "/dev/loop[0-9]*" if self._real else f"{self._folder}/*"
        await self._step("an emulated kubelet starts", kubelet.start)
        print(f"  $ {' '.join(self._command(pattern))}\n")
        await self._step(
            "the plugin starts, registers and lists its devices",
            lambda: self._start_plugin(pattern),
        )
        first = sorted(kubelet.devices(resource))
        print(f"           {resource}: {len(first)}  ({' '.join(first)})")
        await self._step("a device is plugged in", lambda: self._plug({*first}))
        await self._step("and unplugged", lambda: self._unplug({*first}))
        await self._step("a pod gets a device", self._allocate)
        await self._step("the kubelet restarts and deletes all sockets", kubelet.restart)
        await self._step(
            "the plugin is registered and listed again", lambda: kubelet.listed(resource, first)
        )
        await self._step("another device is plugged in", lambda: self._plug({*first}))
        await self._step("and unplugged", lambda: self._unplug({*first}))

    async def keep(self) -> None:
        """Wait for Ctrl-C."""
        print(
            f"\nKept running: kubelet in {self._plugins}, plugin with pid {self._plugin.pid}. "
            "Ctrl-C ends both."
        )
        import signal

        ended: Deferred[None] = Deferred()
        signal.signal(signal.SIGINT, lambda *_: self._reactor.callFromThread(ended.callback, None))
        await ended

    async def clean_up(self) -> None:
        """End the child and remove all files."""
        await self._removing
        self._remove_device()
        if self._plugin is not None and not self._plugin.ended.called:
            with suppress(ProcessExitedAlready):  # a terminal's Ctrl-C reaches the plugin too
                self._plugin.signal("TERM")
            await self._plugin.ended
        if self._kubelet.running:
            await self._kubelet.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _step(self, what: str, action: Callable[[], Awaitable[Any]]) -> None:
        begin = self._reactor.seconds()
        try:
            note = await action()
        except (TwistdpError, OSError, TimeoutError, StepFailed) as error:
            raise StepFailed(
                f"{what}: {str(error) or type(error).__name__}{self._log()}"
            ) from error
        milliseconds = (self._reactor.seconds() - begin) * 1000
        print(f"{milliseconds:7.1f} ms  {what} {note or ''}".rstrip(), flush=True)

    def _log(self) -> str:
        return f"\nThe plugin's log:\n{self._plugin.output}" if self._plugin is not None else ""

    def _command(self, pattern: str) -> list[str]:
        return [
            *("twistd", "-n", "--pidfile=", "deviceplugin"),
            "--scanner=twistdp.scanners:GlobScanner",
            *("--set", f"resource={self._resource.partition('/')[2]}"),
            *("--set", f"pattern={pattern}"),
            *(() if self._real else ("--set", "nodes_only=false")),
            f"--namespace={NAMESPACE}",
            f"--plugin-dir={self._plugins}",
        ]

    def _start_plugin(self, pattern: str) -> Deferred[None]:
        from twistdp.testing import ChildProcess, twistd_command

        command = [*twistd_command(), *self._command(pattern)[1:], "--status-socket="]
        self._plugin = ChildProcess(command, reactor=self._reactor)
        listed = self._kubelet.until(
            lambda: self._kubelet.allocatable(self._resource) > 0, STEP_TIMEOUT
        )
        self._plugin.ended.addCallback(self._child_ended, listed)
        return listed

    def _child_ended(self, status: int, listed: Deferred[None]) -> int:
        if not listed.called:  # it will never list anything
            listed.errback(StepFailed(f"the plugin ended with status {status}"))
        return status

    async def _plug(self, before: set[str]) -> None:
        await self._removing
        if self._real:
            self._path = self._loop.add(self._number)
            self._plugged = lambda: self._loop.remove(self._number)
        else:
            self._path = self._make_file(3)
            self._plugged = lambda: os.unlink(self._path)
        name = os.path.basename(self._path)
        await self._kubelet.listed(self._resource, before | {name}, STEP_TIMEOUT)

    def _make_file(self, number: int) -> str:
        """Make a file that stands for a device, and return its path."""
        path = os.path.join(self._folder, f"gadget-{number}")
        with open(path, "x", encoding="ascii"):
            return path

    async def _unplug(self, after: set[str]) -> str:
        # In threads, since the kernel takes a while to remove the node, and longer to return.
        begin = self._reactor.seconds()
        self._removing = deferToThread(self._remove_device)
        listed = self._kubelet.listed(self._resource, after, STEP_TIMEOUT)
        gone = await deferToThread(self._wait_until_gone, self._path)
        await listed
        return f"(the kernel needed {(gone - begin) * 1000:.1f} ms of that to remove it)"

    def _wait_until_gone(self, path: str) -> float:
        while os.path.exists(path):
            time.sleep(0.0002)
        return float(self._reactor.seconds())

    def _remove_device(self) -> None:
        plugged, self._plugged = self._plugged, None
        if plugged is not None:
            with suppress(FileNotFoundError):
                plugged()

    async def _allocate(self) -> str:
        answer = await self._kubelet.allocate(self._resource, 1)
        paths = [node.host_path for node in answer.devices]
        paths += [mount.host_path for mount in answer.mounts]
        return f"(its container gets {' '.join(paths)})"
