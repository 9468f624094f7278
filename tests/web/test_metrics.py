"""Tests of `/metrics`: each metric is moved by what it is about."""

import os
import platform
import struct
import threading
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

import pyinotify
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_life import BLUE, YELLOW, ToldScanner, tree_of
from tests.integration.test_process import ProcessTestCase
from tests.support.helpers import replace, until
from tests.support.http import ask
from tests.support.kubelets import PatientKubelet
from tests.web.test_routes import RoutesCase
from twistdp import UNHEALTHY, DeviceInfo, DeviceTree, WatchingScanner
from twistdp.health import HealthChecks, Present
from twistdp.inotify.watches import inotify_of
from twistdp.launch.configured import read_config
from twistdp.launch.following import ConfigFile
from twistdp.manager import Manager
from twistdp.model import name_of
from twistdp.resource import inventory, room
from twistdp.settings import Settings
from twistdp.status import Kind
from twistdp.web import metrics, scraping
from twistdp.web.answers import Answer
from twistdp.web.families import FAMILIES, PODS
from twistdp.web.metrics import Metrics

Values = dict[frozenset[tuple[str, str]], float]

MOVED: set[str] = set()
"""The metrics that a test moves."""


def moves(*names: str) -> Callable[[Any], Any]:
    """A test in steps: before the first `yield` all is as usual; afterwards these metrics move."""
    MOVED.update(names)

    def decorate(act: Callable[[Any], AsyncIterator[None]]) -> Any:
        @wraps(act)
        async def test(case: "MetricsCase") -> None:
            steps = act(case)
            await anext(steps)
            before = {name: case.values(name) for name in names}
            await anext(steps, None)
            await until(lambda: all(case.values(name) != before[name] for name in names))
            await anext(steps, None)

        return test

    return decorate


class Probed(WatchingScanner):
    """Finds a device, whose health is that a path exists."""

    def __init__(self, path: str) -> None:
        super().__init__([path])
        self.path = path
        self.checks = HealthChecks()

    def discover(self) -> DeviceTree:
        """Find it."""
        if os.path.exists(os.path.join(self.path, "broken")):
            raise OSError("the bus is stuck")
        tree = DeviceTree()
        state = self.checks.state("a", [Present(os.path.join(self.path, "alive"), every=0.1)])
        tree.add_device("yellow", "a", DeviceInfo(state.state, reason=state.reason))
        return tree


class Stuck(WatchingScanner):
    """Finds a device, and hangs until it may go on."""

    def __init__(self, path: str) -> None:
        super().__init__([path])
        self.goes_on = threading.Event()
        self.goes_on.set()

    def discover(self) -> DeviceTree:
        """Wait, and find it."""
        self.goes_on.wait(60)
        return tree_of("a")


class MetricsCase(RoutesCase):
    """Numbers of a running manager."""

    async def serve(self, scanner: Any, **options: Any) -> None:
        """Start all."""
        await super().serve(scanner, **options)
        self.metrics = Metrics((*FAMILIES, PODS), self.scraper.view)

    def scraped(self, accept: str = "") -> str:
        """A whole answer."""
        pieces = self.metrics.answer(accept).pieces
        assert pieces is not None
        return b"".join(pieces).decode()

    def values(self, name: str, **labels: str) -> Values:
        """The samples of a metric that have these labels; of a histogram those of its buckets."""
        return {
            frozenset(sample.labels.items()): sample.value
            for family in text_string_to_metric_families(self.scraped())
            for sample in family.samples
            if sample.name in (name, f"{name}_bucket") and labels.items() <= sample.labels.items()
        }

    def value(self, name: str, **labels: str) -> float:
        """The only sample with this name and these labels; 0 if there is none."""
        (value,) = self.values(name, **labels).values() or [0.0]
        return value

    async def start(self, *ids: str) -> ToldScanner:
        """A kubelet, and a scanner with devices that are listed."""
        scanner = ToldScanner(tree_of(*ids))
        await self.kubelet.start()
        await self.serve(scanner)
        await self.kubelet.listed(YELLOW, ids)
        await until(self.is_registered)
        return scanner


