"""The log of ``twistd deviceplugin`` as a real process: each line once, wherever it goes."""

import contextlib
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.inotify import IN_CHANGED, IN_MODIFY, INotify
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase

from tests.support.helpers import killed, soon
from tests.support.kubelets import PatientKubelet
from tests.support.logs import HEADER
from twistdp.logs.service import LESS, MORE
from twistdp.testing.process import ChildProcess, twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESOURCE = "talk.example.com/thing"
TWISTD = [
    r"twistd \S+ \(.*\) starting up\.",
    r"reactor class: .*\.AsyncioSelectorReactor\.",
]
"""What twistd says of itself at level 4."""
START = [
    r"twistdp \S+ in \S+ serves talk\.example\.com from tests\.\S*process_samples:Talks\S*\(.*\)",
]
RUN = [rf"{RESOURCE}: 1 device \(\+thing-0\)", rf"registered {RESOURCE} with the kubelet"]
SCANNER = [
    r"said through klog number=1",
    r"said through logging logger=\"talk\"",
    r"UserWarning: said through warnings",
    r"said through print",
]
USER_SIGNAL = r"a signal changes nothing: .*copytruncate signal=\"SIGUSR2\""
END = [r"Received SIGTERM, shutting down\.", r"Server Shut Down\."]


class Child(ChildProcess):
    """Calls `look` when it has written something."""

    def __init__(self, *arguments: Any, look: Callable[[], None], **options: Any) -> None:
        self._look = look
        super().__init__(*arguments, **options)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """See `ChildProcess`."""
        super().childDataReceived(childFD, data)
        self._look()


