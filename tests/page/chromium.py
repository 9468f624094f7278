"""Drives Chromium over the pipes of its DevTools protocol.

See https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

TO_BROWSER, FROM_BROWSER = 3, 4
"""Chromium's file descriptors."""

PATIENCE = 90.0
"""Seconds until a browser has answered, on a busy machine."""

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # it runs as root here, and sees nothing but this page
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


@attrs.frozen
class Look:
    """A window, and its user's taste."""

    width: int
    height: int
    dark: bool


class Refused(Exception):
    """The browser has refused a command, or a script has thrown."""


class Chromium(ProcessProtocol):
    """One browser, with its profile in `directory`."""

    def __init__(self, directory: str, reactor: Any) -> None:
        program = shutil.which("chromium")
        assert program is not None, "chromium is not installed"
        self._reactor = reactor
        self._number = 0
        self._waiting: dict[int, Deferred[Any]] = {}
        self._data = b""
        self._pages: dict[str, Page] = {}
        self.ended: Deferred[None] = Deferred()
        reactor.spawnProcess(
            self,
            program,
            [program, *OPTIONS, f"--user-data-dir={directory}"],
            {**os.environ, "HOME": directory},
            childFDs={0: "w", 1: "r", 2: "r", TO_BROWSER: "w", FROM_BROWSER: "r"},
        )

    async def page(self) -> "Page":
        """Open a page."""
        target = await self.call("Target.createTarget", url="about:blank")
        session = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = self._pages[session["sessionId"]] = Page(self, session["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.call(f"{domain}.enable")
        return page

    def close(self) -> Deferred[None]:
        """End it."""
        transport: Any = self.transport
        if not self.ended.called:
            transport.signalProcess("KILL")
        return self.ended

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Deferred[Any]:
        """Send a command; fires with its result, or fails with `Refused`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        transport: Any = self.transport
        transport.writeToChild(TO_BROWSER, json.dumps(message).encode() + b"\0")
        result: Deferred[Any] = Deferred()
        self._waiting[self._number] = result
        return result.addTimeout(PATIENCE, self._reactor)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take messages apart."""
        if childFD != FROM_BROWSER:
            return
        *messages, self._data = (self._data + data).split(b"\0")
        for message in map(json.loads, messages):
            if (number := message.get("id")) is None:
                if (page := self._pages.get(message.get("sessionId", ""))) is not None:
                    page.told(message["method"], message["params"])
            elif "error" in message:
                self._waiting.pop(number).errback(Refused(message["error"]["message"]))
            else:
                self._waiting.pop(number).callback(message["result"])

    def processEnded(self, reason: Failure) -> None:
        """It has ended."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.errback(reason if not reason.check(ProcessDone) else Refused("it has ended"))
        self.ended.callback(None)


class Page:
    """One page."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        self.complaints: list[str] = []
        """Errors and warnings that its console has shown."""

    def call(self, method: str, **parameters: Any) -> Deferred[Any]:
        """See `Chromium.call`."""
        return self._browser.call(method, self._session, **parameters)

    def told(self, method: str, parameters: dict[str, Any]) -> None:
        """Something has happened on it."""
        self.complaints += _complaints(method, parameters)

    async def open(self, url: str) -> None:
        """Go somewhere; returns when all files of the page are there."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        result = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise Refused(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    async def until(self, condition: str, *, timeout: float = 20.0) -> float:
        """Wait until an expression is true, which is looked at with each frame; returns when.

        That is in milliseconds since the epoch.  A page that is loaded again meanwhile is looked at
        from then on.
        """
        script = (
            "new Promise((resolve, reject) => {"
            f"const end = performance.now() + {timeout * 1000};"
            "const look = () => {"
            f"if ({condition}) resolve(performance.timeOrigin + performance.now());"
            "else if (performance.now() > end) reject(new Error("
            "'never true; the page shows: ' + document.body.innerText.slice(0, 3000)));"
            "else requestAnimationFrame(look); }; look(); })"
        )
        while True:
            try:
                return float(await self.run(script))
            except Refused as error:
                if "navigated" not in str(error):
                    raise

    async def look_like(self, look: Look) -> None:
        """A window of this size, for a user with this taste."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=look.width,
            height=look.height,
            deviceScaleFactor=2 if look.width < 600 else 1,
            mobile=look.width < 600,
        )
        wanted = {
            "prefers-color-scheme": "dark" if look.dark else "light",
            "prefers-reduced-motion": "reduce",
        }
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def press(self, key: str) -> None:
        """Press a key, and let it go."""
        text = "\r" if key == "Enter" else ""
        code = {"Enter": 13, "Tab": 9}[key]
        down = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **down)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    async def screenshot(self, path: str) -> None:
        """The whole page as a PNG."""
        await self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        image = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))


def _complaints(method: str, parameters: dict[str, Any]) -> Iterator[str]:
    if method == "Runtime.exceptionThrown":
        details = parameters["exceptionDetails"]
        yield details.get("exception", {}).get("description", details["text"])
    elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
        yield str([each.get("value", each.get("description")) for each in parameters["args"]])
    elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
        yield f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}"
