"""Runs tests in forks of a process that has imported what they need but is not the project's.

To import that takes several times as long as most modules' tests.
"""

import os
import runpy
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

PRELOADED = (
    "aiohttp.web",
    "automat",
    "google.protobuf.message",
    "grpc.aio",
    "hypothesis.strategies",
    "pyinotify",
    "twisted.application.service",
    "twisted.internet.asyncioreactor",
    "twisted.internet.task",
    "twisted.scripts.trial",
    "twisted.trial.unittest",
)


def preload() -> None:
    """Import all that is not the project's."""
    # As `twistdp.rpc` does before it imports grpc.
    os.environ.update(GRPC_ENABLE_FORK_SUPPORT="0", GRPC_VERBOSITY="ERROR")
    for name in PRELOADED:
        import_module(name)


def passes(tests: Sequence[str], limit: float) -> bool:
    """Whether these test modules of the working directory pass, within `limit` seconds."""
    process = os.fork()
    if process == 0:
        _run(tests)
    descriptor = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([descriptor], [], [], limit)
    finally:
        os.close(descriptor)
    with suppress(ProcessLookupError):  # it leads no group as yet, or all of it has ended
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return bool(ended) and os.waitstatus_to_exitcode(status) == 0


def _run(tests: Sequence[str]) -> NoReturn:
    """Be trial; what it runs is imported from the working directory."""
    status = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        for name in list(sys.modules):
            if name.partition(".")[0] in {"tests", "twistdp"}:
                del sys.modules[name]
        sys.path.insert(0, os.getcwd())
        sys.argv = ["trial", "--reactor=asyncio", "-x", *tests]
        runpy.run_module("twisted.trial", run_name="__main__")
    except SystemExit as end:
        status = int(bool(end.code))
    finally:
        os._exit(status)
