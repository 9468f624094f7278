"""Tests for `twistdp.scanners.qat`, on the trees of the catalogue."""

import os

from tests.catalog.test_entries import (
    TREES,
    laid_out,
    listed,
    page_on_intel,
    recorded_root,
    root,
)
from tests.support.logs import LogTestCase
from twistdp.catalog.loading import load
from twistdp.launch.configured import by_domain
from twistdp.model.devices import HEALTHY, UNHEALTHY
from twistdp.recording.root import read_recording
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.subsystems import subsystems
from twistdp.scanners.qat import QatScanner
from twistdp.select.explaining import Verdict
from twistdp.select.host import Host
from twistdp.select.match import Match

VFIO = "/dev/vfio/vfio"
CY = {"0000:6b:00.1": ["/dev/vfio/40", VFIO]}
DC = {"0000:6c:00.1": ["/dev/vfio/42", VFIO], "0000:6c:00.2": ["/dev/vfio/43", VFIO]}
DECOMP = {"0000:6f:00.1": ["/dev/vfio/48", VFIO], "0000:6f:00.2": ["/dev/vfio/49", VFIO]}
DC_SYM = {"0000:70:00.1": ["/dev/vfio/50", VFIO], "0000:70:00.2": ["/dev/vfio/51", VFIO]}
OLD = {"0000:6e:00.1": ["/dev/vfio/46", VFIO], "0000:6e:00.2": ["/dev/vfio/47", VFIO]}


def own_tree() -> str:
    """A tree with functions of several services that a test may change."""
    return laid_out(read_recording(os.path.join(TREES, "intel-qat.umockdev")))


def put(tree: str, path: str, text: str) -> None:
    """Write a file below the tree's sysfs."""
    full = os.path.join(tree, "sys", path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="ascii") as file:
        file.write(text)


def pci(address: str, name: str) -> str:
    """The path of an attribute of a function."""
    return f"devices/pci{address[:7]}/{address}/{name}"


def of_file(tree: str, **resources: str) -> DeclaredScanner:
    """The scanner of a configuration file with these resources."""
    text = "".join(f"  {kind}: {each}\n" for kind, each in resources.items())
    config = load(f"domain: qat.intel.com\nresources:\n{text}")
    return DeclaredScanner(config.resources, tree)


