"""What the log says of resources and their kubelet: of what concerns many of them, one line."""

from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twistdp.model import named

_log = Logger()

LASTING = 1.0
"""Seconds that a kubelet must be absent for it to be said: one that restarts is, for milliseconds.

So long, too, complaints are gathered after the first one."""

MOST_GATHERED = 16.0
"""Seconds of gathering, which double with each line that comes of it, until there is a success."""


class KubeletNews:
    """The news of all resources that are registered from one directory.

    A kubelet that restarts, hangs or is gone has the same happen to hundreds of resources, at
    almost the same time, and an administrator wants to read that once.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._users = 0
        self._trying: set[str] = set()
        self._registered: dict[str, None] = {}
        self._complaints: dict[tuple[str, str], tuple[str, list[str]]] = {}
        self._gathering = LASTING
        self._said: set[str] = set()
        self._absence = ""
        self._timers: dict[Any, IDelayedCall] = {}

    def begin(self) -> None:
        """There is one user more."""
        self._users += 1

    def end(self) -> None:
        """There is one user less; after the last one nothing is kept."""
        self._users -= 1
        if not self._users:
            self._tell_registered()
            self._tell_complaints()
            self._trying.clear()
            self._said.clear()
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def trying(self, resource: str) -> None:
        """An attempt to register `resource` begins."""
        self._trying.add(resource)

    def over(self, resource: str) -> None:
        """The attempt has failed, or was dropped."""
        self._trying.discard(resource)
        if not self._trying:
            self._tell_registered()

    def registered(self, resource: str) -> None:
        """The attempt has succeeded: it is said when the others' are over, or soon."""
        self._said.clear()
        self._gathering = LASTING
        self.appeared()
        self._registered[resource] = None
        self.over(resource)
        if self._registered:
            self._later(self._tell_registered, LASTING)

    def complain(self, resource: str, text: str, about: str = "", doing: str = "") -> None:
        """Say what keeps `resource` from being registered; at once, unless there are many.

        The line begins with `doing` and the resource.  Where others complain of the same, `about`,
        by default the text itself, they are named in one line, with the text of one of them.
        """
        _, resources = self._complaints.setdefault((about or text, doing), (text, []))
        if resource not in resources:
            resources.append(resource)
        if self._tell_complaints not in self._timers:
            self._tell_complaints()

    def absent(self, text: str) -> None:
        """Say that there is no kubelet, if that lasts."""
        if text not in self._said:
            self._absence = text
            self._later(self._tell_absence, LASTING)

    def appeared(self) -> None:
        """There is a kubelet, as far as one can see."""
        self._absence = ""
        if (timer := self._timers.pop(self._tell_absence, None)) is not None:
            timer.cancel()

    def say_once(self, complaint: str) -> None:
        """Say at once why none of the resources can be registered, unless it was said."""
        if complaint not in self._said:
            self._said.add(complaint)
            _log.warn("{complaint}", complaint=complaint)

    def _later(self, tell: Any, seconds: float) -> None:
        if tell not in self._timers:
            self._timers[tell] = self._clock.callLater(seconds, tell)

    def _told(self, tell: Any) -> None:
        timer = self._timers.pop(tell, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _tell_registered(self) -> None:
        self._told(self._tell_registered)
        if self._registered:
            _log.info("registered {resources} with the kubelet", resources=named(self._registered))
            self._registered.clear()

    def _tell_complaints(self) -> None:
        self._told(self._tell_complaints)
        complaints, self._complaints = self._complaints, {}
        for (_, doing), (text, resources) in complaints.items():
            _log.warn(
                "{doing}{resources}: {text}", doing=doing, resources=named(resources), text=text
            )
        if complaints and self._users:
            self._later(self._tell_complaints, self._gathering)
            self._gathering = min(2 * self._gathering, MOST_GATHERED)

    def _tell_absence(self) -> None:
        self._told(self._tell_absence)
        self.say_once(self._absence)


_SHARED: "WeakValueDictionary[tuple[int, str], KubeletNews]" = WeakValueDictionary()


def news_of(directory: str, clock: IReactorTime) -> KubeletNews:
    """The one `KubeletNews` of a plugin directory, whatever number of managers it has."""
    # A clock that an entry has lives, and so no other has its id.
    key = id(clock), directory
    news = _SHARED.get(key)
    if news is None:
        news = _SHARED[key] = KubeletNews(clock)
    return news
