"""A unit for systemd: for one command line, or as a template of many."""

import os
import shlex
from collections.abc import Sequence

from twistdp.deployment.templates import filled
from twistdp.legible import printable
from twistdp.settings import Settings

_ENVIRONMENT = """\
# TWISTDP_OPTIONS, and variables of the scanner's own.
EnvironmentFile=/etc/twistdp/%i.env
"""


def unit(twistd: str, options: Sequence[str] = (), settings: Settings | None = None) -> str:
    """The text of a unit that runs ``twistd deviceplugin`` with `options`, or of the template.

    `twistd` is the absolute path of the program.  Directories that `settings`, which `options`
    come to, name are writable in it; those of the template are the defaults.
    """
    settings = settings or Settings()
    printing = [
        "twistdp",
        "systemd-unit",
        f"--twistd={twistd}",
        *(["--", *options] if options else []),
    ]
    command = [twistd, "-n", "--pidfile=", "deviceplugin", *options]
    quoted = " ".join(map(_argument, command))
    root = settings.private_place or os.path.dirname(settings.plugin_dir)
    written = (root, settings.cdi_dir)
    secrets = (f"{root}/pki", f"{root}/pods")
    words = {
        "printing": printable(shlex.join(printing)),
        # The unit's name up to an @, and what is behind it.
        "name": "%p" if options else "%i",
        "environment": "" if options else _ENVIRONMENT,
        "command": quoted if options else f"{quoted} $TWISTDP_OPTIONS",
        "mounts": quote(root),
        "made": " ".join(map(_argument, written)),
        "hidden": " ".join(map(_argument, secrets)),
        "writable": _optional(*written),
        "inaccessible": _optional(*secrets),
    }
    return filled("twistdp.deployment", "service", words)


def _argument(word: str) -> str:
    """`word` as one of a command, where what looks like a variable stands for itself."""
    return quote(word.replace("$", "$$"))


def _optional(*paths: str) -> str:
    """A list of paths that need not exist."""
    return " ".join(quote(f"-{path}") for path in paths)


def quote(word: str) -> str:
    """`word` as one word of a list in a unit; see systemd.syntax(7).

    What looks like a specifier stands for itself.
    """
    text = word.replace("\\", "\\\\").replace("%", "%%")
    if text and not set(text) & set(" \t\n\r;\"'\\"):
        return text
    text = text.replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{text}"'
