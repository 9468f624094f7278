"""``twistdp kubelet``: the emulated kubelet as a process."""

import os
import signal
import sys
import time
from typing import Any

import click

from twistdp.cli.completing import directories, files
from twistdp.cli.running import run_on_reactor
from twistdp.errors import TwistdpError
from twistdp.host import make_directory
from twistdp.model import socket_path
from twistdp.testing import POLICIES


@click.command(epilog="SIGHUP restarts the kubelet; SIGINT (Ctrl-C) and SIGTERM end it.")
@click.option(
    "directory",
    "--dir",
    required=True,
    metavar="DIR",
    help="The plugins' --plugin-dir; made if missing.",
    shell_complete=directories,
)
@click.option(
    "--pod-resources",
    metavar="SOCKET",
    help="Also serve pod-resources v1 on this socket.",
    shell_complete=files,
)
@click.option(
    "--registry-dir",
    metavar="DIR",
    help="Also find plugins in this directory; made if missing.",
    shell_complete=directories,
)
@click.option(
    "--topology-policy",
    type=click.Choice(POLICIES),
    default="none",
    show_default=True,
    help="The topology manager's policy.",
)
@click.option(
    "--numa-nodes",
    type=int,
    default=2,
    show_default=True,
    metavar="N",
    help="NUMA nodes of the machine, for that policy.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Use a directory that holds sockets, and delete them; one with a real kubelet's "
    "checkpoint is refused nevertheless.",
)
def command(
    directory: str,
    pod_resources: str | None,
    registry_dir: str | None,
    topology_policy: Any,
    numa_nodes: int,
    force: bool,
) -> int:
    """Run an emulated kubelet to try plugins with, until a signal ends it."""

    async def main(reactor: Any) -> int:
        from twisted.internet.defer import Deferred

        from twistdp.testing import FakeKubelet

        ended: Deferred[int] = Deferred()

        def observe(line: str) -> None:
            try:
                show(line)
            except OSError as error:  # nobody reads: the plugin's call is not to fail for that
                if not ended.called:
                    ended.errback(error)

        try:
            kubelet = FakeKubelet(
                directory,
                pod_resources=pod_resources,
                registry_dir=registry_dir,
                topology_policy=topology_policy,
                numa_nodes=range(numa_nodes),
                force=force,
                observe=observe,
                reactor=reactor,
            )
        except TwistdpError as error:
            return complain(str(error))

        def end() -> None:
            if not ended.called:
                ended.callback(0)

        def restart() -> None:
            kubelet.restart().addErrback(lambda failure: observe(failure.getErrorMessage()))

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: reactor.callFromThread(end))
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(restart))
        try:
            socket_path(os.path.abspath(directory), "x.example/x")
            for needed in filter(None, (directory, registry_dir)):
                make_directory(needed)
            await kubelet.start()
        except TwistdpError as error:
            return complain(str(error))
        except OSError as error:
            return complain(
                f"it cannot start: {error.filename or directory}: {error.strerror}; give "
                "directories that exist or can be made"
            )
        try:
            return await ended
        finally:
            await kubelet.stop()

    return run_on_reactor(main)


def complain(text: str) -> int:
    """Print why there is no kubelet, and return the exit status."""
    print(f"twistdp kubelet: {text}", file=sys.stderr)
    return 1


def show(line: str) -> None:
    """Print what happened, with the time of day."""
    now = time.time()
    stamp = time.strftime("%H:%M:%S", time.localtime(now))
    print(f"{stamp}.{int(now % 1 * 1000):03d}  {line}", flush=True)
