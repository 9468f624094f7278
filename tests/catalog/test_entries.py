"""Tests for the entries of the catalogue: exactly what each yields on a tree of a host."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import indent

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import FAST
from twistdp.catalog.loading import chosen, load
from twistdp.catalog.shelf import Shelf
from twistdp.health.program import Run, of_command
from twistdp.health.values import Command
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceTree, Mount
from twistdp.recording.layout import lay_out
from twistdp.recording.recorder import record
from twistdp.recording.root import read_recording
from twistdp.recording.text import Recorded
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.select.host import Host

TREES = os.path.join(os.path.dirname(__file__), "trees")

BY_ID, BY_PATH = "/dev/serial/by-id", "/dev/serial/by-path"
USB = "pci-0000:00:14.0-usbv2-0"
SONOFF, SONOFF_LINK = "10c4-ea60-6a1e00f2ab12ed11-if00-port0", (
    f"{BY_ID}/usb-ITead_Sonoff_Zigbee_6a1e00f2ab12ed11-if00-port0"
)  # fmt: skip
ARDUINO, ARDUINO_LINK = "2341-0043-9500000000351B0F1234-if00-tty", (
    f"{BY_ID}/usb-Arduino_0043_9500000000351B0F1234-if00"
)  # fmt: skip
CONBEE, CONBEE_LINK = (
    "1cf1-0030-DE2400777-if00-tty",
    f"{BY_ID}/usb-dresden_ConBee_II_DE2400777-if00",
)
BRIO = "046d-085e-5D7AEX11"
VIDEO = "/dev/v4l/by-id/usb-Logitech_BRIO_5D7AEX11-video-index0 as /dev/video0"
MICROPHONE = (
    "/dev/snd/by-id/usb-Logitech_BRIO_5D7AEX11-02 as /dev/snd/controlC1",
    "/dev/snd/pcmC1D0c",
)
ALSA = ("/dev/snd/timer", "/dev/snd/seq")
VFIO = "/dev/vfio/vfio"


def gpu(address: str, number: int) -> list[str]:
    """The nodes of an Intel GPU."""
    base = f"/dev/dri/by-path/pci-{address}"
    return [f"{base}-card as /dev/dri/card{number}",
            f"{base}-render as /dev/dri/renderD{128 + number}"]  # fmt: skip


def queue(kind: str, name: str, minor: int) -> list[str]:
    """The nodes of a work queue."""
    return [f"/dev/{kind}/{name}", f"/dev/{kind}/{name} as /dev/char/235:{minor}"]


YIELDS: Mapping[str, tuple[str, Mapping[str, Mapping[str, list[str]]]]] = {
    "kvm": ("misc", {"kvm": {"kvm x 110": ["/dev/kvm"]}}),
    "fuse": ("misc", {"fuse": {"fuse x 110": ["/dev/fuse"]}}),
    "tun": ("misc", {"tun": {"net_tun x 110": ["/dev/net/tun"]}}),
    "vhost": ("misc", {
        "vhost-net": {"vhost-net x 110": ["/dev/vhost-net"]},
        "vhost-vsock": {"vhost-vsock x 110": ["/dev/vhost-vsock"]},
    }),
    "loop": ("misc", {"loop": {
        "loop0": ["/dev/loop0", "/dev/loop-control"],
        "loop1": ["/dev/loop1", "/dev/loop-control"],
    }}),
    "tpm": ("misc", {"tpm": {"pnp-00:05-tpmrm x 10": ["/dev/tpmrm0"]}}),
    "watchdog": ("misc", {"watchdog": {"platform-iTCO_wdt-watchdog": ["/dev/watchdog0"]}}),
    "tty-usb": ("serial", {"tty-usb": {
        f"{USB}:1-if00-port0": [f"{BY_PATH}/pci-0000:00:14.0-usb-0:1:1.0-port0 as /dev/ttyUSB0"],
        SONOFF: [f"{SONOFF_LINK} as /dev/ttyUSB1"],
        "10c4-8a2a-C130EX01-if00-port0": ["/dev/ttyUSB2"],
        "10c4-8a2a-C130EX01-if01-port0": ["/dev/ttyUSB3"],
    }}),
    "tty-acm": ("serial", {"tty-acm": {
        ARDUINO: [f"{ARDUINO_LINK} as /dev/ttyACM0"],
        CONBEE: [f"{CONBEE_LINK} as /dev/ttyACM1"],
        f"{USB}:5-if00-tty": [f"{BY_PATH}/pci-0000:00:14.0-usb-0:5:1.0 as /dev/ttyACM2"],
    }}),
    "tty-by-id": ("serial", {"tty-by-id": {
        f"{USB}:5-if00-tty": [f"{BY_ID}/usb-0658_0200-if00"],
        ARDUINO: [ARDUINO_LINK],
        SONOFF: [SONOFF_LINK],
        f"{USB}:1-if00-port0": [f"{BY_ID}/usb-Silicon_Labs_CP2102_0001-if00-port0"],
        CONBEE: [CONBEE_LINK],
    }}),
    "zigbee": ("serial", {"zigbee": {
        SONOFF: [f"{SONOFF_LINK} as /dev/ttyUSB1"],
        CONBEE: [f"{CONBEE_LINK} as /dev/ttyACM1"],
        "10c4-8a2a-C130EX01-if01-port0": ["/dev/ttyUSB3"],
    }}),
    "z-wave": ("serial", {"z-wave": {
        f"{USB}:5-if00-tty": [f"{BY_PATH}/pci-0000:00:14.0-usb-0:5:1.0 as /dev/ttyACM2"],
        "10c4-8a2a-C130EX01-if00-port0": ["/dev/ttyUSB2"],
    }}),
    "video4linux": ("media", {"video4linux": {
        f"{BRIO}-if00-video-index0": [VIDEO],
        "platform-capture-video-index0": ["/dev/video9"],
    }}),
    "camera": ("media", {"camera": {BRIO: [VIDEO, *MICROPHONE, "/dev/media0"]}}),
    "snd": ("media", {"snd": {
        "0000:00:1f.3": ["/dev/snd/by-path/pci-0000:00:1f.3 as /dev/snd/controlC0",
                         "/dev/snd/pcmC0D0p", *ALSA],
        f"{BRIO}-if02": [*MICROPHONE, *ALSA],
    }}),
    "input": ("usb", {"input": {f"{USB}:3-if00-event": ["/dev/input/event3"]}}),
    "hidraw": ("usb", {"hidraw": {
        f"{USB}:1-if01-hidraw": ["/dev/hidraw1"],
        f"{USB}:3-if00-hidraw": ["/dev/hidraw3"],
    }}),
    "fido": ("usb", {"fido": {f"{USB}:1-if01-hidraw": ["/dev/hidraw1"]}}),
    "yubikey": ("usb", {"yubikey": {f"{USB}:1": ["/dev/bus/usb/001/002"]}}),
    "smart-card": ("usb", {"smart-card": {
        f"{USB}:1": ["/dev/bus/usb/001/002"],
        f"{USB}:4": ["/dev/bus/usb/001/005"],
    }}),
    "printer": ("usb", {"printer": {"04f9-0062-U0000EX00042": ["/dev/bus/usb/001/006"]}}),
    "rtl-sdr": ("usb", {"rtl-sdr": {
        f"{USB}:6": ["/dev/bus/usb/001/007"],
        f"{USB}:7": ["/dev/bus/usb/001/008"],
    }}),
    "coral-usb": ("coral", {"coral-usb": {
        "coral-pci-0000:00:14.0-usbv3-0:1": ["/dev/bus/usb/002/003"],
    }}),
    "i2c": ("board", {"i2c": {"platform-fe804000.i2c-i2c": ["/dev/i2c-1"]}}),
    "spi": ("board", {"spi": {"spi-spi0.0-spidev.0": ["/dev/spidev0.0"]}}),
    "gpio": ("board", {"gpio": {"platform-fe200000.gpio-gpiochip": ["/dev/gpiochip0"]}}),
    "iio": ("board", {"iio": {"i2c-1-0076-iio:device": ["/dev/iio:device0"]}}),
    "coral-pci": ("accelerators", {"coral-pci": {
        "0000:06:00.0-apex": ["/dev/apex_0"],
        "0000:07:00.0-apex": ["/dev/apex_1"],
    }}),
    "hailo": ("accelerators", {"hailo": {"0000:04:00.0-hailo": ["/dev/hailo0"]}}),
    "vfio": ("vfio", {"vfio": {
        "0000:01:00.0": ["/dev/vfio/2", VFIO],
        "0000:00:19.0": ["/dev/vfio/17", VFIO],
        "0000:00:1b.0": ["/dev/vfio/noiommu-19", VFIO],
    }}),
    "intel-gpu": ("intel-gpu", {
        "i915": {"0000:00:02.0": gpu("0000:00:02.0", 0), "0000:03:00.0": gpu("0000:03:00.0", 1)},
        "xe": {"0000:04:00.1": gpu("0000:04:00.1", 3)},
    }),
    "intel-gpu-monitoring": ("intel-gpu", {"monitoring": {"all": [
        *gpu("0000:00:02.0", 0), *gpu("0000:03:00.0", 1), *gpu("0000:04:00.1", 3), "/dev/mei1",
    ]}}),
    "intel-gpu-monitoring-split": ("intel-gpu", {
        "i915_monitoring": {"all": [
            *gpu("0000:00:02.0", 0), *gpu("0000:03:00.0", 1), "/dev/mei1",
        ]},
        "xe_monitoring": {"all": gpu("0000:04:00.1", 3)},
    }),
    "intel-gpu-wsl": ("intel-gpu", {"dxg": {"dxg": ["/dev/dxg"]}}),
    "intel-npu": ("intel-npu", {"accel": {
        "0000:00:0b.0-accel": ["/dev/accel/accel0"],
        "0000:08:00.0-accel": ["/dev/accel/accel2"],
    }}),
    "intel-sgx": ("intel-sgx", {
        "enclave": {"sgx-enclave x 110": ["/dev/sgx_enclave"]},
        "provision": {"sgx-provision x 110": ["/dev/sgx_provision"]},
    }),
    "intel-sgx-dcap": ("intel-sgx", {
        kind: {f"{kind}-1": ["/dev/sgx_enclave", "/dev/sgx_provision"]}
        for kind in ("qe", "registration")
    }),
    "intel-dsa": ("intel-idxd", {
        "wq-user-shared": {"0000:6a:01.0-wq.0": queue("dsa", "wq0.0", 0)},
        "wq-user-dedicated": {"0000:6a:01.0-wq.1": queue("dsa", "wq0.1", 1)},
        "wq-kernel-dedicated": {"0000:6a:01.0-wq.3": []},
    }),
    "intel-iaa": ("intel-idxd", {
        "wq-user-shared": {"0000:6a:02.0-wq.0": queue("iax", "wq1.0", 2)},
        "wq-user-dedicated": {"0000:6a:02.0-wq.1": queue("iax", "wq1.1", 3)},
        "wq-kernel-dedicated": {"0000:6a:02.0-wq.3": []},
    }),
    "intel-dsa-vfio": ("intel-idxd", {"vfio": {"0000:6f:01.0": ["/dev/vfio/30", VFIO]}}),
    "intel-iaa-vfio": ("intel-idxd", {"vfio": {"0000:6f:02.0": ["/dev/vfio/31", VFIO]}}),
    "intel-dlb": ("intel-dlb", {
        "pf": {"0000:6c:00.0-dlb": ["/dev/dlb0"]},
        "vf": {"0000:6d:00.1-dlb": ["/dev/dlb2"]},
    }),
    "intel-qat": ("intel-qat", {
        "cy": {"0000:6b:00.1": ["/dev/vfio/40", VFIO]},
        "dc": {"0000:6c:00.1": ["/dev/vfio/42", VFIO], "0000:6c:00.2": ["/dev/vfio/43", VFIO]},
        "decomp": {"0000:6f:00.1": ["/dev/vfio/48", VFIO], "0000:6f:00.2": ["/dev/vfio/49", VFIO]},
        "sym-dc": {"0000:70:00.1": ["/dev/vfio/50", VFIO], "0000:70:00.2": ["/dev/vfio/51", VFIO]},
    }),
    "intel-qat-uio": ("intel-qat-uio", {"generic": {"0000:6b:00.1-uio": ["/dev/uio0"]}}),
}  # fmt: skip
"""For each entry: the tree, and what `--catalog` lists there, by type and id."""

USED: Mapping[str, tuple[str, str, Mapping[str, list[str]]]] = {
    "nvme": ("storage", '{use: nvme, modelName: "SAMSUNG MZQL2*"}', {
        "eui.36344730520000000025384500000001": [
            "/dev/disk/by-id/nvme-SAMSUNG_S64GEX0R100001 as /dev/nvme0n1"
        ],
    }),
    "block": ("storage", '{use: block, modelName: "ST16000NM*"}', {
        "t10.ATA_ST16000NM000J-2TW103_ZREX0001": [
            "/dev/disk/by-path/pci-0000:00:17.0-ata-1 as /dev/sda"
        ],
    }),
}  # fmt: skip
"""Entries that say too little alone, with what was added."""


def laid_out(devices: Iterable[Recorded]) -> str:
    """The directory in which devices are laid out."""
    directory = tempfile.mkdtemp(prefix="twistdp-tree-", dir=FAST)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    lay_out(devices, directory)
    os.makedirs(os.path.join(directory, "usr/lib/wsl"))
    return directory


def page_on_intel(head: str) -> str:
    """The first YAML below a headline of the page on Intel's plugins."""
    page = (Path(__file__).parents[2] / "docs" / "intel.md").read_text("utf-8")
    return page.partition(f"{head}\n")[2].partition("```yaml\n")[2].partition("```")[0]


