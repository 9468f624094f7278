"""Tests for `twistdp.scanners.fpga`, on the trees of the catalogue."""

import os
import shutil
from pathlib import Path
from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from tests.catalog.test_entries import TREES, laid_out, recorded_root, root
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo
from twistdp.recording.root import read_recording
from twistdp.scanners.fpga import FpgaScanner, function_type

INTERFACE = "69528db6eb31577a8c3668f9faa081f6"
FUNCTION = "d8424dc4a4a3c413f89e433683f9040b"
REGION = f"region-{INTERFACE}"
PORTS = ["/dev/dfl-port.0", "/dev/dfl-port.1", "/dev/dfl-port.2"]


class FpgaTests(SynchronousTestCase):
    """What each mode lists."""

    def found(
        self, mode: Literal["af", "region", "regiondevel"], tree: str = "intel-fpga"
    ) -> dict[str, dict[str, DeviceInfo]]:
        """The devices by type and id; the same as on a recording of the host."""
        trees = [FpgaScanner(mode, root=where(tree)).discover() for where in (root, recorded_root)]
        one, other = ({kind: dict(each[kind]) for kind in each} for each in trees)
        self.assertEqual(one, other)
        return one

    def nodes(self, info: DeviceInfo) -> list[str]:
        """The paths of a device's nodes."""
        self.assertEqual({node.permissions for node in info.nodes}, {"rw"})
        return [node.host_path for node in info.nodes]

    def test_name(self) -> None:
        """A resource has the name that Intel's plugin documents for these ids."""
        self.assertEqual(
            function_type(INTERFACE, FUNCTION),
            "af-695.d84.aVKNtusxV3qMNmj5-qCB9thCTcSko8QT-J5DNoP5BAs",
        )

    def test_functions(self) -> None:
        """Each port is a device of its function; one without a bitstream is unhealthy.

        The port of a virtual function has the interface of the physical one.
        """
        found = self.found("af")
        shown = [(kind[:11], id_, info.state, self.nodes(info), info.topology)
                 for kind in sorted(found) for id_, info in found[kind].items()]  # fmt: skip
        self.assertEqual(shown, [
            ("af-695.9ae.", "dfl-port.0", HEALTHY, PORTS[:1], (0,)),
            ("af-695.f7d.", "dfl-port.2", HEALTHY, PORTS[2:], (0,)),
            ("af-695.fff.", "dfl-port.1", UNHEALTHY, PORTS[1:2], (0,)),
        ])  # fmt: skip

    def test_region(self) -> None:
        """A region has its ports, the hook that programs it, and the annotation that it wants."""
        ((id_, info),) = self.found("region")[REGION].items()
        self.assertEqual((id_, self.nodes(info)), ("dfl-fme.0", PORTS))
        assert info.cdi is not None
        (hook,) = info.cdi.hooks
        self.assertEqual(
            (hook.name, hook.path),
            ("createRuntime", "/opt/intel/fpga-sw/intel-fpga-crihook"),
        )
        self.assertEqual(dict(info.annotations), {"com.intel.fpga.mode": "fpga.intel.com/region"})

    def test_development(self) -> None:
        """For development there is the management engine's node, and no hook."""
        ((_, info),) = self.found("regiondevel")[REGION].items()
        self.assertEqual(self.nodes(info), [*PORTS, "/dev/dfl-fme.0"])
        self.assertEqual((info.cdi, dict(info.annotations)), (None, {}))

    def test_other_driver(self) -> None:
        """Cards with Intel's own driver are found alike."""
        ((kind, devices),) = self.found("regiondevel", "intel-fpga-opae").items()
        self.assertEqual(kind, "region-9926ab6d6c925a68aabca7d84c545738")
        (info,) = devices.values()
        self.assertEqual(self.nodes(info), ["/dev/intel-fpga-port.0", "/dev/intel-fpga-fme.0"])

    def test_none(self) -> None:
        """A host without cards has no devices."""
        self.assertEqual(self.found("af", "storage"), {})

    def test_no_port(self) -> None:
        """A region whose ports are gone, as when they are given away, is explained, not listed."""
        tree = laid_out(read_recording(os.path.join(TREES, "intel-fpga-opae.umockdev")))
        modes: tuple[Literal["region", "regiondevel"], ...] = ("region", "regiondevel")
        scanners = [FpgaScanner(mode, root=tree) for mode in modes]
        self.assertEqual([len(each.discover()) for each in scanners], [1, 1])
        (port,) = (path for path in Path(tree, "sys/devices").rglob("intel-fpga-port.0"))
        shutil.rmtree(port)
        for scanner in scanners:
            self.assertEqual(len(scanner.discover()), 0)
            ((step,),) = (each.steps for each in scanner.explain())
            self.assertEqual((step.what, step.reason[:18]),
                             ("/dev/intel-fpga-fme.0", "it has no port, so"))  # fmt: skip
