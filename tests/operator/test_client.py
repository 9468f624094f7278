"""The client, against the fake API server and against peers that misbehave."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.operator.served import (
    DEVICE_PLUGINS,
    NAMESPACE,
    api_server,
    client_of,
    config_map,
    plugin,
)
from tests.support.helpers import failure_of
from twistdp.operator.api import FIELD_MANAGER, ApiError, IApi, Unreachable
from twistdp.operator.asked import Asked, asked
from twistdp.operator.client import PAGE, Client
from twistdp.operator.credentials import Cluster, Token
from twistdp.operator.kinds import CONFIG_MAP, DEVICE_PLUGIN, POD
from twistdp.operator.refusal import LONGEST_PAUSE, refusal
from twistdp.rpc import loop_of
from twistdp.testing.apiserver import ApiFault


class RequestTests(TestCase):
    """Each request of `IApi`."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start a server."""
        self.server = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)
        self.noted: list[tuple[str, str, int]] = []
        self.client = client_of(
            self.server,
            seen=lambda what, status, _: self.noted.append((what.verb, what.resource, status)),
        )
        self.addCleanup(self.client.close)
        verifyObject(IApi, self.client)

    async def test_apply(self) -> None:
        """It applies as the operator, with force; another one's field becomes ours."""
        self.server.objects.apply(config_map("a", x="1"), manager="somebody")
        found = await self.client.apply(config_map("a", x="2"))
        self.assertEqual(found["data"], {"x": "2"})
        [call] = [call for call in self.server.calls if call.verb == "apply" and call.agent]
        self.assertEqual((call.manager, call.code), (FIELD_MANAGER, 200))
        self.assertEqual(self.noted, [("patch", "configmaps", 200)])

    async def test_apply_to_another(self) -> None:
        """With a uid it must be that object."""
        document = config_map("a")
        document["metadata"]["uid"] = "none"
        error = await failure_of(self.client.apply(document), ApiError)
        self.assertEqual((error.status, error.reason), (409, "Conflict"))

    async def test_status(self) -> None:
        """A status is applied to the subresource, and the spec stays."""
        self.server.objects.create(plugin("gpus"))
        document = {**plugin("gpus"), "status": {"desired": 3}}
        del document["spec"]
        await self.client.apply_status(document)
        found = self.server.objects.get("deviceplugins", "gpus")
        self.assertEqual(found["status"], {"desired": 3})
        self.assertEqual(found["spec"], plugin("gpus")["spec"])

    async def test_patch(self) -> None:
        """A JSON patch whose test does not hold changes nothing."""
        self.server.objects.create(plugin("gpus"))
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/name", "value": "other"},
            {"op": "remove", "path": "/spec"},
        ]
        error = await failure_of(self.client.patch(DEVICE_PLUGIN, "", "gpus", operations), ApiError)
        self.assertEqual(error.status, 422)
        operations[0]["value"] = "gpus"
        self.assertNotIn("spec", await self.client.patch(DEVICE_PLUGIN, "", "gpus", operations))

    async def test_create_and_replace(self) -> None:
        """An object of the same name, or a newer one, is in the way."""
        made = await self.client.create(config_map("a"))
        error = await failure_of(self.client.create(config_map("a")), ApiError)
        self.assertEqual((error.status, error.reason), (409, "AlreadyExists"))
        await self.client.replace({**made, "data": {"x": "1"}})
        error = await failure_of(self.client.replace({**made, "data": {"x": "2"}}), ApiError)
        self.assertEqual((error.status, error.reason), (409, "Conflict"))
        found = await self.client.get(CONFIG_MAP, NAMESPACE, "a")
        self.assertEqual(found["data"], {"x": "1"})

    async def test_delete(self) -> None:
        """With a uid it must be that object."""
        made = await self.client.create(config_map("a"))
        error = await failure_of(self.client.delete(CONFIG_MAP, NAMESPACE, "a", "none"), ApiError)
        self.assertEqual(error.status, 409)
        await self.client.delete(CONFIG_MAP, NAMESPACE, "a", made["metadata"]["uid"])
        error = await failure_of(self.client.get(CONFIG_MAP, NAMESPACE, "a"), ApiError)
        self.assertEqual((error.status, error.verb, error.resource), (404, "get", "configmaps"))

    async def test_pages(self) -> None:
        """A list comes in pages, and each object has its kind."""
        for number in range(PAGE + 1):
            self.server.objects.create(config_map(f"m{number}"))
        found = await self.client.list(CONFIG_MAP, NAMESPACE)
        self.assertEqual(len(found), PAGE + 1)
        kinds = {(each["apiVersion"], each["kind"]) for each in found}
        self.assertEqual(kinds, {("v1", "ConfigMap")})
        self.assertEqual(self.server.counts["list", "configmaps"], 2)

    async def test_pages_too_old(self) -> None:
        """Pages that have become too old are left, and everything is asked for at once."""
        for number in range(PAGE + 1):
            self.server.objects.create(config_map(f"m{number}"))
        waiting = self.client.list(CONFIG_MAP, NAMESPACE)
        await self.server.until(lambda: self.server.counts["list", "configmaps"])
        self.server.fail(410, "list", "configmaps")
        found = await waiting
        self.assertEqual(len(found), PAGE + 1)
        self.assertEqual(self.server.counts["list", "configmaps"], 3)

    async def test_refused_list(self) -> None:
        """A list that is refused is not asked for again, whatever the reason."""
        for code in (403, 410):
            self.server.fail(code, "list", "configmaps")
            error = await failure_of(self.client.list(CONFIG_MAP, NAMESPACE), ApiError)
            self.assertEqual(error.status, code)
        self.assertEqual(self.server.counts["list", "configmaps"], 2)

    async def test_cut_off(self) -> None:
        """A request that is ended by somebody else on the loop has had no answer."""
        loop = loop_of(reactor)
        before = asyncio.all_tasks(loop)
        waiting = self.client.get(CONFIG_MAP, NAMESPACE, "a")
        for task in asyncio.all_tasks(loop) - before:
            task.cancel()
        await failure_of(waiting, Unreachable)

    async def test_labels(self) -> None:
        """A selector is passed on."""
        one = config_map("one")
        one["metadata"]["labels"] = {"a": "b"}
        self.server.objects.create(one)
        self.server.objects.create(config_map("two"))
        found = await self.client.list(CONFIG_MAP, labels="a=b")
        self.assertEqual([each["metadata"]["name"] for each in found], ["one"])

    async def test_retry_after(self) -> None:
        """A server that has too much to do says when to come back."""
        self.server.fail(429, retry_after=7)
        error = await failure_of(self.client.get(POD, NAMESPACE, "a"), ApiError)
        self.assertEqual((error.status, error.retry_after), (429, 7.0))

    async def test_no_token(self) -> None:
        """A token that no header can have is no fault of the operator's."""
        client = client_of(self.server, Token(fixed="two\nlines"))
        self.addCleanup(client.close)
        await failure_of(client.get(POD, NAMESPACE, "a"), Unreachable)

    async def test_away(self) -> None:
        """Nobody listens."""
        await self.server.stop()
        await failure_of(self.client.get(POD, NAMESPACE, "a"), Unreachable)
        self.assertEqual(self.noted, [("get", "pods", 0)])
        await self.server.start()
        await failure_of(self.client.get(POD, NAMESPACE, "a"), ApiError)

    async def test_lost(self) -> None:
        """The connection breaks before the answer."""
        self.server.fault(ApiFault("create", lost=True))
        await failure_of(self.client.create(config_map("a")), Unreachable)
        self.assertTrue(self.server.objects.find("configmaps", "a", NAMESPACE))

    async def test_silence(self) -> None:
        """A request has a time limit."""
        noted: list[tuple[str, int, str]] = []
        client = client_of(
            self.server,
            timeout=0.1,
            seen=lambda what, status, why: noted.append((what.verb, status, why)),
        )
        self.addCleanup(client.close)
        self.server.fault(ApiFault(delay=1000))
        error = await failure_of(client.get(POD, NAMESPACE, "a"), Unreachable)
        self.assertEqual(str(error), "no answer within 0.1 s")
        self.assertIn(("get", 0, "no answer within 0.1 s"), noted)

    async def test_cancelled(self) -> None:
        """A request that is cancelled ends as cancelled."""
        self.server.fault(ApiFault(delay=1000))
        waiting = self.client.get(POD, NAMESPACE, "a")
        reactor.callLater(0.05, waiting.cancel)
        await failure_of(waiting, CancelledError)

    async def test_closed(self) -> None:
        """After a close a request opens new connections."""
        await self.client.create(config_map("a"))
        await self.client.close()
        await self.client.get(CONFIG_MAP, NAMESPACE, "a")


