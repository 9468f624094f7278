"""What the log says of resources and their kubelet: one line for what concerns many."""

from collections.abc import Collection
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twistdp.model import named, one_line
from twistdp.status import Kind, events_of
from twistdp.tools import Shared, Sparing

_log = Logger()

LASTING = 1.0
"""Seconds after which an absent kubelet is logged: between a kubelet's deletion of the sockets and
its own socket are milliseconds.

After a complaint, further ones are gathered for as long; so are registrations while others are
still under way or have failed."""

MOST_GATHERED = 16.0
"""Most seconds of gathering; they double with each line, until a resource is registered, or all."""

MOST_NAMED: Final = 100
"""Most resources that one line names for programs."""


_RESTARTED: Final = "the kubelet has restarted"
_ENDED: Final = "the kubelet had ended the stream"
_AGAIN: Final = "again"
_WHY: Final = {
    _RESTARTED: ", which has restarted",
    _ENDED: ", which had ended the stream",
    _AGAIN: " again",
    "": "",
}
"""The ends of lines that give a reason."""


class KubeletNews:
    """The news of all resources that are registered from one directory.

    When a kubelet restarts, hangs or is gone, the same happens to hundreds of resources at almost
    the same time, and an administrator wants to read that once.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._events = events_of(clock)
        self._users = 0
        self._trying: set[str] = set()
        self._failing: set[str] = set()
        """Resources whose last attempt has failed."""
        self._registered: dict[str, None] = {}
        """Resources whose registration is not logged yet."""
        self._known: set[str] = set()
        """Resources that a kubelet has accepted before."""
        self._lost: set[str] = set()
        """Accepted resources whose stream has ended since."""
        self._restarted = False
        """Whether a kubelet has appeared since all resources were registered."""
        self._patience = LASTING
        self._sparing = Sparing(clock)
        self._complaints: dict[tuple[str, str], tuple[str, list[str]]] = {}
        self._gathering = LASTING
        self._warned: set[str] = set()
        self._absence = ""
        self._timers: dict[Any, IDelayedCall] = {}

    def begin(self) -> None:
        """There is one more user."""
        self._users += 1

    def end(self) -> None:
        """There is one user fewer; after the last one nothing is kept."""
        self._users -= 1
        if not self._users:
            self._log_registered()
            self._log_complaints()
            for names in (self._trying, self._failing, self._known, self._lost, self._warned):
                names.clear()
            self._restarted = False
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def trying(self, resource: str) -> None:
        """An attempt to register `resource` begins."""
        self._trying.add(resource)

    def over(self, resource: str) -> None:
        """The attempt has failed, or was dropped."""
        self._trying.discard(resource)
        if not (self._trying or self._failing):
            self._log_registered()
            self._patience = LASTING

    def registered(self, resource: str) -> None:
        """Log that the attempt has succeeded: soon, or together with the others."""
        self._events.emit(Kind.REGISTERED, resource=resource)
        self._warned.clear()
        self._gathering = LASTING
        self.appeared()
        self._registered[resource] = None
        self._failing.discard(resource)
        self.over(resource)
        if self._registered:
            self._later(self._log_registered, self._patience)

    def lost(self, resource: str) -> None:
        """Keep in mind that a kubelet has ended the stream of `resource`."""
        self._lost.add(resource)

    def forget(self, resource: str) -> None:
        """Forget `resource`, which is not served any more."""
        for names in (self._failing, self._known, self._lost):
            names.discard(resource)
        self.over(resource)

    def failed(self, resource: str, reason: str, refused: bool) -> None:
        """An attempt has failed, whether the log says so or not; or the kubelet has `refused`."""
        self._failing.add(resource)
        self._events.emit(
            Kind.REGISTRATION_FAILED, resource=resource, reason=one_line(reason), refused=refused
        )

    def kubelet_appeared(self, directory: str) -> None:
        """A kubelet has made its socket in `directory`."""
        self._restarted = True
        self._events.emit(Kind.KUBELET_APPEARED, directory=directory)
        self.appeared()

    def complain(self, resource: str, text: str, about: str = "", doing: str = "") -> None:
        """Log what keeps `resource` from being registered: at once, unless there are many.

        The line begins with `doing` and the resource.  Resources that complain of the same,
        `about`, by default the text itself, are named in one line with the text of one of them.
        """
        _, resources = self._complaints.setdefault((about or text, doing), (text, []))
        if resource not in resources:
            resources.append(resource)
        if self._log_complaints not in self._timers:
            self._log_complaints()

    def absent(self, text: str) -> None:
        """Log that there is no kubelet, if that lasts."""
        if text not in self._warned:
            self._absence = text
            self._later(self._log_absence, LASTING)

    def appeared(self) -> None:
        """There seems to be a kubelet."""
        self._absence = ""
        if (timer := self._timers.pop(self._log_absence, None)) is not None:
            timer.cancel()

    def warn_once(self, complaint: str) -> None:
        """Log at once, and only once, why none of the resources can be registered."""
        if complaint not in self._warned:
            self._warned.add(complaint)
            _log.warn(
                "{complaint}",
                complaint=complaint,
                log_constant="no resource can be registered",
                log_facts={"reason": complaint},
            )

    def _later(self, action: Any, seconds: float) -> None:
        if action not in self._timers:
            self._timers[action] = self._clock.callLater(seconds, action)

    def _done(self, action: Any) -> None:
        timer = self._timers.pop(action, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _log_registered(self) -> None:
        self._done(self._log_registered)
        names = list(self._registered)
        if not names:
            return
        self._registered.clear()
        why = self._why(names)
        # One whose only device comes and goes all the time is registered each time.
        often = self._sparing.count(names[0]) if len(names) == 1 else ""
        if often is not None:
            _log.info(
                "registered {resources} with the kubelet{why}{often}",
                resources=named(names),
                why=_WHY[why],
                often=often,
                log_constant="registered with the kubelet",
                log_facts={**_facts(names), **({"reason": why} if why else {})},
            )
        self._known.update(names)
        self._lost.difference_update(names)
        self._patience = min(2 * self._patience, MOST_GATHERED)
        if not (self._trying or self._failing):
            self._restarted = False

    def _why(self, names: Collection[str]) -> str:
        """Why resources that a kubelet had accepted before were registered; empty for others."""
        if self._known.isdisjoint(names):
            return ""
        if self._restarted:
            return _RESTARTED
        return _ENDED if self._lost.intersection(names) else _AGAIN

    def _log_complaints(self) -> None:
        self._done(self._log_complaints)
        complaints, self._complaints = self._complaints, {}
        for (_, doing), (text, resources) in complaints.items():
            _log.warn(
                "{doing}{resources}: {text}",
                doing=doing,
                resources=named(resources),
                text=text,
                log_constant="registration failed",
                log_facts={**_facts(resources), "reason": text},
            )
        if complaints and self._users:
            self._later(self._log_complaints, self._gathering)
            self._gathering = min(2 * self._gathering, MOST_GATHERED)

    def _log_absence(self) -> None:
        self._done(self._log_absence)
        self.warn_once(self._absence)


def _facts(names: Collection[str]) -> dict[str, object]:
    """The resources that a line is about, for programs."""
    return {"resources": list(names)[:MOST_NAMED], "count": len(names)}


_SHARED: Final = Shared(lambda clock, directory: KubeletNews(clock))


def news_of(directory: str, clock: IReactorTime) -> KubeletNews:
    """The one `KubeletNews` of a plugin directory, however many managers use it."""
    return _SHARED.of(clock, directory)
