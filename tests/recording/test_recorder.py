"""Tests for `twistdp.recording.recorder` and `twistdp.recording.anonymous`."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.trees import host, named, recorded, tree
from twistdp.recording.anonymous import anonymous
from twistdp.recording.layout import lay_out
from twistdp.recording.recorder import ATTRIBUTES, record
from twistdp.recording.text import parse, write
from twistdp.select.access import MODE, Access, access
from twistdp.select.host import Host
from twistdp.select.ids import default_id
from twistdp.select.vocabulary import describe


class RecordTests(SynchronousTestCase):
    """`record`"""

    def test_replayed(self) -> None:
        """What was recorded and laid out again is the same host."""
        for name in ("twins", "camera", "cards", "nvme"):
            before = host(name)
            devices = parse(write(record(before)))
            root = f"{temporary_directory(self)}/root"
            lay_out(devices, root)
            after = Host(root)
            self.assertEqual(
                {each.path: each.properties for each in devices}.keys(),
                {each.path for each in recorded(name)},
            )
            for device in before.devices():
                other = after.device(device.syspath)
                assert other is not None
                self.assertEqual(describe(other), describe(device))
                self.assertEqual(default_id(other), default_id(device))
                if device.node is not None:
                    links = before.links_to(device.node)
                    self.assertEqual(after.links_to(device.node), links)

    def test_allowed_only(self) -> None:
        """Only attributes of the list are read: others can do something when they are read."""
        root = tree(self, "twins")
        device = named(Host(root), "1-3.1")
        with open(f"{device.path}/in_voltage0_raw", "w", encoding="ascii") as file:
            file.write("1")
        (found,) = [each for each in record(Host(root)) if each.path == device.syspath]
        self.assertIn("product", found.attributes)
        self.assertNotIn("in_voltage0_raw", found.attributes)
        self.assertFalse({"config", "resource0", "rescan", "reset", "remove"} & ATTRIBUTES)

    def test_odd_names(self) -> None:
        """Names that are no text, or forge a line of the format, are left out."""
        root = tree(self, "twins", udev=False)
        for entry in (b"\xff", b"a\nP: b", b"fine"):
            os.symlink(b"ttyUSB0", os.path.join(os.fsencode(f"{root}/dev"), entry))
        device = named(Host(root), "1-3.1")
        os.unlink(f"{device.path}/driver")
        os.symlink(b"../\xff", os.path.join(os.fsencode(device.path), b"driver"))
        os.mkdir(f"{device.path}/x\ny")
        for name in ("x\ny/uevent", "x\ny/subsystem"):
            with open(f"{device.path}/{name}", "w", encoding="ascii") as file:
                file.write("SUBSYSTEM=usb\n")
        devices = record(Host(root))
        self.assertEqual(parse(write(devices)), devices)
        (found,) = [each for each in devices if each.node == "ttyUSB0"]
        self.assertIn("fine", found.claims)
        write(devices).encode()

    def test_mediated(self) -> None:
        """Mediated devices are recorded with their type, and RDMA devices; they have no nodes."""
        root = temporary_directory(self)
        parent, types = "/devices/pci0000:00/0000:00:03.0", "mdev_supported_types"
        text = "".join(
            f"P: {parent}/{name}\nE: SUBSYSTEM={subsystem}\nL: mdev_type=../{types}/{name}\n\n"
            for name, subsystem in (("a", "mdev"), ("b", "mdev"), ("mlx5_0", "infiniband"))
        )
        lay_out(parse(f"{text}P: {parent}\nE: SUBSYSTEM=pci\nA: acpi_index=7\\n\n"), root)
        os.makedirs(f"{root}/sys{parent}/{types}/a")
        with open(f"{root}/sys{parent}/{types}/a/name", "w", encoding="ascii") as file:
            file.write("GRID T4-1Q\n")
        found = {each.name: each for each in parse(write(record(Host(root))))}
        self.assertEqual(set(found), {"a", "b", "mlx5_0", "0000:00:03.0"})
        self.assertEqual(found["0000:00:03.0"].attributes["acpi_index"], b"7\n")
        self.assertEqual(found["a"].attributes["mdev_type/name"], b"GRID T4-1Q\n")
        self.assertNotIn("mdev_type", found["a"].links)
        self.assertEqual(found["b"].links["mdev_type"], f"../{types}/b")

    def test_access(self) -> None:
        """Owner, group and mode of nodes are kept."""
        root = tree(self, "twins")
        os.chmod(f"{root}/dev/ttyUSB0", 0o620)
        found = {each.node: each for each in record(Host(root)) if each.node is not None}
        self.assertEqual(found["ttyUSB0"].properties[MODE], "0620")
        (kvm,) = [each for each in record(host("cards")) if each.node == "kvm"]
        self.assertEqual(kvm.properties["__DEVGROUP"], "kvm")
        self.assertEqual(access(named(host("cards"), "kvm")), Access("root", "kvm", 0o660))
        self.assertIsNone(access(named(host("cards"), "0000:00:02.0")))
        null = Host().of_node("/dev/null")
        assert null is not None
        self.assertEqual(access(null), Access("root", "root", 0o666, 0))

    def test_this_machine(self) -> None:
        """This machine can be recorded, and replayed with the same ids."""
        before = Host()
        root = f"{temporary_directory(self)}/root"
        lay_out(parse(write(record(before))), root)
        self.assertTrue(all(each.subsystem for each in record(before)))  # umockdev wants one
        # Devices come and go meanwhile; null and zero do not.
        for name in ("null", "zero"):
            one, other = before.of_node(f"/dev/{name}"), Host(root).of_node(f"/dev/{name}")
            assert one is not None
            assert other is not None
            self.assertEqual(describe(one), describe(other))


class AnonymousTests(SynchronousTestCase):
    """`anonymous`"""

    def test_replaced(self) -> None:
        """Serial numbers and MAC addresses are replaced everywhere, and placeholders stay."""
        for name, secrets in (
            ("camera", ("LC4400217", "02:00:00:aa:bb:cc", "020000aabbcc")),
            ("nvme", ("NVLAB000317", "00250300000004d2")),
        ):
            text = write(recorded(name))
            for secret in secrets:
                self.assertIn(secret, text)
            text = write(anonymous(recorded(name)))
            for secret in secrets:
                self.assertNotIn(secret, text)
        self.assertIn("serial=000001", write(anonymous(recorded("camera"))))

    def test_consistent(self) -> None:
        """Links still lead to the same devices, and ids have the same form."""
        root = f"{temporary_directory(self)}/root"
        lay_out(anonymous(recorded("camera")), root)
        subject = Host(root)
        before, after = named(host("camera"), "video2"), named(subject, "video2")
        self.assertEqual(len(default_id(before)), len(default_id(after)))
        self.assertNotEqual(default_id(before), default_id(after))
        assert after.node is not None
        serial = default_id(after).split("-")[2]
        self.assertIn(
            f"/dev/v4l/by-id/usb-Sonar_Lab_Camera_{serial}-video-index0",
            subject.links_to(after.node),
        )

    def test_left_out(self) -> None:
        """Names and UUIDs of file systems are left out."""
        (device,) = anonymous(
            parse(
                "P: /devices/a\nN: sda1\nS: disk/by-uuid/0123\nS: disk/by-id/x\n"
                "E: ID_FS_UUID=0123\nE: ID_FS_LABEL=home\nE: ID_FS_TYPE=ext4\nE: PARTNAME=data\n"
            )
        )
        self.assertEqual(device.claims, ("disk/by-id/x",))
        self.assertEqual(dict(device.properties), {"ID_FS_TYPE": "ext4"})

    def test_names_left_out(self) -> None:
        """So are the names of volumes and arrays, of which some have the host's name in them."""
        text = (
            "P: /devices/virtual/block/dm-0\nN: dm-0\nS: mapper/luks-0a1b\nS: vault/home\n"
            "S: disk/by-id/dm-name-luks-0a1b\nS: disk/by-id/dm-x\nE: DM_NAME=luks-0a1b\n"
            "E: DM_VG_NAME=vault\nE: DM_LV_NAME=home\nA: dm/name=luks-0a1b\\n\n\n"
            "P: /devices/virtual/block/md127\nN: md127\nS: md/castle:0\n"
            "S: disk/by-id/md-name-castle:0\nE: MD_NAME=castle:0\nE: MD_DEVNAME=castle:0\n"
            "E: UDISKS_MD_NAME=castle:0\n\n"
            "P: /devices/virtual/block/loop0\nN: loop0\nE: ID_LOOP_BACKING_FILENAME=/home/vault\n"
        )
        found = write(anonymous(parse(text)))
        for name in ("luks", "vault", "home", "castle"):
            self.assertIn(name, text)
            self.assertNotIn(name, found)
        self.assertIn("S: disk/by-id/dm-x\n", found)

    def test_ids_stay(self) -> None:
        """A serial number that looks like an id changes no ids."""
        (device,) = anonymous(
            parse(
                "P: /devices/a\nE: ID_SERIAL=x_6001\nE: ID_MODEL_ID=6001\nE: MINOR=6001\n"
                "A: idProduct=6001\\n\nA: serial=6001\\n\n"
            )
        )
        self.assertNotIn("6001", device.properties["ID_SERIAL"])
        self.assertNotIn(b"6001", device.attributes["serial"])
        self.assertEqual(device.attributes["idProduct"], b"6001\n")
        self.assertEqual(
            (device.properties["ID_MODEL_ID"], device.properties["MINOR"]), ("6001",) * 2
        )

    def test_beyond_ascii(self) -> None:
        """Serial numbers beyond ASCII are replaced too, and other bytes stay."""
        text = f"P: /devices/a\nA: serial=Nr é42\\n\nH: descriptors={'Nr é42'.encode().hex()}FF\n"
        (device,) = anonymous(parse(text))
        self.assertNotIn("é42", device.attributes["serial"].decode())
        self.assertNotIn("é42".encode(), device.attributes["descriptors"])
        self.assertTrue(device.attributes["descriptors"].endswith(b"\xff"))

    def test_addresses(self) -> None:
        """A MAC address is replaced wherever it stands; longer and zero ones are none."""
        text = (
            'P: /devices/a\nE: PHYS="a0:b1:c2:d3:e4:f5"\nE: GUID=01:02:03:04:05:06:07:08\n'
            "A: phys=a0:b1:c2:d3:e4:f5/input0\\n\nA: address=00:00:00:00:00:00\\n\n"
        )
        found = write(anonymous(parse(text)))
        self.assertEqual(found.count("02:00:00:00:00:00"), 2)
        for text in ("a0:b1", "A0:B1"):
            self.assertNotIn(text, found)
        self.assertIn("GUID=01:02:03:04:05:06:07:08", found)
        self.assertIn("address=00:00:00:00:00:00", found)
