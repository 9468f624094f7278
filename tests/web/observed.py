"""The state of a manager in a test."""

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor

from tests.integration.test_life import LifeTestCase
from twistdp import Settings
from twistdp.kubelet import Holdings, holdings_of
from twistdp.status import Progress, events_of
from twistdp.web.state import Observatory


def observe(
    case: LifeTestCase, scanner: Any, pods: str, files: Sequence[str] = (), **settings: Any
) -> tuple[Observatory, Holdings]:
    """What sees a manager from its start to the test's end; `pods` is the pod-resources socket."""
    progress = Progress(events_of(reactor))
    case.addCleanup(progress.stop)
    manager = case.manage(scanner, **settings)
    holdings = holdings_of(reactor, pods)
    observatory = Observatory(
        lambda: [(manager, "--scanner x:Y")],
        Settings(plugin_dir=case.directory, pod_resources_socket=pods),
        reactor,
        progress=progress,
        start=time.time(),
        files=files,
        holdings=holdings,
    )
    return observatory, holdings
