"""Rules, dashboard and scrape, tried with Prometheus itself; for `make test-monitoring`."""

import json
import os
import shutil
import signal
import socket
from typing import Any
from urllib.parse import quote

import yaml
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from tests.integration.test_life import YELLOW
from tests.monitoring.files import RULES, operator_groups, queries
from tests.support.helpers import soon, temporary_directory, until
from tests.support.http import ask
from tests.web.test_metrics import MetricsCase, Probed
from twistdp.web.service import Web

PROGRAMS = os.environ.get("TWISTDP_PROMETHEUS", "/usr/bin")
"""Where promtool and prometheus are."""

PATIENCE = 30
"""Tenths of a second to wait for Prometheus, many times."""


class Program(ProcessProtocol):
    """A program that runs, and what it writes."""

    def __init__(self) -> None:
        self.written = b""
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    errReceived = outReceived  # noqa: N815  # Twisted's name

    def processEnded(self, reason: Any) -> None:
        """It has ended."""
        self.ended.callback(None)


class WholeTests(MetricsCase):
    """All of `deploy/monitoring`."""

    async def promtool(self, *arguments: str, input_: bytes = b"") -> str:
        """What promtool writes; fails unless it is content."""
        program = os.path.join(PROGRAMS, "promtool")
        out, err, status = await getProcessOutputAndValue(
            program, arguments, os.environ, stdinBytes=input_
        )
        text: str = (out + err).decode()
        self.assertEqual(status, 0, text)
        return text

    async def serve_devices(self) -> str:
        """A plugin with all that can be measured; returns where it listens."""
        place = os.path.join(self.directory, "bus")
        os.mkdir(place)
        alive = os.path.join(place, "alive")
        with open(alive, "w"):
            pass
        await self.kubelet.start()
        await self.serve(Probed(place), files=[os.path.join(place, "devices.yaml")])
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.allocate(YELLOW, 1, pod="painter")
        await until(lambda: self.value("twistdp_container_devices"))
        os.unlink(alive)
        await until(lambda: self.value("twistdp_devices", health="Unhealthy"))
        web = Web(lambda: self.routes, reactor, endpoints=["tcp:0:interface=127.0.0.1"])
        web.startService()
        self.addCleanup(web.stopService)
        await until(lambda: web._ports)
        return f"127.0.0.1:{web._ports[0].getHost().port}"  # type: ignore[attr-defined]

    async def test_rules(self) -> None:
        """They can be read, and fire when they must."""
        self.assertIn("SUCCESS", await self.promtool("check", "rules", str(RULES)))
        tests = os.path.join(os.path.dirname(__file__), "alerts.yaml")
        self.assertIn("SUCCESS", await self.promtool("test", "rules", tests))

    async def test_operator_rules(self) -> None:
        """The same of those about the operator, which are in a PrometheusRule."""
        directory = temporary_directory(self)
        rules = os.path.join(directory, "rules.yaml")
        with open(rules, "w", encoding="utf-8") as file:
            yaml.safe_dump({"groups": operator_groups()}, file)
        self.assertIn("SUCCESS", await self.promtool("check", "rules", rules))
        name = "operator_alerts.yaml"
        tests = shutil.copy(os.path.join(os.path.dirname(__file__), name), directory)
        self.assertIn("SUCCESS", await self.promtool("test", "rules", tests))

    async def test_scrape(self) -> None:
        """Promtool has nothing to say against names, types and texts."""
        place = await self.serve_devices()
        reply = await ask(f"tcp:{place}", "/metrics")
        self.assertEqual(await self.promtool("check", "metrics", input_=reply.body), "")

    async def test_queries(self) -> None:
        """Prometheus scrapes the plugin, and has an answer to each query of the dashboard."""
        target = await self.serve_devices()
        directory = temporary_directory(self)
        config = os.path.join(directory, "prometheus.yml")
        scrape = {"job_name": "twistdp", "static_configs": [{"targets": [target]}]}
        with open(config, "w", encoding="utf-8") as file:
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [{**scrape, "honor_labels": True}],
                },
                file,
            )
        with socket.create_server(("127.0.0.1", 0)) as free:
            place = f"127.0.0.1:{free.getsockname()[1]}"
        program = Program()
        transport = IReactorProcess(reactor).spawnProcess(
            program,
            os.path.join(PROGRAMS, "prometheus"),
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address={place}",
            ],
            env=os.environ,
        )

        async def end() -> None:
            transport.signalProcess(signal.SIGKILL)
            await soon(program.ended)

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        count = await self.result(place, f"count_over_time(up{{instance='{target}'}}[1m]) > 2")
        self.assertEqual(count[0]["metric"]["job"], "twistdp", program.written)
        for query in queries():
            self.assertTrue(await self.result(place, query), query)
        (containers,) = await self.result(place, "twistdp_container_devices")
        self.assertEqual(containers["metric"]["pod"], "painter")

    async def result(self, place: str, query: str) -> list[Any]:
        """The result of a query, once there is one; empty if there is none in time."""
        for _ in range(10 * PATIENCE):
            try:
                reply = await ask(f"tcp:{place}", f"/api/v1/query?query={quote(query)}", host=place)
            except ConnectionRefusedError:
                reply = None  # it starts
            if reply is not None and reply.status == 200:
                found: list[Any] = json.loads(reply.body)["data"]["result"]
                if found:
                    return found
            elif reply is not None:
                self.assertEqual(reply.status, 503, reply.body)
            await deferLater(reactor, 0.1)
        return []
