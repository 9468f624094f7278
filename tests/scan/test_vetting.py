"""Tests for `twistdp.scan.vetting`."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.updates import resources
from twistdp import (
    HEALTHY,
    CDIDevice,
    CDIHook,
    CDIMount,
    CDINode,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Mount,
)
from twistdp.host import paths as trusted_paths
from twistdp.model.acceptance import NOTHING, Accepted, accept
from twistdp.scan.vetting import Vetting


class VettingTests(SynchronousTestCase):
    """`Vetting`, with the acceptance of trees."""

    def setUp(self) -> None:
        """Make a directory in which everybody may write, and one in which only we may."""
        self.bad, self.good = temporary_directory(self), temporary_directory(self)
        os.chmod(self.bad, 0o777)
        self.vetting = Vetting()
        self.accepted = NOTHING

    def scanned(self, *checked: str, **infos: Any) -> Accepted:
        """Return the accepted part of the next scan, whose scanner has checked some paths."""
        tree = DeviceTree()
        tree.add_devices("thing", infos)
        self.vetting.begin()
        refuse = partial(self.vetting.refused, checked=checked)
        self.accepted = accept(tree, self.accepted, refuse)
        return self.accepted

    def test_every_path(self) -> None:
        """Nodes, mounts, and those of CDI parts, with the hooks that run as root."""
        bad = f"{self.bad}/x"
        infos = {
            "node": DeviceInfo(HEALTHY, nodes=[DeviceSpec(bad, "/x")]),
            "mount": DeviceInfo(HEALTHY, mounts=[Mount(bad, "/x")]),
            **{
                f"cdi-{number}": DeviceInfo(HEALTHY, cdi=part)
                for number, part in enumerate(
                    [
                        CDIDevice(nodes=[CDINode(bad)]),
                        CDIDevice(nodes=[CDINode("/x", host_path=bad)]),
                        CDIDevice(mounts=[CDIMount(bad, "/x")]),
                        CDIDevice(hooks=[CDIHook("createRuntime", bad)]),
                    ]
                )
            },
        }
        good = {
            "good": DeviceInfo(
                HEALTHY,
                nodes=[DeviceSpec(f"{self.good}/x", "/x")],
                mounts=[Mount(f"{self.good}/y", "/y")],
                cdi=CDIDevice(mounts=[CDIMount("tmpfs", "/z", options=[], type="tmpfs")]),
            )
        }
        accepted = self.scanned(**infos, **good)
        self.assertEqual(resources(accepted), {"thing": good})
        self.assertEqual({refusal.device_id for refusal in accepted.refusals}, set(infos))
        for refusal in accepted.refusals:
            self.assertIn(f"others may write in {self.bad}", refusal.reason)
            self.assertIn("--check-paths=false", refusal.reason)

    def test_program_that_others_may_write(self) -> None:
        """Root runs a hook, so others may not write to its file."""
        path = f"{self.good}/hook"
        info = DeviceInfo(HEALTHY, cdi=CDIDevice(hooks=[CDIHook("createRuntime", path)]))
        self.assertIn("thing", self.scanned(a=info).resources)  # not installed yet
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o757)
        self.vetting, self.accepted = Vetting(), NOTHING
        (refusal,) = self.scanned(a=info).refusals
        self.assertIn("others may write to it", refusal.reason)

    def test_directory_changes(self) -> None:
        """A device that was accepted is left out when others may change its path, and back."""
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"{self.good}/x", "/x")])
        for mode, count in ((0o755, 0), (0o777, 1), (0o777, 1), (0o755, 0)):
            os.chmod(self.good, mode)
            accepted = self.scanned(a=info)
            self.assertEqual((len(accepted.refusals), len(resources(accepted))), (count, 1 - count))

    def test_checked_by_the_scanner(self) -> None:
        """Only the directories of such paths are looked at, unless others may write in them."""
        ours, theirs, other = f"{self.good}/link", f"{self.bad}/link", f"{self.good}/other"
        for path in (ours, theirs, other):
            os.symlink(self.bad, path)
        first = {"first": DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"{self.good}/x", "/x")])}
        self.scanned(**first)  # which looks at the directory
        infos = {
            **first,
            "node": DeviceInfo(HEALTHY, nodes=[DeviceSpec(ours, "/x")]),
            "mount": DeviceInfo(HEALTHY, mounts=[Mount(ours, "/x")]),
        }
        bad = {
            "theirs": DeviceInfo(HEALTHY, nodes=[DeviceSpec(theirs, "/x")]),
            "other": DeviceInfo(HEALTHY, nodes=[DeviceSpec(other, "/x")]),
        }
        accepted = self.scanned(ours, theirs, **infos, **bad)
        self.assertEqual(resources(accepted), {"thing": infos})
        os.chmod(self.good, 0o777)
        accepted = self.scanned(**infos)
        self.assertEqual(resources(accepted), {})

    def test_replaced_in_a_sticky_directory(self) -> None:
        """Others may replace a file that root removes there, also behind a link of ours.

        The device is the same as before, but checked again.
        """
        os.chmod(self.bad, 0o1777)
        file, link = f"{self.bad}/x", f"{self.good}/link"
        os.symlink(file, link)
        for path in (file, link):
            Path(file).touch()
            info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(path, "/x")])
            for count in (1, 1):
                self.assertEqual(len(resources(self.scanned(a=info))), count)
            os.remove(file)
            (refusal,) = self.scanned(a=info).refusals
            self.assertIn(f"{file} is missing", refusal.reason)

    def test_own_link_in_a_sticky_directory(self) -> None:
        """A link of ours that leads out of it could be another one too."""
        os.chmod(self.bad, 0o1777)
        link = f"{self.bad}/link"
        os.symlink("/dev/null", link)
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(link, "/x")])
        self.assertEqual(self.scanned(a=info).refusals, ())
        os.remove(link)
        self.assertEqual(len(self.scanned(a=info).refusals), 1)

    def test_more_directories_than_are_remembered(self) -> None:
        """A change in one of those that were forgotten is seen too."""
        self.patch(trusted_paths, "_MOST_PLACES", 8)
        directories = [f"{self.good}/{number}" for number in range(20)]
        for directory in directories:
            os.mkdir(directory)
        infos = {
            f"d{number}": DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"{directory}/x", "/x")])
            for number, directory in enumerate(directories)
        }
        self.assertEqual(self.scanned(**infos).refusals, ())
        os.chmod(directories[0], 0o777)
        (refusal,) = self.scanned(**infos).refusals
        self.assertEqual(refusal.device_id, "d0")

    def test_device_is_gone(self) -> None:
        """A refused device that is gone is not logged."""
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(f"{self.bad}/x", "/x")])
        self.assertEqual(len(self.scanned(a=info).refusals), 1)
        accepted = self.scanned()
        self.assertEqual((resources(accepted), accepted.refusals), ({}, ()))

    def test_no_device(self) -> None:
        """Anything but a device is refused for that."""
        (refusal,) = self.scanned(a=3).refusals
        self.assertIn("a device must be", refusal.reason)
