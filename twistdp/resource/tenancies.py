"""Concludes from the kubelet's answers who has given a device back.

No device is given back because of what the kubelet does not say: see `Tenancies`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from twistdp.model import Holder

CONFIRMED: Final = 2.0
"""Seconds for which a device must be in no answer: a container runs that long after its pod was
deleted by force, and a pod that a kubelet refuses after its start comes and goes."""

SETTLED: Final = 10.0
"""Seconds after the first answer of a kubelet from which one counts that does not have the pod.

As many after Allocate a device in no answer may be an init container's, or nobody's."""

Key = tuple[str, str]
"""The full name of a resource, and the id of a device."""


class Tenancy(NamedTuple):
    """A container has a device."""

    holder: Holder | None
    """None if Allocate gave it, and no answer has had it yet."""
    since: float
    """When it was given or first seen, in seconds of the clock."""


class Release(NamedTuple):
    """A device was given back."""

    resource: str
    device: str
    holder: Holder | None
    """Who had it; None if that was never known."""


def _pod(holder: Holder) -> tuple[str, str]:
    return holder.namespace, holder.pod


class Tenancies:
    """Who has which device, as far as it is known: `held` is what was known before, at time `now`.

    Each method that learns something returns what was given back.  A device was given back if

    - Allocate gives it again: a kubelet gives only what it has taken back;
    - another pod has it;
    - it has been in no answer for a while, and the kubelet knows the pod, or would by now: after
      its start a kubelet lists no pods at first, then those of files, and the others when it has
      reached the API server;
    - it was given, is in no answer, and the kubelet keeps it for nobody: see `not_kept`.
    """

    def __init__(self, held: Mapping[Key, Holder | None], now: float) -> None:
        self.held = {key: Tenancy(holder, float("-inf")) for key, holder in held.items()}
        self._missing: dict[Key, tuple[float, bool]] = {}
        """Since when, in seconds, a device is in no answer, and whether those list its pod."""
        self._not_kept: dict[Key, float] = {}
        self._knows_pods: float | None = None

    def forget_kubelet(self) -> None:
        """There was no answer, or there is another kubelet: it may not know its pods."""
        self._knows_pods = None
        self._missing.clear()
        self._not_kept.clear()

    def allocated(self, resource: str, ids: Iterable[str], now: float) -> list[Release]:
        """Allocate has given devices."""
        released = []
        for id_ in ids:
            key = resource, id_
            before = self.held.get(key)
            # An init container's are given to a container after it, at once, and are in no answer.
            if before and (before.holder or before.since <= now - SETTLED):
                released.append(Release(*key, before.holder))
            self.held[key] = Tenancy(None, now)
            self._missing.pop(key, None)
            self._not_kept.pop(key, None)
        return released

    def answered(
        self,
        listed: Mapping[Key, Holder],
        pods: Collection[tuple[str, str]],
        asked: float,
        now: float,
        *,
        has_all_pods: bool,
    ) -> list[Release]:
        """The kubelet lists these devices and `pods`, by namespace and name; `asked` is when.

        Without `has_all_pods` it may not know others than those of files.
        """
        if not has_all_pods:
            self.forget_kubelet()
            return []
        if self._knows_pods is None:
            self._knows_pods = now
        return [*self._listed(listed, asked, now), *self._gone(listed, pods, now)]

    def _listed(self, listed: Mapping[Key, Holder], asked: float, now: float) -> Iterator[Release]:
        for key, holder in listed.items():
            before = self.held.get(key)
            if before is not None and before.holder is None and before.since >= asked:
                continue  # the answer is older, and has who had it before
            self._missing.pop(key, None)
            if before is not None and before.holder is not None:
                if _pod(before.holder) != _pod(holder):
                    yield Release(*key, before.holder)
                elif before.holder == holder:
                    continue
            self.held[key] = Tenancy(holder, now)

    def _gone(
        self, listed: Mapping[Key, Holder], pods: Collection[tuple[str, str]], now: float
    ) -> Iterator[Release]:
        assert self._knows_pods is not None
        for key in self.held.keys() - listed.keys():
            holder = self.held[key].holder
            if holder is None:
                continue
            is_known = _pod(holder) in pods
            since, was_known = self._missing.get(key, (now, is_known))
            if is_known is not was_known:  # its pod has come or gone
                since = now
            self._missing[key] = since, is_known
            if now >= since + CONFIRMED and (is_known or now >= self._knows_pods + SETTLED):
                del self.held[key], self._missing[key]
                yield Release(*key, holder)

    def unlisted(self, now: float) -> set[Key]:
        """Devices that were given a while ago, and that no answer has listed since."""
        if self._knows_pods is None or now < self._knows_pods + CONFIRMED:
            return set()
        return {
            key
            for key, tenancy in self.held.items()
            if tenancy.holder is None and now >= tenancy.since + SETTLED
        }

    def not_kept(self, keys: Iterable[Key], now: float) -> list[Release]:
        """The kubelet keeps these devices, of the `unlisted` ones, for nobody."""
        gone = self.unlisted(now) & {*keys}
        self._not_kept = {key: self._not_kept.get(key, now) for key in gone}
        over = [key for key, since in self._not_kept.items() if now >= since + CONFIRMED]
        for key in over:
            del self.held[key], self._not_kept[key]
        return [Release(*key, None) for key in over]

    def look_again(self, now: float) -> float | None:
        """Seconds until another answer can show more; None if nobody has a device."""
        missing = [*(since for since, _ in self._missing.values()), *self._not_kept.values()]
        times = [since + CONFIRMED for since in missing]
        if self._missing and self._knows_pods is not None:
            times.append(self._knows_pods + SETTLED)
        times += [t.since + SETTLED for t in self.held.values() if t.holder is None]
        later = [time - now for time in times if time > now]
        return min([*later, SETTLED]) if self.held else None
