"""Tests for `twistdp.doctor`: CDI specs, one fault each."""

import os

from tests.doctor.hosts import SPEC, HostCase
from twistdp.doctor import Severity


class SpecTests(HostCase):
    """Faults in the content of specs."""

    def test_twice(self) -> None:
        """Two files in one directory describe a device."""
        self.spec("/etc/cdi/other.yaml", SPEC)
        found = self.assert_finds(
            Severity.ERROR, "vendor.json and /etc/cdi/other.yaml|other.yaml and .*vendor.json"
        )
        self.assertIn("neither counts", found.meaning)

    def test_fatal(self) -> None:
        """A kind on which runtimes crash."""
        for kind in ("vendor.com/x", "v/card"):
            self.spec("/run/cdi/a.json", {**SPEC, "kind": kind})
            found = self.assert_finds(Severity.ERROR, f"a.json has the kind {kind}, of which one")
            self.assertIn("crash", found.meaning)

    def test_covered(self) -> None:
        """A spec that a plugin has written counts more than that of people."""
        self.spec("/run/cdi/vendor.json", SPEC)
        found = self.assert_finds(Severity.WARNING, "describe vendor.com/card=0$")
        self.assertTrue(found.meaning.startswith("/var/run/cdi/vendor.json counts"), found)

    def test_one_directory(self) -> None:
        """The same directory by two names has each spec once."""
        os.rmdir(self.at("/run/cdi"))
        os.symlink("../etc/cdi", self.at("/run/cdi"))
        self.assert_well("cdi-specs")

    def test_shared_kind(self) -> None:
        """Another program describes devices of a resource of twistdp's."""
        device = {"name": "x", "containerEdits": {}}
        self.spec("/run/cdi/twistdp.vendor.com_card.json", {**SPEC, "devices": [device]})
        self.assert_finds(Severity.WARNING, "are of one kind, vendor.com/card")

    def test_broken(self) -> None:
        """Specs that runtimes leave out."""
        for content, text in (
            ("{", "neither YAML nor JSON"),
            ("[]", "no CDI spec$"),
            ("{}", "no cdiVersion"),
            ('{"cdiVersion": "0.6.0", "kind": "card", "devices": []}', "not VENDOR/CLASS"),
            ('{"cdiVersion": "0.6.0", "kind": "a.b/c", "devices": {}}', "no list of devices"),
            ('{"cdiVersion": "0.6.0", "kind": "a.b/c", "devices": [{"name": "x"}, {"name": "x"}]}',
             "has the device 'x' twice"),
        ):  # fmt: skip
            self.write("/run/cdi/a.json", content)
            self.assert_finds(Severity.WARNING, f"/run/cdi/a.json: .*{text}")
        self.write("/run/cdi/a.json", "")
        self.remove("/run/cdi/a.json")
        self.write("/run/cdi/a.txt", "not read")
        self.assert_well()

    def test_gone(self) -> None:
        """A node or a hook that is not there any more."""
        self.remove("/dev/card0")
        self.assert_finds(Severity.WARNING, r"vendor.json \(vendor.com/card\) names /dev/card0, wh")
        self.write("/dev/card0")
        hooks = {"hooks": [{"hookName": "poststop", "path": "/usr/bin/reset"}]}
        self.spec("/etc/cdi/vendor.json", {**SPEC, "containerEdits": hooks})
        self.assert_finds(Severity.WARNING, "names /usr/bin/reset, which is not there")

    def test_given(self) -> None:
        """A node whose numbers the spec gives, or that is elsewhere on the host, may be missing."""
        nodes = [
            {"path": "/dev/a", "type": "c", "major": 1, "minor": 3},
            {"path": "/dev/b", "hostPath": "/dev/card0"},
        ]
        devices = [{"name": "0", "containerEdits": {"deviceNodes": nodes}}]
        self.spec("/etc/cdi/vendor.json", {**SPEC, "devices": devices})
        self.assert_well()

    def test_odd_edits(self) -> None:
        """Edits of a wrong type do not make the check fail."""
        for edits in (3, {"deviceNodes": 3}, {"deviceNodes": [3], "hooks": [None]}):
            devices = [{"name": "0", "containerEdits": edits}]
            self.spec("/etc/cdi/vendor.json", {**SPEC, "devices": devices})
            self.assert_well()


class PlaceTests(HostCase):
    """Where the specs are."""

    def test_open(self) -> None:
        """Everybody may write hooks that root runs."""
        os.chmod(self.at("/run/cdi"), 0o777)
        found = self.assert_finds(Severity.ERROR, "other users may write in /var/run/cdi")
        self.assertIn("run programs as root", found.meaning)

    def test_on_disk(self) -> None:
        """Specs on a disk outlive a reboot."""
        self.write("/proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
        self.assert_finds(Severity.WARNING, "/var/run/cdi is on ext4")
        os.rmdir(self.at("/run/cdi"))
        self.assert_finds(Severity.INFO, "/var/run/cdi is on ext4")
        self.remove("/proc/1/mountinfo")
        self.assert_well()

    def test_static(self) -> None:
        """A plugin writes where people do."""
        path = "/etc/cdi/twistdp.lab.example.com_camera.json"
        self.spec(path, {**SPEC, "kind": "lab.example.com/camera"})
        self.assert_finds(Severity.WARNING, f"a plugin of twistdp has written {path}")
