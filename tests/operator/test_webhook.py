"""The webhook: its answers, and its server with certificates that are renewed."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.operator.served import plugin
from tests.support.certificates import OPENSSL, WHY, certificate, encrypted
from tests.support.helpers import until
from tests.support.logs import observe
from twistdp.operator import webhook as module
from twistdp.operator.review import reviewed
from twistdp.operator.webhook import Webhook
from twistdp.rpc import loop_of

GOOD = plugin("gpus", catalog=[{"name": "intel-gpu"}])
BAD = plugin("gpus", catalog=[{"name": "intel-gpus"}])
CANNOT = "cannot answer reviews of device plugins; trying again"


def review(document: Any, before: Any = None, **more: Any) -> dict[str, Any]:
    """A review as the API server sends it."""
    request = {"uid": "u-1", "object": document, "oldObject": before, **more}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


class ReviewTests(SynchronousTestCase):
    """Answers."""

    def allowed(self, document: Any, before: Any = None) -> bool:
        """Whether an object is admitted."""
        return bool(reviewed(review(document, before))["response"]["allowed"])

    def test_good(self) -> None:
        """A good one is admitted, under the request's own uid."""
        self.assertEqual(
            reviewed(review(GOOD)),
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": "u-1", "allowed": True},
            },
        )

    def test_bad(self) -> None:
        """A bad one is refused in the model's words."""
        response = reviewed(review(BAD))["response"]
        self.assertFalse(response["allowed"])
        self.assertEqual(response["status"]["code"], 422)
        self.assertIn("spec.catalog", response["status"]["message"])
        self.assertIn("intel-gpus", response["status"]["message"])

    def test_unchanged(self) -> None:
        """A bad one that has come in may be labelled, corrected and deleted, but not made worse."""
        labelled = {**BAD, "metadata": {**BAD["metadata"], "labels": {"a": "b"}}}
        self.assertTrue(self.allowed(labelled, BAD))
        self.assertTrue(self.allowed(GOOD, BAD))
        self.assertTrue(self.allowed(None, BAD))
        deleting = {**BAD["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        self.assertTrue(self.allowed({**BAD, "metadata": deleting}, GOOD))
        self.assertFalse(self.allowed(BAD, GOOD))

    def test_no_review(self) -> None:
        """Something else is no review."""
        odd: Any
        for odd in ({}, {"request": None}, {"request": {}}, {"request": {"uid": 3}}):
            self.assertRaises(ValueError, reviewed, odd)

    @settings(max_examples=200)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["spec", "metadata", "catalog", "config", "name"]), inner
                )
            ),
            max_leaves=10,
        )
    )
    def test_any(self, document: Any) -> None:
        """Any JSON as the object has an answer."""
        self.assertIn("allowed", reviewed(review(document))["response"])