class TokenTests(TestCase):
    """Tokens that rotate, as those of a pod do each hour."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start a server that knows one token."""
        self.server = await api_server()
        self.addCleanup(self.server.stop)
        self.server.tokens = {"old": "operator"}
        self.path = Path(self.mktemp())
        self.path.write_text("old\n")
        self.client = client_of(self.server, Token(str(self.path)))
        self.addCleanup(self.client.close)

    async def test_rotation(self) -> None:
        """A new one is shown as soon as the file has it."""
        await self.client.create(config_map("a"))
        self.server.tokens = {"new": "operator"}
        self.path.write_text("new\n")
        await self.client.get(CONFIG_MAP, NAMESPACE, "a")
        self.assertNotIn(401, [call.code for call in self.server.calls])

    async def test_refused(self) -> None:
        """One that is not accepted is an error."""
        self.server.tokens = {}
        error = await failure_of(self.client.get(CONFIG_MAP, NAMESPACE, "a"), ApiError)
        self.assertEqual(error.status, 401)

    async def test_new_while_it_is_shown(self) -> None:
        """A token that is replaced while it is shown is shown again only if it was refused."""
        for accepted, codes in (("new", [401, 404]), ("old", [404])):
            self.server.tokens = {accepted: "operator"}
            client = client_of(self.server, _Replaced("old", "new"))
            self.addCleanup(client.close)
            self.server.calls.clear()
            error = await failure_of(client.get(CONFIG_MAP, NAMESPACE, "a"), ApiError)
            self.assertEqual(error.status, 404)
            self.assertEqual([call.code for call in self.server.calls], codes)

    async def test_unreadable(self) -> None:
        """While the file is away the last one is good."""
        await self.client.create(config_map("a"))
        self.path.unlink()
        await self.client.get(CONFIG_MAP, NAMESPACE, "a")


