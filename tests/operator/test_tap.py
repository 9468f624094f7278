"""The operator's command line, and the service that it makes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

import yaml
from twisted.application.service import IServiceMaker, MultiService
from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twistdp.operator import service as service_module
from twistdp.operator import tap
from twistdp.operator.credentials import Cluster
from twistdp.operator.service import Operator
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.webhook import Webhook
from twistdp.web.service import Web

CONFIG = {
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [
        {"name": "x", "context": {"cluster": "c", "namespace": "of-context"}},
        {"name": "y", "context": {"cluster": "c"}},
    ],
    "current-context": "x",
}


class CommandLine(SynchronousTestCase):
    """Parses command lines with a kubeconfig."""

    def setUp(self) -> None:
        """Write the kubeconfig."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("needs trial --reactor=asyncio")
        self.path = self.mktemp()
        Path(self.path).write_text(yaml.safe_dump(CONFIG))
        self.patch(os, "environ", {**os.environ, tap.IMAGE: "x:1"})
        for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
            os.environ.pop(name, None)

    def parse(self, *arguments: str) -> tap.Options:
        """The options that a command line makes."""
        options = tap.Options()
        options.parseOptions([f"--kubeconfig={self.path}", *arguments])
        return options

    def refused(self, *arguments: str) -> str:
        """The line with which a command line is refused, without the command's name."""
        error = self.assertRaises(SystemExit, self.parse, *arguments)
        line = str(error.code)
        self.assertEqual(len(line.splitlines()), 1, line)
        command, _, rest = line.partition(": ")
        self.assertEqual(command, "deviceplugin-operator")
        return rest


class OptionTests(CommandLine):
    """What options mean."""

    def test_defaults(self) -> None:
        """The context's namespace, and the image of the environment."""
        options = self.parse()
        self.assertEqual(options.settings.namespace, "of-context")
        self.assertEqual(options.settings.plugin_image, "x:1")
        self.assertEqual(options.settings.status_interval, 5.0)
        self.assertFalse(options["leader-election"])
        self.assertIsNone(options.webhook)

    def test_given(self) -> None:
        """Options come before both."""
        options = self.parse(
            "--namespace=n",
            "--plugin-image=y:2",
            "--status-interval=0.5",
            "--leader-election",
            "--webhook=9443",
            "--webhook-certs=/certs",
            "--context=y",
        )
        self.assertEqual(options.settings.namespace, "n")
        self.assertEqual(options.settings.plugin_image, "y:2")
        self.assertEqual(options.settings.status_interval, 0.5)
        self.assertTrue(options["leader-election"])
        self.assertEqual(options.webhook, (9443, "/certs"))

    def test_refused(self) -> None:
        """Each with its line."""
        for arguments, line in (
            (["--kubeconfig=/no/file"], "/no/file: No such file or directory"),
            (["--kubeconfig="], "this process runs in no pod"),
            (["--kubeconfig=", "--context=x"], "--context without --kubeconfig"),
            (["--context=z"], f"{self.path}: there is no context 'z'"),
            (["--context=y"], "--namespace is missing"),
            (["--namespace=A_b"], "--namespace A_b: no namespace can have this name"),
            (["--status-interval=often"], "--status-interval often: give a number of seconds"),
            (["--status-interval=0"], "--status-interval 0: it must be a positive number"),
            (["--status-interval=nan"], "--status-interval nan: it must be a positive number"),
            (["--webhook=9443"], "--webhook needs --webhook-certs=DIR"),
            (["--webhook-certs=/x"], "--webhook-certs needs --webhook=PORT"),
            (["--webhook=0", "--webhook-certs=/x"], "--webhook 0: give a port from 1 to 65535"),
            (["--webhook=1234567", "--webhook-certs=/x"], "--webhook 1234567: give a port"),
            (["--http=http:1"], "--http http:1: there is no kind of endpoint 'http'"),
            (["--elect"], "--elect: there is no such option"),
            (["more"], "more: unexpected; options start with '--'"),
            (["-v", "x"], "-v x: give a whole number"),
        ):
            found = self.refused(*arguments)
            self.assertTrue(found.startswith(line), found)
        del os.environ[tap.IMAGE]
        self.assertTrue(self.refused().startswith("--plugin-image is missing"))


class ServiceTests(CommandLine):
    """What is made of options."""

    def parts(self, *arguments: str) -> set[type]:
        """The classes of the services."""
        service = tap.makeService(self.parse(*arguments))
        assert isinstance(service, MultiService)
        return {type(each) for each in service}

    def test_parts(self) -> None:
        """HTTP and the webhook are there if they are asked for."""
        self.assertIn(Operator, self.parts())
        self.assertFalse({Web, Webhook} & self.parts())
        asked = ["--http=tcp:1", "--webhook=9443", "--webhook-certs=/x"]
        self.assertLessEqual({Web, Webhook}, self.parts(*asked))


class ClockTests(TestCase):
    """The clock of the service."""

    async def test_steady(self) -> None:
        """It is steady from the start, or the leader would not notice the end of its lease."""
        done: list[object] = []
        self.patch(service_module, "keep_steady", done.append)
        settings = OperatorSettings(namespace="n", plugin_image="x")
        operator: Any = Operator(Cluster("http://127.0.0.1:1"), settings, reactor)
        operator.startService()
        self.assertEqual(done, [reactor])
        await operator.stopService()


class PluginTests(SynchronousTestCase):
    """twistd's plugin."""

    def test_known(self) -> None:
        """It is known by its name."""
        names = {getattr(each, "tapname", "") for each in getPlugins(IServiceMaker)}
        self.assertLessEqual({"deviceplugin", "deviceplugin-operator"}, names)

    def test_no_kopf(self) -> None:
        """Listing the services, and the other service, import neither kopf nor aiohttp."""
        program = (
            "import sys\n"
            "from twisted.plugin import getPlugins\n"
            "from twisted.application.service import IServiceMaker\n"
            "[each.description for each in getPlugins(IServiceMaker)]\n"
            "import twistdp, twistdp.tap, twistdp.crds\n"
            "assert not {'kopf', 'aiohttp'} & set(sys.modules), 'imported'\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(found.returncode, 0, found.stderr)
