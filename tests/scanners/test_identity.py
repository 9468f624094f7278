"""No device is ever in two pods, whatever is plugged in and out in any order."""

import os
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.scanners.test_globbing import Sandbox, of
from twistdp import DeviceTree
from twistdp.scanners import globbing
from twistdp.scanners.globbing import GlobScanner

DIRECTORIES = ("t", "by-id", "by-path", "other")

PATTERNS = (
    ("t/n*",),
    ("by-id/*",),
    ("by-id/*", "t/n*"),
    ("by-path/*", "by-id/*"),
    ("by-id/*", "by-path/*"),
    ("*/*",),
    ("t/n*", "other/n*"),
)

DELAYS = (0, 5, 30, 45, 49, 55, 1000)
"""Milliseconds between two of a device's links."""

Operation = tuple[str, int, int, tuple[int, ...]]

WHATS = ["plug", "plug", "unplug", "namesake", "release", "wait", "wait", "rescan", "restart"]

operations = st.lists(
    st.tuples(
        st.sampled_from(WHATS),
        st.integers(0, 3),
        st.integers(0, 3),
        st.tuples(*[st.sampled_from(DELAYS)] * 3),
    ),
    min_size=3,
    max_size=20,
)


class Machine:
    """A kernel that makes nodes, udev that makes links to them, a plugin and a kubelet.

    A node's content is the number of the device that was plugged in.  There are four sockets.
    Devices 0 and 1 have serial numbers; 2 and 3 have none, and claim the same link.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.box = Sandbox()
        for directory in DIRECTORIES:
            self.box.directory(directory)
        self.patterns = [self.box.path(pattern) for pattern in patterns]
        self.now = 0  # milliseconds
        self.plugged: dict[int, tuple[int, str]] = {}  # by socket: model, node
        self.claims: dict[str, list[int]] = {}  # by link: sockets
        self.under_way: list[tuple[int, str, int]] = []  # when, link, socket
        self.led_back: set[int] = set()  # sockets with a link that led elsewhere for a while
        self.changed: set[str] = set()
        self.number = 0
        self.pods: dict[str, str] = {}  # by id: the device's number
        self.tree = DeviceTree()
        self.restart()

    def restart(self) -> None:
        """Another process starts."""
        self.scanner = GlobScanner("thing", self.patterns, nodes_only=False)
        self.rescan()

    def rescan(self) -> None:
        """Scan everything."""
        self.changed.clear()
        self.tree = self.scanner.discover()

    def look(self) -> None:
        """Scan the paths that inotify reports."""
        watched, changed = set(self.scanner.paths), set(self.changed)
        self.changed.clear()
        self.tree = self.scanner.follow(
            {path for path in changed if os.path.dirname(path) in watched}
        )
        if set(self.scanner.paths) - watched:
            self.rescan()

    def wait(self, milliseconds: int) -> None:
        """Let time pass, and let udev continue."""
        end = self.now + milliseconds
        for when, link, socket in sorted(self.under_way):
            if when <= end:
                self.under_way.remove((when, link, socket))
                self.now = max(self.now, when)
                self.claims.setdefault(link, []).append(socket)
                self.lead(link, socket)
        self.now = end

    def lead(self, link: str, socket: int) -> None:
        """Let a link lead to the device in a socket."""
        path = self.box.path(link)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(self.plugged[socket][1], path)
        os.utime(path, ns=(self.now * 10**6, self.now * 10**6), follow_symlinks=False)
        self.changed.add(path)

    def plug(self, socket: int, model: int, delays: Sequence[int]) -> None:
        """Plug a device in: the node is made, and its links follow."""
        if socket in self.plugged or any(model == other for other, _ in self.plugged.values()):
            return
        used = {node for _, node in self.plugged.values()}
        node = next(n for n in map(self.box.path, map("t/n{}".format, range(9))) if n not in used)
        self.number += 1
        with open(node, "w", encoding="ascii") as file:
            file.write(str(self.number))
        self.changed.add(node)
        self.plugged[socket] = (model, node)
        by_id = "no-serial" if model >= 2 else f"serial{model}"
        when = self.now
        for delay, link in zip(
            delays, (f"by-id/{by_id}", f"by-path/{socket}", f"by-id/alias{model}"), strict=True
        ):
            when += delay
            self.under_way.append((when, link, socket))
        self.wait(0)

    def unplug(self, socket: int) -> None:
        """Pull a device out: the node goes, then its links, unless another device takes them."""
        if socket not in self.plugged:
            return
        self.under_way = [one for one in self.under_way if one[2] != socket]
        self.led_back.discard(socket)
        _, node = self.plugged.pop(socket)
        os.unlink(node)
        self.changed.add(node)
        for link, sockets in self.claims.items():
            if socket in sockets:
                sockets.remove(socket)
                path = self.box.path(link)
                if os.readlink(path) == node:
                    os.unlink(path)
                    self.changed.add(path)
                    if sockets:
                        self.lead(link, sockets[-1])
                        self.led_back.add(sockets[-1])

    def namesake(self, number: int) -> None:
        """Another file with the name of a node comes or goes."""
        path = self.box.path(f"other/n{number}")
        if os.path.exists(path):
            os.unlink(path)
        else:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"other {number} at {self.now}")
        self.changed.add(path)

    def allocate(self) -> None:
        """Pods get all free ids."""
        self.look()
        for id_, info in of(self.tree).items():
            if id_ not in self.pods:
                with open(info.mounts[0].host_path, encoding="ascii") as file:
                    self.pods[id_] = file.read()

    def do(self, operation: Operation) -> None:
        """Carry out one step."""
        what, socket, model, delays = operation
        if what == "plug":
            self.plug(socket, model, delays)
        elif what == "unplug":
            self.unplug(socket)
        elif what == "namesake":
            self.namesake(socket)
        elif what == "release":
            self.pods.pop(next(iter(self.pods), ""), None)
        elif what == "wait":
            self.wait((5, 60, 1000, 5000)[model])
        elif what == "rescan":
            self.rescan()
        else:
            # A process that starts goes by the links that there are and by their times, so it
            # cannot know the name of a device whose link leads elsewhere, or did so for a while.
            self.wait(0)
            self.look()
            if not self.scanner._matches.lost and not self.moves() and not self.led_back:
                self.restart()

    def moves(self) -> bool:
        """Whether a link is about to lead from one device to another."""
        return any(os.path.lexists(self.box.path(link)) for _, link, _ in self.under_way)

    def listed(self) -> list[str]:
        """The numbers of the listed devices that still exist."""
        numbers = []
        for info in of(self.tree).values():
            path = info.mounts[0].host_path
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    numbers.append(file.read())
        return numbers


class IdentityTests(SynchronousTestCase):
    """A kubelet that keeps allocations over all changes."""

    @settings(max_examples=60)
    @given(st.sampled_from(PATTERNS), operations)
    def test_no_device_in_two_pods(self, patterns: tuple[str, ...], batch: list[Operation]) -> None:
        """Ids that are listed together are different devices, and so are those of pods."""
        machine = Machine(patterns)
        self.patch(globbing, "sleep", lambda seconds: machine.wait(round(seconds * 1000)))
        try:
            for operation in batch:
                machine.do(operation)
                machine.allocate()
                held = list(machine.pods.values())
                self.assertEqual(len(held), len(set(held)), machine.pods)
                listed = machine.listed()
                self.assertEqual(len(listed), len(set(listed)), of(machine.tree))
        finally:
            machine.box.remove()

    @settings(max_examples=20)
    @given(st.sampled_from(PATTERNS[:6]), st.lists(st.tuples(*[st.sampled_from(DELAYS)] * 3)))
    def test_serial_numbers(self, patterns: tuple[str, ...], delays: list[tuple[int, ...]]) -> None:
        """A device is listed under the same id whenever it is plugged in, if the name can stay."""
        machine = Machine(patterns)
        self.patch(globbing, "sleep", lambda seconds: machine.wait(round(seconds * 1000)))
        seen: set[str] = set()
        try:
            for these in delays:
                machine.plug(0, 0, [min(delay, 24) for delay in these])
                machine.look()
                machine.wait(5000)
                machine.look()
                machine.rescan()
                machine.restart()
                seen.update(of(machine.tree))
                machine.unplug(0)
                machine.look()
                self.assertEqual(of(machine.tree), {})
        finally:
            machine.box.remove()
        self.assertLessEqual(len(seen), 1)
