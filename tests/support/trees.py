"""The small device trees of ``tests/select/trees``, laid out for a test."""

import atexit
import os
import shutil
import tempfile
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from twistdp.recording.layout import lay_out
from twistdp.recording.root import read_recording
from twistdp.recording.text import Recorded
from twistdp.select.device import Device
from twistdp.select.host import Host

TREES = os.path.join(os.path.dirname(os.path.dirname(__file__)), "select", "trees")

FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where the trees that many tests read are laid out: hundreds of small files."""


def recorded(name: str) -> tuple[Recorded, ...]:
    """The devices of a tree."""
    return read_recording(os.path.join(TREES, f"{name}.umockdev"))


def tree(case: SynchronousTestCase, name: str, *, udev: bool = True) -> str:
    """The directory in which a tree is laid out; without `udev` it has no data base of udev."""
    directory = tempfile.mkdtemp(prefix="twistdp-tree-", dir=FAST)
    case.addCleanup(shutil.rmtree, directory, ignore_errors=True)
    lay_out(recorded(name), directory, udev=udev)
    return directory


@cache
def _shared(name: str, udev: bool) -> str:
    directory = tempfile.mkdtemp(prefix="twistdp-tree-", dir=FAST)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    lay_out(recorded(name), directory, udev=udev)
    return directory


def host(name: str, *, udev: bool = True) -> Host:
    """The host of a tree that all tests share: none changes it."""
    return Host(_shared(name, udev))


def named(host: Host, name: str) -> Device:
    """The lowest device with a kernel name; a tty has that of the port above it."""
    return [device for device in host.devices() if device.name == name][-1]
