"""The public names of twistdp.testing."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import twistdp.testing


class NameTests(SynchronousTestCase):
    """What an import brings."""

    def test_all(self) -> None:
        """Each name is there, and others are not."""
        for name in twistdp.testing.__all__:
            self.assertTrue(hasattr(twistdp.testing, name), name)
        self.assertFalse(hasattr(twistdp.testing, "Apiserver"))

    def test_at_need(self) -> None:
        """The emulated kubelet starts without the fake API server, which takes longer to import."""
        program = (
            "import sys, twistdp.testing as t\n"
            "assert not [name for name in sys.modules if 'apiserver' in name]\n"
            "assert t.ApiServer.__module__ == 'twistdp.testing.apiserver.server'\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