class LogTestCase(TestCase):
    """A kubelet in this process, and a plugin as child whose scanner talks."""

    timeout = 300

    def ends(self, before: int, text: str) -> bool:
        """Whether what was logged since then ends so."""
        return self.read()[before:].endswith(text)

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start the kubelet."""
        self.directory = tempfile.mkdtemp(prefix="log-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.plugins = os.path.join(self.directory, "plugins")
        self.kubelet = PatientKubelet(self.plugins, force=True)
        os.mkdir(self.plugins)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)
        self.log = os.path.join(self.directory, "a.log")
        self.awaited: list[tuple[Callable[[], object], Deferred[None]]] = []
        source = INotify(reactor)
        source.watch(
            FilePath(self.directory), IN_CHANGED | IN_MODIFY, callbacks=[lambda *_: self.look()]
        )
        source.startReading()
        self.addCleanup(source.loseConnection)

    def plugin(self, *options: str, twistd: tuple[str, ...], path: str = ROOT) -> ChildProcess:
        """Start a plugin, which is ended with the test."""
        child = Child(
            [
                *twistd_command(),
                *twistd,
                "deviceplugin",
                "--scanner=tests.support.process_samples:Talks",
                f"--plugin-dir={self.plugins}",
                "--status-socket=",
                *options,
            ],
            reactor=reactor,
            path=path,
            env={"PYTHONPATH": ROOT, "TALK_LOG": self.log},
            look=self.look,
        )
        self.addCleanup(killed, child)
        return child

    def look(self) -> None:
        """A file in our directory has changed, or a child has written something."""
        for entry in list(self.awaited):
            condition, held = entry
            if condition():
                self.awaited.remove(entry)
                held.callback(None)

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires when a condition holds that files or children decide."""
        held: Deferred[None] = Deferred()
        self.awaited.append((condition, held))
        self.look()
        return soon(held)

    async def started(self, child: ChildProcess) -> None:
        """Wait until a child serves and has logged it."""
        await self.kubelet.listed(RESOURCE, ["thing-0"])
        await self.until(lambda: "registered" in child.output + self.read())

    async def finish(self, child: ChildProcess) -> None:
        """End a child that has started well."""
        await self.started(child)
        child.signal("TERM")
        await child.ended

    def read(self, suffix: str = "") -> str:
        """The text of the log file."""
        try:
            with open(self.log + suffix, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def said(self, text: str) -> list[str]:
        """The messages of the lines of `text`, all of which have klog's headers."""
        said = []
        for line in text.splitlines():
            found = HEADER.fullmatch(line)
            assert found is not None, line
            said.append(found["rest"])
        return said

    def assert_lines(self, text: str, *expected: list[str]) -> None:
        """`text` has klog lines, and each of the expected ones is there once and no other is."""
        self.assert_said(self.said(text), *expected)

    def assert_said(self, said: list[str], *expected: list[str]) -> None:
        """Fail unless the messages are the expected ones, in any order."""
        patterns = [pattern for patterns in expected for pattern in patterns]
        for pattern in patterns:
            matching = [one for one in said if re.fullmatch(pattern, one)]
            self.assertEqual(len(matching), patterns.count(pattern), (pattern, said))
        self.assertEqual(len(said), len(patterns), said)


class ForegroundTests(LogTestCase):
    """With -n."""

    async def test_stdout(self) -> None:
        """Lines go to stdout; the default shows what an operator needs and nothing else."""
        child = self.plugin(twistd=("-n", "--pidfile="))
        await self.finish(child)
        self.assert_lines(child.output, START, RUN, SCANNER, END)
        callers = {
            found["rest"]: found["file"]
            for found in map(HEADER.fullmatch, child.output.splitlines())
            if found
        }
        self.assertEqual(callers["said through print"], "process_samples.py")
        self.assertEqual(callers["said through klog number=1"], "process_samples.py")

    async def test_traffic(self) -> None:
        """-v 4 shows what goes to and from the kubelet."""
        child = self.plugin("-v", "4", twistd=("-n", "--pidfile="))
        await self.started(child)
        await self.kubelet.allocate(RESOURCE, 1)
        await self.finish(child)
        traffic = [
            rf'an attempt to register begins resource="{RESOURCE}"',
            rf'options asked for resource="{RESOURCE}"',
            rf'stream opened resource="{RESOURCE}" kubelets=true',
            rf'list sent resource="{RESOURCE}" version=0 bytes=\d+',
            rf'allocation asked for resource="{RESOURCE}" count=1 ids=\[\["thing-0"\]\]',
            rf"{RESOURCE}: allocated thing-0.*",
            rf'stream ended resource="{RESOURCE}" kubelets=true',
            r"said with level 3",
        ]
        # A kubelet may ask for the options when it connects, too.
        said = dict.fromkeys(self.said(child.output))
        self.assert_said(list(said), TWISTD, START, RUN, SCANNER, traffic, END)

    async def test_vmodule(self) -> None:
        """--vmodule shows more of one file."""
        child = self.plugin("--vmodule=process_*=3", twistd=("-n", "--pidfile="))
        await self.finish(child)
        self.assert_lines(child.output, START, RUN, SCANNER, ["said with level 3"], END)

    async def test_skip_headers(self) -> None:
        """--skip-headers leaves the messages."""
        child = self.plugin("--skip_headers", twistd=("-n", "--pidfile=", "--logfile=-"))
        await self.finish(child)
        self.assert_said(child.output.splitlines(), START, RUN, SCANNER, END)

    async def test_json(self) -> None:
        """With --log-format=json every line is a JSON object."""
        child = self.plugin("--log-format=json", twistd=("-n", "--pidfile="))
        await self.finish(child)
        lines = [json.loads(line) for line in child.output.splitlines()]
        for line in lines:
            self.assertLessEqual({"ts", "caller", "msg", "v"}, line.keys())
        said = [re.sub(r" [a-z]+=.*", "", pattern) for pattern in SCANNER]
        start = ["twistdp … in … serves …"]
        run = ["devices changed", "registered with the kubelet"]
        self.assert_said([line["msg"] for line in lines], start, run, said, END)
        (registered,) = (line for line in lines if line["msg"] == run[1])
        self.assertEqual(registered["resources"], [RESOURCE])

    async def test_logger(self) -> None:
        """A --logger gets all events, and nothing is written beside it."""
        twistd = ("-n", "--pidfile=", "--logger=tests.support.process_samples.observer")
        child = self.plugin(twistd=twistd)
        await self.finish(child)
        said = [re.sub(r" [a-z]+=.*", "", pattern) for pattern in SCANNER]
        lines = child.output.splitlines()
        self.assertEqual({line.partition(" ")[0] for line in lines}, {"observed"})
        self.assert_said([line.partition(" ")[2] for line in lines], TWISTD, START, RUN, said, END)

    async def test_syslog(self) -> None:
        """--syslog ends the process with one line."""
        for twistd in (("-n", "--pidfile=", "--syslog"), ("--syslog", "--prefix=thing")):
            child = self.plugin(twistd=twistd)
            self.assertEqual(await child.ended, 1)
            self.assertRegex(child.output, r"^deviceplugin: --syslog: [^\n]*\n$")

    async def test_level_changes(self) -> None:
        """SIGRTMIN+1 shows more, SIGRTMIN+2 less, at once."""
        child = self.plugin(twistd=("-n", "--pidfile=", f"--logfile={self.log}"))
        await self.started(child)
        for number, level in ((MORE, 1), (MORE, 2), (LESS, 1), (LESS, 0)):
            before = len(self.read())
            os.kill(child.pid, number)
            changed = f"the log level has changed level={level}\n"
            await self.until(partial(self.ends, before, changed))
        self.assertEqual(child.output, "")


class FileTests(LogTestCase):
    """With --logfile, in the foreground and as a daemon."""

    async def test_logfile(self) -> None:
        """Lines go to the file and nowhere else."""
        child = self.plugin(twistd=("-n", "--pidfile=", f"--logfile={self.log}"))
        await self.finish(child)
        self.assertEqual(child.output, "")
        self.assert_lines(self.read(), START, RUN, SCANNER, END)

    async def test_rotation(self) -> None:
        """A rotation from outside copies the file and truncates it; SIGUSR2 gets an answer."""
        child = self.plugin(twistd=("-n", "--pidfile=", f"--logfile={self.log}"))
        await self.started(child)
        shutil.copy(self.log, f"{self.log}.1")
        os.truncate(self.log, 0)
        os.kill(child.pid, signal.SIGUSR2)
        await self.until(lambda: "SIGUSR2" in self.read())
        child.signal("TERM")
        await child.ended
        self.assert_lines(self.read(".1"), START, RUN, SCANNER)
        self.assert_lines(self.read(), [USER_SIGNAL], END)
        self.assertNotIn("\0", self.read())

    async def test_state(self) -> None:
        """SIGUSR1 has the state logged, also where nobody can ask over HTTP."""
        child = self.plugin(
            "--log-format=json", "--status-socket=", twistd=("-n", "--pidfile=", "--logfile=-")
        )
        await self.started(child)
        os.kill(child.pid, signal.SIGUSR1)
        await self.until(lambda: "state of a resource" in child.output)
        child.signal("TERM")
        await child.ended
        lines = [json.loads(line) for line in child.output.splitlines()]
        (process,) = (line for line in lines if line["msg"] == "state of the process")
        (resource,) = (line for line in lines if line["msg"] == "state of a resource")
        self.assertEqual((process["resources"], process["pluginDir"]), (1, self.plugins))
        self.assertEqual(process["scanners"][0]["namespace"], "talk.example.com")
        self.assertEqual((resource["resource"], resource["allocatable"]), (RESOURCE, 1))
        self.assertEqual(resource["session"]["standing"], "registered")

    async def test_cannot_open(self) -> None:
        """A file that cannot be opened ends the process with one line, also as a daemon."""
        path = os.path.join(self.directory, "absent", "a.log")
        pidfile = os.path.join(self.directory, "pid")
        for twistd in (("-n", "--pidfile="), (f"--pidfile={pidfile}",)):
            child = self.plugin(twistd=(*twistd, f"--logfile={path}"))
            self.assertEqual(await child.ended, 1)
            self.assertEqual(
                child.output, f"deviceplugin: --logfile {path}: No such file or directory\n"
            )

    async def daemonize(self, *twistd: str) -> int:
        """Start a daemon in our directory, and wait until it serves; its process id."""
        pidfile = os.path.join(self.directory, "pid")
        child = self.plugin(twistd=(f"--pidfile={pidfile}", *twistd), path=self.directory)
        self.assertEqual(await child.ended, 0, child.output)
        self.assertEqual(child.output, "")
        await self.until(lambda: os.path.exists(pidfile))
        with open(pidfile, encoding="ascii") as file:
            pid = int(file.read())
        self.addCleanup(_kill, pid)
        await self.started(child)
        return pid

    async def test_daemon(self) -> None:
        """A daemon logs to twistd.log where it was started; its lines have its own process."""
        self.log = os.path.join(self.directory, "twistd.log")
        elsewhere = os.path.join(self.directory, "elsewhere")
        os.mkdir(elsewhere)
        pid = await self.daemonize(f"--rundir={elsewhere}", "--umask=027")
        os.kill(pid, MORE)
        await self.until(lambda: "level=1" in self.read())
        os.kill(pid, signal.SIGTERM)
        await self.until(lambda: "Server Shut Down" in self.read())
        changed = ["the log level has changed level=1"]
        self.assert_lines(self.read(), START, RUN, SCANNER, changed, END)
        threads = {line.split()[2] for line in self.read().splitlines()[-3:]}
        self.assertEqual(threads, {str(pid)})
        self.assertEqual(os.stat(self.log).st_mode & 0o777, 0o640)
        self.assertEqual(os.listdir(elsewhere), [])

    async def test_daemon_with_logfile(self) -> None:
        """A relative --logfile is one where twistd was started."""
        pid = await self.daemonize("--logfile=a.log", "--rundir=/")
        os.kill(pid, signal.SIGTERM)
        await self.until(lambda: "Server Shut Down" in self.read())
        self.assert_lines(self.read(), START, RUN, SCANNER, END)

    async def test_daemon_with_a_logger(self) -> None:
        """A daemon's --logger gets every event once, and no file is written beside it."""
        pid = await self.daemonize("--logger=tests.support.process_samples.file_observer")
        os.kill(pid, signal.SIGTERM)
        await self.until(lambda: "Server Shut Down" in self.read())
        said = [re.sub(r" [a-z]+=.*", "", pattern) for pattern in SCANNER]
        self.assert_said(self.read().splitlines(), TWISTD, START, RUN, said, END)
        self.assertNotIn("twistd.log", os.listdir(self.directory))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