OPTIONS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("misc", "{use: kvm, replicas: 2}", ["kvm x 2"]),
    ("misc", "{use: vhost/vhost-vsock, replicas: 3}", ["vhost-vsock x 3"]),
    ("misc", '{use: loop, attribute: {loop/backing_file: "/srv/images/*"}}', ["loop0"]),
    ("misc", "{use: loop, deny: loop0}", ["loop1"]),
    ("misc", "{use: tpm, subsystem: tpm, replicas: 1}", ["pnp-00:05-tpm"]),
    ("misc", "{use: watchdog, kernelName: watchdog1}", []),
    ("serial", '{use: tty-usb, usb: "10c4:8a2a"}', [
        "10c4-8a2a-C130EX01-if00-port0", "10c4-8a2a-C130EX01-if01-port0",
    ]),
    ("serial", "{use: tty-usb, serial: 6a1e00f2ab12ed11}", [SONOFF]),
    ("serial", '{use: tty-acm, usb: "2341:*"}', [ARDUINO]),
    ("serial", "{use: tty-by-id, path: /dev/serial/by-id/usb-Arduino_*}", [ARDUINO]),
    ("serial", "{use: zigbee, serial: DE2400777}", [CONBEE]),
    ("media", '{use: camera, usb: "0000:*"}', []),
    ("media", "{use: video4linux, kernelName: video9}", ["platform-capture-video-index0"]),
    ("media", '{use: snd, pciClass: "04*"}', ["0000:00:1f.3"]),
    ("media", '{use: snd, usb: "046d:*"}', [f"{BRIO}-if02"]),
    ("usb", '{use: fido, usb: "1050:*"}', [f"{USB}:1-if01-hidraw"]),
    ("usb", '{use: input, usb: "046d:c31c"}', [f"{USB}:2-if00-event"]),
    ("usb", '{use: smart-card, usb: "08e6:3437"}', [f"{USB}:4"]),
    ("usb", "{use: printer, as: printer}", ["04f9-0062-U0000EX00042-if00-lp"]),
    ("board", "{use: i2c, kernelName: i2c-0}", []),
    ("board", "{use: i2c, parent: {driver: i2c-bcm2835}}", ["platform-fe804000.i2c-i2c"]),
    ("board", "{use: gpio, parent: {driver: pinctrl-bcm2835}}", [
        "platform-fe200000.gpio-gpiochip",
    ]),
    ("board", "{use: iio, modelName: bme280}", ["i2c-1-0076-iio:device"]),
    ("accelerators", '{use: hailo, pci: "1e60:45c4"}', []),
    ("storage", "{use: nvme, serial: S64GEX0R100001}", [
        "eui.36344730520000000025384500000001",
    ]),
    ("storage", "{use: nvme, allow: '0000:02:00.0'}", ["eui.36344730520000000025384500000001"]),
    ("storage", "{use: block, path: /dev/disk/by-path/*-ata-*}", [
        "t10.ATA_ST16000NM000J-2TW103_ZREX0001",
    ]),
    ("vfio", '{use: vfio, pci: "10de:2230"}', ["0000:01:00.0"]),
    ("intel-gpu", "{use: intel-gpu/xe, replicas: 2}", ["0000:04:00.1 x 2"]),
    ("intel-npu", "{use: intel-npu, replicas: 4}", [
        "0000:00:0b.0-accel x 4", "0000:08:00.0-accel x 4",
    ]),
    ("intel-idxd", "{use: intel-dsa/wq-user-shared, replicas: 3}", ["0000:6a:01.0-wq.0 x 3"]),
    ("intel-idxd", "{use: intel-dsa/wq-kernel-dedicated}", ["0000:6a:01.0-wq.3"]),
    ("intel-idxd", "{use: intel-dsa/wq-kernel-shared}", []),
    ("intel-qat", "{use: intel-qat, limit: 2}", ["0000:6b:00.1", "0000:6c:00.1"]),
    ("intel-qat", '{use: intel-qat/generic, pci: "8086:37c9"}', ["0000:6e:00.1", "0000:6e:00.2"]),
    ("intel-qat", "{use: intel-qat, qatServices: [decomp, dc-sym]}", [
        "0000:6f:00.1", "0000:6f:00.2", "0000:70:00.1", "0000:70:00.2",
    ]),
    ("intel-qat-uio", "{use: intel-qat-uio, qatServices: dc}", ["0000:6b:00.1-uio"]),
    ("intel-qat-uio", "{use: intel-qat-uio, qatServices: cy}", []),
)  # fmt: skip
"""Entries with one of their options: the tree, the resource, and the ids that are listed."""


