"""How commands to the emulated kubelet are written.

A person types a line; a script has the words already.
"""

import math
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from twistdp.errors import TwistdpError
from twistdp.model import printable
from twistdp.testing.command_values import (
    Allocate,
    ApiServer,
    Command,
    Help,
    KillStreams,
    List,
    Refuse,
    Release,
    ReplaceSocket,
    Restart,
    Run,
    Show,
    Wait,
)
from twistdp.tools import meant

PATIENCE: Final = 60.0
"""Seconds that `Wait` waits, unless it is given others."""


class CommandFailed(TwistdpError):
    """A command cannot be performed as things are."""


class BadCommand(CommandFailed):
    """A command is not written as it has to be; the text states how it is."""


@attrs.frozen
class _Given:
    """The words of a command, sorted."""

    words: Sequence[str]
    options: dict[str, list[str]]
    flags: frozenset[str]

    def word(self, number: int) -> str | None:
        """One of the words, None if there are fewer."""
        return self.words[number] if number < len(self.words) else None

    def option(self, name: str, default: str) -> str:
        """The last value of an option."""
        return self.options.get(name, [default])[-1]


@attrs.frozen
class Form:
    """How a command is written: between `least` and `most` words after its name, `options` with a
    value and `flags` without."""

    arguments: str
    summary: str
    make: Callable[[_Given], Command]
    least: int = 0
    most: float = 0
    options: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


def _allocate(given: _Given) -> Command:
    ids = tuple(given.options.get("id", ()))
    count = given.word(1)
    if ids and count is not None:
        raise BadCommand(f"{count} and --id: give a count or ids, not both")
    if len(set(ids)) < len(ids):
        raise BadCommand(f"--id {' '.join(ids)}: an id is there twice; leave one out")
    namespace, pod = _pod(given.option("pod", "pod"))
    container = _name(given.option("container", "main"), "container")
    init = "init" in given.flags
    return Allocate(given.words[0], _count(count), ids, namespace, pod, container, init)


def _run(given: _Given) -> Run:
    container = _name(given.option("container", "main"), "container")
    return Run(*_pod(given.words[0]), container, "static" in given.flags)


def _api_server(given: _Given) -> ApiServer:
    (state,) = given.words
    if state not in ("up", "down"):
        raise BadCommand(f"api-server {printable(state)}: give up or down")
    return ApiServer(state == "up")


def _wait(given: _Given) -> Command:
    text = given.option("timeout", str(PATIENCE))
    try:
        timeout = float(text)
    except ValueError:
        timeout = math.nan
    if not 0 <= timeout < math.inf:
        raise BadCommand(f"--timeout {text}: give a number of seconds")
    return Wait(given.words[0], _count(given.word(1)), timeout)


FORMS: Final = {
    "list": Form("", "show the resources with their numbers", lambda _: List()),
    "show": Form(
        "[RESOURCE]",
        "show devices with their health and the pods that hold them",
        lambda given: Show(given.word(0)),
        most=1,
    ),
    "allocate": Form(
        "RESOURCE [COUNT | --id ID ...] [--pod [NAMESPACE/]POD] [--container NAME] [--init]",
        "admit a container that asks for devices, and show what it gets",
        _allocate,
        least=1,
        most=2,
        options=frozenset({"id", "pod", "container"}),
        flags=frozenset({"init"}),
    ),
    "run": Form(
        "[NAMESPACE/]POD [--container NAME] [--static]",
        "admit a container that asks for none",
        _run,
        least=1,
        most=1,
        options=frozenset({"container"}),
        flags=frozenset({"static"}),
    ),
    "release": Form(
        "[NAMESPACE/]POD [--force]",
        "end a pod, and wait until its devices are free",
        lambda given: Release(*_pod(given.words[0]), "force" in given.flags),
        least=1,
        most=1,
        flags=frozenset({"force"}),
    ),
    "wait": Form(
        "RESOURCE [COUNT] [--timeout SECONDS]",
        "wait until so many devices (1) are allocatable, at most 60 s",
        _wait,
        least=1,
        most=2,
        options=frozenset({"timeout"}),
    ),
    "restart": Form("", "restart the kubelet, which deletes all sockets", lambda _: Restart()),
    "api-server": Form(
        "up|down",
        "let a kubelet that starts know its pods, or not",
        _api_server,
        least=1,
        most=1,
    ),
    "replace-socket": Form(
        "", "replace kubelet.sock and delete nothing else", lambda _: ReplaceSocket()
    ),
    "refuse": Form(
        "[TEXT]",
        "refuse all registrations from now on",
        lambda given: Refuse(" ".join(given.words) or "refused by command"),
        most=math.inf,
    ),
    "accept": Form("", "accept registrations again", lambda _: Refuse(None)),
    "kill-streams": Form(
        "[RESOURCE]",
        "end the streams of device lists",
        lambda given: KillStreams(given.word(0)),
        most=1,
    ),
    "help": Form("", "list the commands", lambda _: Help()),
}
"""The commands by their names."""

