"""Links that others make below ``/dev``, for a configuration to match."""

import os
import shutil
import tempfile

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import nodes, resources
from tests.support.users import ALICE, NEEDS_ROOT, acting_as, given_to
from twistdp.scanners.declared.scanner import DeclaredScanner


class UntrustedTests(SynchronousTestCase):
    """`DeclaredScanner` on this machine's ``/dev``"""

    skip = NEEDS_ROOT

    def setUp(self) -> None:
        """A user makes a link to a device in a directory of theirs."""
        self.directory = tempfile.mkdtemp(dir="/dev", prefix="tdp-")
        self.addCleanup(shutil.rmtree, self.directory)
        given_to(self.directory, ALICE, 0o755)
        with acting_as(ALICE):
            os.symlink("/dev/null", f"{self.directory}/link")
        self.scanner = DeclaredScanner(resources(f"{{a: {{path: {self.directory}/*}}}}"))

    def test_directory_of_a_user(self) -> None:
        """The link brings no device, in a whole look or later, and the directory is logged once."""
        with capturedLogs() as events:
            self.assertEqual(nodes(self.scanner.discover(), "a"), {})
            found = self.scanner.follow([f"{self.directory}/link"])
            self.assertEqual(nodes(found, "a"), {})
            self.scanner.discover()
        lines = [line for line in map(formatEvent, events) if line and self.directory in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"belongs to user {ALICE}", lines[0])

    def test_no_below(self) -> None:
        """What the user makes in the directory is not watched."""
        os.mkdir(f"{self.directory}/below")
        self.scanner.discover()
        self.assertIn(self.directory, self.scanner.paths)
        self.assertNotIn(f"{self.directory}/below", self.scanner.paths)

    def test_allowed(self) -> None:
        """``--check-paths=false`` allows it."""
        self.scanner.check_paths = False
        self.assertEqual(list(nodes(self.scanner.discover(), "a")), ["null"])