@cache
def root(name: str) -> str:
    """The directory in which a tree of this package is laid out."""
    return laid_out(read_recording(os.path.join(TREES, f"{name}.umockdev")))


@cache
def recorded_root(name: str) -> str:
    """The same tree after it was recorded, as ``twistdp record`` does, and laid out again."""
    return laid_out(record(Host(root(name))))


def served(name: str, tree: str, where: Callable[[str], str] = root) -> DeviceTree:
    """What `--catalog` of an entry lists on a tree."""
    (config,) = chosen([name], "x.example.com").values()
    return DeclaredScanner(config.resources, where(tree)).discover()


def used(text: str, tree: str) -> DeviceTree:
    """What a resource ``thing`` of a file lists on a tree."""
    config = load(f"domain: x.example.com\nresources:\n  thing: {text}\n")
    return DeclaredScanner(config.resources, root(tree)).discover()


def listed(tree: DeviceTree) -> dict[str, dict[str, list[str]]]:
    """The nodes of the devices of a tree by type and id; replicas as ``ID x COUNT``."""
    found: dict[str, dict[str, list[str]]] = {}
    for kind in tree:
        groups: dict[str, list[str]] = {}
        for id_, info in tree[kind].items():
            base = id_.rpartition("-")[0]
            groups.setdefault(base if base == info.group else id_, []).append(id_)
        for name, ids in groups.items():
            first, *others = (tree[kind][id_].nodes for id_ in ids)
            assert all(each == first for each in others)
            assert len(ids) == 1 or ids == [f"{name}-{count}" for count in range(len(ids))]
            shown = [
                each.host_path
                if each.host_path == each.container_path
                else f"{each.host_path} as {each.container_path}"
                for each in first
            ]
            found.setdefault(kind, {})[name if len(ids) == 1 else f"{name} x {len(ids)}"] = shown
    return found