class ServerTests(TestCase):
    """The server."""

    timeout = 300
    if OPENSSL is None:
        skip = WHY

    def setUp(self) -> None:
        """Choose a port."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.place = Path(self.mktemp())
        self.lines: list[str] = []
        observe(self, self.logged)

    def logged(self, event: dict[str, Any]) -> None:
        """Keep what the webhook logs."""
        if "reviews" in event.get("log_text", ""):
            self.lines.append(f"{event['log_text']}: {event.get('err')}")

    async def serve(self) -> Webhook:
        """Start it."""
        webhook = Webhook(self.port, str(self.place), reactor)
        webhook.startService()
        self.addCleanup(webhook.stopService)
        return webhook

    async def post(self, body: bytes, authority: Path) -> tuple[int, str]:
        """Send something, as somebody who trusts this certificate."""

        async def ask() -> tuple[int, str]:
            tls = ssl.create_default_context(cafile=str(authority))
            url = f"https://localhost:{self.port}/validate?timeout=5s"
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, data=body, ssl=tls) as response,
            ):
                return response.status, await response.text()

        return await Deferred.fromFuture(loop_of(reactor).create_task(ask()))

    async def test_review(self) -> None:
        """A review over HTTPS."""
        authority, _ = certificate(self.place)
        webhook = await self.serve()
        await until(lambda: webhook.listens)
        status, text = await self.post(json.dumps(review(BAD)).encode(), authority)
        self.assertEqual(status, 200)
        self.assertFalse(json.loads(text)["response"]["allowed"])

    async def test_odd(self) -> None:
        """Something else gets 400, and something huge 413."""
        authority, _ = certificate(self.place)
        webhook = await self.serve()
        await until(lambda: webhook.listens)
        for body in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
            self.assertEqual((await self.post(body, authority))[0], 400, body[:9])
        self.assertEqual((await self.post(b" " * 5_000_000, authority))[0], 413)

    async def test_renewed(self) -> None:
        """A certificate that is renewed is used for the next connection."""
        certificate(self.place)
        webhook = await self.serve()
        await until(lambda: webhook.listens)
        authority, _ = certificate(self.place)
        webhook.look()
        self.assertEqual((await self.post(b"{}", authority))[0], 400)

    async def test_half_renewed(self) -> None:
        """A certificate without its key is not used, and the old one stays."""
        authority, _ = certificate(self.place)
        old = authority.read_bytes()
        webhook = await self.serve()
        await until(lambda: webhook.listens)
        other, _ = certificate(Path(self.mktemp()))
        authority.write_bytes(other.read_bytes())
        webhook.look()
        trusted = Path(self.mktemp())
        trusted.write_bytes(old)
        self.assertEqual((await self.post(b"{}", trusted))[0], 400)

    async def test_later(self) -> None:
        """Without a certificate it waits for one, and that is logged once."""
        self.patch(module, "LOOK", 0.02)
        webhook = await self.serve()
        waiting = webhook._next
        await until(lambda: webhook._next is not waiting)
        self.assertFalse(webhook.listens)
        authority, _ = certificate(self.place)
        await until(lambda: webhook.listens)
        self.assertEqual((await self.post(b"{}", authority))[0], 400)
        self.assertEqual(
            self.lines,
            [
                f"{CANNOT}: {self.place}: No such file or directory",
                "answering reviews of device plugins: None",
            ],
        )

    async def test_port_in_use(self) -> None:
        """A port that somebody else has is tried again, which is logged once each time."""
        certificate(self.place)
        self.patch(module, "LOOK", 0.02)
        with socket.create_server(("", self.port)):
            webhook = await self.serve()
            await until(lambda: self.lines)
            waiting = webhook._next
            await until(lambda: webhook._next is not waiting)
            self.assertFalse(webhook.listens)
        await until(lambda: webhook.listens)
        self.assertEqual(len(self.lines), 2, self.lines)
        self.assertIn(f"{CANNOT}: ", self.lines[0])
        self.assertIn("in use", self.lines[0])
        await webhook.stopService()
        self.assertFalse(webhook.listens)
        with socket.create_server(("", self.port)):
            pass

    async def test_encrypted_key(self) -> None:
        """An encrypted key is in the log with a remedy, and one without a passphrase is taken."""
        _, key = certificate(self.place)
        plain = key.read_bytes()
        encrypted(key)
        reasons: list[str] = []
        observe(self, lambda event: reasons.append(str(event.get("err", ""))))
        webhook = await self.serve()
        webhook.look()
        self.assertIn("the private key is encrypted; write it without", "".join(reasons))
        self.assertFalse(webhook.listens)
        key.write_bytes(plain)
        webhook.look()
        await until(lambda: webhook.listens)

    async def test_end(self) -> None:
        """After the end nothing listens."""
        certificate(self.place)
        webhook = await self.serve()
        await until(lambda: webhook.listens)
        await webhook.stopService()
        again = await self.serve()
        await until(lambda: again.listens)
