"""A machine in a container, with systemd as its first process.

``make test-systemd`` makes the tree that is booted, and names it in TWISTDP_SYSTEMD_TREE.
"""

import atexit
import contextlib
import os
import select
import subprocess
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar
from unittest import SkipTest

T = TypeVar("T")

BOOT = 60.0
"""Seconds that a boot may take."""


class Machine:
    """Boots `tree`; what is run in it is run as root in all of its namespaces."""

    def __init__(self, tree: str) -> None:
        self.tree = tree
        atexit.register(self.stop)
        self._boot()

    def _boot(self) -> None:
        # Without a login manager or a scope of its own, which only a host with systemd has.
        self._nspawn = subprocess.Popen(
            [
                *("systemd-nspawn", "--register=no", "--keep-unit", "-D", self.tree, "--boot"),
                # A whole machine has these, and a container usually does not: raw commands, network
                # namespaces whose loopback interface is up, and a filter of IP addresses.
                "--capability=CAP_SYS_RAWIO,CAP_NET_ADMIN",
                "--system-call-filter=bpf",
            ],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._wait_for(b"Reached target", b"multi-user.target")
        self._leader = self._child()
        # Not forked it is no process of the machine, which would wait for it in order to end.
        self._follower = subprocess.Popen(
            self._inside(
                *("--no-fork", "journalctl", "--follow", "--lines=0", "--output=cat"),
            ),
            stdout=subprocess.PIPE,
        )

    def stop(self) -> None:
        """Switch it off."""
        with contextlib.suppress(Exception):
            self.run("systemctl", "poweroff")
            self._nspawn.wait(20)
            self._follower.kill()
            self._follower.wait()
        self._nspawn.kill()
        self._nspawn.wait()

    def reboot(self) -> None:
        """Switch it off and on; returns when everything that is enabled was begun."""
        self.stop()
        self._boot()

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints, errors too; raises AssertionError if it fails."""
        done = subprocess.run(
            self._inside(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Make a file."""
        self.run("mkdir", "-p", os.path.dirname(path))
        self.run("sh", "-c", 'printf %s "$1" > "$2"', "sh", text, path)

    def until(self, look: Callable[[], T], wanted: Callable[[T], object], seconds: float) -> T:
        """Look, and again when something was logged, until it is as wanted; then what it is."""
        end = time.monotonic() + seconds
        assert self._follower.stdout is not None
        while not wanted(found := look()):
            assert time.monotonic() < end, f"after {seconds} s it is still {found!r}"
            # Some things are not logged: a status text, say.
            if select.select([self._follower.stdout], [], [], 0.3)[0]:
                os.read(self._follower.stdout.fileno(), 1 << 16)
        return found

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", "--target", str(self._leader), "--all", *command]

    def _child(self) -> int:
        pid = self._nspawn.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def _wait_for(self, *words: bytes) -> None:
        assert self._nspawn.stdout is not None
        seen, end = b"", time.monotonic() + BOOT
        while not all(word in seen for word in words):
            left = end - time.monotonic()
            assert left > 0 and select.select([self._nspawn.stdout], [], [], left)[0], seen
            part = os.read(self._nspawn.stdout.fileno(), 1 << 16)
            assert part, f"it does not boot: {seen.decode(errors='replace')}"
            seen += part


@cache
def booted() -> Machine:
    """The machine, one for all tests; raises SkipTest where there is none to boot."""
    tree = os.environ.get("TWISTDP_SYSTEMD_TREE")
    if not tree:
        raise SkipTest("boots a machine: make test-systemd")
    return Machine(tree)
