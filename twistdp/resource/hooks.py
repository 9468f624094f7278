"""Calls a scanner's optional abilities, and falls back to the default."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeGuard

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import HookFailed, PodError
from twistdp.model import (
    AllocateRequest,
    AllocateResponse,
    Holder,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    ReleasedDevices,
    UseDefaultMethod,
    hooks_of,
    kind_of,
    of_error,
)
from twistdp.resource.blocked import BlockedWatch
from twistdp.resource.patience import Patience
from twistdp.rpc import called
from twistdp.tools import News, Outage, at

_log = Logger()

SLOW: Final = 1.0
"""Seconds after which a hook's time is logged: the kubelet admits one pod after the other."""

_CONSEQUENCES: Final = {
    "allocate": "the pod is refused",
    "post_allocate": "the pod is refused",
    "get_preferred_allocation": "the pod gets devices without its advice",
    "pre_start_container": "the container does not start",
    "post_release": "its devices count as given back",
}
"""What happens when a hook fails."""


class Hooks:
    """The hooks of one scanner; `name` is for messages.

    They are called in the reactor's thread, and `blocked` watches that thread meanwhile.  A hook
    that has not answered after `timeout` seconds is cancelled, and has failed.  Raises
    `BadScanner`.
    """

    def __init__(
        self,
        scanner: object,
        name: str,
        reactor: Any,
        *,
        timeout: float = 60.0,
        blocked: BlockedWatch | None = None,
    ) -> None:
        self.name = name
        self._reactor = reactor
        self._timeout = timeout
        self._blocked = blocked
        self._hooks = hooks_of(scanner)
        self._outages: defaultdict[str, Outage] = defaultdict(Outage)

    @property
    def allocates(self) -> bool:
        """Whether any hook takes part in Allocate."""
        return "allocate" in self._hooks or "post_allocate" in self._hooks

    @property
    def prefers(self) -> bool:
        """Whether the scanner gives advice on devices."""
        return "get_preferred_allocation" in self._hooks

    @property
    def pre_starts(self) -> bool:
        """Whether the scanner prepares devices for containers."""
        return "pre_start_container" in self._hooks

    async def allocate(self, request: AllocateRequest) -> object:
        """Return the allocator's answer; `UseDefaultMethod` if it has none or asks for that."""
        if "allocate" not in self._hooks:
            return UseDefaultMethod
        return await self._call("allocate", request, request.resource)

    async def post_allocate(self, response: AllocateResponse) -> object:
        """Return the response as the post-allocator changed it.

        `UseDefaultMethod` if the post-allocator asks for the unchanged response.
        """
        if "post_allocate" not in self._hooks:
            return response
        resource = response.request.resource if response.request else ""
        changed = await self._call("post_allocate", response, resource)
        return response if changed is None else changed

    async def preferred(self, request: PreferredAllocationRequest) -> list[Sequence[str]] | None:
        """Return ids for each container request; None for the default.

        If the hook fails, logs that and returns None: after an error the kubelet would refuse the
        pod.
        """
        hook = "get_preferred_allocation"
        if hook not in self._hooks:
            return None
        try:
            answer = await self._call(hook, request, request.resource)
        except HookFailed:
            return None
        except PodError as error:
            self._ignore(hook, f"refused: {error}; only allocate can refuse a pod")
            return None
        if answer is UseDefaultMethod:
            return None
        if _ids(answer) and len(request.container_requests) == 1:
            answer = [answer]
        if not _sequence(answer) or not all(map(_ids, answer)):
            self._ignore(hook, f"answered {kind_of(answer)}, not a list of ASCII device ids")
        elif len(answer) != len(request.container_requests):
            self._ignore(hook, f"answered for {len(answer)} containers, not for all")
        else:
            return list(answer)
        return None

    async def pre_start(self, request: PreStartContainerRequest) -> None:
        """Let the scanner prepare the devices, if it has a hook for that."""
        if "pre_start_container" in self._hooks:
            await self._call("pre_start_container", request, request.resource)

    @property
    def observes_releases(self) -> bool:
        """Whether the scanner wants to know which devices were given back."""
        return "post_release" in self._hooks

    async def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> None:
        """Let the scanner clean up.  Raises CancelledError alone: a failure is logged."""
        try:
            await self._call("post_release", devices, devices.resource, pod)
        except HookFailed:
            return
        except PodError as error:
            self._ignore("post_release", f"refused: {error}; only allocate can refuse a pod")

    def failed(self, hook: str, what: str) -> HookFailed:
        """Return an error for the pod's status: which hook, and what it did."""
        return HookFailed(
            f"{hook} of the device plugin's scanner {self.name} {what}; its log on the node "
            "says more, and its author must fix it"
        )

    def _ignore(self, hook: str, what: str) -> None:
        _log.error(
            "scanner {scanner}: {hook} {what}; {consequence}",
            scanner=self.name,
            hook=hook,
            what=what,
            consequence=_CONSEQUENCES[hook],
        )

    async def _call(self, hook: str, argument: object, resource: str, *more: object) -> object:
        begin = self._reactor.seconds()
        where = f"{hook} for {resource}"
        try:
            with self._watching(where):
                patience = Patience(
                    called(lambda: self._hooks[hook](argument, *more), self._reactor),
                    scanner=self.name,
                    hook=where,
                    limit=self._timeout,
                    consequence=_CONSEQUENCES[hook],
                    clock=self._reactor,
                    pods_wait=hook != "post_release",
                )
                answers = await patience.wait()
        finally:
            self._report_if_slow(hook, self._reactor.seconds() - begin)
        if not answers:
            raise self.failed(hook, f"did not answer within {self._timeout:g} s")
        (answer,) = answers
        if not isinstance(answer, Failure):
            self._log_success(hook)
            default = answer is UseDefaultMethod or isinstance(answer, UseDefaultMethod)
            return UseDefaultMethod if default else answer
        error = answer.value
        assert error is not None
        if isinstance(error, UseDefaultMethod):
            self._log_success(hook)
            return UseDefaultMethod
        if isinstance(error, PodError) or (patience.cancelled and answer.check(CancelledError)):
            raise error  # raised on purpose, or the caller has gone
        self._log_failure(hook, resource, answer)
        # The error's text is for the log alone: users of pods read this, and it may be a secret.
        raise self.failed(hook, f"failed: {type(error).__name__}") from error

    def _log_failure(self, hook: str, resource: str, failure: Failure) -> None:
        """Log what is new about a failure: pods that are refused have lines of their own."""
        news = self._outages[hook].failed(failure)
        about: dict[str, Any] = {
            "scanner": self.name,
            "hook": hook,
            "consequence": _CONSEQUENCES[hook],
            "log_constant": "hook failed",
            "log_facts": {
                "scanner": self.name,
                "hook": hook,
                "resource": resource,
                **({} if news is News.STACK else {"err": of_error(failure.value)}),
            },
        }
        if news is News.STACK:
            _log.failure("scanner {scanner}: {hook} failed, and {consequence}", failure, **about)
        elif news is News.LINE:
            _log.error(
                "scanner {scanner}: {hook} failed with {error}{at}, and {consequence}",
                error=of_error(failure.value),
                at=at(failure),
                **about,
            )

    def _log_success(self, hook: str) -> None:
        if count := self._outages[hook].over():
            _log.info(
                "scanner {scanner}: {hook} works again, after {failures}",
                scanner=self.name,
                hook=hook,
                failures="1 failure" if count == 1 else f"{count} failures",
            )

    def _watching(self, what: str) -> AbstractContextManager[None]:
        if self._blocked is None:
            return nullcontext()
        return self._blocked.watching(f"scanner {self.name}: {what}")

    def _report_if_slow(self, name: str, seconds: float) -> None:
        if seconds >= SLOW and name != "post_release":
            _log.warn(
                "scanner {scanner}: {hook} took {seconds:.1f} s, and the kubelet admitted no "
                "other pod meanwhile",
                scanner=self.name,
                hook=name,
                seconds=seconds,
            )


def _sequence(answer: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(answer, Sequence) and not isinstance(answer, str | bytes)


def _ids(answer: object) -> bool:
    return _sequence(answer) and all(
        isinstance(device_id, str) and device_id.isascii() for device_id in answer
    )
