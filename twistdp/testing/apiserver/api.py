"""The API server without a network: a function from requests to answers."""

from collections import Counter, deque
from collections.abc import Callable

import attrs

from twistdp.testing.apiserver import refusals
from twistdp.testing.apiserver.calls import Answer, Asked, Target, call_of, target_of
from twistdp.testing.apiserver.definitions import Definitions
from twistdp.testing.apiserver.discovery import discovered
from twistdp.testing.apiserver.faults import Faults
from twistdp.testing.apiserver.garbage import Garbage
from twistdp.testing.apiserver.kinds import NAMESPACES, Kind
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.refusals import ApiRefused
from twistdp.testing.apiserver.registry import Registry
from twistdp.testing.apiserver.rights import Rights
from twistdp.testing.apiserver.store import Change, Store
from twistdp.testing.apiserver.verbs import Verbs
from twistdp.testing.apiserver.watches import Watch
from twistdp.testing.apiserver.writes import Way, Writes

NAMESPACES_AT_START = ("default", "kube-node-lease", "kube-public", "kube-system")
REMEMBERED = 10_000
"""Calls that the record holds; the counts go on."""

Authorize = Callable[[ApiCall], bool]


class Api:
    """Everything that the API server knows; `changed` is called after a change, call or watch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.store = Store(self._happened)
        self.registry = Registry()
        self.writes = Writes(self.store, now)
        self.garbage = Garbage(self.store, self.registry, self.writes)
        self.faults = Faults()
        self.calls: deque[ApiCall] = deque(maxlen=REMEMBERED)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.tokens: dict[str, str] | None = None
        self.authorize: Authorize | None = None
        self.rights = Rights(self.store, self.registry)
        self.has_garbage = False
        self._definitions = Definitions(self.store, self.registry, self.writes)
        self.verbs = Verbs(self.store, self.registry, self.writes)
        for name in NAMESPACES_AT_START:
            self.writes.create(NAMESPACES, "", {"metadata": {"name": name}}, Way())

    def answer(self, asked: Asked) -> Answer | Watch:
        """The answer to an administrator's request, which is not recorded; raises `ApiRefused`."""
        target = target_of(asked.path)
        if target is None:
            return Answer.of(discovered(asked.path, self.registry))
        return self.verbs.answer(asked, target, call_of(asked, target, "system:admin"))

    def _happened(self, kind: Kind, change: Change) -> None:
        self._definitions.happened(kind, change)
        self.has_garbage |= self.garbage.concerns(change)
        self.changed()

    def note(self, call: ApiCall) -> None:
        """Record a call."""
        self.calls.append(call)
        self.counts[call.verb, call.kind] += 1
        self.changed()

    def user_of(self, asked: Asked) -> str:
        """Who asks; raises `ApiRefused`."""
        if self.tokens is None:
            return "system:admin"
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise refusals.unauthorized()
        return self.tokens[token]


class Visit:
    """A client's request: what faults it meets, and then what comes of it."""

    def __init__(self, api: Api, asked: Asked) -> None:
        self._api = api
        self._asked = asked
        self._target = target_of(asked.path)
        self._call = call_of(asked, self._target, "") if self._target else None
        self._faults = list(api.faults.of(self._call)) if self._call else []
        self.delay = sum(fault.delay for fault in self._faults)
        """Seconds to wait before the request is obeyed."""

    def outcome(self) -> Answer | Watch | None:
        """Obey the request; None where the connection is cut instead of an answer."""
        try:
            result = self._obeyed()
        except ApiRefused as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            result = Answer.of(error.status, error.code, headers)
        lost = any(fault.lost for fault in self._faults)
        if self._call:
            code = 0 if lost else result.code if isinstance(result, Answer) else 200
            self._api.note(attrs.evolve(self._call, code=code))
        return None if lost else result

    def _obeyed(self) -> Answer | Watch:
        user = self._api.user_of(self._asked)
        if self._target is None or self._call is None:
            return Answer.of(discovered(self._asked.path, self._api.registry))
        call = self._call = attrs.evolve(self._call, user=user)
        self._check(self._target, call)
        return self._api.verbs.answer(self._asked, self._target, call)

    def _check(self, target: Target, call: ApiCall) -> None:
        kind = self._api.registry.get(target.group, target.plural)
        if kind is None:
            return
        for fault in self._faults:
            if error := fault.refusal(kind, call):
                raise error
        self._authorize(kind, call)
        place = target.namespace, target.name
        if call.verb == "apply" and self._api.store.get(kind, *place) is None:
            # What is applied and not there is created.
            self._authorize(kind, attrs.evolve(call, verb="create"))

    def _authorize(self, kind: Kind, call: ApiCall) -> None:
        if self._api.authorize is not None and not self._api.authorize(call):
            raise refusals.forbidden(kind, call)
