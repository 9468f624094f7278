"""A kubelet for tests of which several run at a time."""

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from twistdp.testing.kubelet import FakeKubelet

PATIENCE = 30.0
"""Seconds; what must come does so sooner, however busy the machine is."""


class PatientKubelet(FakeKubelet):
    """Waits longer for what must come."""

    def until(self, condition: Callable[[], object], timeout: float = PATIENCE) -> Deferred[None]:
        """See `FakeKubelet`."""
        return super().until(condition, timeout)

    def listed(
        self, resource: str, ids: Iterable[str], timeout: float = PATIENCE
    ) -> Deferred[None]:
        """See `FakeKubelet`."""
        return super().listed(resource, ids, timeout)
