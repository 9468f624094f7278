"""Tests for ``twistdp explain`` and ``twistdp scan``."""

import grp
import json
import os
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.catalog.test_entries import root
from tests.support.helpers import temporary_directory
from tests.support.trees import tree
from tests.support.users import NEEDS_ROOT
from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner
from twistdp.cli import main
from twistdp.select import Explanation, Host, Match, Step, default_id

FILE = """
domain: x.example.com
resources:
  serial: {usb: "1a86:7523", as: tty, serial: "00A2"}
  ports: {usb: "1a86:7523", as: tty}
  gone: {path: /dev/serial/by-id/usb-absent-if00}
  scanner: /dev/sg*
  all: {subsystem: tty}
"""


class LookingCase(SynchronousTestCase):
    """Runs a command on a tree."""

    def setUp(self) -> None:
        """The tree of two adapters, and a file."""
        self.root = tree(self, "twins")
        self.file = os.path.join(temporary_directory(self), "devices.yaml")
        self.write(FILE)

    def write(self, text: str) -> None:
        """Replace the file."""
        with open(self.file, "w", encoding="ascii") as file:
            file.write(text)

    def run_command(self, *arguments: str, status: int = 0) -> str:
        """What a command prints on its two outputs."""
        out = StringIO()
        self.patch(__import__("sys"), "stdout", out)
        self.patch(__import__("sys"), "stderr", out)
        self.assertEqual(main(arguments), status, out.getvalue())
        return out.getvalue()


class HealthTests(LookingCase):
    """Health checks, which both commands make once."""

    def test_reason(self) -> None:
        """A device has its state and its reason; a command that hangs has its limit."""
        self.write(
            """
            domain: x.example.com
            resources:
              odd: {path: /dev/null, health: {command: [/bin/sh, -c, "echo {node}; exit 3"]}}
              slow: {path: /dev/zero, health: {command: [/bin/sleep, "600"], timeout: 0.2}}
              good: {path: /dev/full, health: {command: [/bin/true]}}
            """
        )
        text = self.run_command("scan", f"--config={self.file}")
        odd, slow = "exited with status 3: /dev/null", "took longer than 0.2 s"
        self.assertIn(f"null  Unhealthy (the command {odd})", text)
        self.assertIn(f"zero  Unhealthy (the command {slow})", text)
        self.assertIn("full  Healthy\n", text)
        text = self.run_command("explain", f"--config={self.file}")
        self.assertIn(f"listed as odd null, unhealthy: the command {odd}", text)


class CatalogTests(LookingCase):
    """``--catalog``"""

    def test_entries(self) -> None:
        """Entries of the catalogue are looked for as they would be served."""
        options = ["--catalog=tty-usb,zigbee", "--namespace=x.example.com", f"--root={self.root}"]
        text = self.run_command("scan", *options)
        self.assertIn("x.example.com/tty-usb: 2 devices", text)
        self.assertIn("x.example.com/zigbee: not on this node", text)
        text = self.run_command("explain", *options)
        self.assertIn("listed as tty-usb pci-0000:00:0d.0-usbv2-0:3.1-if00-port0", text)

    def test_scanner(self) -> None:
        """An entry that is a scanner looks at the tree, too, and takes its settings."""
        options = ["--catalog=intel-fpga", "--set=mode=region", f"--root={root('intel-fpga')}"]
        text = self.run_command("scan", *options)
        self.assertIn("fpga.intel.com/region-69528db6eb31577a8c3668f9faa081f6: 1 device", text)
        self.assertIn("/dev/dfl-port.0 rw", text)

    def test_without_domain(self) -> None:
        """To look at an entry nobody needs a domain."""
        text = self.run_command("scan", "--catalog=tty-usb", f"--root={self.root}")
        self.assertIn("(no domain)/tty-usb: 2 devices", text)

    def test_unknown(self) -> None:
        """An unknown entry is refused with the nearest one."""
        text = self.run_command("scan", "--catalog=tty-uso", status=1)
        self.assertIn("no entry 'tty-uso'; did you mean tty-usb?", text)


