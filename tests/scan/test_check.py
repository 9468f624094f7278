"""Tests for twistdp.scan.check."""

import sys
import types
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.scan.test_own_loop import FakeScanner
from twistdp.errors import BadScanner
from twistdp.health import HealthChecks
from twistdp.model.devices import DeviceTree
from twistdp.model.interfaces import IAllocator, INotifier, IScanner
from twistdp.scan.check import check_scanner
from twistdp.scan.scanner import WatchingScanner


class Watcher(WatchingScanner):
    """A scanner that finds nothing."""

    def discover(self) -> DeviceTree:
        """Find nothing."""
        return DeviceTree()


def watcher(**parts: Any) -> WatchingScanner:
    """A scanner whose class has these parts, and no attributes of its own."""
    scanner: WatchingScanner = Watcher()
    scanner.__class__ = type("Odd", (Watcher,), parts)
    vars(scanner).clear()
    return scanner


class CheckScannerTests(SynchronousTestCase):
    """Tests for `check_scanner`."""

    def test_both_kinds(self) -> None:
        """Who derives from WatchingScanner or has a scan() is a scanner, declared or not."""

        class Undeclared:
            def scan(self, notifier: INotifier) -> None:
                pass

        for scanner in (Watcher(), FakeScanner(lambda: None), Undeclared()):
            check_scanner(scanner)
        self.assertTrue(verifyObject(IScanner, FakeScanner(lambda: None)))

    def test_checks(self) -> None:
        """Health checks that cannot be read are refused, with the place in the scanner."""

        def checks(_: object) -> HealthChecks:
            raise ValueError("no bus")

        for scanner in (watcher(checks=property(checks)), FakeScanner(lambda: None)):
            if isinstance(scanner, FakeScanner):
                scanner.__class__ = type("Odd", (FakeScanner,), {"checks": property(checks)})
            error = self.assertRaises(BadScanner, check_scanner, scanner)
            self.assertRegex(
                str(error), r"^its checks raised ValueError: no bus, at .*test_check.py:\d+; make "
            )

    def test_others(self) -> None:
        """Nothing else is one, and the line says how to fix it."""
        for other in (Watcher, None, "module:Class", DeviceTree()):
            error = self.assertRaises(BadScanner, check_scanner, other)
            self.assertIn("derive it from twistdp.WatchingScanner", str(error))

    def test_methods(self) -> None:
        """A missing method, or an attribute that cannot be called, is refused by name."""

        async def coroutine(_: object) -> None:
            pass

        def generator(*_: object) -> Iterator[None]:
            yield

        async def asynchronous(*_: object) -> AsyncIterator[None]:
            yield

        def without_self() -> None:
            pass

        @implementer(IAllocator)
        class Declares(Watcher):  # type: ignore[misc]
            pass

        @implementer(IScanner)
        class DeclaresToo:  # type: ignore[misc]
            pass

        class Loop:
            scan = generator

        class Anything(Watcher):
            def __getattr__(self, name: str) -> None:
                return None

        for scanner, words in (
            (WatchingScanner(), ["does not define discover()"]),
            (watcher(discover=lambda self, what: None), ["discover(what)", "no argument"]),
            (watcher(discover=coroutine), ["discover() is a coroutine", "without async"]),
            (watcher(discover=7), ["its discover is", "type int"]),
            (watcher(follow=lambda self: None), ["follow()", "one argument"]),
            (Declares(), ["declares IAllocator", "no allocate()"]),
            (DeclaresToo(), ["declares IScanner", "no scan()"]),
            (FakeScanner, ["its scan(self", "one argument"]),
            (watcher(allocate=True), ["its allocate is", "type bool", "rename"]),
            (watcher(post_allocate=lambda self: None), ["post_allocate()", "one argument"]),
            (watcher(pre_start_container=property(lambda _: dict[str, str]()["x"])), ["KeyError"]),
            (watcher(pre_start_container=property(lambda self: sys.exit(2))), ["SystemExit"]),
            (watcher(discover=generator), ["discover() is a generator", "return"]),
            (watcher(discover=asynchronous), ["discover() is a generator"]),
            (watcher(follow=generator), ["follow() is a generator"]),
            (watcher(allocate=generator), ["allocate() is a generator", "inlineCallbacks"]),
            (Loop(), ["scan() is a generator"]),
            (watcher(discover=without_self), ["discover() does not take self"]),
            (watcher(allocate=without_self), ["allocate() does not take self"]),
            (Anything(), ["allocate cannot be read", "TypeError"]),
        ):
            text = str(self.assertRaises(BadScanner, check_scanner, scanner))
            for word in words:
                self.assertIn(word, text)
            self.assertNotIn("\n", text)

    def test_methods_that_are_no_faults(self) -> None:
        """None removes a hook; optional arguments, and signatures that Python cannot read, pass."""
        check_scanner(watcher(allocate=None))
        check_scanner(watcher(post_allocate=lambda self, response, log=print: response))
        check_scanner(watcher(get_preferred_allocation=dict))
        check_scanner(watcher(discover=lambda self, *_: DeviceTree()))

        def steps(_self: object, _request: object) -> Generator[Any, Any, None]:
            yield

        check_scanner(watcher(allocate=inlineCallbacks(steps)))
        check_scanner(watcher(allocate=types.coroutine(steps)))

    def test_attributes(self) -> None:
        """Attributes of a wrong type or out of their range are refused, by name."""
        nan, inf = float("nan"), float("inf")
        for name, values in (
            ("paths", (7, None, b"/dev", {"/dev": 1}, ["/dev", 7], [""], ["/a\0b"], [b"/dev"])),
            ("uevents", (7, None, b"pci", {"pci": 1}, ["pci", 7], [""], [b"pci"])),
            ("rescan_interval", (None, "60", True, nan, inf, -inf, 0, -1.0, 0.001, 1e10, 10**400)),
            ("contents", (None, 0, "no")),
            ("join", (None, [], {"A": 1}, {1: ","}, "A")),
        ):
            for value in values:
                text = str(self.assertRaises(BadScanner, check_scanner, watcher(**{name: value})))
                self.assertTrue(text.startswith(name), text)
                self.assertNotIn("\n", text)
                self.assertLess(len(text), 500)

    def test_attributes_of_a_loop(self) -> None:
        """The `join` of a scanner with a loop of its own is checked too."""
        scanner = FakeScanner(lambda: None)
        vars(scanner)["join"] = {"A": 1}
        error = self.assertRaises(BadScanner, check_scanner, scanner)
        self.assertIn("join", str(error))

    def test_good_attributes(self) -> None:
        """Usable values pass, and so does a property that fails now."""
        for parts in (
            {"paths": "/dev"},
            {"paths": Path("/dev")},
            {"paths": {"/dev", Path("/sys")}},
            {"uevents": "pci"},
            {"uevents": ("pci", "net")},
            {"rescan_interval": 1},
            {"rescan_interval": 86400.0},
            {"join": {"A": ","}},
            {"paths": property(lambda self: [dict[str, str]()["hub"]], lambda self, paths: None)},
        ):
            check_scanner(watcher(**parts))

    def test_constructor(self) -> None:
        """The base's constructor raises on the line with the wrong value."""
        for arguments in ({"paths": 7}, {"rescan_interval": 0.0}, {"contents": None}):
            self.assertRaises(BadScanner, WatchingScanner, **arguments)
        self.assertEqual(WatchingScanner(Path("/dev")).paths, ["/dev"])  # type: ignore[arg-type]
