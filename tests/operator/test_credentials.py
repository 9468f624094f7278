"""Credentials: of a pod, and of kubeconfig files, with what is wrong in them."""

import base64
import ssl
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.certificates import OPENSSL, WHY, certificate, encrypted
from tests.support.helpers import failure_of
from twistdp.errors import BadSetting
from twistdp.operator.api import Unreachable
from twistdp.operator.client import Client
from twistdp.operator.credentials import from_kubeconfig, in_cluster
from twistdp.operator.kinds import POD
from twistdp.rpc import loop_of

ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def kubeconfig(cluster: Any, user: Any, **context: Any) -> dict[str, Any]:
    """A file with one context."""
    return {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", **context}}],
        "current-context": "x",
    }


class KubeconfigTests(SynchronousTestCase):
    """Files."""

    def file(self, content: Any) -> str:
        """The path of a file with this."""
        path = Path(self.mktemp())
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    def refusal(self, content: Any, context: str = "") -> str:
        """What is wrong with it, after the path."""
        path = self.file(content)
        error = self.assertRaises(BadSetting, from_kubeconfig, path, context)
        return str(error).replace(path, "FILE")

    def test_token(self) -> None:
        """A server without TLS, and a token."""
        content = kubeconfig({"server": "http://h:1/"}, {"token": "t"}, namespace="n")
        found = from_kubeconfig(self.file(content))
        assert found.token is not None
        self.assertEqual((found.server, found.namespace), ("http://h:1", "n"))
        self.assertEqual(found.token.value(), "t")
        self.assertIsNone(found.tls)

    def test_token_file(self) -> None:
        """The path of a token's file is relative to the kubeconfig."""
        path = self.file(kubeconfig({"server": "http://h:1"}, {"tokenFile": "token"}))
        (Path(path).parent / "token").write_text("t")
        token = from_kubeconfig(path).token
        assert token is not None
        self.assertEqual(token.value(), "t")

    def test_insecure(self) -> None:
        """A certificate is not looked at where the file says so, and else it is."""
        cluster = {"server": "https://h:1"}
        found = from_kubeconfig(self.file(kubeconfig(cluster, {})))
        assert found.tls is not None
        self.assertEqual(found.tls.verify_mode, ssl.CERT_REQUIRED)
        cluster["insecure-skip-tls-verify"] = True  # type: ignore[assignment]
        found = from_kubeconfig(self.file(kubeconfig(cluster, {})))
        assert found.tls is not None
        self.assertEqual(found.tls.verify_mode, ssl.CERT_NONE)

    def test_refused(self) -> None:
        """What cannot be used is named."""
        server = {"server": "https://h:1"}
        for content, words in (
            ("[", "FILE is no YAML"),
            ("[]", "FILE is no kubeconfig"),
            ({}, "FILE: current-context is missing"),
            ({"current-context": "x"}, "FILE: there is no context 'x'"),
            (kubeconfig({}, {}), "FILE: server is missing or no text"),
            (kubeconfig({"server": "h:1"}, {}), "FILE: server h:1 is no URL"),
            (kubeconfig(server, {"exec": {}}), "FILE: a user with exec cannot be used"),
            (kubeconfig(server, {"as": "somebody"}), "FILE: a user with as cannot be used"),
            (kubeconfig({**server, "proxy-url": "http://p"}, {}), "FILE: proxy-url"),
            (kubeconfig({**server, "tls-server-name": "n"}, {}), "FILE: tls-server-name"),
            (
                kubeconfig({**server, "certificate-authority-data": "%"}, {}),
                "FILE: certificate-authority-data is no base64",
            ),
            (
                kubeconfig({**server, "certificate-authority": "none"}, {}),
                "FILE: certificate-authority ",
            ),
            (
                kubeconfig({**server, "certificate-authority-data": "eA=="}, {}),
                "the kubeconfig's certificates cannot be used",
            ),
            (kubeconfig(server, {"token": 3}), "FILE: token is missing or no text"),
            (
                kubeconfig(server, {"client-certificate-data": "eA=="}),
                "the kubeconfig has one of client-certificate and client-key",
            ),
            (
                kubeconfig(server, {"client-key-data": "eA=="}),
                "the kubeconfig has one of client-certificate and client-key",
            ),
        ):
            self.assertTrue(self.refusal(content).startswith(words), self.refusal(content))
        self.assertIn("'y'", self.refusal(kubeconfig(server, {}), "y"))
        error = self.assertRaises(BadSetting, from_kubeconfig, "/does/not/exist")
        self.assertEqual(str(error), "/does/not/exist: No such file or directory")


