"""The core stays small enough to be read in two hours, and the docs say in which order."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page

PACKAGE = Path(__file__).parent.parent / "twistdp"

CORE = (
    "model/devices.py",
    "scan/scanner.py",
    "scan/discovery.py",
    "scan/prepare.py",
    "model/acceptance.py",
    "model/identity.py",
    "manager.py",
    "resource/resource.py",
    "resource/inventory.py",
    "kubelet/messages.py",
    "kubelet/streams.py",
    "resource/handlers.py",
    "kubelet/session.py",
    "kubelet/registrar.py",
    "kubelet/register_by_socket.py",
    "kubelet/connection.py",
    "rpc/server.py",
    "rpc/calls.py",
    "rpc/socketfile.py",
    "rpc/channel.py",
    "rpc/bridge.py",
    "rpc/status.py",
    "rpc/codec.py",
    "scan/runner.py",
    "tools/worker.py",
    "tools/coalescing.py",
    "tools/latest.py",
)
"""The files from a scanner to the kubelet, in the order in which they are read."""

MOST_LINES = 3500
MOST_STEPS = 8


def section(title: str) -> str:
    """A section of docs/architecture.md."""
    return page("docs/architecture.md").split(f"## {title}\n")[1].split("\n## ")[0]


class CoreTests(SynchronousTestCase):
    """What docs/architecture.md says of the core."""

    def test_lines(self) -> None:
        """The core has fewer lines than promised."""
        lines = sum(len((PACKAGE / name).read_text().splitlines()) for name in CORE)
        self.assertLess(lines, MOST_LINES)

    def test_order(self) -> None:
        """The page names the files of the core, in order, and no others."""
        named = re.findall(r"^\d+\. `([^`]+)`", section("Read it in this order"), re.MULTILINE)
        self.assertEqual(tuple(named), CORE)

    def test_walk(self) -> None:
        """A device goes through few files on its way to the stream, and all are in the core."""
        steps = re.findall(
            r"^\| \d+ \| `([^`]+)` \| (.*)$", section("The walk of one device"), re.M
        )
        self.assertEqual(len(steps), MOST_STEPS)
        for name, text in steps:
            self.assertIn(name, CORE)
            code = (PACKAGE / name).read_text()
            for called in re.findall(r"`(?:\w+\.)?(\w+)\(", text):
                self.assertIn(called, code, name)
