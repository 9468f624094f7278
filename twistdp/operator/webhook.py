"""Answers the API server's reviews over HTTPS.

kopf has such a server too.  It answers nothing before the API server has been reached, nor while
the watches begin again, has a path for each handler, and reads certificates once.
"""

import asyncio
import json
import os
import ssl
from contextlib import suppress
from typing import Any, Final

from aiohttp import web
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from twistdp import klog
from twistdp.errors import BadSetting
from twistdp.operator.keys import load_chain
from twistdp.operator.review import reviewed
from twistdp.rpc import loop_of

PATH: Final = "/validate"

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of a review: it has an object twice, which etcd limits to 1.5 MB."""

LOOK: Final = 10.0
"""Seconds between two looks at the certificate's files."""


class Certificate:
    """A server's certificate and key: ``tls.crt`` and ``tls.key`` in a directory, as in a Secret.

    New ones are taken for the connections that begin after `look`.
    """

    def __init__(self, directory: str) -> None:
        self._files = [os.path.join(directory, name) for name in ("tls.crt", "tls.key")]
        self._seen: list[tuple[int, int]] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def look(self) -> bool:
        """Load the files if they have changed; whether they had.

        Raises OSError, and `BadSetting` for an encrypted key.
        """
        found = [(state.st_ino, state.st_mtime_ns) for state in map(os.stat, self._files)]
        if found == self._seen:
            return False
        # A certificate without its key would replace the one that is used, and then be refused.
        load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *self._files)
        load_chain(self.context, *self._files)
        self._seen = found
        return True


class Webhook(Service):
    """Listens on a TCP port of all addresses, as soon as there is a certificate in `directory`."""

    def __init__(self, port: int, directory: str, reactor: Any) -> None:
        self._port = port
        self._directory = directory
        self._reactor = reactor
        self._loop = loop_of(reactor)
        self._certificate = Certificate(directory)
        self._runner: web.AppRunner | None = None
        self._next: IDelayedCall | None = None
        self._logged = ""
        self.listens = False
        """Whether reviews are answered."""

    def startService(self) -> None:
        """Begin as soon as the reactor runs."""
        super().startService()
        self._reactor.callWhenRunning(self._go_on)

    def stopService(self) -> Deferred[None]:
        """Stop listening; fires when nothing listens any more."""
        super().stopService()
        if self._next is not None and self._next.active():
            self._next.cancel()
        return Deferred.fromFuture(self._loop.create_task(self._stop()))

    def _go_on(self) -> None:
        if self.running:
            self._next = self._reactor.callLater(LOOK, self._go_on)
            self.look()

    def look(self) -> None:
        """Take a new certificate, and listen unless it does already."""
        try:
            self._certificate.look()
        except OSError as error:
            self._log(f"{self._directory}: {error.strerror or error}")
            return
        except BadSetting as error:
            self._log(f"{self._directory}: {error}")
            return
        if self._runner is None:
            self._runner = self._made()
            task = self._loop.create_task(self._listen(self._runner))
            task.add_done_callback(self._listened)

    def _made(self) -> web.AppRunner:
        application = web.Application(client_max_size=LONGEST)
        application.router.add_post(PATH, _answer)
        return web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, port=self._port, ssl_context=self._certificate.context)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise

    def _listened(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.listens = True
            klog.info("answering reviews of device plugins", port=self._port)
            self._logged = ""
        else:
            self._runner = None
            self._log(str(error))

    def _log(self, reason: str) -> None:
        """Log why nothing is answered, unless it is what was logged last."""
        if reason != self._logged:
            self._logged = reason
            klog.error("cannot answer reviews of device plugins; trying again", err=reason)

    async def _stop(self) -> None:
        self.listens = False
        runner, self._runner = self._runner, None
        if runner is not None:
            with suppress(OSError):
                await runner.cleanup()


async def _answer(request: web.Request) -> web.Response:
    try:
        answer = reviewed(json.loads(await request.read()))
    except (ValueError, AttributeError, RecursionError) as error:
        return web.Response(status=400, text=f"this is no AdmissionReview: {error}\n")
    return web.json_response(answer)
