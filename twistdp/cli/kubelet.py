"""``twistdp kubelet``: the emulated kubelet as a process."""

import argparse
import os
import signal
import sys
import time
from typing import Any

from twistdp.cli.running import run_on_reactor
from twistdp.errors import TwistdpError
from twistdp.host import make_directory
from twistdp.model import socket_path
from twistdp.testing import POLICIES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--dir", required=True, help="the plugins' --plugin-dir; made if missing")
    parser.add_argument(
        "--pod-resources", metavar="SOCKET", help="also serve pod-resources v1 on this socket"
    )
    parser.add_argument(
        "--registry-dir", metavar="DIR", help="also find plugins in this directory; made if missing"
    )
    parser.add_argument(
        "--topology-policy",
        choices=POLICIES,
        default="none",
        help="the topology manager's policy (default: none)",
    )
    parser.add_argument(
        "--numa-nodes",
        type=int,
        default=2,
        metavar="N",
        help="NUMA nodes of the machine, for that policy (default: 2)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="use a directory that holds sockets, and delete them; one with a real kubelet's "
        "checkpoint is refused nevertheless",
    )
    parser.epilog = "SIGHUP restarts the kubelet; SIGINT (Ctrl-C) and SIGTERM end it."


def run(arguments: argparse.Namespace) -> int:
    """Run until a signal ends it, or until its output cannot be written: then raise OSError."""

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
                arguments.dir,
                pod_resources=arguments.pod_resources,
                registry_dir=arguments.registry_dir,
                topology_policy=arguments.topology_policy,
                numa_nodes=range(arguments.numa_nodes),
                force=arguments.force,
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
            socket_path(os.path.abspath(arguments.dir), "x.example/x")
            for directory in filter(None, (arguments.dir, arguments.registry_dir)):
                make_directory(directory)
            await kubelet.start()
        except TwistdpError as error:
            return complain(str(error))
        except OSError as error:
            return complain(
                f"it cannot start: {error.filename or arguments.dir}: {error.strerror}; give "
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
