"""Calls a scanner's optional abilities, and falls back to the default."""

from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutine
from typing import Any, Final, TypeGuard

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twistdp.calls import (
    AllocateRequest,
    AllocateResponse,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
)
from twistdp.errors import HookFailed, PodError
from twistdp.interfaces import (
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IPreferredAllocator,
)
from twistdp.secrecy import kind_of

_log = Logger()

SLOW: Final = 1.0
"""Seconds after which a hook's time is logged: the kubelet admits one pod after the other."""


class Hooks:
    """The hooks of one scanner; `name` is for messages."""

    def __init__(self, scanner: Any, name: str, clock: IReactorTime) -> None:
        self._name = name
        self._clock = clock
        self._allocator: IAllocator | None = scanner if IAllocator.providedBy(scanner) else None
        self._post_allocator: IPostAllocator | None = (
            scanner if IPostAllocator.providedBy(scanner) else None
        )
        self._preferred: IPreferredAllocator | None = (
            scanner if IPreferredAllocator.providedBy(scanner) else None
        )
        self._pre_starter: IContainerPreStarter | None = (
            scanner if IContainerPreStarter.providedBy(scanner) else None
        )

    @property
    def allocates(self) -> bool:
        """Whether any hook has a say in Allocate."""
        return self._allocator is not None or self._post_allocator is not None

    @property
    def prefers(self) -> bool:
        """Whether the scanner is an `IPreferredAllocator`."""
        return self._preferred is not None

    @property
    def pre_starts(self) -> bool:
        """Whether the scanner is an `IContainerPreStarter`."""
        return self._pre_starter is not None

    async def allocate(self, request: AllocateRequest) -> object:
        """What the allocator answers; `UseDefaultMethod` if there is none or it says so."""
        if self._allocator is None:
            return UseDefaultMethod
        return await self._call(self._allocator.allocate, request, "allocate")

    async def post_allocate(self, response: AllocateResponse) -> object:
        """The response after the post-allocator has had its way with it.

        `UseDefaultMethod` if it says that it should be sent as it was.
        """
        if self._post_allocator is None:
            return response
        changed = await self._call(self._post_allocator.post_allocate, response, "post_allocate")
        return response if changed is None else changed

    async def preferred(self, request: PreferredAllocationRequest) -> list[Sequence[str]] | None:
        """Ids for each container request; None for the default.  Raises `HookFailed`."""
        if self._preferred is None:
            return None
        hook = "get_preferred_allocation"
        answer = await self._call(self._preferred.get_preferred_allocation, request, hook)
        if answer is UseDefaultMethod:
            return None
        if _ids(answer) and len(request.container_requests) == 1:
            answer = [answer]
        if not _sequence(answer) or not all(map(_ids, answer)):
            raise self.failed(hook, f"answered {kind_of(answer)}, not a list of device ids")
        if len(answer) != len(request.container_requests):
            raise self.failed(hook, f"answered for {len(answer)} containers, not for all")
        return list(answer)

    async def pre_start(self, request: PreStartContainerRequest) -> None:
        """Let the scanner prepare the devices, if it wants to."""
        if self._pre_starter is not None:
            await self._call(self._pre_starter.pre_start_container, request, "pre_start_container")

    def failed(self, hook: str, what: str) -> HookFailed:
        """An error for the pod's status: which hook, and what it did."""
        return HookFailed(
            f"{hook} of the device plugin's scanner {self._name} {what}; its log on the node "
            "says more, and its author must mend it"
        )

    async def _call(self, hook: Callable[[Any], object], argument: object, name: str) -> object:
        begin = self._clock.seconds()
        try:
            result = hook(argument)
            if iscoroutine(result) or isinstance(result, Deferred):
                result = await result
        except UseDefaultMethod:
            return UseDefaultMethod
        except (PodError, CancelledError):
            raise  # stated on purpose, or nobody wants to know any more
        except (Exception, SystemExit) as error:  # foreign code must not end the process
            _log.failure("scanner {scanner}: {hook} failed", scanner=self._name, hook=name)
            # What it says is for the log alone: pods' users read this, and it may be a secret.
            raise self.failed(name, f"failed: {type(error).__name__}") from error
        finally:
            self._report_if_slow(name, self._clock.seconds() - begin)
        if result is UseDefaultMethod or isinstance(result, UseDefaultMethod):
            return UseDefaultMethod
        return result

    def _report_if_slow(self, name: str, seconds: float) -> None:
        if seconds >= SLOW:
            _log.warn(
                "scanner {scanner}: {hook} took {seconds:.1f} s, and the kubelet admitted no "
                "other pod meanwhile",
                scanner=self._name,
                hook=name,
                seconds=seconds,
            )


def declared_join(scanner: object) -> Mapping[str, str]:
    """The scanner's attribute `join`, if it declares one; see `twistdp.allocation.combine`."""
    join = getattr(scanner, "join", {})
    if isinstance(join, Mapping) and all(
        isinstance(text, str) for item in join.items() for text in item
    ):
        return join
    _log.warn(
        "scanner {scanner}: its attribute join is not a dict of str to str, and is not used",
        scanner=f"{type(scanner).__module__}:{type(scanner).__qualname__}",
    )
    return {}


def _sequence(answer: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(answer, Sequence) and not isinstance(answer, str | bytes)


def _ids(answer: object) -> bool:
    return _sequence(answer) and all(
        isinstance(device_id, str) and device_id.isascii() for device_id in answer
    )