class _Replaced(Token):
    """A token that is another one from the second look at it."""

    def __init__(self, *values: str) -> None:
        super().__init__()
        self._left = list(values)

    def value(self) -> str:
        """See `Token`."""
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


class _Says(Protocol):
    """A peer that sends the same to everybody."""

    words = b""

    def dataReceived(self, data: bytes) -> None:
        """Answer, and close."""
        assert self.transport is not None
        self.transport.write(self.words)
        self.transport.loseConnection()


class OddPeerTests(TestCase):
    """What is no API server."""

    timeout = 300

    async def ask(self, words: bytes) -> BaseException:
        """The error of a request of a peer that says this."""
        factory = Factory.forProtocol(_Says)
        kind = type("_", (_Says,), {"words": words})
        factory.protocol = kind
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}"
        client = Client(Cluster(url), loop_of(reactor))
        self.addCleanup(client.close)
        return await failure_of(client.get(POD, NAMESPACE, "a"), Exception)

    async def test_no_http(self) -> None:
        """It speaks another protocol."""
        self.assertIsInstance(await self.ask(b"SSH-2.0-x\r\n"), Unreachable)

    async def test_half(self) -> None:
        """The answer is cut off."""
        words = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
        self.assertIsInstance(await self.ask(words), Unreachable)

    async def test_no_json(self) -> None:
        """A portal answers with a page."""
        words = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
        error = await self.ask(words)
        self.assertIsInstance(error, Unreachable)
        self.assertEqual(str(error), "the answer is no JSON")

    async def test_list(self) -> None:
        """JSON, but no object."""
        words = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
        self.assertIsInstance(await self.ask(words), Unreachable)

    async def test_elsewhere(self) -> None:
        """It is not followed to where its token would go to others."""
        words = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        error = await self.ask(words)
        self.assertIsInstance(error, ApiError)

    async def test_proxy(self) -> None:
        """A proxy refuses with a text of its own, which has no effect on a terminal."""
        words = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno\x1b[31m.\n"
        error = await self.ask(words)
        assert isinstance(error, ApiError)
        self.assertEqual(error.status, 502)
        self.assertNotIn("\x1b", error.message)


class RefusalTests(SynchronousTestCase):
    """Errors from answers."""

    def of(self, content: Any, retry_after: str | None = None) -> ApiError:
        """The error of an answer with 422."""
        return refusal(422, json.dumps(content).encode(), retry_after, Asked("patch", "pods"))

    def test_status(self) -> None:
        """The API's own form."""
        error = self.of({"reason": "Invalid", "message": "bad", "details": {}})
        self.assertEqual((error.reason, str(error)), ("Invalid", "bad"))

    def test_seconds(self) -> None:
        """The header counts, then the details; nonsense does not."""
        details = {"details": {"retryAfterSeconds": 3}}
        self.assertEqual(self.of(details, "5").retry_after, 5)
        self.assertEqual(self.of(details).retry_after, 3)
        self.assertEqual(self.of(details, "soon").retry_after, 3)
        self.assertEqual(self.of(details, "\u00b2").retry_after, 3)
        self.assertEqual(self.of(details, "0").retry_after, 0)
        for long in ("86400", "9" * 5000):
            self.assertEqual(self.of(details, long).retry_after, LONGEST_PAUSE)
        many = {"details": {"retryAfterSeconds": 10**400}}
        self.assertEqual(self.of(many).retry_after, LONGEST_PAUSE)
        odd: Any
        for odd in ("x", -1, None, [], 1.5):
            self.assertIsNone(self.of({"details": {"retryAfterSeconds": odd}}).retry_after)

    def test_odd(self) -> None:
        """Any JSON is an error of that status."""
        odd: Any
        for odd in (None, [], 3, "text", {"details": 4}, {"reason": 4, "message": None}):
            self.assertEqual(self.of(odd).status, 422)
        self.assertEqual(str(self.of({})), "HTTP status 422")
        self.assertEqual(str(self.of({"reason": "Invalid"})), "Invalid")


class AskedTests(SynchronousTestCase):
    """Requests in the words of RBAC rules."""

    def test_table(self) -> None:
        """Each form of a path."""
        pods = "/api/v1/namespaces/a/pods"
        plugins = "/apis/twistdp.io/v1alpha1/deviceplugins"
        for method, path, query, expected in (
            ("GET", pods, {}, ("list", "pods")),
            ("GET", pods, {"watch": "true"}, ("watch", "pods")),
            ("GET", f"{pods}/x", {}, ("get", "pods")),
            ("POST", pods, {}, ("create", "pods")),
            ("PUT", f"{pods}/x", {}, ("update", "pods")),
            ("DELETE", f"{pods}/x", {}, ("delete", "pods")),
            ("PATCH", f"{plugins}/x/status", {}, ("patch", "deviceplugins.twistdp.io/status")),
            ("GET", "/api/v1/namespaces", {}, ("list", "namespaces")),
            ("GET", "/api/v1/namespaces/a", {}, ("get", "namespaces")),
            ("PATCH", "/api/v1/nodes/a/status", {}, ("patch", "nodes/status")),
            ("GET", plugins, {}, ("list", "deviceplugins.twistdp.io")),
            ("GET", "/apis", {}, ("get", "")),
            ("GET", "/apis/twistdp.io", {}, ("get", "")),
            ("GET", "/apis/twistdp.io/v1alpha1", {}, ("get", "")),
            ("GET", "/version", {}, ("get", "")),
            ("GET", "/version/a", {}, ("get", "")),
        ):
            found = asked(method, path, query)
            self.assertEqual((found.verb, found.resource), expected, path)


class TokenFileTests(SynchronousTestCase):
    """A token's file."""

    def test_same_size(self) -> None:
        """A token that replaces another of the same length is noticed."""
        path = Path(self.mktemp())
        path.write_text("one")
        token = Token(str(path))
        self.assertEqual(token.value(), "one")
        new = Path(self.mktemp())
        new.write_text("two")
        os.rename(new, path)
        self.assertEqual(token.value(), "two")

    def test_empty(self) -> None:
        """A file that is just being written does not count."""
        path = Path(self.mktemp())
        path.write_text("one")
        token = Token(str(path))
        token.value()
        path.write_text("")
        self.assertEqual(token.value(), "one")