class EntryTests(SynchronousTestCase):
    """What each entry yields."""

    maxDiff = None

    def test_each_is_tested(self) -> None:
        """No entry is without an expectation."""
        shelf = Shelf()
        scanners = {name for name in shelf.entries if shelf.entry(name).resource is None}
        self.assertEqual({*YIELDS, *USED, *scanners}, set(shelf.entries))
        self.assertEqual(scanners, {"intel-fpga"})

    def test_yields(self) -> None:
        """Each entry, served as it is, lists what its tree has, and nothing else."""
        for name, (tree, wanted) in YIELDS.items():
            with self.subTest(name):
                self.assertEqual(listed(served(name, tree)), wanted)

    def test_recorded(self) -> None:
        """A recording of the host has all that the entries look at."""
        for name, (tree, wanted) in YIELDS.items():
            with self.subTest(name):
                self.assertEqual(listed(served(name, tree, recorded_root)), wanted)

    def test_used(self) -> None:
        """Entries that select too much alone list what was added to them."""
        for name, (tree, text, wanted) in USED.items():
            with self.subTest(name):
                self.assertEqual(listed(used(text, tree)), {"thing": wanted})

    def test_options(self) -> None:
        """What an entry says about its options holds."""
        for tree, text, wanted in OPTIONS:
            with self.subTest(text):
                self.assertEqual([*listed(used(text, tree)).get("thing", {})], wanted)

    def test_no_such_device(self) -> None:
        """On a node without such devices no entry lists any, and none fails."""
        for name in YIELDS:
            with self.subTest(name):
                self.assertEqual(listed(served(name, "storage")), {})

    def test_coral_loaded(self) -> None:
        """A Coral accelerator whose firmware is loaded keeps its id, with another node."""
        (before,) = listed(served("coral-usb", "coral"))["coral-usb"]
        ((after, nodes),) = listed(served("coral-usb", "coral-loaded"))["coral-usb"].items()
        self.assertEqual(after, before)
        self.assertEqual(nodes, ["/dev/bus/usb/002/004"])

    def test_keyboard_that_is_meant(self) -> None:
        """A keyboard is given to those who select it."""
        wanted = {f"{USB}:2-if00-hidraw": ["/dev/hidraw2"]}
        self.assertEqual(listed(used('{use: hidraw, usb: "046d:c31c"}', "usb")), {"thing": wanted})

    def test_gpu_mounts(self) -> None:
        """A GPU's links in by-path are mounted; an empty list leaves them away."""
        (info, *_) = served("intel-gpu", "intel-gpu")["i915"].values()
        self.assertEqual(
            [(each.host_path, each.read_only) for each in info.mounts],
            [(f"/dev/dri/by-path/pci-0000:00:02.0-{end}", True) for end in ("card", "render")],
        )
        (info, *_) = used("{use: intel-gpu, mounts: []}", "intel-gpu")["thing"].values()
        self.assertEqual(list(info.mounts), [])
        text = "{use: intel-gpu, mounts: [{hostPath: /dev/dri/by-path, readOnly: true}]}"
        (info, *_) = used(text, "intel-gpu")["thing"].values()
        self.assertEqual([*info.mounts], [Mount("/dev/dri/by-path", "/dev/dri/by-path", True)])

    def test_gpu_by_cdi(self) -> None:
        """The CDI device of a GPU has its nodes and mounts, as the page on Intel's plugins says."""
        config = load(page_on_intel("## GPUs by CDI"))
        found = DeclaredScanner(config.resources, root("intel-gpu")).discover()
        self.assertEqual(listed(found), YIELDS["intel-gpu"][1])
        for info in (info for kind in found for info in found[kind].values()):
            assert info.cdi is not None
            self.assertEqual(
                [(each.host_path, each.path, each.permissions) for each in info.cdi.nodes],
                [(each.host_path, each.container_path, "rw") for each in info.nodes],
            )
            self.assertEqual(
                [(each.host_path, each.container_path) for each in info.cdi.mounts],
                [(each.host_path, each.container_path) for each in info.mounts],
            )
            self.assertEqual(len(info.mounts), 2)
        (info,) = found["xe"].values()
        assert info.cdi is not None
        self.assertEqual([*info.cdi.additional_gids], [44])

    def test_gpu_of_both_drivers(self) -> None:
        """`use` means the cards of both drivers; allow and deny lists choose among them."""
        for keys, wanted in (
            ("", ["0000:00:02.0", "0000:03:00.0", "0000:04:00.1"]),
            (", allow: 56c0", ["0000:03:00.0"]),
            (', deny: "0x56c0"', ["0000:00:02.0", "0000:04:00.1"]),
            (", not: {pciBusID: '0000:00:02.0'}", ["0000:03:00.0", "0000:04:00.1"]),
            (", replicas: 2", ["0000:00:02.0 x 2", "0000:03:00.0 x 2", "0000:04:00.1 x 2"]),
        ):
            found = listed(used(f"{{use: intel-gpu{keys}}}", "intel-gpu"))["thing"]
            self.assertEqual(list(found), wanted, keys)

    def test_numa(self) -> None:
        """The NUMA node is that of the hardware; those for all hardware have none."""
        for name, tree, kind, wanted in (
            ("intel-gpu", "intel-gpu", "xe", (1,)),
            ("intel-gpu-monitoring", "intel-gpu", "monitoring", None),
            ("intel-iaa", "intel-idxd", "wq-user-shared", (1,)),
            ("intel-sgx", "intel-sgx", "enclave", None),
        ):
            (info, *_) = served(name, tree)[kind].values()
            self.assertEqual(info.topology, wanted, name)

    def test_permissions(self) -> None:
        """Intel's nodes can be read and written, as Intel's plugins give them."""
        for name, (tree, _) in YIELDS.items():
            if name.startswith("intel-"):
                found = served(name, tree)
                nodes = [node for kind in found for each in found[kind].values()
                         for node in each.nodes]  # fmt: skip
                self.assertEqual({node.permissions for node in nodes}, {"rw"}, name)

    def test_npu_of_another_driver(self) -> None:
        """A new model is listed, and a unit of another driver is explained."""
        (config,) = chosen(["intel-npu"]).values()
        scanner = DeclaredScanner(config.resources, root("intel-npu"))
        scanner.discover()
        (each,) = scanner.explain()
        reasons = {step.what: step.reason for step in each.steps}
        self.assertIn("listed as accel", reasons["/dev/accel/accel2"])
        self.assertRegex(reasons["/dev/accel/accel3"], "other_vpu, the rule wants intel_vpu")

    def test_cards(self) -> None:
        """Virtual functions are parts of their physical one, for the policies."""
        found = served("intel-qat", "intel-qat")
        self.assertEqual({each.group for each in found["dc"].values()}, {"0000:6c:00.0"})
        found = served("intel-gpu", "intel-gpu")
        self.assertEqual({each.group for each in found["i915"].values()}, {None})

    def test_uio_mount(self) -> None:
        """A uio device comes with its directory in sysfs."""
        (info,) = served("intel-qat-uio", "intel-qat-uio")["generic"].values()
        self.assertEqual([each.host_path for each in info.mounts], ["/sys/class/uio/uio0/device"])

    def test_heartbeat(self) -> None:
        """A QAT function is unhealthy once the physical one has no heartbeat, if that is known."""
        tree = laid_out(read_recording(os.path.join(TREES, "intel-qat.umockdev")))
        status = os.path.join(tree, "sys/kernel/debug/qat_4xxx_0000:6b:00.0/heartbeat/status")
        os.makedirs(os.path.dirname(status))
        for text, wanted in (("", HEALTHY), ("0\n", HEALTHY), ("-1\n", UNHEALTHY)):
            if text:
                with open(status, "w", encoding="ascii") as file:
                    file.write(text)
            found = served("intel-qat", "", lambda _: tree)
            (info,) = found["cy"].values()
            self.assertEqual(info.state, wanted, text)
            self.assertEqual({each.state for each in found["dc"].values()}, {HEALTHY})
        self.assertIn("no heartbeat", info.reason)

    def gpus(
        self, head: str, attributes: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, DeviceInfo]:
        """The GPUs of the resources below a headline of the page on Intel's plugins, by address.

        `attributes` are those of their PCI functions, by address and name.
        """
        config = load(f"domain: gpu.intel.com\nresources:\n{indent(page_on_intel(head), '  ')}")
        tree = laid_out(read_recording(os.path.join(TREES, "intel-gpu.umockdev")))
        for address, texts in attributes.items():
            for name, text in texts.items():
                path = os.path.join(tree, "sys/devices/pci0000:00", address, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
        found = DeclaredScanner(config.resources, tree).discover()
        return {id_: info for kind in found for id_, info in found[kind].items()}

    def test_gpu_temperatures(self) -> None:
        """A GPU that is too hot is unhealthy, and so is one whose temperature cannot be read."""
        for xe, reason in (
            ({"temp2_input": "100000\n", "temp3_input": "95000\n"}, ""),
            ({"temp2_input": "55000\n", "temp3_input": "95500\n"}, "the memory is too hot: "),
            ({"temp3_input": "40000\n"}, "too hot: there is no attribute hwmon/hwmon*/temp2_input"),
        ):
            found = self.gpus("### Temperatures", {
                "0000:00:02.0": {"hwmon/hwmon7/temp1_input": "55000\n"},
                "0000:03:00.0": {"hwmon/hwmon7/temp1_input": "101000\n"},
                "0000:04:00.1": {f"hwmon/hwmon3/{name}": text for name, text in xe.items()},
            })  # fmt: skip
            self.assertEqual(
                {id_: info.state for id_, info in found.items()},
                {
                    "0000:00:02.0": HEALTHY,
                    "0000:03:00.0": UNHEALTHY,
                    "0000:04:00.1": UNHEALTHY if reason else HEALTHY,
                },
            )
            self.assertIn("too hot: attribute hwmon/hwmon*/temp1_input is 101000",
                          found["0000:03:00.0"].reason)  # fmt: skip
            self.assertIn(reason, found["0000:04:00.1"].reason)

    def test_gpu_errors(self) -> None:
        """A GPU whose bus has had a fatal error is unhealthy."""
        for count, state in ((0, HEALTHY), (1, UNHEALTHY), (10, UNHEALTHY)):
            text = f"Undefined 0\nDLP {count}\nTLP 0\nTOTAL_ERR_FATAL {count}\n"
            found = self.gpus("### Errors of the bus", {"0000:03:00.0": {"aer_dev_fatal": text}})
            self.assertEqual({id_: info.state for id_, info in found.items()},
                             {"0000:03:00.0": state})  # fmt: skip

    def test_gpu_program(self) -> None:
        """A program is given the address of the GPU, and its status decides."""
        text = page_on_intel("### A program")
        config = load(f"domain: gpu.intel.com\nresources:\n{indent(text, '  ')}")
        ((check,),) = (each.health for each in config.resources.values())
        made = check.made({"pciBusID": "0000:04:00.1"}, "/sys/devices/x", "")
        assert isinstance(made, Command)
        self.assertEqual([*made.command], ["/usr/local/bin/gpu-is-healthy", "0000:04:00.1"])
        program = os.path.join(laid_out([]), "gpu-is-healthy")
        with open(program, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\necho "$1 has failed"; test "$1" = 0000:03:00.0\n')
        os.chmod(program, 0o755)
        good, bad = (
            of_command(attrs.evolve(made, command=[program, address]), Run())
            for address in ("0000:03:00.0", "0000:04:00.1")
        )
        self.assertEqual(good, "")
        self.assertIn("0000:04:00.1 has failed", bad)

    def test_coral_health(self) -> None:
        """An accelerator that its driver calls dead is unhealthy."""
        found = served("coral-pci", "accelerators")["coral-pci"]
        self.assertEqual([each.state for each in found.values()], [HEALTHY, UNHEALTHY])

    def test_efivars(self) -> None:
        """The registration of SGX platforms gets the firmware's variables by CDI."""
        (info,) = served("intel-sgx-dcap", "intel-sgx")["registration"].values()
        assert info.cdi is not None
        (mount,) = info.cdi.mounts
        self.assertEqual((mount.host_path, mount.container_path, mount.type),
                         ("efivarfs", "/run/efivars", "efivarfs"))  # fmt: skip

    def test_mode_of_queues(self) -> None:
        """`use` of work queues means both modes."""
        found = listed(used("{use: intel-dsa}", "intel-idxd"))["thing"]
        self.assertEqual(list(found), ["0000:6a:01.0-wq.0", "0000:6a:01.0-wq.1"])
