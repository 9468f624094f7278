"""The ``twistdp`` command."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from twistdp._version import __version__
from twistdp.errors import TwistdpError

COMMANDS = {
    "catalog": "list the devices that need no configuration, or show an entry",
    "check": "report what a plugin's project lacks",
    "completion": "print the script by which a shell completes this command",
    "config": "check a configuration file, show its meaning, or print its JSON Schema",
    "conformance": "test a device plugin of any kind",
    "crds": "print the custom resource of the operator, or samples of it",
    "demo": "show a plugin's whole life on this machine in a few seconds",
    "doctor": "find what keeps device plugins, or pods with devices, from working on a node",
    "explain": "report why a device is listed, or which test leaves it out",
    "fake": "lay a recording of devices out as a tree, and plug or unplug them",
    "kubelet": "run an emulated kubelet to try plugins with",
    "manifests": "print the manifests that run a plugin on every node",
    "new": "make a new plugin project",
    "record": "write this host's devices to a file, for a bug report or a test",
    "scan": "print what a plugin would advertise on this host, and what it leaves out",
    "status": "show what the plugins on this node have, what is wrong, and who has it",
    "systemd-unit": "print a systemd unit for a plugin",
}
"""Each is a module of this package, with ``_`` for ``-``, with a `click.Command` named ``command``.

The command's function returns the exit status, and its docstring is the help.  What it prints for
programs, it prints with `print`, since `click.echo` drops escapes.
"""

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    A `TwistdpError` is printed in one line.  Raises SystemExit for a wrong command line, for help,
    and for output that cannot be written.  Nothing is printed for a reader
    that closes the output early, as ``head`` does, or for Ctrl-C: the status is that of a process
    that SIGPIPE or SIGINT ends.
    """
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            if sys.stdout is not None:  # None if it was closed before the process began
                sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        # The error of a print names no file.
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        # Python writes the rest again when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            raise SystemExit(128 + signal.SIGPIPE) from error
        raise SystemExit(
            f"twistdp: writing to standard output: {error.strerror}: the output is incomplete; "
            "send it to a place with room"
        ) from error


class _Commands(click.Group):
    """The commands; only the module of the one that is asked for is imported.

    gRPC alone, which some of them need, takes a fifth of a second.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"twistdp.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, or an option."""
        return [
            *(
                CompletionItem(name, help=summary)
                for name, summary in COMMANDS.items()
                if name.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__.public(), prog_name="twistdp", message="%(prog)s %(version)s")
def _twistdp() -> None:
    """Tools for Kubernetes device plugins.  The service itself is 'twistd deviceplugin'."""


def _run(words: Sequence[str]) -> int:
    if (instruction := os.environ.get("_TWISTDP_COMPLETE")) is not None:
        from twistdp.cli.completion import answer

        return answer(_twistdp, instruction)
    context = click.Context(_twistdp, info_name="twistdp")
    try:
        # Not click's main(), which gives broken pipes and Ctrl-C statuses of its own.
        context = _twistdp.make_context("twistdp", [*words])
        with context:
            return int(_twistdp.invoke(context))
    except click.exceptions.Exit as error:  # of --help and --version
        raise SystemExit(error.exit_code) from error
    except click.UsageError as error:
        _complain(error, error.ctx or _deepest(context))
        raise SystemExit(error.exit_code) from error
    except TwistdpError as error:
        from twistdp.model import printable  # what raises the error has imported it

        print(f"twistdp {context.invoked_subcommand}: {printable(str(error))}", file=sys.stderr)
        return 1


def _deepest(context: click.Context) -> click.Context:
    """The context of the command that was asked for, as far as it is known."""
    name = context.invoked_subcommand
    command = _twistdp.get_command(context, name) if name is not None else None
    return context if command is None else click.Context(command, context, name)


def _complain(error: click.UsageError, context: click.Context) -> None:
    """Print the usage, and in one line what is wrong with a command line and what is right."""
    from twistdp.model import printable
    from twistdp.tools import meant

    command = context.command
    if isinstance(error, click.NoSuchOption):
        params = command.get_params(context)
        known = [name for each in params if isinstance(each, click.Option) for name in each.opts]
        hint = meant(error.option_name, known)
        if any(each.name == "options" for each in params):
            hint = f"; the plugin's own options go after --{hint}"
        text = f"{error.option_name}: there is no such option{hint or '; --help lists all'}"
    elif isinstance(error, click.exceptions.NoSuchCommand) and isinstance(command, click.Group):
        known = command.list_commands(context)
        hint = meant(error.command_name, known) or f"; there are {', '.join(known)}"
        text = f"{error.command_name}: there is no such command{hint}"
    else:
        text = " ".join(error.format_message().split()).rstrip(".")
        text = f"{text[:1].lower()}{text[1:]}; see '{context.command_path} --help'"
    print(f"{context.get_usage()}\n{context.command_path}: {printable(text)}", file=sys.stderr)
