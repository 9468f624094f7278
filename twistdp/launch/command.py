"""What the command lines of all services of ours have in common."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from twisted.python import usage

from twistdp._version import __version__
from twistdp.errors import BadSettings, TwistdpError
from twistdp.launch.ending import end_at_once
from twistdp.launch.first_process import stand_in
from twistdp.model import printable


class CommandOptions(usage.Options):
    """A command line; whatever is wrong with it ends the process with one line and status 1.

    It is the first base of a service's options.
    """

    command = ""
    """The command's name in `twistd`."""

    def opt_version(self) -> None:
        """Show the version and exit."""
        sys.stdout.write(f"twistdp {__version__.public()}\n")
        raise SystemExit(0)

    opt_h = usage.Options.opt_help

    def parseOptions(self, options: Any = None) -> None:
        """Parse; an error ends the process with one line (twistd would print its whole usage).

        Process 1 of a container goes on in a child: see `twistdp.launch.first_process`.  That
        happens before foreign code is imported, since this may start threads.
        """
        twistd: Mapping[str, Any] = self.parent or {}
        if twistd.get("nodaemon"):
            status = stand_in()
            if status is not None:
                os._exit(status)
            end_at_once()
        try:
            super().parseOptions(options)
        except BadSettings as error:
            lines = [f"{self.command}: {printable(line)}" for line in error.lines]
            raise SystemExit("\n".join(lines)) from error
        except (usage.UsageError, TwistdpError) as error:
            line = printable(" ".join(str(error).split()))
            raise SystemExit(f"{self.command}: {line}") from error

    def parseArgs(self, *arguments: str) -> None:
        """There are no arguments."""
        if arguments:
            raise usage.UsageError(f"{arguments[0]}: unexpected; options start with '--'")
