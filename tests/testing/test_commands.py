"""How the emulated kubelet's commands are written."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.testing.command_values import (
    Allocate,
    ApiServer,
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
from twistdp.testing.commands import FORMS, BadCommand, parse, split, usage

X = "x.example/x"

RIGHT = (
    ("list", List()),
    ("show", Show(None)),
    (f"show {X}", Show(X)),
    (f"allocate {X}", Allocate(X, 1, (), "default", "pod", "main", False)),
    (f"allocate {X} 2 --pod web", Allocate(X, 2, (), "default", "web", "main", False)),
    (f"allocate --pod=n/web {X}", Allocate(X, 1, (), "n", "web", "main", False)),
    (
        f"allocate {X} --id b --id a=1 --container side",
        Allocate(X, 1, ("b", "a=1"), "default", "pod", "side", False),
    ),
    (f"allocate {X} --pod one --pod two", Allocate(X, 1, (), "default", "two", "main", False)),
    (f"allocate --init {X}", Allocate(X, 1, (), "default", "pod", "main", True)),
    ("run web", Run("default", "web", "main", False)),
    ("run n/web --container side --static", Run("n", "web", "side", True)),
    ("release web", Release("default", "web", False)),
    ("release n/web --force", Release("n", "web", True)),
    (f"wait {X}", Wait(X, 1, 60.0)),
    (f"wait {X} 3 --timeout 0.5", Wait(X, 3, 0.5)),
    ("restart  # now", Restart()),
    ("api-server up", ApiServer(True)),
    ("api-server down", ApiServer(False)),
    ("replace-socket", ReplaceSocket()),
    ("refuse", Refuse("refused by command")),
    ("refuse 'not now,' friend", Refuse("not now, friend")),
    ("refuse -- --never", Refuse("--never")),
    ("accept", Refuse(None)),
    ("kill-streams", KillStreams(None)),
    (f"kill-streams {X}", KillStreams(X)),
    ("help", Help()),
)

WRONG = (
    ("lst", "lst: there is no such command; did you mean list"),
    ("frobnicate", "frobnicate: there is no such command; there are list, show, allocate,"),
    ("allocate", "something is missing; write allocate RESOURCE [COUNT | --id ID ...] [--pod"),
    (f"allocate {X} 1 2", "2: unexpected; write allocate RESOURCE"),
    ("list all", "all: unexpected; write list"),
    (f"allocate {X} 0", "0: give a number of devices, 1 or more"),
    (f"allocate {X} -1", "-1: there is no such option; write allocate"),
    (f"allocate {X} two", "two: give a number of devices, 1 or more"),
    (f"allocate {X} 1 --id a", "1 and --id: give a count or ids, not both"),
    (f"allocate {X} --id a --id a", "--id a a: an id is there twice; leave one out"),
    (f"allocate {X} --pod", "--pod: its value is missing; write allocate"),
    (f"allocate {X} --pod=", "--pod: its value is missing; write allocate"),
    (f"allocate {X} --pod n/", "pod : a name has lower-case letters"),
    (f"allocate {X} --pod /web", "namespace : a name has lower-case letters"),
    (f"allocate {X} --pod Web", "pod Web: a name has lower-case letters"),
    (f"allocate {X} --container -", "container -: a name has lower-case letters"),
    (f"wait {X} --timeout soon", "--timeout soon: give a number of seconds"),
    (f"wait {X} --timeout inf", "--timeout inf: give a number of seconds"),
    (f"wait {X} --timeout nan", "--timeout nan: give a number of seconds"),
    (f"wait {X} --timeout -1", "--timeout -1: give a number of seconds"),
    (f"wait {X} --pod web", "--pod: there is no such option; write wait RESOURCE"),
    ("release web --init", "--init: there is no such option; write release [NAMESPACE/]POD"),
    ("api-server away", "api-server away: give up or down"),
    ("api-server", "something is missing; write api-server up|down"),
    ("release", "something is missing; write release [NAMESPACE/]POD"),
    ("show 'a\x1b[2J' b", "b: unexpected; write show [RESOURCE]"),
    ("'\x1b[2J'", r"\x1b[2J: there is no such command"),
)


class ParseTests(SynchronousTestCase):
    """Lines, their words, and the commands that they are."""

    def test_right(self) -> None:
        """Each command becomes its value."""
        for line, wanted in RIGHT:
            self.assertEqual(parse(split(line)), (wanted, False), line)

    def test_all_forms_are_tried(self) -> None:
        """The table above has every command."""
        self.assertEqual({line.split()[0] for line, _ in RIGHT}, set(FORMS))

    def test_json(self) -> None:
        """``--json`` may be anywhere, unless words are quoted by ``--``."""
        self.assertEqual(parse(split("release web --force --json"))[1], True)
        for line in (f"show {X} --json", f"show --json {X}"):
            self.assertEqual(parse(split(line)), (Show(X), True))
        self.assertEqual(parse(["refuse", "--", "--json"]), (Refuse("--json"), False))

    def test_wrong(self) -> None:
        """The error states what is wrong and what is right, in one printable line."""
        for line, text in WRONG:
            error = self.assertRaises(BadCommand, parse, split(line))
            self.assertTrue(str(error).startswith(text), f"{line}: {error}")
            self.assertTrue(str(error).isprintable(), line)

    def test_quotes(self) -> None:
        """A quote that is not closed is refused; blanks and comments are no words."""
        error = self.assertRaises(BadCommand, split, "refuse 'a")
        self.assertEqual(str(error), "refuse 'a: no closing quotation; close it")
        for line in ("", "   ", "# nothing"):
            self.assertEqual(split(line), [])

    def test_usage(self) -> None:
        """A command without arguments is its name alone."""
        self.assertEqual(usage("list"), "list")
        self.assertEqual(usage("show"), "show [RESOURCE]")