class MoveTests(MetricsCase):
    """Each metric moves."""

    @moves("twistdp_build_info")
    async def test_build(self) -> AsyncIterator[None]:
        """With the version of Python."""
        await self.serve(ToldScanner(tree_of("a")))
        yield
        self.patch(platform, "python_version", lambda: "3.99.1")
        yield
        self.assertEqual(self.value("twistdp_build_info", python_version="3.99.1"), 1)

    @moves(
        "twistdp_devices",
        "twistdp_device_changes_total",
        "twistdp_lists_sent_total",
        "twistdp_lists_sent_bytes_total",
        "twistdp_list_size_bytes",
    )
    async def test_devices(self) -> AsyncIterator[None]:
        """Devices come, go, and fall ill; each time there is another list."""
        scanner = await self.start("a", "b")
        yield
        scanner.tell(tree_of("b", "c", "d", state=UNHEALTHY))
        await self.kubelet.until(lambda: len(self.kubelet.resources[YELLOW].devices) == 3)
        yield
        self.assertEqual(self.value("twistdp_devices", health="Healthy"), 0)
        self.assertEqual(self.value("twistdp_devices", health="Unhealthy"), 3)
        changes = {"added": 4, "removed": 1, "unhealthy": 3, "healthy": 0}
        for change, number in changes.items():
            found = self.value("twistdp_device_changes_total", change=change)
            self.assertEqual(found, number, change)
        self.assertEqual(self.value("twistdp_lists_sent_total"), 2)
        sizes = self.value("twistdp_lists_sent_bytes_total")
        self.assertGreater(sizes, self.value("twistdp_list_size_bytes"))
        scanner.tell(tree_of("b", "c", "d"))
        self.assertEqual(self.value("twistdp_device_changes_total", change="healthy"), 3)

    @moves("twistdp_lists_coalesced_total")
    async def test_coalesced(self) -> AsyncIterator[None]:
        """Of lists that follow each other at once, the last is sent."""
        scanner = await self.start("a")
        yield
        for number in range(4):
            scanner.tell(tree_of(f"n-{number}"))
        await self.kubelet.listed(YELLOW, ["n-3"])
        yield
        sent = self.value("twistdp_lists_sent_total")
        self.assertEqual(sent + self.value("twistdp_lists_coalesced_total"), 5)

    @moves("twistdp_devices_not_listed")
    async def test_not_listed(self) -> AsyncIterator[None]:
        """A list without room for all."""
        scanner = await self.start("a")
        yield
        most = 40
        self.patch(inventory, "MOST_BYTES", most)
        self.patch(inventory, "that_fit", lambda sizes, ranks: room.that_fit(sizes, ranks, most))
        scanner.tell(tree_of(*(f"device-{number}" for number in range(6))))
        yield
        listed = sum(self.values("twistdp_devices").values())
        self.assertEqual(self.value("twistdp_devices_not_listed") + listed, 6)

    @moves(
        "twistdp_allocated_devices_total",
        "twistdp_rpc_duration_seconds",
        "twistdp_devices_held",
        "twistdp_container_devices",
        "twistdp_pod_resources_available",
    )
    async def test_pods(self) -> AsyncIterator[None]:
        """A pod gets devices, of a kubelet that knows its pods by then."""
        self.kubelet.api_server = False
        await self.start("a", "b")
        yield
        self.kubelet.api_server = True
        await self.kubelet.allocate(YELLOW, 2, pod="painter", container="brush")
        yield
        labels = {"namespace": "default", "pod": "painter", "container": "brush"}
        self.assertEqual(self.value("twistdp_container_devices", **labels), 2)
        self.assertEqual(self.value("twistdp_allocated_devices_total"), 2)
        self.assertEqual(self.value("twistdp_devices_held"), 2)
        labels = {"method_name": "Allocate", "grpc_status_code": "OK"}
        parts = self.values("twistdp_rpc_duration_seconds", resource_name=YELLOW, **labels)
        edges = {dict(key)["le"]: value for key, value in parts.items() if "le" in dict(key)}
        self.assertEqual(edges["+Inf"], 1)
        self.assertEqual(sorted(edges.values()), list(edges.values()))

    @moves("twistdp_released_devices_total")
    async def test_released(self) -> AsyncIterator[None]:
        """A pod gives devices back; the next question finds out."""
        await self.start("a", "b")
        await self.kubelet.allocate(YELLOW, 1, pod="stays")
        await self.kubelet.allocate(YELLOW, 1, pod="goes")
        await until(lambda: self.value("twistdp_devices_held") == 2)
        yield
        self.kubelet.release("goes")
        self.observatory.holdings.ask_soon(0.0)
        yield
        self.assertEqual(self.value("twistdp_released_devices_total"), 1)

    @moves(
        "twistdp_resource_registered",
        "twistdp_resource_streams",
        "twistdp_resource_last_contact_timestamp_seconds",
        "twistdp_registration_attempts_total",
        "twistdp_streams_opened_total",
        "twistdp_kubelet_appearances_total",
    )
    async def test_session(self) -> AsyncIterator[None]:
        """A kubelet starts, and refuses after a restart."""
        await self.serve(ToldScanner(tree_of("a")))
        await until(lambda: self.value("twistdp_registration_attempts_total", result="failed"))
        self.assertEqual(self.value("twistdp_resource_registered"), 0)
        self.assertEqual(self.values("twistdp_resource_last_contact_timestamp_seconds"), {})
        yield
        await self.kubelet.start()
        await self.kubelet.listed(YELLOW, ["a"])
        await until(self.is_registered)
        yield
        self.assertEqual(self.value("twistdp_resource_registered"), 1)
        self.assertEqual(self.value("twistdp_resource_streams"), 1)
        self.assertEqual(self.value("twistdp_streams_opened_total"), 1)
        attempts = "twistdp_registration_attempts_total"
        self.assertEqual(self.value(attempts, result="registered"), 1)
        self.assertEqual(self.value(attempts, result="refused"), 0)
        self.kubelet.refusal = "no thanks"
        await self.kubelet.restart()
        await until(lambda: self.value(attempts, result="refused"))
        self.assertEqual(self.value("twistdp_resource_registered"), 0)
        await until(lambda: self.value("twistdp_kubelet_appearances_total") == 2)

    @moves(
        "twistdp_scan_duration_seconds",
        "twistdp_scan_failures_total",
        "twistdp_scan_failing",
        "twistdp_last_scan_timestamp_seconds",
        "twistdp_health_checks_total",
        "twistdp_events_total",
    )
    async def test_scans(self) -> AsyncIterator[None]:
        """A scanner that fails, and works again."""
        await self.kubelet.start()
        place = os.path.join(self.directory, "bus")
        os.mkdir(place)
        alive, broken = (os.path.join(place, name) for name in ("alive", "broken"))
        with open(alive, "w"):
            pass
        await self.serve(Probed(place))
        await self.kubelet.listed(YELLOW, ["a"])
        yield
        with open(broken, "w"):
            pass
        await until(lambda: self.value("twistdp_scan_failing"))
        yield
        self.flushLoggedErrors(OSError)
        checks = "twistdp_health_checks_total"
        self.assertEqual(self.value(checks, kind="present", result="failed"), 0)
        os.unlink(alive)
        await until(lambda: self.value(checks, kind="present", result="failed"))
        os.unlink(broken)
        await until(lambda: not self.value("twistdp_scan_failing"))
        failures = self.value("twistdp_scan_failures_total")
        self.assertGreater(self.value("twistdp_scan_duration_seconds", le="+Inf"), failures)

    @moves("twistdp_scan_hung", "twistdp_scans_hung_total")
    async def test_hung(self) -> AsyncIterator[None]:
        """A scan that does not return, until it does."""
        await self.kubelet.start()
        place = os.path.join(self.directory, "bus")
        os.mkdir(place)
        scanner = Stuck(place)
        self.addCleanup(scanner.goes_on.set)
        await self.serve(scanner, scan_timeout=0.1)
        await self.kubelet.listed(YELLOW, ["a"])
        yield
        scanner.goes_on.clear()
        os.mkdir(os.path.join(place, "x"))
        yield
        self.assertEqual(self.value("twistdp_scan_hung"), 1)
        scanner.goes_on.set()
        await until(lambda: not self.value("twistdp_scan_hung"))
        self.assertGreaterEqual(self.value("twistdp_scans_hung_total"), 1)

    async def test_two_of_a_class(self) -> None:
        """Each of two scanners of one class has its own numbers, in the state too."""

        class Own(Stuck):
            """A class that no other test has."""

        await self.kubelet.start()
        stuck = Own(os.path.join(self.directory, "none"))
        self.addCleanup(stuck.goes_on.set)
        await self.serve(Own(self.directory))
        await self.kubelet.listed(YELLOW, ["a"])
        stuck.goes_on.clear()
        settings = Settings(plugin_dir=self.directory, scan_timeout=0.1)
        other = Manager("other.example.com", stuck, settings=settings)
        first = self.observatory.served()
        self.observatory.served = lambda: [*first, (other, "--scanner x:Y")]
        other.startService()
        self.addCleanup(other.stopService)
        name = name_of(stuck)
        await until(lambda: self.value("twistdp_scan_hung", scanner=f"{name}#2"))
        self.assertEqual(self.value("twistdp_scan_hung", scanner=name), 0)
        state = await self.state()
        self.assertEqual(
            [(each["name"], each["hung"]) for each in state["scanners"]],
            [(name, False), (f"{name}#2", True)],
        )
        self.assertEqual([each["scanner"] for each in state["resources"]], [name])

    async def test_own_loop(self) -> None:
        """A scanner with a loop of its own has its numbers too."""
        scanner = await self.start("a")
        before = self.value("twistdp_scan_duration_seconds", le="+Inf")
        self.assertGreater(before, 0)
        self.assertGreater(self.value("twistdp_last_scan_timestamp_seconds"), 0)
        scanner.tell(tree_of("b"))
        await until(lambda: self.value("twistdp_scan_duration_seconds", le="+Inf") > before)

    @moves("twistdp_event_overflows_total")
    async def test_overflow(self) -> AsyncIterator[None]:
        """The kernel drops events."""
        await self.start("a")
        yield
        event = struct.pack("iIII", -1, pyinotify.IN_Q_OVERFLOW, 0, 0)
        patch = self.patch(os, "read", lambda *_: event)
        inotify_of(reactor).doRead()
        patch.restore()
        yield
        self.assertEqual(self.value("twistdp_event_overflows_total", source="inotify"), 1)
        self.assertEqual(self.value("twistdp_event_overflows_total", source="uevents"), 0)

    @moves("twistdp_config_reloads_total", "twistdp_config_last_reload_successful")
    async def test_configuration(self) -> AsyncIterator[None]:
        """A file that is refused, and then fixed."""
        path = os.path.join(self.directory, "devices.yaml")

        replace(path, "domain: x.example.com\nresources: {null: /dev/null}\n")
        file = ConfigFile(path, read_config(path), Settings(plugin_dir=self.directory), reactor)
        file.startService()
        self.addCleanup(file.stopService)
        await self.serve(ToldScanner(tree_of("a")), files=[path])
        self.assertEqual(self.value("twistdp_config_last_reload_successful"), 1)
        yield
        replace(path, "resources: 7\n")
        yield
        self.assertEqual(self.value("twistdp_config_last_reload_successful"), 0)
        replace(path, "domain: x.example.com\nresources: {zero: /dev/zero}\n")
        await until(lambda: self.value("twistdp_config_last_reload_successful") == 1)
        for result in ("read", "refused"):
            self.assertEqual(self.value("twistdp_config_reloads_total", result=result), 1)