class QatTests(LogTestCase):
    """`QatScanner`"""

    maxDiff = None

    def test_services(self) -> None:
        """Types are the services as the kernel has them; functions of one that is down are none."""
        wanted = {"cy": CY, "dc": DC, "decomp": DECOMP, "dc-sym": DC_SYM}
        for where in (root, recorded_root):
            self.assertEqual(listed(QatScanner(root=where("intel-qat")).discover()), wanted)
        self.assertIn(
            "QAT: left out 0000:6d:00.1: the state of its physical function 0000:6d:00.0 is down",
            self.lines[0],
        )

    def test_explained(self) -> None:
        """Each function of the chosen models is explained, and no other one."""
        scanner = QatScanner(limit=12, root=root("intel-qat"))
        scanner.discover()
        found = {
            (each.resource, step.what): (step.verdict, step.reason)
            for each in scanner.explain()
            for step in each.steps
        }
        self.assertEqual(found["cy", "/dev/vfio/40"], (Verdict.LISTED, "listed as cy 0000:6b:00.1"))
        verdict, reason = found["cy", "0000:6b:00.2"]
        self.assertEqual(verdict, Verdict.NOT_SELECTED)
        self.assertIn("bound to 4xxxvf, the rule wants vfio-pci", reason)
        verdict, reason = found["", "0000:6d:00.2"]
        self.assertEqual(verdict, Verdict.LEFT_OUT)
        self.assertIn("0000:6d:00.0 is down; configure that and write up", reason)
        whats = {what for _, what in found}
        self.assertFalse(whats & {"0000:6e:00.1", "0000:6b:00.0"}, whats)
        nowhere = QatScanner(root=root("storage"))
        nowhere.discover()
        (each,) = nowhere.explain()
        self.assertIn("no virtual function of the chosen models", each.absent)

    def test_models(self) -> None:
        """The kernel's drivers choose the models; older ones are generic."""
        found = QatScanner(["c6xxvf"], root=root("intel-qat")).discover()
        self.assertEqual(listed(found), {"generic": OLD})
        self.assertEqual(listed(QatScanner(["d15xxvf"], root=root("intel-qat")).discover()), {})

    def test_no_name(self) -> None:
        """Services that can be no name of a resource are generic."""
        tree = own_tree()
        put(tree, pci("0000:6b:00.0", "qat/cfg_services"), "no/name\n")
        self.assertEqual(listed(QatScanner(root=tree).discover())["generic"], CY)

    def test_debugfs(self) -> None:
        """Where sysfs has no services, those of debugfs count."""
        tree = own_tree()
        for name in ("state", "cfg_services"):
            os.unlink(os.path.join(tree, "sys", pci("0000:6b:00.0", f"qat/{name}")))
        scanner = QatScanner(root=tree)
        self.assertEqual(listed(scanner.discover())["generic"], CY)
        text = "[KERNEL]\nServicesEnabled = dcc\n[GENERAL]\nServicesEnabled = asym;dc\nX = 1\n"
        put(tree, "kernel/debug/qat_4xxx_0000:6b:00.0/dev_cfg", text)
        self.assertEqual(listed(scanner.discover())["asym-dc"], CY)

    def test_changed(self) -> None:
        """Functions go to another resource when their services change."""
        tree = own_tree()
        scanner = QatScanner(root=tree)
        scanner.discover()
        put(tree, pci("0000:6b:00.0", "qat/cfg_services"), "dc\n")
        found = listed(scanner.follow([]))
        self.assertEqual((found["dc"], "cy" in found), ({**CY, **DC}, False))

    def test_virtual_machine(self) -> None:
        """Without physical functions all are generic, and none has a heartbeat to lack."""
        tree = own_tree()
        for number in "12":
            os.unlink(os.path.join(tree, "sys", pci(f"0000:6c:00.{number}", "physfn")))
        found = QatScanner(root=tree).discover()
        self.assertEqual(listed(found)["generic"], DC)
        self.assertEqual({each.state for each in found["generic"].values()}, {HEALTHY})

    def test_heartbeat(self) -> None:
        """All functions of a physical one without a heartbeat are unhealthy, generic ones too."""
        tree = own_tree()
        for device in ("4xxx_0000:6c:00.0", "c6xx_0000:6e:00.0"):
            put(tree, f"kernel/debug/qat_{device}/heartbeat/status", "-1\n")
        found = QatScanner(["4xxxvf", "c6xxvf"], root=tree).discover()
        states = {kind: {each.state for each in found[kind].values()} for kind in found}
        healthy, unhealthy = {HEALTHY}, {UNHEALTHY}
        self.assertEqual(states, {"cy": healthy, "decomp": healthy, "dc-sym": healthy,
                                  "dc": unhealthy, "generic": unhealthy})  # fmt: skip

    def test_limit(self) -> None:
        """A limit is of all functions together; those that are listed stay."""
        tree = own_tree()
        scanner = QatScanner(limit=2, root=tree)
        first = pci("0000:6b:00.2", "device")
        for address in ("0000:6b:00.1", "0000:6b:00.2"):
            put(tree, pci(address, "device"), "0x0000\n")
        wanted = {"dc": DC}
        self.assertEqual(listed(scanner.discover()), wanted)
        self.assertRegex(
            self.lines[0], "left out .* and 3 more: the limit of 2 functions is reached"
        )
        put(tree, first, "0x4941\n")
        self.assertEqual(listed(scanner.discover()), wanted)

    def test_uio(self) -> None:
        """With igb_uio there is the node of uio, and its directory in sysfs."""
        found = QatScanner(driver="igb_uio", root=root("intel-qat-uio")).discover()
        ((kind, devices),) = ((kind, found[kind]) for kind in found)
        ((id_, info),) = devices.items()
        self.assertEqual((kind, id_), ("dc", "0000:6b:00.1-uio"))
        self.assertEqual([each.host_path for each in info.nodes], ["/dev/uio0"])
        self.assertEqual([each.host_path for each in info.mounts], ["/sys/class/uio/uio0/device"])

    def test_events(self) -> None:
        """On this host functions that appear make a new look at once; otherwise one is soon."""
        scanner = QatScanner()
        self.assertEqual([*scanner.uevents], ["pci"])
        scanner.discover()
        self.assertIn("pci", scanner.uevents)
        self.assertEqual(scanner.rescan_interval, 5.0)
        self.assertEqual([*QatScanner(root=root("intel-qat")).uevents], [])

    def test_nothing(self) -> None:
        """Without such functions nothing is listed, whatever else is bound to vfio-pci."""
        for tree in ("vfio", "storage"):
            self.assertEqual(listed(QatScanner(root=root(tree)).discover()), {})
        self.assertEqual(listed(QatScanner(root="/nonexistent").discover()), {})