class ExplainTests(LookingCase):
    """``twistdp explain``"""

    def explain(self, *arguments: str) -> str:
        """The tree for people."""
        return self.run_command(
            "explain", f"--config={self.file}", f"--root={self.root}", *arguments
        )

    def test_people(self) -> None:
        """Each candidate has what took it, or the exact test that dropped it."""
        lines = self.explain().splitlines()
        self.assertIn("x.example.com/ports: 2 devices", lines)
        self.assertIn(
            "├─ /dev/ttyUSB0: listed as ports pci-0000:00:0d.0-usbv2-0:3.1-if00-port0", lines
        )
        hub = [line for line in lines if "/dev/bus/usb/001/002" in line]
        self.assertTrue(hub[1].endswith("the rule wants 1a86:7523"), hub)
        note = "note: /dev/ttyUSB0, /dev/ttyUSB1 belong to both ports and all"
        self.assertEqual(sum(note in line for line in lines), 2)

    def test_counts(self) -> None:
        """Both commands count what the kubelet sees, and say how many devices that really are."""
        self.write(
            "domain: x.example.com\nresources:\n  a: {path: /dev/ttyUSB*, replicas: 40}\n"
            "  b: {path: /dev/ttyUSB*, replicas: {count: 3, match: {usbPath: '*:3.1'}}}\n"
            "  c: {path: /dev/ttyUSB0, replicas: 1}\n"
        )
        scanned = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        explained = self.explain()
        for title in (
            "x.example.com/a: 80 devices, replicas of 2\n",
            "x.example.com/b: 4 devices, 3 of them replicas of 1\n",
            "x.example.com/c: 1 device\n",
        ):
            self.assertIn(title, scanned)
            self.assertIn(title, explained)
        self.assertIn("-0 and 39 more like it\n", explained)

    def test_alike(self) -> None:
        """Devices that differ in nothing but their ids are no replicas."""
        self.root = root("vfio")
        self.write("domain: x.example.com\nresources: {a: {subsystem: pci, env: {A: b}}}\n")
        scanned = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        (title, *_) = scanned.splitlines()
        self.assertRegex(title, r"^x.example.com/a: [2-9] devices$")
        self.assertIn(f"{title}\n", self.explain())
        self.assertIn("more like it", scanned)

    def test_hardware(self) -> None:
        """Of a device with several nodes it says which hardware they are of."""
        self.root = tree(self, "cards")
        self.write(
            "domain: x.example.com\n"
            "resources: {a: {path: /dev/dri/renderD128, members: [/dev/dri/card1, /dev/kvm]}}\n"
        )
        card, render, kvm = (
            next(line for line in self.explain().splitlines() if f" {node}: " in line)
            for node in ("/dev/dri/card1", "/dev/dri/renderD128", "/dev/kvm")
        )
        for line in (card, render):
            self.assertTrue(line.endswith(", a node of 0000:00:02.0"), line)
        self.assertNotIn("a node of", kvm)

    def test_absent(self) -> None:
        """What is not on this node is kept apart from faults, with the reason."""
        text = self.explain()
        self.assertIn(
            "x.example.com/gone: not on this node: no path /dev/serial/by-id/usb-absent-if00", text
        )
        self.assertIn("x.example.com/scanner: not on this node: nothing matches /dev/sg*", text)
        self.assertIn("x.example.com/serial: not on this node: none of 4 devices", text)
        self.assertIn("the nearest: 1-3.1 has no USB serial, the rule wants 00A2", text)

    def test_expressions(self) -> None:
        """Of a rule by an expression for paths, the nearest device has a path like it."""
        self.write(
            "domain: x.example.com\nresources:\n"
            "  a: {pathRegex: '^/dev/ttyUSB[5-9]'}\n"
            "  b: {pathRegex: ['/dev/x.*', '/dev/y.*']}\n"
            "  c: {pathRegex: '^/dev/ttyUSB[5-9]', usb: '1a86:7523'}\n"
        )
        text = self.explain()
        for line in (
            "a: not on this node: no path of a device matches the regular expression "
            "^/dev/ttyUSB[5-9]\n",
            "b: not on this node: no path of a device matches one of the regular expressions "
            "/dev/x.*, /dev/y.*\n",
            "c: not on this node: none of 6 devices meets the rule; the nearest: neither "
            "/dev/ttyUSB0 nor a link to it matches the regular expression ^/dev/ttyUSB[5-9]\n",
        ):
            self.assertIn(f"x.example.com/{line}", text)
        self.assertNotIn("has no node", text)

    def test_json(self) -> None:
        """JSON has all tests of a candidate."""
        found = json.loads(self.explain("--json"))["resources"]
        (rule,) = [each for each in found if each["resource"] == "x.example.com/serial"]
        steps = {each["what"]: each for each in rule["candidates"]}
        tests = steps["/dev/bus/usb/001/003"]["tests"]
        self.assertEqual(tests[0]["ok"], False)
        self.assertIn("1a86:7523", json.dumps(tests))

    def test_path(self) -> None:
        """One device: what it is, and what every rule makes of it."""
        text = self.explain("/dev/ttyUSB1")
        self.assertIn("id pci-0000:00:0d.0-usbv2-0:3.4-if00-port0", text)
        self.assertIn("portNumber = 0", text)
        self.assertIn("neither /dev/ttyUSB1 nor a link to it matches /dev/sg*", text)
        path = "/sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1"
        self.assertIn("1a86:7523", json.dumps(json.loads(self.explain(path, "--json"))["rules"]))

    def test_relatives(self) -> None:
        """A part names what its hardware lacks, and hardware names what its parts became."""
        self.write("""
            domain: x.example.com
            resources:
              other: {usb: "2341:0043", as: tty}
              ports: {usb: "1a86:7523", as: tty}
              raw: {usb: "1a86:7523"}
        """)
        rules = {
            each["resource"].rpartition("/")[2]: each["candidates"]
            for each in json.loads(self.explain("/dev/ttyUSB1", "--json"))["rules"]
        }
        self.assertEqual(
            rules["other"][0]["reason"], "USB id is 1a86:7523, the rule wants 2341:0043"
        )
        self.assertIn("ttyUSB1 is a part (tty) of 1-3.4", rules["raw"][0]["reason"])
        # An interface has no node, as many others have none.
        for path in ("1-3/1-3.4", "1-3/1-3.4/1-3.4:1.0"):
            text = self.explain(f"/sys/devices/pci0000:00/0000:00:0d.0/usb1/{path}", "--json")
            (ports,) = (
                each["candidates"]
                for each in json.loads(text)["rules"]
                if each["resource"].endswith("/ports")
            )
            self.assertEqual([each["what"] for each in ports], ["/dev/ttyUSB1"], path)

    def test_nothing(self) -> None:
        """Without something to explain, a line names what is missing."""
        self.assertIn("--config", self.run_command("explain", status=1))
        text = self.run_command("explain", "/dev/absent", status=1)
        self.assertEqual(
            text, "twistdp explain: /dev/absent: there is no such device on this host\n"
        )
        text = self.run_command("explain", "/dev/bus", f"--root={self.root}", status=1)
        self.assertIn("/dev/bus is a directory and no device's; name a node in it", text)

    def entry(self, command: str, name: str, where: str) -> str:
        """What a command prints about an entry of the catalogue."""
        options = [f"--catalog={name}", "--namespace=x.example.com", f"--root={root(where)}"]
        return self.run_command(command, *options)

    def test_once(self) -> None:
        """A node of several that one device has is named once, listed or left out."""
        for command in ("explain", "scan"):
            lines = self.entry(command, "camera", "media").splitlines()
            left_out = [line for line in lines if "metadata node" in line]
            self.assertTrue(left_out)
            self.assertEqual(len(set(left_out)), len(left_out), left_out)
            self.assertNotIn("more: ", "".join(left_out))
        for line in self.entry("explain", "camera", "media").splitlines():
            if "metadata node" in line:
                node = line.split()[1].removesuffix(":")
                self.assertIn(f"{node.rpartition('/')[2]} is a metadata node", line)
        text = self.entry("explain", "snd", "media")
        self.assertIn("/dev/snd/controlC1: listed", text)
        self.assertNotIn("not selected", text)

    def test_absent_kinds(self) -> None:
        """What is missing is named by its kind, and with the nearest device that there is."""
        self.write(
            "domain: x.example.com\n"
            "resources:\n"
            "  none: {subsystem: [tpm, tpmrm]}\n"
            "  pci: {pci: '8086:0b25', as: vfio}\n"
            "  any: {match: [{subsystem: tty, driver: a}, {subsystem: tty, driver: b}]}\n"
        )
        text = self.explain()
        self.assertIn("none: not on this node: there is no tpm or tpmrm device here", text)
        self.assertIn(
            "pci: not on this node: the only PCI device here does not meet the rule: 0000:00:0d.0:",
            text,
        )
        self.assertIn("any: not on this node: none of 2 devices meets the rule; the nearest", text)

    def test_problems(self) -> None:
        """Each problem of a file is a line."""
        self.write("domain: x.example.com\nresources: {a: {pth: /x}, b: {usb: 1, as: ty}}\n")
        for command in ("explain", "scan"):
            text = self.run_command(command, f"--config={self.file}", status=1)
            self.assertEqual(len(text.splitlines()), 2, text)

    def test_glob_scanner(self) -> None:
        """A pattern's files are explained, each by itself too."""
        where = temporary_directory(self)
        with open(os.path.join(where, "a"), "wb"):
            pass
        text = self.run_command(
            "explain",
            "--scanner=twistdp.scanners:GlobScanner",
            "--namespace=x.example.com",
            "--set=resource=thing",
            f"--set=pattern={where}/*",
        )
        self.assertIn("x.example.com/thing: 0 devices\n", text)
        reason = f"{where}/a: left out, by the rule: it is a plain file"
        self.assertIn(reason, text)
        self.assertIn("thing: pattern", text)
        self.assertIn(
            f"x.example.com/thing\n└─ {reason}",
            self.run_command(
                "explain",
                "--scanner=twistdp.scanners:GlobScanner",
                "--namespace=x.example.com",
                "--set=resource=thing",
                f"--set=pattern={where}/*",
                f"{where}/a",
            ),
        )


