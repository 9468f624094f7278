"""Follows events from the start, for users who look later."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from twistdp.kubelet import holdings_of
from twistdp.settings import Settings
from twistdp.status import Progress, events_of

if TYPE_CHECKING:
    from twistdp.manager import Manager
    from twistdp.web.state import Observatory


class Lookout:
    """Follows events from now on, and makes the observatory at the first request.

    `served` returns the managers, each with what on the command line asks for it; `files` are the
    configuration files.
    """

    def __init__(
        self,
        served: "Callable[[], Sequence[tuple[Manager, str]]]",
        settings: Settings,
        reactor: Any,
        *,
        files: Sequence[str] = (),
    ) -> None:
        self.served = served
        self._settings = settings
        self._reactor = reactor
        self._files = files
        self._start = time.time()
        self._progress = Progress(events_of(reactor))
        self._made: Observatory | None = None

    def names(self) -> Collection[str]:
        """The current resources; the tallies of others are forgotten."""
        names = {
            each.full_name: None
            for manager, _ in self.served()
            for each in manager.resources.values()
        }
        self._progress.keep(names)
        return names

    def observatory(self) -> "Observatory":
        """The observatory, always the same."""
        if self._made is None:
            from twistdp.web.state import Observatory

            self._made = Observatory(
                self.served,
                self._settings,
                self._reactor,
                progress=self._progress,
                start=self._start,
                files=self._files,
                holdings=holdings_of(self._reactor, self._settings.pod_resources_socket),
            )
        return self._made

    def log_state(self) -> None:
        """Log the state soon."""
        from twistdp.web.dump import begin

        begin(self.observatory())
