"""``twistdp kubelet``: the emulated kubelet as a process."""

import os
import shlex
import signal
import sys
import time
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from twistdp.cli.completing import directories, files, starting
from twistdp.errors import TwistdpError
from twistdp.testing import POLICIES

LONGEST: Final = 2000
"""Characters of a line that are shown of what happens; an answer, which may be JSON, is whole."""


@click.group(
    invoke_without_command=True,
    no_args_is_help=False,
    subcommand_metavar="[ctl ...]",
    epilog="It takes commands on standard input, too: 'help' lists them.  SIGHUP restarts the "
    "kubelet; SIGINT (Ctrl-C) and SIGTERM end it.",
)
@click.option(
    "directory",
    "--dir",
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
    "--list-ended-pods",
    is_flag=True,
    help="Also list there pods that have ended, as kubelets before 1.34 do.",
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
    help="Use another kubelet's directory, or one with sockets of other programs, and delete the "
    "sockets; one with a real kubelet's checkpoint is refused nevertheless.",
)
@click.pass_context
def command(
    context: click.Context,
    directory: str | None,
    pod_resources: str | None,
    list_ended_pods: bool,
    registry_dir: str | None,
    topology_policy: Any,
    numa_nodes: int,
    force: bool,
) -> int:
    """Run an emulated kubelet to try plugins with, until a signal ends it."""
    if context.invoked_subcommand is not None:
        return 0
    directory = _required(directory, context)
    from twistdp.cli.running import run_on_reactor

    async def main(reactor: Any) -> int:
        from twisted.internet.defer import Deferred

        from twistdp.cli.typed import follow_input
        from twistdp.host import make_directory
        from twistdp.model import socket_path
        from twistdp.testing import Control, FakeKubelet, Playground

        ended: Deferred[int] = Deferred()

        def put(text: str, most: int | None = None) -> None:
            try:
                print(_shown(text, most), flush=True)
            except OSError as error:  # nobody reads: the plugin's call is not to fail for that
                if not ended.called:
                    ended.errback(error)

        def observe(line: str) -> None:
            put(stamped(line), LONGEST)

        try:
            kubelet = FakeKubelet(
                directory,
                pod_resources=pod_resources,
                list_ended_pods=list_ended_pods,
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
            playground = Playground(kubelet)
            control = Control(directory, playground.answer, reactor)
            control.open()
        except TwistdpError as error:
            return complain(str(error))
        except OSError as error:
            return complain(
                f"it cannot start: {error.filename or directory}: {error.strerror}; give "
                "directories that exist or can be made"
            )
        observe(
            "type help for its commands, or elsewhere: "
            f"twistdp kubelet ctl --dir {shlex.quote(os.path.abspath(directory))} help"
        )

        async def perform(line: str) -> None:
            if answer := await playground.typed(line):
                put(answer)

        follow_input(reactor, lambda line: Deferred.fromCoroutine(perform(line)))
        try:
            return await ended
        finally:
            await control.close()
            await kubelet.stop()

    return run_on_reactor(main)


def complain(text: str) -> int:
    """Print why there is no kubelet, and return the exit status."""
    print(f"twistdp kubelet: {text}", file=sys.stderr)
    return 1


def _shown(text: str, most: int | None = None) -> str:
    """Escape lines with text of plugins, which must not control a terminal; cut each at `most`."""
    from twistdp.model import printable

    return "\n".join(printable(line, most) for line in text.split("\n"))


def stamped(line: str) -> str:
    """What happened, with the time of day."""
    now = time.time()
    stamp = time.strftime("%H:%M:%S", time.localtime(now))
    return f"{stamp}.{int(now % 1 * 1000):03d}  {line}"


def _words(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from twistdp.testing import COMMANDS

    return starting(incomplete, COMMANDS)


@command.command(
    "ctl", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option(
    "directory",
    "--dir",
    metavar="DIR",
    help="The directory of the emulated kubelet that runs.",
    shell_complete=directories,
)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="COMMAND",
    help="A command with its arguments; 'help' lists all.",
    shell_complete=_words,
)
@click.pass_context
def control(context: click.Context, directory: str | None, words: tuple[str, ...]) -> int:
    """Let an emulated kubelet that runs perform a command, and print its answer."""
    from twistdp.testing import ask

    words = words or ("help",)
    assert context.parent is not None
    place = directory or context.parent.params["directory"]
    answer = ask("" if words[0] == "help" else _required(place, context), words)
    if answer.ok:
        print(_shown(answer.text))
        return 0
    print(f"twistdp kubelet ctl: {_shown(answer.text)}", file=sys.stderr)
    return 1


def _required(directory: str | None, context: click.Context) -> str:
    """The directory; an option that only the commands without it do not need."""
    if directory is None:
        (option,) = (each for each in context.command.params if each.name == "directory")
        raise click.MissingParameter(ctx=context, param=option)
    return directory
