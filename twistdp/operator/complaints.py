"""Logs what the API server does not let the operator do: once each, until it does."""

from twistdp import klog
from twistdp.operator.asked import Asked

REFUSED = (401, 403)


class Complaints:
    """Requests that are refused for want of permission."""

    def __init__(self) -> None:
        self._logged: set[Asked] = set()

    def seen(self, asked: Asked, status: int) -> None:
        """Take note of a request and the status of its answer."""
        if status == 0:
            return
        if status not in REFUSED:
            self._logged.discard(asked)
        elif asked not in self._logged:
            self._logged.add(asked)
            message = _MESSAGES[status]
            klog.warning(message, verb=asked.verb, resource=asked.resource or "/")


_MESSAGES = {
    401: "the API server does not accept the operator's token or certificate; trying again",
    403: "the API server forbids a request; give the operator's service account the permission",
}