class ModemScanner(WatchingScanner):
    """Finds serial ports with a serial number, as an author may."""

    namespace = "x.example.com"

    def __init__(self, root: str = "/", wanted: str = "1a86:7523") -> None:
        super().__init__([f"{root.rstrip('/')}/dev"])
        self.root = root
        self.match = Match(subsystem="tty", parent=Match(usb=wanted))
        self.steps: list[Step] = []

    def discover(self) -> DeviceTree:
        """Look at all serial ports."""
        tree = DeviceTree()
        self.steps = []
        for device in self.match.candidates(Host(self.root)):
            outcome = self.match.test(device)
            self.steps.append(Step.of(device, outcome, "modem", default_id(device)))
            if outcome.ok:
                node = DeviceSpec(str(device.node))
                tree.add_device("modem", default_id(device), DeviceInfo(HEALTHY, nodes=[node]))
        return tree

    def explain(self) -> Iterator[Explanation]:
        """What became of each serial port."""
        yield Explanation("modem", tuple(self.steps))


class SilentScanner(ModemScanner):
    """Explains nothing."""

    explain = None  # type: ignore[assignment]


class WrongScanner(ModemScanner):
    """Explains itself by something else."""

    def explain(self) -> Iterator[Explanation]:
        """A text."""
        yield "modems"  # type: ignore[misc]


