"""Tests of the program that Kubernetes runs in the container to ask at the socket."""

import os
import socket
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from tests.support.helpers import soon, until
from tests.web.test_service import WebCase
from twistdp.deployment import probing
from twistdp.settings import RUN_DIRECTORY
from twistdp.web import service
from twistdp.web.answers import Answer, text


class ProbingTests(WebCase):
    """The commands of the manifests, run here."""

    async def probe(self, which: str) -> tuple[str, int]:
        """What a probe prints, and its status; in a directory of the test's own."""
        command = probing.probes(None)[f"{which}Probe"]["exec"]["command"]
        arguments = [each.replace(RUN_DIRECTORY, self.directory) for each in command[1:]]
        self.assertNotEqual(arguments, command[1:])
        output, errors, status = await soon(getProcessOutputAndValue(sys.executable, arguments))
        self.assertEqual(errors, b"")
        return output.decode(), status

    async def test_well_and_ill(self) -> None:
        """The status follows the answer, whose text is printed."""
        ready = True

        def answer(request: Any) -> Answer:
            well = ready or request.path == b"/livez"
            return text("ok" if well else "no kubelet", 200 if well else 500)

        self.patch(self.echo, "answer", answer)
        self.web(socket=self.base)
        with socket.socket(socket.AF_UNIX) as dead:  # of one that was killed
            dead.bind(os.path.join(self.directory, "dead.sock"))
        self.assertEqual(await self.probe("liveness"), ("ok\n", 0))
        self.assertEqual(await self.probe("readiness"), ("ok\n", 0))
        ready = False
        self.assertEqual(await self.probe("liveness"), ("ok\n", 0))
        self.assertEqual(await self.probe("readiness"), ("no kubelet\n", 1))

    async def test_no_socket(self) -> None:
        """A plugin that could make no socket is not ready, but is not killed for it."""
        self.assertEqual((await self.probe("liveness"))[1], 0)
        self.assertEqual((await self.probe("readiness"))[1], 1)

    async def test_empty_directory(self) -> None:
        """The directory that Kubernetes makes for it is closed to others, and no other one is."""
        os.chmod(self.directory, 0o777)
        refused = self.web(socket=self.base)
        await deferLater(reactor, 0.0)
        self.assertIsNone(refused.path)
        self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o777)
        self.patch(service, "RUN_DIRECTORY", self.directory)
        web = self.web(socket=self.base)
        await until(lambda: web.path)
        self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o755)
