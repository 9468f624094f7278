"""Which modules are mutated, which tests must notice, and what none can notice."""

import tomllib
from pathlib import Path

CORE = (
    "tools.latest",
    "kubelet.streams",
    "kubelet.session",
    "kubelet.registrar",
    "kubelet.complaints",
    "resource.inventory",
    "resource.vanished",
    "model.identity",
    "tools.coalescing",
    "tools.backoff",
    "model.gate",
    "model.allocation",
    "resource.handlers",
    "resource.hooked",
    "model.acceptance",
    "scan.prepare",
    "scan.discovery",
    "scan.notifier",
    "tools.worker",
    "scan.own_loop",
    "scan.runner",
    "resource.hooks",
    "manager",
    "resource.resource",
    "inotify.places",
    "inotify.watch",
    "inotify.watches",
    "rpc.bridge",
    "rpc.clock",
    "rpc.foreign",
    "rpc.calls",
    "rpc.server",
    "rpc.socketfile",
)
"""The way from a scanner to the kubelet, without ``twistdp.``."""

OPERATOR = (
    "operator.leader",
    "operator.queue",
    "operator.lists",
    "operator.cleanup",
    "operator.upkeep",
    "operator.reporting",
    "operator.reconciler",
)
"""What decides which requests the operator makes, and when."""

MODULES = (*CORE, *OPERATOR)

MORE_TESTS = {
    "inotify.places": ["tests.inotify.test_watches"],
    "inotify.watch": ["tests.inotify.test_watches"],
    "kubelet.complaints": ["tests.kubelet.test_registrar"],
    "resource.handlers": ["tests.integration.test_hooks"],
    "resource.hooked": ["tests.resource.test_handlers", "tests.integration.test_hooks"],
    "resource.hooks": ["tests.integration.test_hooks"],
    "operator.lists": ["tests.operator.test_census", "tests.operator.test_drift"],
    "operator.cleanup": ["tests.operator.test_deletion"],
    "operator.upkeep": [
        "tests.operator.test_leftovers",
        "tests.operator.test_deletion",
        "tests.operator.test_drift",
        "tests.operator.test_reconciler",
        "tests.operator.test_trouble",
    ],
    "operator.reporting": [
        "tests.operator.test_reconciler",
        "tests.operator.test_trouble",
        "tests.operator.test_drift",
    ],
    "operator.reconciler": [
        "tests.operator.test_trouble",
        "tests.operator.test_deletion",
        "tests.operator.test_drift",
    ],
    "rpc.calls": ["tests.rpc.test_server", "tests.rpc.test_channel", "tests.rpc.test_limits"],
    "rpc.server": ["tests.rpc.test_calls", "tests.rpc.test_channel"],
    "manager": [
        "tests.integration.test_life.ServingTests",
        "tests.integration.test_life.ScannerTroubleTests",
        "tests.integration.test_life.UntidyScannerTests",
    ],
    "resource.resource": [
        "tests.integration.test_life.ServingTests",
        "tests.integration.test_life.AllocationTests",
        "tests.integration.test_hooks.RemovalTests",
    ],
}
"""Tests of those that are hard to try alone, or are tried with others."""

ROOT = Path(__file__).resolve().parents[2]


def path_of(module: str) -> str:
    """The file of a module, from the project's root."""
    return f"twistdp/{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """The tests of a module: the test module that mirrors it, then more of them."""
    package, _, name = module.rpartition(".")
    own = f"tests.{package}.test_{name}" if package else f"tests.test_{name}"
    there = (ROOT / f"{own.replace('.', '/')}.py").exists()
    return [own] * there + MORE_TESTS.get(module, [])


def equivalent() -> dict[str, dict[str, str]]:
    """By module: why a change of a line (``old -> new``) is none that could be seen."""
    return tomllib.loads((ROOT / "tests/mutants/equivalent.toml").read_text())