class RaisingScanner(ModemScanner):
    """Has a mistake."""

    def discover(self) -> DeviceTree:
        """Raise."""
        raise ValueError("no modem")


class HereScanner(WatchingScanner):
    """Looks at this host alone."""

    def discover(self) -> DeviceTree:
        """Find nothing."""
        return DeviceTree()


class ScannerTests(LookingCase):
    """``--scanner``"""

    def look(self, command: str, name: str, *more: str, status: int = 0) -> str:
        """What a command prints about a scanner of this module."""
        options = [f"--scanner={__name__}:{name}", f"--root={self.root}", *more]
        return self.run_command(command, *options, status=status)

    def test_explained(self) -> None:
        """A scanner explains its candidates in the words of configuration files."""
        text = self.look("explain", "ModemScanner")
        id_ = "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0"
        self.assertIn(f"x.example.com/modem: 2 devices\n├─ /dev/ttyUSB0: listed as modem {id_}\n",
                      text)  # fmt: skip
        found = json.loads(self.look("explain", "ModemScanner", "--set=wanted=1:2", "--json"))
        (resource,) = found["resources"]
        self.assertEqual(resource["notOnThisNode"], "none of 2 candidates is selected")
        first = resource["candidates"][0]
        self.assertEqual(first["verdict"], "not selected")
        self.assertIn("the rule wants 1:2", first["tests"][-1]["reason"])
        self.assertIn("not on this node", self.look("scan", "ModemScanner", "--set=wanted=1:2"))

    def test_path(self) -> None:
        """One device is explained alone; what a scanner did not look at, too."""
        text = self.look("explain", "ModemScanner", "/dev/ttyUSB1")
        self.assertIn("portNumber = 0", text)
        self.assertEqual(text.count("listed as modem"), 1)
        raw = "/dev/bus/usb/001/002"
        self.assertIn("modem\n└─ not looked at\n", self.look("explain", "ModemScanner", raw))

    def test_silent(self) -> None:
        """A scanner that explains nothing is explained by its devices."""
        text = self.look("explain", "SilentScanner")
        self.assertIn("listed as modem pci-0000:00:0d.0-usbv2-0:3.1-if00-port0", text)
        nothing = self.look("scan", "SilentScanner", "--set=wanted=1:2")
        self.assertEqual(nothing, "x.example.com: not on this node: the scanner found no device\n")

    def test_once_said(self) -> None:
        """What an explanation says is not shown again as what the scanner logged."""
        tree = root("intel-qat")
        for command in ("explain", "scan"):
            text = self.run_command(command, "--catalog=intel-qat", f"--root={tree}")
            self.assertIn("physical function 0000:6d:00.0 is down", text)
            self.assertNotIn("QAT: ", text)

    def test_entries(self) -> None:
        """Arguments of an entry of the catalogue are refused by its name."""
        for entry, reason in (
            ("intel-fpga", "--catalog intel-fpga: --set mode=no: use one of: af, region"),
            ("intel-npu", "--set mode=no: no scanner takes it; write a configuration file"),
        ):
            text = self.run_command("scan", f"--catalog={entry}", "--set=mode=no", status=1)
            self.assertIn(reason, text)

    def test_mistakes(self) -> None:
        """A mistake in a scanner is one line that says where it is."""
        for command in ("explain", "scan"):
            text = self.look(command, "RaisingScanner", status=1)
            self.assertIn("discover() raised ValueError: no modem", text)
            self.assertIn("test_explain.py", text)
            text = self.look(command, "WrongScanner", status=1)
            self.assertIn("explain() gave 'modems', which is no twistdp.select.Explanation", text)
            text = self.look(command, "HereScanner", status=1)
            self.assertIn("it looks at this host, whatever --root says", text)
            self.assertEqual(len(text.splitlines()), 1)
            text = self.look(command, "AbsentScanner", status=1)
            self.assertIn("has no class AbsentScanner", text)