COMMANDS: Final = tuple(FORMS)
"""The names of the emulated kubelet's commands."""


def split(line: str) -> list[str]:
    """The words of a line, with a shell's quotes and comments.  Raises `BadCommand`."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise BadCommand(f"{printable(line)}: {str(error).lower()}; close it") from None


def parse(words: Sequence[str]) -> tuple[Command, bool]:
    """The command that `words` are, and whether its answer is to be JSON.  Raises `BadCommand`."""
    name, *rest = words
    form = FORMS.get(name)
    if form is None:
        hint = meant(name, FORMS) or f"; there are {', '.join(FORMS)}"
        raise BadCommand(f"{printable(name)}: there is no such command{hint}")
    given = _sorted(name, form, rest)
    found = given.words
    if not form.least <= len(found) <= form.most:
        problem = f"{found[int(form.most)]}: unexpected" if found else "something is missing"
        raise BadCommand(f"{printable(problem)}; write {usage(name)}")
    return form.make(given), "json" in given.flags


def usage(name: str) -> str:
    """How a command is written."""
    return f"{name} {FORMS[name].arguments}".rstrip()


def _sorted(name: str, form: Form, rest: Sequence[str]) -> _Given:
    """Words, options with their values, and flags; every command has the flag ``--json``."""
    found: list[str] = []
    options: dict[str, list[str]] = {}
    flags: set[str] = set()
    left = iter(rest)
    for word in left:
        if word == "--":
            found += left
        elif word[:2] == "--" and word[2:] in {*form.flags, "json"}:
            flags.add(word[2:])
        elif not word.startswith("-") or word == "-":
            found.append(word)
        else:
            option, equals, value = word.removeprefix("--").partition("=")
            if word[:2] != "--" or option not in form.options:
                raise BadCommand(f"{printable(word)}: there is no such option; write {usage(name)}")
            given = value if equals else next(left, None)
            if not given:
                raise BadCommand(f"--{option}: its value is missing; write {usage(name)}")
            options.setdefault(option, []).append(given)
    return _Given(found, options, frozenset(flags))


def _count(text: str | None) -> int:
    if text is None:
        return 1
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) == 0:
        raise BadCommand(f"{printable(text)}: give a number of devices, 1 or more")
    return int(text)


def _pod(text: str) -> tuple[str, str]:
    """The namespace and the name of a pod."""
    namespace, slash, pod = text.rpartition("/")
    return _name(namespace if slash else "default", "namespace"), _name(pod, "pod")


def _name(text: str, what: str) -> str:
    """A name that Kubernetes accepts for a pod, a namespace or a container."""
    if len(text) > 253 or not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", text):
        raise BadCommand(
            f"{what} {printable(text)}: a name has lower-case letters, digits, '-' and '.', and "
            "starts and ends with a letter or digit"
        )
    return text
