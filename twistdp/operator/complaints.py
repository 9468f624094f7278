"""Logs that the API server does not do what the operator asks: once, until it does again."""

from twistdp import klog
from twistdp.operator.asked import Asked

NOT_ALLOWED = {
    401: "the API server does not accept the operator's token or certificate; trying again",
    403: "the API server forbids a request; give the operator's service account the permission",
}


class Complaints:
    """Requests that are refused for want of permission, and times when there is no good answer."""

    def __init__(self) -> None:
        self._not_allowed: set[Asked] = set()
        self._in_trouble = False

    def seen(self, asked: Asked, status: int, reason: str) -> None:
        """Take note of a request and the status of its answer, or of 0 and why there was none."""
        if status == 0 or status >= 500:
            if not self._in_trouble:
                self._in_trouble = True
                klog.warning(
                    "the API server does not answer as it should; trying again",
                    verb=asked.verb,
                    resource=asked.resource or "/",
                    err=reason or f"status {status}",
                )
            return
        if self._in_trouble:
            self._in_trouble = False
            klog.info("the API server answers again")
        if status not in NOT_ALLOWED:
            self._not_allowed.discard(asked)
        elif asked not in self._not_allowed:
            self._not_allowed.add(asked)
            message = NOT_ALLOWED[status]
            klog.warning(message, verb=asked.verb, resource=asked.resource or "/")