class ScanTests(LookingCase):
    """``twistdp scan``"""

    def scan(self) -> dict[str, dict[str, Any]]:
        """The resources by name."""
        text = self.run_command("scan", f"--config={self.file}", f"--root={self.root}", "--json")
        return {each["resource"]: each for each in json.loads(text)["resources"]}

    def test_devices(self) -> None:
        """A device has its id, health, NUMA nodes, and its nodes with those who may open them."""
        os.chmod(os.path.join(self.root, "dev/ttyUSB0"), 0o640)
        first, _ = self.scan()["x.example.com/ports"]["devices"]
        self.assertEqual(first["id"], "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0")
        self.assertEqual((first["health"], first["numa"]), ("Healthy", []))
        (node,) = first["nodes"]
        self.assertEqual((node["node"], node["mode"]), ("/dev/ttyUSB0", "0640"))
        self.assertEqual(node["containerPath"], "/dev/ttyUSB0")
        self.assertIsInstance(node["group"], str)

    def test_group(self) -> None:
        """A group has its number beside its name, for pods know no names."""
        name, _, number, _ = next(each for each in grp.getgrall() if each.gr_gid)
        os.chown(os.path.join(self.root, "dev/ttyUSB0"), -1, number)
        self.assertEqual(
            self.scan()["x.example.com/ports"]["devices"][0]["nodes"][0]["gid"], number
        )
        text = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        self.assertRegex(text, rf"mrw  \w+:{re.escape(name)}\({number}\) 0\d{{3}}\n")

    test_group.skip = NEEDS_ROOT  # type: ignore[attr-defined]

    def test_left_out(self) -> None:
        """What is left out has its reason, and absence is no fault."""
        self.write(
            "domain: x.example.com\n"
            "resources:\n"
            "  a: {path: /dev/ttyUSB*, members: [{path: /dev/absent}]}\n"
            "  b: {path: /dev/absent}\n"
        )
        found = self.scan()
        first = found["x.example.com/a"]["leftOut"][0]
        self.assertEqual(first["cause"], "fault")
        self.assertEqual(first["reason"], "member /dev/absent is not there")
        self.assertEqual(found["x.example.com/b"]["leftOut"], [])
        self.assertEqual(found["x.example.com/b"]["notOnThisNode"], "no path /dev/absent")

    def test_overlap(self) -> None:
        """Two resources with one node are reported."""
        notes = self.scan()["x.example.com/ports"]["messages"]
        self.assertIn("belong to both ports and all", notes[0])

    def test_overlap_of_domains(self) -> None:
        """So are resources of two domains, or of two files."""
        other = os.path.join(temporary_directory(self), "other.yaml")
        with open(other, "w", encoding="ascii") as file:
            file.write("domain: z.example.com\nresources: {c: /dev/ttyUSB0}\n")
        self.write(
            "domain: x.example.com\nresources: {a: /dev/ttyUSB0, y.example.com/b: /dev/ttyUSB*}\n"
        )
        for command in ("scan", "explain"):
            text = self.run_command(
                command, f"--config={self.file}", f"--config={other}", f"--root={self.root}"
            )
            note = (
                "note: /dev/ttyUSB0 belongs to x.example.com/a, y.example.com/b, z.example.com/c; "
                "leave out what is not meant, as exclusive is about one domain\n"
            )
            self.assertEqual(text.count(note), 3, text)

    def test_replicas(self) -> None:
        """Replicas of one device take one line, since they differ in nothing but their ids."""
        self.write("domain: x.example.com\nresources: {a: {path: /dev/ttyUSB*, replicas: 40}}\n")
        lines = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        self.assertEqual(lines.count("-0 and 39 more like it  Healthy"), 2, lines)
        self.assertNotIn("-1 ", lines)

    def test_alike(self) -> None:
        """What is left out for the same reason takes one line, which names it once."""
        self.write(
            "domain: x.example.com\n"
            "resources: {a: {subsystem: usb, env: {'N_{n}': '{node}', A: b}}}\n"
        )
        lines = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        left_out = [line for line in lines.splitlines() if "left out" in line]
        self.assertTrue(left_out)
        for line in left_out:
            self.assertRegex(line, "^  left out, by the rule: [-0-9:.]+ has no node of its own.*$")
        self.assertIn(", and ", "".join(left_out))

    def test_one_node(self) -> None:
        """One node of two resources belongs to both; several belong."""
        self.write(
            "domain: x.example.com\nresources: {a: /dev/ttyUSB0, b: [/dev/ttyUSB0], c: /dev/x}\n"
        )
        self.assertIn("/dev/ttyUSB0 belongs to both a and b", str(self.scan()))

    def test_people(self) -> None:
        """A line for the resource, each device, and each node with its owner, group and mode."""
        text = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        self.assertIn("x.example.com/ports: 2 devices\n", text)
        self.assertRegex(text, r"-> /dev/ttyUSB0 as /dev/ttyUSB0 mrw  \w+:\S+ 0\d{3}\n")

    def test_variables(self) -> None:
        """Variables stand as the file has them where they are numbered; so do annotations."""
        self.write(
            "domain: x.example.com\n"
            'resources: {a: {path: /dev/ttyUSB0, env: {"TTY{n}": "{kernelName}-{n}", X: y}, '
            'annotations: {b.example.com/c: "{kernelName}"}, cdi: {env: {Z: z}}}}'
        )
        text = self.run_command("scan", f"--config={self.file}", f"--root={self.root}")
        self.assertIn("    env X=y\n    env TTY{n}=ttyUSB0-{n}\n", text)
        self.assertIn("    annotation b.example.com/c=ttyUSB0\n    changes by CDI\n", text)
