"""Tests for `twistdp.scanners.annotation`, against a small API of a cluster over TLS."""

import json
import os
import shutil
import ssl
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from tests.catalog.test_entries import root
from tests.support.logs import LogTestCase
from twistdp.scanners.annotation import AGAIN, NodeAnnotation
from twistdp.scanners.fpga import FpgaScanner

CERTIFICATE = os.path.join(os.path.dirname(__file__), "api.pem")
"""For 127.0.0.1, with its key; it is of use for these tests alone."""

NAME = "fpga.intel.com/device-plugin-mode"
CHOICES = ("af", "region")


class Api(HTTPServer):
    """Answers all requests with `status` and `body`, and notes them."""

    status = 200
    body = b"{}"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def has(self, annotations: dict[str, str]) -> None:
        """The node has these annotations."""
        self.body = json.dumps({"metadata": {"annotations": annotations}}).encode()


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Api

    def do_GET(self) -> None:
        """Answer it."""
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class ApiTestCase(LogTestCase):
    """Has an API."""

    def setUp(self) -> None:
        """An API, and a service account for it."""
        super().setUp()
        self.api = Api()
        thread = Thread(target=self.api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.api.server_close)
        self.addCleanup(self.api.shutdown)
        self.account = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.account)
        shutil.copy(CERTIFICATE, os.path.join(self.account, "ca.crt"))
        self.token("secret\n")
        self.environment(
            KUBERNETES_SERVICE_HOST="127.0.0.1",
            KUBERNETES_SERVICE_PORT=str(self.api.server_address[1]),
        )
        self.now = 0.0

    def environment(self, **values: str) -> None:
        """Set variables for this test."""
        for name, value in values.items():
            self.addCleanup(os.environ.pop, name, None)
            os.environ[name] = value

    def token(self, text: str) -> None:
        """Write the token of the account."""
        with open(os.path.join(self.account, "token"), "w", encoding="utf-8") as file:
            file.write(text)

    def annotation(self, node: str = "node-1") -> NodeAnnotation:
        """The annotation, read by the test's account and clock."""
        return NodeAnnotation(node, NAME, CHOICES, self.account, lambda: self.now)


class AnnotationTests(ApiTestCase):
    """`NodeAnnotation`"""

    def test_read(self) -> None:
        """The node's metadata are asked for once, with the account's token."""
        self.api.has({NAME: "region"})
        found = self.annotation("a/../b")
        self.assertEqual([found.value(), found.value()], ["region", "region"])
        self.assertEqual(self.api.asked, [("/api/v1/nodes/a%2F..%2Fb", "Bearer secret")])
        self.assertIn(f"the annotation {NAME} of node a/../b is region", self.said())

    def test_none(self) -> None:
        """A node without the annotation, or without any, has no value."""
        for body in (b'{"metadata": {}}', b'{"metadata": {"annotations": null}}'):
            self.api.body = body
            self.assertIsNone(self.annotation().value())
        self.assertEqual(self.lines, [])

    def test_unknown(self) -> None:
        """A value that is no choice has no effect, which is logged."""
        self.api.has({NAME: "regoin"})
        self.assertIsNone(self.annotation().value())
        self.assertIn("is regoin, and has no effect: use af or region", self.said())

    def test_refused(self) -> None:
        """While the API refuses, it is asked once a minute, and that is logged once."""
        self.api.status = 403
        found = self.annotation()
        self.assertEqual([found.value(), found.value()], [None, None])
        self.assertEqual(len(self.api.asked), 1)
        self.assertIn("so it has no effect: the API answers 403 Forbidden", self.said())
        self.now += AGAIN
        self.assertIsNone(found.value())
        self.assertEqual((len(self.api.asked), len(self.lines)), (2, 1))
        self.api.status = 200
        self.api.has({NAME: "af"})
        self.now += AGAIN
        self.assertEqual(found.value(), "af")

    def test_bad_answers(self) -> None:
        """Whatever the API answers, nothing is raised."""
        for body in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"metadata": []}'):
            self.api.body = body
            self.assertIsNone(self.annotation().value())
        for line in self.lines:
            self.assertIn("the API's answer is no node", line)
        self.assertEqual(len(self.lines), 6)

    def test_no_api(self) -> None:
        """Without an API, a token or trust nothing is read, and no token is shown."""
        self.token("se cret")
        self.assertIsNone(self.annotation().value())
        os.unlink(os.path.join(self.account, "token"))
        self.assertIsNone(self.annotation().value())
        self.token("secret")
        with open(os.path.join(self.account, "ca.crt"), "w", encoding="ascii"):
            pass
        self.assertIsNone(self.annotation().value())
        os.environ.pop("KUBERNETES_SERVICE_HOST")
        self.assertIsNone(self.annotation().value())
        one, other, trust, nowhere = self.lines
        self.assertIn("there is no token in", one)
        self.assertNotIn("cret;", one)
        self.assertIn("No such file", other)
        self.assertIn("cannot read the annotation", trust)
        self.assertIn("this process is in no pod", nowhere)
        self.assertEqual(self.api.asked, [])

    def test_other_certificate(self) -> None:
        """An API with a certificate of another authority gets no token."""
        os.environ["KUBERNETES_SERVICE_HOST"] = "localhost"  # the certificate is for 127.0.0.1
        self.assertIsNone(self.annotation().value())
        self.assertIn("certificate verify failed", self.said())
        self.assertEqual(self.api.asked, [])


class FpgaModeTests(ApiTestCase):
    """The mode of `FpgaScanner`."""

    def test_override(self) -> None:
        """The annotation of the node in the environment is instead of the mode that is given."""
        self.api.has({NAME: "region"})
        self.patch(FpgaScanner, "account", self.account)
        tree = root("intel-fpga")
        kinds = {
            name: {kind[:3] for kind in FpgaScanner(node_name=name, root=tree).discover()}
            for name in ("", "node-1")
        }
        self.assertEqual(kinds, {"": {"af-"}, "node-1": {"reg"}})
        self.environment(NODE_NAME="node-2")
        FpgaScanner(root=tree).discover()
        self.assertEqual([path[-6:] for path, _ in self.api.asked], ["node-1", "node-2"])
