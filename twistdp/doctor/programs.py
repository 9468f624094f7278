"""Asks a running program of this host for its version."""

import os
import subprocess
from typing import Final

from twistdp.errors import Untrusted
from twistdp.host import check_ownership

PATIENCE: Final = 5.0
"""Seconds that a program may take."""

MOST: Final = 64 * 1024
"""Bytes of its output that are looked at."""


def version_text(pid: int) -> str:
    """What the program of a process prints for ``--version``.

    Raises OSError if the program cannot be run, takes too long, fails, or is not the one that the
    process runs; and if others than root and our user could have changed it.
    """
    running = f"/proc/{pid}/exe"
    program = os.readlink(running)
    if not os.path.samefile(program, running):  # that of another mount namespace
        raise FileNotFoundError(f"{program} is not what process {pid} runs")
    try:
        check_ownership(program)
    except Untrusted as error:
        raise PermissionError(str(error)) from error
    return run(program, "--version")


def run(program: str, *words: str) -> str:
    """Run a program without a shell, and return what it prints.  Raises OSError."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - words, not a shell's line
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            cwd="/",
            env=environment,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{program} took more than {PATIENCE:g} s") from error
    except subprocess.CalledProcessError as error:
        raise OSError(f"{program} failed with status {error.returncode}") from error
    return done.stdout[:MOST].decode(errors="replace")
