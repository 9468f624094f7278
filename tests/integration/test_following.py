"""A configuration file that changes while its resources are served."""

import itertools
import os
from collections.abc import Callable, Sequence
from functools import partial
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import TestCase

from tests.support.helpers import replace, temporary_directory, until
from tests.support.kubelets import PatientKubelet
from tests.support.logs import observe
from tests.support.plugins import Recorder
from twistdp.inotify import ENTRIES, inotify_of
from twistdp.launch import following
from twistdp.launch.configured import read_config
from twistdp.launch.following import ConfigFile
from twistdp.settings import Settings
from twistdp.testing import loopdevices

KEPT = "x.example.com/kept"
CHANGED = "x.example.com/changed"
OTHER = "y.example.com/other"
FILE = """
domain: x.example.com
resources:
  kept: /dev/null
  changed: {{path: /dev/zero, replicas: {count}}}
"""


class FollowingTests(TestCase):
    """`ConfigFile`"""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A kubelet, and a file that is served."""
        self.directory = temporary_directory(self)
        self.plugins = os.path.join(self.directory, "p")
        os.mkdir(self.plugins)
        self.log = Recorder(reactor)
        observe(self, self._observe)
        self.kubelet = PatientKubelet(self.plugins, force=True)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("twistdp"):
            self.log.record(formatEvent(event))

    async def logged(self, text: str, begin: int = 0) -> None:
        """Wait for a text in the log, after the first `begin` messages."""
        await until(lambda: any(text in line for line in self.log.events[begin:]))

    def write(self, text: str, name: str = "devices.yaml") -> None:
        """Replace a file, as editors do."""
        replace(os.path.join(self.directory, name), text)

    def serve(self, path: str | None = None) -> ConfigFile:
        """Serve the file."""
        path = path or os.path.join(self.directory, "devices.yaml")
        settings = Settings(plugin_dir=self.plugins)
        served = ConfigFile(path, read_config(path), settings, reactor)
        served.startService()
        self.addCleanup(served.stopService)
        return served

    def replicas(self, count: int) -> list[str]:
        """The ids of the resource that changes."""
        return [f"zero-{number}" for number in range(count)]

    async def test_edits(self) -> None:
        """A hundred edits reach the resource that differs, and no stream of another ends."""
        self.write(FILE.format(count=2))
        self.serve()
        await self.kubelet.listed(KEPT, ["null"])
        await self.kubelet.listed(CHANGED, self.replicas(2))
        for number in range(100):
            count = 3 + number % 2
            self.write(FILE.format(count=count))
            await self.kubelet.listed(CHANGED, self.replicas(count))
        for name, lists in ((KEPT, 1), (CHANGED, 101)):
            resource = self.kubelet.resources[name]
            self.assertEqual((resource.streams_ended, resource.lists), (0, lists), name)

    async def test_unchanged(self) -> None:
        """A change of another file in the directory does not make this one be read again."""
        self.write(FILE.format(count=2))
        self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(2))
        seen: Deferred[object] = Deferred()

        def note(changes: object) -> None:
            if not seen.called:
                seen.callback(changes)

        watch = inotify_of(reactor).watch(self.directory, note, ENTRIES)
        self.addCleanup(watch.stop)
        with open(os.path.join(self.directory, "other"), "wb"):
            pass
        await seen
        self.write(FILE.format(count=3))
        await self.kubelet.listed(CHANGED, self.replicas(3))
        self.assertEqual(sum("was read again" in line for line in self.log.events), 1)

    async def test_refused(self) -> None:
        """A file with problems changes nothing, and each problem is logged."""
        self.write(FILE.format(count=2))
        self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(2))
        self.write("domain: x.example.com\nresources: {a: {pth: /x}, b: {usb: 1, as: ty}}\n")
        begin = f"configuration {self.directory}/devices.yaml is refused"
        await until(lambda: sum(begin in line for line in self.log.events) == 2)
        self.assertEqual(self.kubelet.devices(CHANGED), dict.fromkeys(self.replicas(2), "Healthy"))
        self.write(FILE.format(count=1))
        await self.kubelet.listed(CHANGED, self.replicas(1))
        self.assertEqual(self.kubelet.resources[CHANGED].streams_ended, 0)

    async def test_others_may_write(self) -> None:
        """A file that others may write to is refused until only root and we may."""
        self.write(FILE.format(count=2))
        self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(2))
        path = f"{self.directory}/devices.yaml"
        os.chmod(path, 0o666)
        with open(path, "w", encoding="ascii") as file:
            file.write(FILE.format(count=1))
        begin = f"configuration {path} is refused"
        await until(lambda: any(begin in line for line in self.log.events))
        self.assertIn("stays in force: others may write to", self.log.events[-1])
        self.assertEqual(self.kubelet.devices(CHANGED), dict.fromkeys(self.replicas(2), "Healthy"))
        os.chmod(self.directory, 0o777)
        os.chmod(path, 0o644)
        await until(lambda: any("others may write in" in line for line in self.log.events))
        os.chmod(self.directory, 0o700)
        await self.kubelet.listed(CHANGED, self.replicas(1))

    async def test_resources_come_and_go(self) -> None:
        """A resource that is left out is withdrawn; a new one is served, in a new domain too."""
        self.write(FILE.format(count=1))
        self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(1))
        self.write(
            "domain: x.example.com\nresources: {kept: /dev/null, y.example.com/other: /dev/full}\n"
        )
        await self.kubelet.listed(OTHER, ["full"])
        await self.kubelet.until(lambda: self.kubelet.capacity(CHANGED) == 0)
        self.assertEqual(self.kubelet.resources[KEPT].streams_ended, 0)
        self.write("domain: x.example.com\nresources: {kept: /dev/null}\n")
        await self.kubelet.until(lambda: self.kubelet.capacity(OTHER) == 0)
        self.assertEqual(self.kubelet.resources[KEPT].streams_ended, 0)
        found = [x.partition("again, and has ")[2] for x in self.log.events if "read again" in x]
        self.assertEqual(found, [f"added {OTHER}; removed {CHANGED}", f"removed {OTHER}"])

    def beside(self) -> ConfigFile:
        """Serve a second file beside the first, which knows of it."""
        self.write("domain: x.example.com\nresources: {kept: /dev/null}\n")
        self.write("domain: x.example.com\nresources: {changed: /dev/zero}\n", "two.yaml")
        files = [self.serve(), self.serve(os.path.join(self.directory, "two.yaml"))]
        for each in files:
            each.beside(files)
        return files[1]

    async def test_resource_of_another_file(self) -> None:
        """A resource that another file has is refused, until that has it no longer."""
        self.beside()
        await self.kubelet.listed(CHANGED, ["zero"])
        self.write(
            "domain: x.example.com\nresources: {changed: /dev/full, kept: /dev/full}\n", "two.yaml"
        )
        await self.logged(
            f"two.yaml is refused, and the one before stays in force: resource {KEPT}"
        )
        kept = "domain: x.example.com\nresources: {kept: {path: /dev/null, replicas: 2}}\n"
        self.write(kept)
        await self.kubelet.listed(KEPT, ["null-0", "null-1"])
        self.assertEqual(list(self.kubelet.devices(CHANGED)), ["zero"])
        self.write(kept.replace("kept", "y.example.com/other"))
        await self.kubelet.listed(KEPT, ["full"])
        await self.kubelet.listed(CHANGED, ["full"])

    async def test_exchanged(self) -> None:
        """Two files may exchange their resources, whichever is read first."""
        self.beside()
        await self.kubelet.listed(KEPT, ["null"])
        await self.kubelet.listed(CHANGED, ["zero"])
        self.write("domain: x.example.com\nresources: {changed: /dev/full}\n")
        await self.logged("devices.yaml is refused, and the one before stays in force")
        self.write("domain: x.example.com\nresources: {kept: /dev/full}\n", "two.yaml")
        await self.kubelet.listed(KEPT, ["full"])
        await self.kubelet.listed(CHANGED, ["full"])

    async def test_refused_meanwhile(self) -> None:
        """What was refused for another file's resource is forgotten when the file changes."""
        two = self.beside()
        await self.kubelet.listed(CHANGED, ["zero"])
        self.write("domain: x.example.com\nresources: {kept: /dev/full}\n", "two.yaml")
        await self.logged("two.yaml is refused, and the one before stays in force: resource")
        self.write("nonsense: 1\n", "two.yaml")
        await self.logged(
            "two.yaml is refused, and the one before stays in force: line 1, column 1: "
        )
        self.write("domain: y.example.com\nresources: {other: /dev/null}\n")
        await self.kubelet.listed(OTHER, ["null"])
        self.assertEqual(list(two.config.resources), ["changed"])

    async def test_settings(self) -> None:
        """Of a resource with other settings alone the stream ends: it is made again."""
        self.write(FILE.format(count=1))
        self.serve()
        await self.kubelet.listed(KEPT, ["null"])
        await self.kubelet.listed(CHANGED, self.replicas(1))
        changed = "changed: {path: /dev/zero, replicas: 1, removalGrace: 9}"
        self.write(f"domain: x.example.com\nresources:\n  kept: /dev/null\n  {changed}\n")
        await self.kubelet.until(lambda: self.kubelet.resources[CHANGED].streams_ended == 1)
        await self.kubelet.listed(CHANGED, self.replicas(1))
        self.assertEqual(self.kubelet.resources[KEPT].streams_ended, 0)

    async def test_config_map(self) -> None:
        """A mounted ConfigMap changes by its link ``..data``."""
        for name, count in (("..1", 1), ("..2", 2)):
            os.mkdir(os.path.join(self.directory, name))
            with open(os.path.join(self.directory, name, "d.yaml"), "w", encoding="ascii") as file:
                file.write(FILE.format(count=count))
        os.symlink("..1", os.path.join(self.directory, "..data"))
        path = os.path.join(self.directory, "d.yaml")
        os.symlink("..data/d.yaml", path)
        self.serve(path)
        await self.kubelet.listed(CHANGED, self.replicas(1))
        os.symlink("..2", os.path.join(self.directory, "..data_tmp"))
        os.replace(
            os.path.join(self.directory, "..data_tmp"), os.path.join(self.directory, "..data")
        )
        await self.kubelet.listed(CHANGED, self.replicas(2))

    async def test_half_written(self) -> None:
        """A half that is written is not read, though it would be a good file of its own."""
        self.write(FILE.format(count=1))
        served = self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(1))
        text = FILE.format(count=2)
        begin = text.index("  changed")
        with open(os.path.join(self.directory, "devices.yaml"), "w", encoding="ascii") as file:
            file.write(text[:begin])
            file.flush()
            served._look()  # as after an event about another file
            if served._busy:
                await until(lambda: not served._busy)
            file.write(text[begin:])
        await self.kubelet.listed(CHANGED, self.replicas(2))
        self.assertEqual(self.kubelet.resources[CHANGED].lists, 2)

    async def test_never_at_rest(self) -> None:
        """A file that something writes all the time is read now and then."""
        self.write(FILE.format(count=1))
        self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(1))
        numbers = itertools.count()
        writing = LoopingCall(lambda: self.write(f"{FILE.format(count=2)}# {next(numbers)}\n"))
        self.addCleanup(writing.stop)
        writing.start(following.SETTLED / 5)
        await self.kubelet.listed(CHANGED, self.replicas(2))

    async def test_bad_edits(self) -> None:
        """Whatever is at the path meanwhile, a good file takes effect and no stream blinks."""
        self.write(FILE.format(count=1))
        served = self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(1))
        path = os.path.join(self.directory, "devices.yaml")
        good = FILE.format(count=1).encode()

        def in_place(content: bytes) -> None:
            with open(path, "wb") as file:
                for begin in range(0, len(content), 7):
                    file.write(content[begin : begin + 7])
                    file.flush()

        def gone() -> None:
            os.unlink(path)

        def other(make: Callable[[str], object]) -> Callable[[], None]:
            def replace() -> None:
                os.unlink(path)
                make(path)

            return replace

        def storm() -> None:
            gone()
            for _ in range(1000):
                served.read_again()

        def moved() -> None:
            os.rename(self.directory, f"{self.directory}.away")
            os.mkdir(self.directory)

        def back() -> None:
            os.rmdir(self.directory)
            os.rename(f"{self.directory}.away", self.directory)

        changes: Sequence[tuple[Callable[[], object], str]] = (
            (lambda: in_place(b""), "the file is empty"),
            (lambda: in_place(good[: good.rindex(b":")]), "refused"),
            (lambda: in_place(b"\xff\xfe" + good), "not UTF-8"),
            (lambda: in_place(b"a: [" * 100_000), "more than 32 lists"),
            (lambda: in_place(b"x" * (2 << 20)), "at most 1048576 are read"),
            (lambda: in_place(good), "read again"),
            (gone, "No such file"),
            (storm, "No such file"),
            (other(os.mkdir), "no regular file"),
            (other(os.mkfifo), "no regular file"),
            (other(partial(os.symlink, "devices.yaml")), "symbolic links"),
            (other(partial(os.symlink, "/proc/self/mem")), "refused"),
            (moved, "No such file"),
        )
        for number, (change, reason) in enumerate(changes):
            begin = len(self.log.events)
            change()
            await self.logged(reason, begin)
            if os.path.isdir(path):
                os.rmdir(path)
            if os.path.exists(f"{self.directory}.away"):
                back()
            count = 2 + number % 2
            self.write(FILE.format(count=count))
            await self.kubelet.listed(CHANGED, self.replicas(count))
        for name in (KEPT, CHANGED):
            self.assertEqual(self.kubelet.resources[name].streams_ended, 0, name)
        self.assertEqual(self.kubelet.resources[KEPT].lists, 1)

    async def test_hot_plug(self) -> None:
        """A real device that is plugged in is listed, and withdrawn when it is gone."""
        if not loopdevices.usable():
            raise SkipTest("needs the right to make loop devices")
        number = loopdevices.free_number()
        self.write(
            "domain: x.example.com\n"
            "resources:\n"
            f"  kept: {{path: /dev/loop{number}*}}\n"
            f"  changed: {{subsystem: block, kernelName: loop{number}, replicas: 2}}\n"
        )
        self.serve()
        names = [f"loop{number}"]
        for _ in range(2):
            await until(lambda: not any(self.kubelet.capacity(each) for each in (KEPT, CHANGED)))
            loopdevices.add(number)
            try:
                await self.kubelet.listed(KEPT, names)
                await self.kubelet.listed(CHANGED, [f"{names[0]}-0", f"{names[0]}-1"])
            finally:
                await deferToThread(loopdevices.remove, number)
        await until(lambda: not any(self.kubelet.capacity(each) for each in (KEPT, CHANGED)))

    async def test_asked(self) -> None:
        """`read_again` reads the file that has not changed, and reports that."""
        self.write(FILE.format(count=1))
        served = self.serve()
        await self.kubelet.listed(CHANGED, self.replicas(1))
        with open(os.path.join(self.directory, "another.yaml"), "w", encoding="ascii"):
            pass  # an event that is about another file
        served.read_again()
        await until(
            lambda: any("was read again, and has changed nothing" in x for x in self.log.events)
        )
        self.assertEqual(self.kubelet.resources[CHANGED].lists, 1)
        self.assertEqual(sum("was read again" in line for line in self.log.events), 1)
