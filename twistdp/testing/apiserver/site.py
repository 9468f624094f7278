"""The API server on HTTP."""

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from twistdp.testing.apiserver.api import Api, Visit
from twistdp.testing.apiserver.calls import Answer, Asked
from twistdp.testing.apiserver.watches import Watch


class ApiResource(Resource):
    """Answers every request from an `Api`; `watches` are those that are open."""

    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, api: Api, reactor: Any) -> None:
        super().__init__()
        self.watches: set[Watch] = set()
        self._api = api
        self._reactor = reactor

    def render(self, request: Any) -> int:
        """Answer a request, now or later."""
        visit = Visit(self._api, _asked(request))
        if not visit.delay:
            self._finish(request, visit)
            return NOT_DONE_YET
        waiting = deferLater(self._reactor, visit.delay, self._finish, request, visit)
        request.notifyFinish().addErrback(lambda _: waiting.cancel())
        waiting.addErrback(_fail, request)
        return NOT_DONE_YET

    def _finish(self, request: Any, visit: Visit) -> None:
        result = visit.outcome()
        if result is None:
            request.transport.abortConnection()
            return
        request.setHeader("Content-Type", "application/json")
        if isinstance(result, Watch):
            self._follow(request, result)
            return
        self._send(request, result)

    def _send(self, request: Any, answer: Answer) -> None:
        request.setResponseCode(answer.code)
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        request.setHeader("Content-Length", str(len(answer.body)))
        request.write(answer.body)
        request.finish()

    def _follow(self, request: Any, watch: Watch) -> None:
        self.watches.add(watch)
        watch.write, watch.finish = request.write, request.finish
        watch.cut = request.transport.abortConnection
        timer = None
        if watch.timeout:
            timer = self._reactor.callLater(watch.timeout, _time_out, watch)

        def ended(_: object) -> None:
            self.watches.discard(watch)
            watch.lost()
            self._api.changed()
            if timer is not None and timer.active():
                timer.cancel()

        request.notifyFinish().addBoth(ended)
        # Send the headers, so that the client knows that the watch has begun.
        request.write(b"")
        watch.begin()


def _fail(failure: Failure, request: Any) -> None:
    """Answer as to a request without delay, unless the client has gone."""
    if not failure.check(CancelledError):
        request.processingFailed(failure)


def _time_out(watch: Watch) -> None:
    watch.bookmark()
    watch.end()


def _asked(request: Any) -> Asked:
    return Asked(
        request.method.decode(),
        request.path.decode(),
        {name.decode(): values[0].decode() for name, values in request.args.items()},
        {
            name.decode().lower(): values[0].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        },
        request.content.read(),
    )


class ApiSite(Site):
    """Says nothing in the log."""

    displayTracebacks = False  # noqa: N815  # Twisted's name

    def log(self, request: Request) -> None:
        """Leave it out."""