class FileTests(LogTestCase):
    """``use: intel-qat`` in a file has the same devices as ``--catalog=intel-qat``."""

    def assert_same(self, tree: str, **resources: str) -> None:
        """A file lists what the scanner does, in resources of the same names."""
        wanted = QatScanner(root=tree).discover()
        found = of_file(tree, **resources).discover()
        self.assertEqual({kind: dict(found[kind]) for kind in found},
                         {kind: dict(wanted[kind]) for kind in wanted})  # fmt: skip

    def test_services(self) -> None:
        """Each set of services is a resource; an entry has the usual ones in either order."""
        usual = {kind: f"{{use: intel-qat/{kind}}}" for kind in ("cy", "dc", "decomp")}
        for last in ("intel-qat/sym-dc", "intel-qat, qatServices: dc-sym"):
            self.assert_same(root("intel-qat"), **usual, **{"dc-sym": f"{{use: {last}}}"})

    def test_any_services(self) -> None:
        """Any set is selected by its name, in debugfs, too, and what is not known is generic."""
        tree = own_tree()
        for number, text in (("c", "asym;sym;dc"), ("f", "decomp;dc")):
            put(tree, pci(f"0000:6{number}:00.0", "qat/cfg_services"), f"{text}\n")
        for name in ("state", "cfg_services"):
            for address in ("0000:6b:00.0", "0000:70:00.0"):
                os.unlink(os.path.join(tree, "sys", pci(address, f"qat/{name}")))
        put(tree, "kernel/debug/qat_4xxx_0000:6b:00.0/dev_cfg",
            "[GENERAL]\nServicesEnabled = asym;sym\n")  # fmt: skip
        sets = ("asym-sym-dc", "decomp-dc", "cy")
        resources = {each: f"{{use: intel-qat, qatServices: {each}}}" for each in sets}
        self.assert_same(tree, **resources, generic="{use: intel-qat/generic}")

    def test_heartbeat(self) -> None:
        """A heartbeat that is missing counts for both drivers."""
        tree = own_tree()
        put(tree, "kernel/debug/qat_4xxx_0000:6c:00.0/heartbeat/status", "-1\n")
        found = of_file(tree, dc="{use: intel-qat/dc}").discover()
        self.assertEqual({each.state for each in found["dc"].values()}, {UNHEALTHY})
        tree = laid_out(read_recording(os.path.join(TREES, "intel-qat-uio.umockdev")))
        put(tree, "kernel/debug/qat_4xxx_0000:6b:00.0/heartbeat/status", "-1\n")
        for scanner in (
            QatScanner(driver="igb_uio", root=tree),
            of_file(tree, dc="{use: intel-qat-uio}"),
        ):
            (info,) = scanner.discover()["dc"].values()
            self.assertEqual(info.state, UNHEALTHY)
            self.assertIn("the physical function has no heartbeat", info.reason)

    def test_changed(self) -> None:
        """Other services make no event, so the next look is soon; it finds them."""
        tree = own_tree()
        scanner = of_file(tree, dc="{use: intel-qat/dc}")
        self.assertEqual(scanner.rescan_interval, 5.0)
        self.assertEqual(listed(scanner.discover()), {"dc": DC})
        put(tree, pci("0000:6b:00.0", "qat/cfg_services"), "dc\n")
        self.assertEqual(listed(scanner.discover()), {"dc": {**CY, **DC}})
        self.assertEqual(of_file(tree, any="{use: intel-npu}").rescan_interval, 60.0)

    def test_page(self) -> None:
        """The example on the page about Intel's plugins lists what it says."""
        domains = by_domain(load(page_on_intel("## SGX and QuickAssist in a file")))
        tree = own_tree()
        put(tree, pci("0000:6c:00.0", "qat/cfg_services"), "asym;sym;dc\n")
        found = DeclaredScanner(domains["qat.intel.com"], tree).discover()
        self.assertEqual(listed(found), {"cy": CY, "asym-sym-dc": DC, "generic": OLD})
        found = DeclaredScanner(domains["sgx.intel.com"], root("intel-sgx")).discover()
        self.assertEqual({kind: len(found[kind]) for kind in found},
                         {"enclave": 20, "provision": 20})  # fmt: skip

    def test_down(self) -> None:
        """The functions of a physical one that is down are not listed, with igb_uio either."""
        tree = laid_out(read_recording(os.path.join(TREES, "intel-qat-uio.umockdev")))
        scanners = QatScanner(driver="igb_uio", root=tree), of_file(tree, dc="{use: intel-qat-uio}")
        for state, count in (("up", 1), ("down", 0)):
            put(tree, pci("0000:6b:00.0", "qat/state"), f"{state}\n")
            self.assertEqual([len(each.discover()) for each in scanners], [count, count], state)


class WordTests(LogTestCase):
    """The word ``qatServices``"""

    def test_means_functions(self) -> None:
        """Alone it means PCI functions, and no node of theirs; the events of buses are enough."""
        match = Match(qat_services="dc")
        self.assertEqual([*match.among()], ["pci"])
        found = [each.name for each in match.candidates(Host(root("intel-qat-uio")))
                 if match.holds(each)]  # fmt: skip
        self.assertEqual(found, ["0000:6b:00.1", "0000:6b:00.2"])
        (resource,) = load(
            "domain: x.example.com\nresources: {x: {path: /dev/uio0, qatServices: dc}}\n"
        ).resources.values()
        self.assertEqual(subsystems([Rule("x", resource)]), ("pci", "usb"))
