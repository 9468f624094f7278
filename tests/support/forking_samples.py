"""Scanners that start processes."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from typing import Any

from twistdp import HEALTHY, DeviceInfo, DeviceTree, WatchingScanner


def report(path: str) -> None:
    """Write to the file `path`, as JSON, what this process has open and how it handles signals."""
    opened = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            opened[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    handlers = {
        signal.Signals(number).name: str(signal.getsignal(number))
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    }
    said = {
        "opened": opened,
        "handlers": handlers,
        "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "wakes": signal.set_wakeup_fd(-1),
        "masked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    }
    with open(f"{path}.new", "w", encoding="ascii") as file:
        json.dump(said, file)
    os.rename(f"{path}.new", path)


def report_and_stay(path: str) -> None:
    """The same, and live on."""
    report(path)
    signal.pause()


def exists(path: str) -> tuple[str, bool]:
    """Whether a device is there; as slow probes are run side by side."""
    return path, os.path.exists(path)


class Files(WatchingScanner):
    """Each file of a directory is a device."""

    namespace = "forking.example.com"

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Look."""
        names = sorted(os.listdir(self.directory))
        tree = DeviceTree()
        for name in self.alive(names):
            tree.add_device("thing", name, DeviceInfo(HEALTHY, envs={"NAME": name}))
        return tree

    def alive(self, names: list[str]) -> list[str]:
        """Those that are devices."""
        return names


class Pooled(Files):
    """They are looked at in a pool of processes."""

    def alive(self, names: list[str]) -> list[str]:
        """Ask the pool."""
        paths = [os.path.join(self.directory, name) for name in names]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = dict(pool.map(exists, paths))
        return [name for name in names if found[os.path.join(self.directory, name)]]


class Ends(Files):
    """Each is looked at in children that are ended as soon as they are there."""

    def alive(self, names: list[str]) -> list[str]:
        """Start and end some."""
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        return names


class Starts(Files):
    """Once there is a second device it starts a process, which reports into the file `told`.

    `how` is a start method of multiprocessing, whose process lives on; or ``os`` for a plain fork
    that does, or ``exec`` for a program that inherits what it can.
    """

    def __init__(self, directory: str, told: str, how: str) -> None:
        super().__init__(directory)
        self.told = told
        self.how = how
        self.started: Any = None

    def alive(self, names: list[str]) -> list[str]:
        """Start it."""
        if len(names) > 1 and self.started is None:
            self.started = self.start()
        return names

    def start(self) -> Any:
        """Whatever it is."""
        if self.how == "exec":
            code = f"from tests.support import forking_samples as f; f.report({self.told!r})"
            return subprocess.run([sys.executable, "-c", code], close_fds=False, check=True)
        if self.how == "os":
            pid = os.fork()
            if pid == 0:
                report_and_stay(self.told)
            return pid
        method: Any = multiprocessing.get_context(self.how)
        process = method.Process(target=report_and_stay, args=(self.told,), daemon=True)
        process.start()
        return process


class Orphans(WatchingScanner):
    """Runs a program that leaves another one behind; there is a device if its result is right."""

    namespace = "forking.example.com"

    def __init__(self, told: str) -> None:
        super().__init__(rescan_interval=0.05)
        self.told = told

    def discover(self) -> DeviceTree:
        """Run it, and append a byte to the file `told`."""
        with open(self.told, "ab") as file:
            file.write(b".")
        done = subprocess.run(["sh", "-c", "(sleep 0.01 &) ; exit 7"], check=False)
        tree = DeviceTree()
        if done.returncode == 7:
            tree.add_device("thing", "a", DeviceInfo(HEALTHY, envs={"NAME": "a"}))
        return tree