class ScrapeTests(MetricsCase):
    """A scrape over HTTP."""

    async def test_formats(self) -> None:
        """The text format of Prometheus, or OpenMetrics for those who ask for it."""
        await self.start("a")
        await self.kubelet.allocate(YELLOW, 1)
        reply = await self.ask("/metrics")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        found = {family.name for family in text_string_to_metric_families(reply.body.decode())}
        ours = {family.name.removesuffix("_total") for family in FAMILIES}
        self.assertEqual(ours - found, set())
        self.assertLess({"process_open_fds", "python_info"}, found)
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        reply = await self.ask("/metrics", Accept=accept)
        self.assertTrue(reply.headers["content-type"].startswith("application/openmetrics-text;"))
        self.assertTrue(reply.body.endswith(b"# EOF\n"))
        found = {family.name for family in openmetrics_families(reply.body.decode())}
        self.assertEqual(ours - found, set())
        for version in ("x", "1.0-rc", "9" * 5000):
            reply = await self.ask(
                "/metrics", Accept=f"application/openmetrics-text;version={version}"
            )
            self.assertEqual(reply.status, 200, version)
            self.assertTrue(reply.headers["content-type"].startswith("text/plain;"))

    async def test_long(self) -> None:
        """A long answer has several pieces, and says the same as one in one."""
        await self.start("a")
        calls = self.tallies.resources[YELLOW].calls
        for number in range(200):
            calls["Allocate", f"S{number}"].add(number)
        for accept in ("", "application/openmetrics-text"):
            self.patch(metrics, "PIECE", 10**6)
            whole = self.scraped(accept).splitlines()
            self.patch(metrics, "PIECE", 30)
            pieces = list(self.metrics.answer(accept).pieces or ())
            self.assertGreater(len(pieces), 40)
            for piece in pieces:
                self.assertLess(piece.count(b"\n"), 100)
            lines = b"".join(pieces).decode().splitlines()
            self.assertEqual(
                [line for line in lines if "twistdp_rpc" in line],
                [line for line in whole if "twistdp_rpc" in line],
            )
            self.assertEqual(len(lines), len(whole))
        self.assertEqual(lines.count("# EOF"), 1)

    async def test_at_once(self) -> None:
        """Scrapes that come while the encoder is loaded get answers too."""
        await self.start("a")
        first, second = self.ask("/metrics"), self.ask("/metrics")
        replies = [await first, await second]
        self.assertEqual([reply.status for reply in replies], [200, 200])

    async def test_again(self) -> None:
        """A short answer is given again for a moment: to the same question, while all is quiet."""
        await self.start("a")
        # The first answer is an event, which may be late on a busy machine.
        await until(lambda: self.observatory.holdings.held is not None)
        self.patch(scraping, "AGAIN", 60.0)
        made: list[str] = []
        answer = Metrics.answer

        def counted(found: Metrics, accept: str) -> Answer:
            made.append(accept)
            return answer(found, accept)

        self.patch(Metrics, "answer", counted)
        bodies = [(await self.ask("/metrics")).body for _ in range(3)]
        self.assertEqual((len(made), len(set(bodies))), (1, 1))
        await self.ask("/metrics", Accept="application/openmetrics-text")
        self.assertEqual(len(made), 2)
        await self.ask("/metrics")
        self.observatory.events.emit(Kind.KUBELET_APPEARED, directory=self.directory)
        reply = await self.ask("/metrics")
        self.assertEqual(len(made), 4)
        self.assertNotEqual(reply.body, bodies[0])
        self.patch(scraping, "AGAIN", 0.0)
        await self.ask("/metrics")
        self.assertEqual(len(made), 5)
        self.patch(scraping, "AGAIN", 60.0)
        self.patch(metrics, "PIECE", 30)
        for _ in range(2):  # a long answer is not kept
            self.observatory.events.emit(Kind.KUBELET_APPEARED, directory=self.directory)
            await self.ask("/metrics")
        await self.ask("/metrics")
        self.assertEqual(len(made), 8)

    async def test_gone(self) -> None:
        """What belongs to a resource goes with it."""
        scanner = await self.start("a")
        self.assertEqual(len(self.values("twistdp_lists_sent_total")), 1)
        scanner.tell(tree_of("b", kind="blue"))
        await self.kubelet.listed(BLUE, ["b"])
        await until(lambda: len(self.values("twistdp_resource_registered")) == 1)
        (labels,) = self.values("twistdp_lists_sent_total")
        self.assertEqual(dict(labels)["resource_name"], BLUE)

    async def test_no_pods(self) -> None:
        """Pods are named only where that was asked for, and secrets nowhere."""
        await self.start("a")
        await self.kubelet.allocate(YELLOW, 1, pod="painter")
        self.scraper._pods = False
        await until(lambda: self.value("twistdp_devices_held"))
        self.assertNotIn(b"painter", (await self.ask("/metrics")).body)


