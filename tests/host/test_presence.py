"""Tests for `twistdp.host.presence`."""

import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import MissingNode
from twistdp.host.presence import check_present, host_paths
from twistdp.model.cdi import CDIDevice, CDINode
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec


class HostPathsTests(SynchronousTestCase):
    """`host_paths`"""

    def test_all_nodes(self) -> None:
        """A device's nodes and those of its CDI part, on the host."""
        cdi = CDIDevice(nodes=[CDINode("/dev/b", host_path="/host/b"), CDINode("/dev/c")])
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/host/a", "/dev/a")], cdi=cdi)
        self.assertEqual(list(host_paths(info)), ["/host/a", "/host/b", "/dev/c"])


class CheckPresentTests(SynchronousTestCase):
    """`check_present`"""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def refused(self, path: str) -> str:
        """The text with which a path is refused."""
        error = self.assertRaises(MissingNode, check_present, "a.b/x", "id", ["/dev/null", path])
        text = str(error)
        for part in ("a.b/x", "device id ", path, "--check-nodes=false"):
            self.assertIn(part, text)
        return text

    def link(self, target: str) -> str:
        """A link."""
        path = self.directory / "link"
        path.symlink_to(target)
        return str(path)

    def test_nodes(self) -> None:
        """Nodes, links to nodes, and directories may be handed out; so may nothing at all."""
        check_present("a.b/x", "id", ["/dev/null", "/dev/zero", self.link("/dev/null"), "/dev"])
        check_present("a.b/x", "id", [])

    def test_gone(self) -> None:
        """The error names a missing node, and a link that leads nowhere."""
        for path in (str(self.directory / "gone"), "/dev/null/x", self.link("gone")):
            self.assertIn("is gone", self.refused(path))

    def test_no_node(self) -> None:
        """A plain file is no node, and neither is a pipe."""
        file = self.directory / "file"
        file.touch()
        os.mkfifo(self.directory / "pipe")
        for path in (file, self.directory / "pipe"):
            self.assertIn("is no device node", self.refused(str(path)))

    def test_cannot_be_looked_at(self) -> None:
        """A node that may not be looked at may be there."""
        for number in (errno.EACCES, errno.EIO):

            def refuse(path: str, number: int = number) -> os.stat_result:
                raise OSError(number, os.strerror(number), path)

            patch = self.patch(os, "stat", refuse)
            check_present("a.b/x", "id", ["/dev/null"])
            patch.restore()
