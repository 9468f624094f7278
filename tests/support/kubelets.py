"""A kubelet for tests of which several run at a time."""

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import PATIENCE
from twistdp.testing import kubelet, pods
from twistdp.testing.kubelet import FakeKubelet


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


def know_pods_at_once(test: TestCase) -> None:
    """Emulated kubelets of this test's process know their pods at once, and forget them so, too."""
    test.patch(kubelet, "KNOWS_AFTER", 0.0)
    test.patch(pods, "LEAVING", (0.0, 0.0))