class PluginTests(ProcessTestCase):
    """A plugin of its own."""

    async def test_from_the_start(self) -> None:
        """What happened before the first scrape is counted; pods are named on demand."""
        pods = os.path.join(self.directory, "pods.sock")
        self.kubelet = PatientKubelet(self.plugins, force=True, pod_resources=pods)
        await self.kubelet.start()
        resource = "folder.example.com/file"
        device = os.path.join(self.devices, "d")
        with open(device, "w"):
            pass
        counted = [
            'twistdp_registration_attempts_total{resource_name="%s",result="registered"} 1.0',
            'twistdp_device_changes_total{change="added",resource_name="%s"} 1.0',
            'twistdp_lists_sent_total{resource_name="%s"} 1.0',
            'twistdp_allocated_devices_total{resource_name="%s"} 1.0',
        ]
        for option in ("", "--http-pods"):
            path = os.path.join(self.directory, f"status{option}.sock")
            child = self.plugin(
                "--scanner=twistdp.scanners:GlobScanner",
                *("--set", "resource=file", "--set", f"pattern={self.devices}/*"),
                *("--set", "nodes_only=false", "--namespace=folder.example.com"),
                *(f"--status-socket={path}", f"--pod-resources-socket={pods}"),
                *filter(None, [option]),
            )
            await self.kubelet.until(lambda: "Healthy" in self.kubelet.devices(resource).values())
            await self.kubelet.allocate(resource, 1, pod="painter")
            wanted = [line % resource for line in counted] + ["twistdp_pod_resources_available 1.0"]
            text = ""
            while not set(wanted) <= set(text.splitlines()):
                text = (await ask(f"unix:{path}", "/metrics")).body.decode()
            self.assertEqual("painter" in text, bool(option))
            child.signal("TERM")
            await child.ended
            self.kubelet.release("painter")


class FamilyTests(SynchronousTestCase):
    """Names and texts."""

    def test_all_move(self) -> None:
        """No metric is there that no test moves."""
        self.assertEqual(MOVED, {family.name for family in (*FAMILIES, PODS)})

    def test_names(self) -> None:
        """They follow the rules of Prometheus; each text is a sentence."""
        for family in (*FAMILIES, PODS):
            self.assertRegex(family.name, r"\Atwistdp_[a-z_]+\Z")
            self.assertEqual(family.name.endswith("_total"), family.kind == "counter", family.name)
            self.assertEqual(family.help.endswith("."), True, family.name)
            if family.kind == "histogram":
                self.assertTrue(family.name.endswith("_seconds"), family.name)
