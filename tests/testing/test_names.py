"""The public names of twistdp.testing."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import twistdp.testing

UNUSED = (
    "google.protobuf.json_format.",
    "twistdp.cdi.",
    "twistdp.inotify.",
    "twistdp.kubelet.podresources",
    "twistdp.kubelet.regist",
    "twistdp.manager.",
    "twistdp.resource.",
    "twistdp.scan.",
    "twistdp.status.",
    "twistdp.testing.apiserver.",
    "twistdp.testing.podresources.",
    "twistdp.testing.registry.",
)


class NameTests(SynchronousTestCase):
    """What an import brings."""

    def test_all(self) -> None:
        """Each name is there, and others are not."""
        for name in twistdp.testing.__all__:
            self.assertTrue(hasattr(twistdp.testing, name), name)
        self.assertFalse(hasattr(twistdp.testing, "Apiserver"))

    def test_at_need(self) -> None:
        """The emulated kubelet imports no parts of plugins, nor what only its options need."""
        imported = self.imported("from twistdp.testing import Control, FakeKubelet, Playground")
        self.assertIn("twistdp.testing.kubelet", imported)
        self.assertEqual([name for name in imported if f"{name}.".startswith(UNUSED)], [])

    def test_at_hand(self) -> None:
        """The choices of ``twistdp kubelet`` are known without Twisted and gRPC."""
        imported = self.imported("from twistdp.testing import POLICIES")
        self.assertIn("twistdp.testing.topologymanager", imported)
        self.assertEqual({"google", "grpc", "twisted"} & set(imported), set())

    def imported(self, statement: str) -> list[str]:
        """The modules that a statement imports."""
        program = f"import sys\n{statement}\nprint(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split()