class PodTests(SynchronousTestCase):
    """What a pod has."""

    def test_outside(self) -> None:
        """Elsewhere a kubeconfig is needed."""
        for name in (None, *ENVIRON):
            environ = {} if name is None else {**ENVIRON, name: ""}
            error = self.assertRaises(BadSetting, in_cluster, environ)
            self.assertIn("--kubeconfig", str(error))

    def test_no_token(self) -> None:
        """A pod without a token."""
        error = self.assertRaises(BadSetting, in_cluster, ENVIRON, self.mktemp())
        self.assertIn("automountServiceAccountToken", str(error))

    def test_no_authority(self) -> None:
        """A pod without the API server's authority."""
        place = Path(self.mktemp())
        place.mkdir()
        (place / "token").write_text("t")
        error = self.assertRaises(BadSetting, in_cluster, ENVIRON, str(place))
        self.assertIn("ca.crt: No such file", str(error))

    def test_pod(self) -> None:
        """All that it needs."""
        if OPENSSL is None:
            self.skipTest(WHY)
        place = Path(self.mktemp())
        authority, _ = certificate(place)
        authority.rename(place / "ca.crt")
        (place / "token").write_text("t")
        (place / "namespace").write_text("n\n")
        found = in_cluster(ENVIRON, str(place))
        self.assertEqual((found.server, found.namespace), ("https://10.96.0.1:443", "n"))
        found = in_cluster({**ENVIRON, "KUBERNETES_SERVICE_HOST": "fd00::1"}, str(place))
        self.assertEqual(found.server, "https://[fd00::1]:443")
        (place / "namespace").unlink()
        self.assertEqual(in_cluster(ENVIRON, str(place)).namespace, "")


class TlsTests(TestCase):
    """A server with a certificate, which wants one of its clients."""

    timeout = 300
    if OPENSSL is None:
        skip = WHY

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start it."""
        place = Path(self.mktemp())
        self.files = certificate(place / "server")
        self.clients = certificate(place / "client", "client")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.files)
        context.load_verify_locations(self.clients[0])
        context.verify_mode = ssl.CERT_REQUIRED
        application = web.Application()
        application.router.add_get("/{rest:.*}", lambda _: _json())
        runner = web.AppRunner(application, access_log=None)
        loop = loop_of(reactor)
        await Deferred.fromFuture(loop.create_task(runner.setup()))
        self.addCleanup(lambda: Deferred.fromFuture(loop.create_task(runner.cleanup())))
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await Deferred.fromFuture(loop.create_task(site.start()))
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"

    def client(self, cluster: Any, user: Any) -> Client:
        """A client by a kubeconfig."""
        path = Path(self.mktemp())
        path.write_text(yaml.safe_dump(kubeconfig({"server": self.url, **cluster}, user)))
        client = Client(from_kubeconfig(str(path)), loop_of(reactor))
        self.addCleanup(client.close)
        return client

    async def test_files(self) -> None:
        """Certificates from files."""
        client = self.client(
            {"certificate-authority": str(self.files[0].absolute())},
            {
                "client-certificate": str(self.clients[0].absolute()),
                "client-key": str(self.clients[1].absolute()),
            },
        )
        self.assertEqual(await client.get(POD, "n", "a"), {"kind": "Pod"})

    async def test_data(self) -> None:
        """Certificates within the kubeconfig."""

        def data(path: Path) -> str:
            return base64.encodebytes(path.read_bytes()).decode()  # in lines

        client = self.client(
            {"certificate-authority-data": data(self.files[0])},
            {
                "client-certificate-data": data(self.clients[0]),
                "client-key-data": data(self.clients[1]),
            },
        )
        self.assertEqual(await client.get(POD, "n", "a"), {"kind": "Pod"})

    async def test_encrypted_key(self) -> None:
        """An encrypted key is refused, with a remedy; nobody is asked for its passphrase."""
        encrypted(self.clients[1])
        error = self.assertRaises(
            BadSetting,
            self.client,
            {},
            {
                "client-certificate": str(self.clients[0].absolute()),
                "client-key": str(self.clients[1].absolute()),
            },
        )
        self.assertIn("client-key: the private key is encrypted; write it without", str(error))

    async def test_unknown_authority(self) -> None:
        """A server that nobody vouches for gets nothing."""
        await failure_of(self.client({}, {}).get(POD, "n", "a"), Unreachable)


async def _json() -> web.Response:
    return web.json_response({"kind": "Pod"})
