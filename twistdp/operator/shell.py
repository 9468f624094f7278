"""Watches the API server with kopf, and gives kopf nothing else to do.

kopf would keep its progress in annotations, hold objects back with a finalizer and post events.
It does so for handlers of changes, so there are none: each kind has one handler of raw events, and
the settings leave the rest out.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, cast

import aiohttp
import kopf
from yarl import URL

from twistdp import klog
from twistdp.operator.api import Document, IObserver
from twistdp.operator.client import Client
from twistdp.operator.kinds import Kind
from twistdp.operator.signals import Kept
from twistdp.tools import Backoff

PAGE: Final = 500
"""Objects in one answer to a list, so that no answer with all nodes is in memory."""

QUIET: Final = 70.0
"""Seconds after which a watch without any event, not even a bookmark, is begun again."""

PAUSES: Final = (1.0, 10.0)
"""The first and the longest pause, in seconds, before a request of kopf is made again."""


ENDINGS: Final = 10
"""How often tasks of kopf are cancelled until none is left."""

LONGEST_END: Final = 0.5
"""Seconds that they have each time; see `exit_timeout` below."""

DEEPEST: Final = 25_000
"""Python's limit for calls within calls.

The API server accepts 10 000 lists and mappings in one another, and kopf copies each by two calls.
"""

_KOPF: Final = os.path.dirname(kopf.__file__) + os.sep


class _Pauses:
    """The pauses between attempts of one request of kopf, which never gives up."""

    def __iter__(self) -> Iterator[float]:
        backoff = Backoff(*PAUSES)
        while True:
            yield backoff.next()


class _NoMemory(kopf.DiffBaseStorage):
    """Keeps no former state of objects: only handlers of changes need it.

    kopf's own copies each object at each event.  With it, 5 000 nodes take 290 MB, and without it
    71 MB.
    """

    def build(self, **_: Any) -> Any:
        """Return nothing to remember."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""


def _is_kopfs(task: asyncio.Task[Any]) -> bool:
    """Whether a task runs code of kopf; a watch ends its waiter for pauses by itself."""
    code = getattr(task.get_coro(), "cr_code", None)
    is_kopfs = code is not None and code.co_filename.startswith(_KOPF)
    return is_kopfs and not task.get_name().startswith("pause-waiter")


class Shell:
    """Has `observer` see all objects of `kinds`: those in `namespace`, and those without one.

    `listed` is called with each kind that has been listed completely.
    """

    def __init__(
        self,
        client: Client,
        observer: Any,
        namespace: str,
        kinds: Collection[Kind],
        kept: Kept,
        listed: Callable[[Kind], object] = lambda _kind: None,
    ) -> None:
        self._client = client
        self._observer = IObserver(observer)
        self._namespace = namespace
        self._kinds = kinds
        self._kept = kept
        self._listed = listed
        self._logins = Backoff(*PAUSES, immediate=True)
        self._sessions: list[aiohttp.ClientSession] = []

    async def run(self) -> None:
        """Watch until this task is cancelled; raises what kopf cannot go on after."""
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(),
            namespaces=[self._namespace],
            standalone=True,
            identity=cast(Any, "twistdp"),  # otherwise it looks the host's name up
        )
        self._kept.give_back(asyncio.get_running_loop())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self._end()

    async def _end(self) -> None:
        """End all tasks of kopf.

        Its own way, `kopf.run_tasks`, cancels all other tasks on the loop as well, and cancels each
        once, which a watch that is just being begun again does not notice.
        """
        for _ in range(ENDINGS):
            left = [task for task in asyncio.all_tasks() if _is_kopfs(task)]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=LONGEST_END)
        while self._sessions:
            await self._sessions.pop().close()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, id="login")(self._login)
        for kind in self._kinds:
            version = kind.api_version.rpartition("/")[2]
            kopf.on.event(kind.group, version, kind.plural, registry=registry, id=kind.plural)(
                self._handler(kind)
            )
        return registry

    def _handler(self, kind: Kind) -> Any:
        async def seen(event: Mapping[str, Any], **_: Any) -> None:
            if event["type"] is not None:  # lists are read in `_listing`
                self._observer.observe(kind, event["type"], event["object"])

        return seen

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        """Lend a session; kopf asks again when the API server has refused the last one."""
        pause = self._logins.next()
        if pause:
            await asyncio.sleep(pause)
        session = self._client.borrowed(self._listing())
        self._sessions.append(session)
        return kopf.AiohttpSession(server=self._client.cluster.server, aiohttp_session=session)

    def _listing(self) -> type[aiohttp.ClientResponse]:
        """Return a class of answers that hands lists on to the observer and empties them.

        kopf does not report when a list is complete, nor what one after 410 Gone lacks, and it
        starts a task for each object of a list.
        """
        paths = {kind.path(self._namespace): kind for kind in self._kinds}

        def take(url: URL, page: Document) -> None:
            kind = paths.get(url.path)
            items = page.get("items")
            if kind is None or not isinstance(items, list):
                return
            self._logins.reset()
            if "continue" not in url.query:
                self._observer.listing(kind)
            for item in items:
                item.setdefault("kind", kind.name)
                item.setdefault("apiVersion", kind.api_version)
                self._observer.observe(kind, None, item)
            page["items"] = []
            if not page.get("metadata", {}).get("continue"):
                self._observer.listed(kind)
                self._listed(kind)

        class Listing(aiohttp.ClientResponse):
            async def json(self, **arguments: Any) -> Any:
                page = await super().json(**arguments)
                if isinstance(page, dict):
                    take(self.url, page)
                return page

        return Listing


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True  # it would watch all namespaces and definitions
    settings.watching.chunk_size = PAGE
    settings.watching.inactivity_timeout = QUIET
    settings.networking.error_backoffs = _Pauses()
    settings.networking.connect_timeout = 10.0
    settings.networking.request_timeout = 60.0
    settings.queueing.idle_timeout = 0.1  # a task for each node that reports would wait for more
    settings.queueing.exit_timeout = 0.2
    settings.process.ultimate_exiting_timeout = None  # it would kill the process that goes on
    # The usual one is other operators' as well, and kopf removes what it takes for its own.
    settings.persistence.finalizer = "twistdp.io/none"
    settings.persistence.diffbase_storage = _NoMemory()
    return settings


def accept_deep_objects() -> None:
    """Have objects read however deep they are, so that a bad one does not hide the others."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEEPEST))


def quiet_kopf() -> None:
    """Leave to developers what kopf logs of its work.

    An attempt that fails is an error to it, of each request and each time.  The client and the
    service that runs it log what fails.  An exception in a handler is logged only by kopf.
    """
    quiet = klog.level() < klog.DEBUG
    logging.getLogger("kopf").setLevel(logging.CRITICAL if quiet else logging.DEBUG)
    logging.getLogger("kopf.objects").setLevel(logging.ERROR if quiet else logging.DEBUG)
