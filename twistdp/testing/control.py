"""The socket on which an emulated kubelet takes commands from other processes.

A client sends the words as a JSON list in one line, and reads the answer, a JSON object, until the
kubelet closes the connection.
"""

import json
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from twistdp.rpc import UnixListener
from twistdp.testing.command_values import Help
from twistdp.testing.commands import CommandFailed, parse
from twistdp.testing.kubeletdirectory import CONTROL
from twistdp.testing.playground import Answer, helped

Perform = Callable[[Sequence[str]], Coroutine[Any, Any, Answer]]

LONGEST: Final = 64 * 1024
"""Bytes in a command."""


class _Asked(LineReceiver):
    """One client, with one command."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def lineReceived(self, line: bytes) -> None:
        """Perform the command and answer."""
        self.pauseProducing()
        try:
            words = json.loads(line)
        except ValueError:
            words = None
        if not (isinstance(words, list) and words and all(isinstance(w, str) for w in words)):
            self._answer(Answer(False, "a command is a list of words in JSON"))
            return
        performed = Deferred.fromCoroutine(self._perform(words))
        performed.addErrback(_fault).addCallback(self._answer)

    def _answer(self, answer: Answer) -> None:
        text = json.dumps({"ok": answer.ok, "text": answer.text})
        assert self.transport is not None
        self.transport.write(text.encode())
        self.transport.loseConnection()


def _fault(failure: Failure) -> Answer:
    return Answer(False, failure.getErrorMessage())


class Control:
    """Takes commands in the directory of an emulated kubelet, for its own user and root alone."""

    def __init__(self, directory: str, perform: Perform, reactor: Any) -> None:
        self._perform = perform
        self._listener = UnixListener(os.path.join(directory, CONTROL), reactor)

    def open(self) -> None:
        """Listen.  Raises `SocketTaken`, `Untrusted` and OSError."""
        self._listener.open(Factory.forProtocol(lambda: _Asked(self._perform)))

    def close(self) -> Deferred[None]:
        """Stop listening."""
        return self._listener.close()


def ask(directory: str, words: Sequence[str]) -> Answer:
    """Let the emulated kubelet in `directory` perform a command; waits for the answer.

    ``help``, and what is wrong with a command, need no kubelet.
    """
    try:
        command, as_json = parse(words)
        if isinstance(command, Help):
            return helped(as_json)
        return _asked(os.path.join(directory, CONTROL), words)
    except CommandFailed as error:
        return Answer(False, str(error))


def _asked(path: str, words: Sequence[str]) -> Answer:
    """What the kubelet answers; raises `CommandFailed` if none is there or it ends meanwhile."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(json.dumps(list(words)).encode() + b"\n")
            with connection.makefile("rb") as file:
                data = file.read()
        except OSError as error:
            raise CommandFailed(
                f"{path}: {error.strerror or error}; give the directory of an emulated kubelet "
                "that runs, and be its user or root",
            ) from error
    try:
        found = json.loads(data)
        return Answer(bool(found["ok"]), str(found["text"]))
    except (ValueError, RecursionError):
        raise CommandFailed(f"{path}: the kubelet has ended before it answered") from None
    except (LookupError, TypeError):
        raise CommandFailed(
            f"{path}: no emulated kubelet listens there; give the directory of one"
        ) from None
