"""What the log says of a resource's attempts to register that fail."""

import os

from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.errors import KubeletAbsent, RegistrationRefused, SocketTaken, TwistdpError, Untrusted
from twistdp.host import remedy_for
from twistdp.kubelet.news import KubeletNews

_log = Logger()

_REGISTRATION = "registration of "


class Complaints:
    """Reports why `resource`, at the socket `path`, is not registered: each reason in a row once.

    Reasons that concern all resources of a directory are reported once for all of them.
    """

    def __init__(self, resource: str, path: str, news: KubeletNews) -> None:
        self._resource = resource
        self._directory = os.path.dirname(path)
        self._news = news
        self._last: object = None

    def clear(self) -> None:
        """It is registered: whatever fails now is reported again."""
        self._last = None

    def failed(self, failure: Failure) -> None:
        """Report a failed attempt."""
        error = failure.value
        if isinstance(error, RegistrationRefused):
            self._news.failed(self._resource, error.reason, refused=True)
        else:
            self._news.failed(self._resource, str(error), refused=False)
        if (remedy := remedy_for(error)) is not None:
            assert isinstance(error, OSError)
            # Without its file's name, which differs from resource to resource.
            self._news.warn_once(
                f"cannot register from {self._directory}: {error.strerror}; {remedy}; "
                "trying again every second"
            )
        elif isinstance(error, KubeletAbsent):
            self._news.absent(str(error))
        elif isinstance(error, Untrusted):
            self._news.warn_once(str(error))
        elif isinstance(error, SocketTaken):
            # Once, even if its process can no longer be identified while it ends.
            if self._last is not SocketTaken:
                self._news.complain(self._resource, str(error), error.reason)
            self._last = SocketTaken
        elif isinstance(error, RegistrationRefused):
            self.report(error.reason, doing=_REGISTRATION)
        elif isinstance(error, TwistdpError | OSError):
            self.report(str(error))
        else:
            _log.failure("registering {resource}", failure, resource=self._resource)

    def report(self, complaint: str, doing: str = "") -> None:
        """Report a complaint in a line that begins with `doing` and the resource."""
        if complaint != self._last:
            self._news.complain(self._resource, complaint, doing=doing)
        self._last = complaint
