"""Tests for `twistdp.health.files`."""

import os

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.health.files import of_file
from twistdp.health.values import File

OTHER = 65534
"""A user that is neither root nor us."""


class FileTests(SynchronousTestCase):
    """`of_file`"""

    def setUp(self) -> None:
        """A file that is not everybody's business."""
        self.place = temporary_directory(self)
        os.mkdir(f"{self.place}/etc")
        with open(f"{self.place}/etc/secret", "w", encoding="ascii") as file:
            file.write("s3cr3t")

    def found(self, path: str) -> str:
        """What a check finds wrong with a file."""
        return of_file(File(f"{self.place}/{path}", equals="ok"))

    def test_links_of_ours(self) -> None:
        """A directory may be behind a link that only root and we could make."""
        os.symlink("etc", f"{self.place}/run")
        self.assertIn("run/secret is s3cr3t, and must be ok", self.found("run/secret"))

    def test_links_of_others(self) -> None:
        """A link that somebody else could make is not followed: the log would show any file."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give directories away")
        os.mkdir(f"{self.place}/theirs")
        os.chown(f"{self.place}/theirs", OTHER, OTHER)
        os.symlink("../etc", f"{self.place}/theirs/state")
        self.assertIn("is no file that is there", self.found("theirs/state/secret"))
        os.mkdir(f"{self.place}/theirs/modem")
        with open(f"{self.place}/theirs/modem/state", "w", encoding="ascii") as file:
            file.write("off")
        self.assertIn("is off, and must be ok", self.found("theirs/modem/state"))

    def test_hard_links_of_others(self) -> None:
        """Neither is a hard link, which the kernel need not keep others from making."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give directories away")
        for name, owner, mode in (("theirs", OTHER, 0o755), ("sticky", 0, 0o1777)):
            os.mkdir(f"{self.place}/{name}")
            os.chown(f"{self.place}/{name}", owner, owner)
            os.chmod(f"{self.place}/{name}", mode)
            os.link(f"{self.place}/etc/secret", f"{self.place}/{name}/state")
            self.assertIn("is no file that is there", self.found(f"{name}/state"))
        self.assertIn("is s3cr3t, and must be ok", self.found("etc/secret"))

    def test_glob(self) -> None:
        """Of the files that a glob matches the first one counts; one that matches none is none."""
        self.assertIn("qat_*/status is no file that is there", self.found("qat_*/status"))
        for name in ("qat_10", "qat_9"):
            os.mkdir(f"{self.place}/{name}")
            with open(f"{self.place}/{name}/status", "w", encoding="ascii") as file:
                file.write(name)
        self.assertIn("qat_9/status is qat_9, and must be ok", self.found("qat_*/status"))
