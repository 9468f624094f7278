"""Terminals, in which what a page prints is typed."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from tests.docs.pages import ROOT, Block

PATIENCE = 60.0
"""Seconds that anything may take."""

CHECKOUT = ("Makefile", "constraints.txt", "deploy", "docker", "examples", "setup.cfg")
"""The parts of a checkout that commands need where they start."""


@attrs.define
class Terminal:
    """A command that runs on, and what it has printed."""

    command: str
    process: "subprocess.Popen[bytes]"
    printed: str = ""
    looked_at: int = 0
    """The length of the output before the last command."""


class Session:
    """What somebody has before him who goes through a page.

    Every command runs in a shell, in the directory in which the one before it ended, with this
    Python's programs on its path.  Those that serve until they are ended go on beside the others,
    each in a terminal of its own: `serves` has how their commands begin, and what they print when
    they have begun.
    """

    def __init__(self, replaced: dict[str, str], serves: dict[str, str]) -> None:
        # Sockets are below it: it must be short.
        self.base = tempfile.mkdtemp(prefix="docs", dir="/tmp")
        self.directory = os.path.join(self.base, "here")
        os.mkdir(self.directory)
        for name in CHECKOUT:
            os.symlink(ROOT / name, os.path.join(self.directory, name))
        os.symlink(sys.prefix, os.path.join(self.directory, ".venv"))
        self._replaced = replaced
        self._serves = serves
        self.terminals: list[Terminal] = []
        self._selector = selectors.DefaultSelector()

    def close(self) -> None:
        """End everything and remove it."""
        for terminal in self.terminals:
            self._signal(terminal, signal.SIGTERM)
        for terminal in self.terminals:
            try:
                terminal.process.wait(5)
            except subprocess.TimeoutExpired:
                self._signal(terminal, signal.SIGKILL)
                terminal.process.wait()
            assert terminal.process.stdout is not None
            terminal.process.stdout.close()
        self._selector.close()
        shutil.rmtree(self.base)

    def put(self, text: str) -> str:
        """A text with this session's paths, and processes, in place of those that are printed."""
        for pattern, replacement in self._replaced.items():
            text = re.sub(pattern, partial(self._filled, replacement), text)
        return text

    def _filled(self, to: str, found: "re.Match[str]") -> str:
        pids = [
            str(terminal.process.pid)
            for terminal in self.terminals
            if self._program(terminal.command)
        ]
        text = to.replace("BASE", self.base).replace("ROOT", str(ROOT)).replace("ENV", sys.prefix)
        return found.expand(text.replace("LAST_PID", pids[-1] if pids else "none"))

    def write(self, block: Block) -> None:
        """Make the file that a block is the content of, or add the block to it."""
        assert block.file is not None
        adds = re.search(r"\bAdd to `[^`]*`:$", block.words) is not None
        self._put(os.path.join(self.directory, block.file), block.text, "a" if adds else "w")

    def execute(self, text: str) -> None:
        """Run a program that has no file's name, after all before it that had none."""
        script = os.path.join(self.base, "nameless.py")
        self._put(script, text, "a")
        self.run(f"PYTHONPATH=. python {script}")

    def _put(self, path: str, text: str, mode: str) -> None:
        with open(path, mode, encoding="utf-8") as file:
            file.write(self.put(text))

    def run(self, command: str) -> None:
        """Run one command; raises AssertionError if it fails.  A server has printed something."""
        command = self.put(command)
        for terminal in self.terminals:
            terminal.looked_at = len(terminal.printed)
        serves = self._program(command)
        if serves:
            self._interrupt(serves)
        where = os.path.join(self.base, "pwd")
        # A reader does not run under make or coverage, which costs time, and his Python buffers
        # what it prints to a pipe.
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MAKE", "COVERAGE", "PYTHONUNBUFFERED"))
        }
        environment["PATH"] = f"{sys.prefix}/bin:{environment['PATH']}"
        script = f"exec {command}" if serves else f"{command}\ns=$?; pwd >{where}; exit $s"
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # In a background job of a shell, SIGINT is ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        terminal = Terminal(command, process)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, terminal)
        self.terminals.append(terminal)
        if serves:
            begun = self._serves[serves]
            self._until(lambda: begun in terminal.printed, f"{command}\ndoes not begin")
        else:
            ended = self._until(lambda: self._has_ended(terminal), f"{command}\ndoes not end")
            assert ended and process.wait() == 0, f"{command}\n{terminal.printed}"
            self.directory = Path(where).read_text(encoding="utf-8").strip()

    def _program(self, command: str) -> str | None:
        """The beginning of a command that serves."""
        return next(filter(command.startswith, self._serves), None)

    def _interrupt(self, program: str) -> None:
        """End a server of this program, as Ctrl-C does, before it is started again."""
        for terminal in self.terminals:
            if terminal.command.startswith(program) and terminal.process.poll() is None:
                self._signal(terminal, signal.SIGINT)
                self._until(partial(self._has_ended, terminal), f"{program} goes on")
                terminal.process.wait()

    def expect(self, block: Block) -> None:
        """Wait until a terminal has a block's lines, in their order, since the last command."""
        wanted = [shape(self.put(line)) for line in block.text.splitlines() if line.strip()]
        self._until(
            lambda: any(
                comes_in(wanted, terminal.printed[terminal.looked_at :])
                for terminal in self.terminals
            ),
            f"{block} is not printed",
        )

    def _has_ended(self, terminal: Terminal) -> bool:
        return terminal.process.stdout not in {key.fileobj for key in self._keys()}

    def _keys(self) -> list[selectors.SelectorKey]:
        return list(self._selector.get_map().values())

    def _until(self, condition: Callable[[], bool], what: str) -> bool:
        end = time.monotonic() + PATIENCE
        while not condition():
            left = end - time.monotonic()
            if left <= 0 or not self._keys():
                raise AssertionError(f"{what}\n{self._all_printed()}")
            for key, _ in self._selector.select(left):
                data = key.data.process.stdout.read()
                if data:
                    key.data.printed += data.decode(errors="replace")
                else:
                    self._selector.unregister(key.fileobj)
        return True

    def _all_printed(self) -> str:
        return "\n".join(
            f"--- {terminal.command}\n{terminal.printed[terminal.looked_at :]}"
            for terminal in self.terminals
        )

    def _signal(self, terminal: Terminal, number: int) -> None:
        if terminal.process.poll() is None:
            os.killpg(terminal.process.pid, number)


def shape(line: str) -> str:
    """A line without what differs from run to run: numbers and how many blanks there are."""
    return " ".join(re.sub(r"\d+([.:]\d+)*", "0", line).split())


def comes_in(wanted: list[str], printed: str) -> bool:
    """Whether lines of these shapes, in which … is anything, are printed in this order."""
    lines = iter(map(shape, printed.splitlines()))
    for line in wanted:
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(pattern.fullmatch(candidate) for candidate in lines):
            return False
    return True
