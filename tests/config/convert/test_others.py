"""Tests for the converters of smarter-device-manager, Akri, SR-IOV, NVIDIA and KubeVirt."""

import os
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.support.conversions import converted, found, notes, problems, resources
from tests.support.helpers import temporary_directory
from twistdp.config.convert.converting import convert
from twistdp.config.convert.texts import texts_of
from twistdp.config.loading import load
from twistdp.recording.layout import lay_out
from twistdp.recording.root import read_recording
from twistdp.scanners.declared.scanner import DeclaredScanner

RW = {"node": {"permissions": "rw"}}

MEDIATED = """\
P: /devices/pci0000:00/0000:00:03.0
E: PCI_CLASS=30000
E: PCI_ID=8086:1111
E: SUBSYSTEM=pci
A: class=0x030000\\n

P: /devices/pci0000:00/0000:00:03.0/4a1e7f2c-0000-4000-8000-000000000021
E: SUBSYSTEM=mdev
E: DRIVER=vfio_mdev
A: mdev_type/name=LAB T4-1Q\\n
L: iommu_group=../../../../kernel/iommu_groups/21

P: /devices/pci0000:00/0000:00:03.0/4a1e7f2c-0000-4000-8000-000000000022
E: SUBSYSTEM=mdev
E: DRIVER=vfio_mdev
L: mdev_type=../mdev_supported_types/labGVT-V5_4
L: iommu_group=../../../../kernel/iommu_groups/22

P: /devices/virtual/vfio/21
N: vfio/21
E: DEVNAME=/dev/vfio/21
E: SUBSYSTEM=vfio

P: /devices/virtual/vfio/22
N: vfio/22
E: DEVNAME=/dev/vfio/22
E: SUBSYSTEM=vfio

P: /devices/virtual/misc/vfio
N: vfio/vfio
E: DEVNAME=/dev/vfio/vfio
E: SUBSYSTEM=misc
"""
"""A card with two mediated devices, one of a type without a name."""


class SmarterTests(SynchronousTestCase):
    """smarter-device-manager: a resource for each path that an expression matches."""

    tool = "smarter-device-manager"

    def test_paths(self) -> None:
        """Names come from paths, with ``_`` for ``/``; the number is that of replicas."""
        text = """
            - {devicematch: ^kvm$, nummaxdevices: 2}
            - {devicematch: ^serial/by-id/usb-0658_0200-if00$, nummaxdevices: 1}
            - {devicematch: ^snd$, nummaxdevices: 20}
        """
        self.assertEqual(
            resources(self.tool, text),
            {
                "kvm": {"path": "/dev/kvm", **RW, "replicas": 2},
                "serial_by-id_usb-0658_0200-if00": {
                    "path": "/dev/serial/by-id/usb-0658_0200-if00",
                    **RW,
                },
                "snd": {"path": "/dev/snd", "group": "all", **RW, "replicas": 20},
            },
        )
        self.assertIn("domain: smarter-devices\n", converted(self.tool, text).text)
        self.assertEqual(
            found(self.tool, text, "cards")["kvm"], {f"kvm-{n}": ["/dev/kvm"] for n in (0, 1)}
        )

    def test_config_map(self) -> None:
        """The usual ConfigMap, and the chart's values."""
        text = """
            kind: ConfigMap
            data:
              conf.yaml: |
                - devicematch: ^gpiomem$
                  nummaxdevices: 40
        """
        self.assertEqual(
            resources(self.tool, text), {"gpiomem": {"path": "/dev/gpiomem", **RW, "replicas": 40}}
        )
        values = "config:\n  - {devicematch: ^kvm$, nummaxdevices: 1}\n"
        self.assertEqual(resources(self.tool, values), {"kvm": {"path": "/dev/kvm", **RW}})

    def test_numbers(self) -> None:
        """An expression with numbers is a resource for each, since pods ask for each by name."""
        self.assertEqual(
            resources(self.tool, "- {devicematch: '^i2c-[0-2]$', nummaxdevices: 1}"),
            {f"i2c-{number}": {"path": f"/dev/i2c-{number}", **RW} for number in range(3)},
        )
        text = "- {devicematch: '^ttyUSB[0-9]*$', nummaxdevices: 1}"
        names = ["ttyUSB", *(f"ttyUSB{number}" for number in range(32))]
        self.assertEqual(list(resources(self.tool, text)), names)
        (note,) = notes(self.tool, text)
        self.assertIn("one for each of ttyUSB to ttyUSB31, and none for longer names", note)
        devices = found(self.tool, text, "twins")
        self.assertEqual(len(devices["ttyUSB0"]), 1)
        self.assertEqual(len(devices["ttyUSB1"]), 1)
        self.assertEqual(devices["ttyUSB2"], {})

    def test_named_sets(self) -> None:
        """Go's names of sets are those of their characters."""
        self.assertEqual(
            list(resources(self.tool, "- {devicematch: '^i2c-[[:digit:]]$', nummaxdevices: 1}")),
            [f"i2c-{number}" for number in range(10)],
        )
        text = "- {devicematch: '^x[[:alpha:]_]+$', nummaxdevices: 1}"
        self.assertEqual(resources(self.tool, text)["x"]["pathRegex"], "^/dev/(?:x[A-Za-z_]+)$")

    def test_open(self) -> None:
        """What cannot be enumerated is one resource with another name, and the report says so."""
        text = "- {devicematch: '^ttyUS.*$', nummaxdevices: 3}"
        self.assertEqual(
            resources(self.tool, text),
            {"ttyUS": {"pathRegex": "^/dev/(?:ttyUS.*)$", **RW, "replicas": 3}},
        )
        (note, _) = notes(self.tool, text)
        self.assertIn(
            "they are one resource, smarter-devices/ttyUS: change the pods to ask for it", note
        )
        self.assertEqual(len(found(self.tool, text, "twins")["ttyUS"]), 6)

    def test_loose(self) -> None:
        """An expression without ends is taken for the whole path, and the report says so."""
        (note,) = notes(self.tool, "- {devicematch: kvm, nummaxdevices: 1}")
        self.assertIn("here it is the whole path", note)

    def test_names(self) -> None:
        """In names the manager keeps letters, digits, ``_`` and ``-`` alone, and no dots."""
        text = r"- {devicematch: '^serial/by-id/usb-1a86_USB2%s0-Serial$', nummaxdevices: 1}"
        for dot in (r"\.", "."):
            (name,) = resources(self.tool, text % dot)
            self.assertEqual(name, "serial_by-id_usb-1a86_USB2_0-Serial")
        text = "- {devicematch: '^dri/by-path/pci-0000:00:02.0-card$', nummaxdevices: 1}"
        self.assertEqual(list(resources(self.tool, text)), ["dri_by-path_pci-0000_00_02_0-card"])

    def test_alternatives(self) -> None:
        """Each alternative of an expression begins below /dev, and is a resource of its own."""
        text = "- {devicematch: '%s', nummaxdevices: 1}"
        self.assertEqual(list(resources(self.tool, text % "^fuse$|^kvm$")), ["fuse", "kvm"])
        self.assertEqual(list(resources(self.tool, text % "^a[|]$|^(b|c)$")), ["a", "b", "c"])
        ours = resources(self.tool, text % r"^ttyUS.*$|\Avideo.*$|(?:^kv.*|^ttyUS.*)$")
        self.assertEqual(list(ours), ["ttyUS", "video", "devices"])
        self.assertEqual(ours["video"]["pathRegex"], "^/dev/(?:video.*)$")
        listed = found(self.tool, text % "(?:^kv.*|^ttyUS.*)$", "twins")["devices"]
        nodes = {node.rpartition(" as ")[2] for (node,) in listed.values()}
        self.assertEqual(len(nodes), 2)

    def test_open_twice(self) -> None:
        """Each expression of unknown paths has a resource of its own, though they begin alike."""
        text = """
            - {devicematch: '^tty$', nummaxdevices: 1}
            - {devicematch: '^tty.*A$', nummaxdevices: 1}
            - {devicematch: '^tty.*B$', nummaxdevices: 1}
        """
        self.assertEqual(list(resources(self.tool, text)), ["tty", "tty-2", "tty-3"])
        self.assertIn(
            "they are one resource, smarter-devices/tty-3", " ".join(notes(self.tool, text))
        )

    def test_same_path(self) -> None:
        """Of two expressions that name a path the first counts, which is reported."""
        text = """
            - {devicematch: ^kvm$, nummaxdevices: 5}
            - {devicematch: '^(kvm|fuse)$', nummaxdevices: 7}
        """
        self.assertEqual(resources(self.tool, text)["kvm"]["replicas"], 5)
        self.assertEqual(resources(self.tool, text)["fuse"]["replicas"], 7)
        self.assertIn("kvm is there already, from line 1", " ".join(notes(self.tool, text)))

    def test_left_out(self) -> None:
        """What has no counterpart is reported."""
        text = """
            - {devicematch: ^kvm$, nummaxdevices: 1}
            - {devicematch: nvidia-gpu, nummaxdevices: 1}
            - {devicematch: ^fuse$, nummaxdevices: 0}
        """
        self.assertEqual(list(resources(self.tool, text)), ["kvm"])
        gpu, none = notes(self.tool, text)
        self.assertIn("nvidia-gpu is not carried over", gpu)
        self.assertIn("nummaxdevices is 0, so nothing is listed: left out", none)

    def test_problems(self) -> None:
        """All problems are reported at once."""
        self.assertEqual(
            problems(self.tool, "- {devicematch: '(', nummaxdevices: 1}\n- {nummaxdevices: x}\n"),
            [
                "f.yaml:1:17: [0].devicematch: devicematch '(': no regular expression here: "
                "missing ), unterminated subpattern at position 0; write it without what Go alone "
                "has",
                "f.yaml:2:3: [1]: the key 'devicematch' is missing: a regular expression",
                "f.yaml:2:19: [1].nummaxdevices: expected a whole number, found 'x'",
            ],
        )

    def test_texts(self) -> None:
        """The texts of an expression, while they are few."""
        for expression, expected in (
            ("^a$", ["a"]),
            ("^a|b$", None),
            ("^(a|b)[0-1]?$", ["a", "a0", "a1", "b", "b0", "b1"]),
            (r"^x\d+$", [f"x{number}" for number in range(32)]),
            ("^x[0-3]*$", None),
            ("^x{2,3}$", ["xx", "xxx"]),
            ("^[^a]$", None),
            ("^.$", None),
            ("^[a-z][a-z]$", None),
            ("^(a{60}){60}$", None),
            ("", None),
        ):
            texts = texts_of(expression, 64)
            self.assertEqual(None if texts is None else list(texts.texts), expected, expression)

    def test_example(self) -> None:
        """The manager's example of cameras: a resource for each node, ten times."""
        text = "- {devicematch: '^video[0-9]*$', nummaxdevices: 10}"
        listed = {
            name: {node.rpartition(" as ")[2] for (node,) in devices.values()}
            for name, devices in found(self.tool, text, "camera").items()
            if len(devices) == 10
        }
        self.assertEqual(listed, {"video2": {"/dev/video2"}, "video3": {"/dev/video3"}})

    def test_go(self) -> None:
        """What Go's expressions have and Python's lack is taken over, or refused."""
        text = "- {devicematch: '%s', nummaxdevices: 1}"
        ours = resources(self.tool, text % "(?i)^ttyusb[0-9]$")
        self.assertEqual(ours["ttyusb"]["pathRegex"], "(?i)^/dev/(?:ttyusb[0-9])$")
        self.assertEqual(list(resources(self.tool, text % "^(?i:ttyusb)0$")), ["devices"])
        self.assertEqual(list(resources(self.tool, text % r"^rtc0\z")), ["rtc0"])
        (problem,) = problems(self.tool, text % r"^a\pN$")
        self.assertIn("no regular expression here: bad escape", problem)


class AkriTests(SynchronousTestCase):
    """Akri: udev rules."""

    def test_values(self) -> None:
        """The chart's values: rules are pasted lines, capacity is the number of replicas."""
        text = """
            udev:
              configuration:
                enabled: true
                name: akri-serial
                capacity: 2
                brokerProperties: {BAUD: "9600", BRACE: "{x}"}
                discoveryDetails:
                  permissions: rw
                  udevRules:
                    - 'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="7523"'
        """
        self.assertEqual(
            resources("akri", text),
            {
                "akri-serial": {
                    "udev": 'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="7523"',
                    "node": {"permissions": "rw"},
                    "env": {
                        "UDEV_DEVNODE": "{node}",
                        "UDEV_DEVNODE_{n}": "{node}",
                        "BAUD": "9600",
                        "BRACE": "{{x}}",
                    },
                    "replicas": 2,
                }
            },
        )
        self.assertEqual(len(found("akri", text, "twins")["akri-serial"]), 4)
        self.assertIn("UDEV_DEVNODE_0 is the first device's", " ".join(notes("akri", text)))

    def test_configuration(self) -> None:
        """A Configuration has the rules as a text, and its own name."""
        text = """
            apiVersion: akri.sh/v0
            kind: Configuration
            metadata: {name: akri-video}
            spec:
              discoveryHandler:
                name: udev
                discoveryDetails: |+
                  udevRules:
                  - 'KERNEL=="video[0-9]*", ENV{ID_V4L_CAPABILITIES}=="*:capture:*"'
                  - 'ACTION=="add", SUBSYSTEM=="media", SYMLINK+="x"'
                  groupRecursive: true
              brokerSpec: {}
              capacity: 1
        """
        found = resources("akri", text)["akri-video"]
        self.assertEqual(
            found["match"],
            [
                {"udev": 'KERNEL=="video[0-9]*", ENV{ID_V4L_CAPABILITIES}=="*:capture:*"'},
                {"udev": 'SUBSYSTEM=="media"'},
            ],
        )
        self.assertEqual(found["group"], "parent")
        self.assertEqual(found["env"], {"UDEV_DEVNODE_{n}": "{node}"})
        said = notes("akri", text)
        self.assertTrue(any(note.startswith("f.yaml:10:") for note in said), said)
        for part in (
            'Akri finds nothing by a rule with ACTION=="add", which is left out here',
            'Akri finds nothing by a rule with SYMLINK+="x", which is left out here',
            "UDEV_DEVNODE_1 is not a device's second node here",
            "groupRecursive: the nodes of one piece of hardware are one device",
            "brokers are not deployed",
            'SUBSYSTEM=="media" alone selects everything of the subsystem',
        ):
            self.assertIn(part, " ".join(said))

    def test_problems(self) -> None:
        """A rule that is none is refused with its reason."""
        (problem,) = problems("akri", "udevRules: ['SUBSYSTEM==\"tty\", nonsense']")
        self.assertIn('write conditions as KEY=="value"', problem)
        (problem,) = problems("akri", "udevRules: ['{{ .Values.rule }}']")
        self.assertIn("this is a template", problem)

    def test_expressions(self) -> None:
        """Regular expressions, which libudev does not test for Akri, become globs."""
        for rule, ours in (
            ('ATTRS{product}==".*Serial.+"', 'ATTRS{product}=="*Serial?*"'),
            (r'ATTRS{product}=="^USB2\.0-Ser[^x]+$"', 'ATTRS{product}=="USB2.0-Ser[!x]*"'),
            (r'KERNELS=="1-\d\*"', 'KERNELS=="1-[0-9][*]"'),
            ('KERNEL!="tty[^U].*", KERNEL=="tty*"', 'KERNEL!="tty[!U]*", KERNEL=="tty*"'),
        ):
            text = f"udevRules: ['{rule}']"
            self.assertEqual(resources("akri", text)["akri-udev"]["udev"], ours)
            self.assertIn(
                "takes the value for a regular expression; here", " ".join(notes("akri", text))
            )
        text = "udevRules: ['DRIVERS==\"(a|b)\"']"
        self.assertIn("and here it is a glob", " ".join(notes("akri", text)))
        text = 'udevRules: [\'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86|10c4"\']'
        self.assertEqual(len(notes("akri", text)), 1)
        text = 'udevRules: [\'SUBSYSTEM=="tty", ATTRS{product}=="USB2.0-S.*"\']'
        self.assertEqual(len(found("akri", text, "twins")["akri-udev"]), 2)

    def test_meanings(self) -> None:
        """What several conditions mean to Akri alone is reported."""
        for rule, part in (
            (
                'SUBSYSTEM=="tty", ATTRS{idVendor}=="1", DRIVERS=="x"',
                "each of ATTRS{idVendor}, DRIVERS",
            ),
            ('KERNEL=="a", TAGS!="b"', "must hold for all devices above"),
            ('KERNEL=="a", ENV{A}=="1", ENV{B}=="2"', "for which one of several conditions on ENV"),
            ('SUBSYSTEM=="usb", ATTR{x}=="1"', "Akri takes the nearest node above"),
        ):
            (_, note) = notes("akri", f"udevRules: ['{rule}']")
            self.assertIn(part, note)
        rule = 'SUBSYSTEM=="tty", SUBSYSTEMS=="usb", ATTRS{idVendor}=="1", ATTRS{idProduct}=="2"'
        self.assertEqual(len(notes("akri", f"udevRules: ['{rule}']")), 1)

    def test_examples(self) -> None:
        """Akri's example of cameras: each node, or all of a camera, twice."""
        text = """
            kind: Configuration
            metadata: {name: akri-udev-video}
            spec:
              capacity: 2
              discoveryHandler:
                name: udev
                discoveryDetails: |
                  groupRecursive: %s
                  udevRules: ['KERNEL=="video[0-9]*"']
        """
        each = found("akri", text % "false", "camera")["akri-udev-video"]
        nodes = [node.rpartition(" as ")[2] for (node,) in each.values()]
        self.assertEqual(nodes, ["/dev/video2"] * 2 + ["/dev/video3"] * 2)
        together = found("akri", text % "true", "camera")["akri-udev-video"]
        self.assertEqual(list(together), ["0c45-6366-LC4400217-0", "0c45-6366-LC4400217-1"])

    def test_others(self) -> None:
        """What other discovery handlers find is reported, with services and brokers."""
        text = """
            kind: Configuration
            spec: {discoveryHandler: {name: onvif, discoveryDetails: "ipAddresses: {}"}}
            ---
            kind: Configuration
            metadata: {name: cam}
            spec:
              discoveryHandler:
                name: udev
                discoveryDetails: "udevRules: ['KERNEL==\\"video0\\"']"
              instanceServiceSpec: {ports: []}
            ---
            spec:
              values:
                opcua: {configuration: {enabled: true}}
                debugEcho: {configuration: {enabled: false}}
        """
        self.assertEqual(list(resources("akri", text)), ["cam"])
        said = "\n".join(notes("akri", text))
        self.assertIn("discoveryHandler: what the discovery handler onvif finds is not", said)
        self.assertIn("what the discovery handler opcua finds is not carried over", said)
        self.assertIn("instanceServiceSpec: services are not made", said)
        for name in ("udev", "debugEcho"):
            self.assertNotIn(f"handler {name} ", said)


class NvidiaTests(SynchronousTestCase):
    """NVIDIA's plugin: sharing."""

    def test_sharing(self) -> None:
        """Time slices are replicas, renamed and refused as the file says."""
        text = """
            version: v1
            flags: {migStrategy: none}
            sharing:
              timeSlicing:
                renameByDefault: true
                failRequestsGreaterThanOne: true
                resources:
                  - {name: nvidia.com/gpu, replicas: 4, devices: all}
                  - {name: nvidia.com/mig-1g.5gb, replicas: 2}
        """
        gpu = resources("nvidia", text)["gpu"]
        self.assertEqual(
            gpu["replicas"], {"count": 4, "morePerContainer": False, "rename": "gpu.shared"}
        )
        self.assertEqual(gpu["path"], "/dev/nvidia[0-9]*")
        self.assertEqual(gpu["members"][0], "/dev/nvidiactl")
        said = " ".join(notes("nvidia", text))
        for part in (
            "flags (migStrategy) cannot be carried over",
            "NVIDIA's plugin ignores devices",
            "nvidia.com/mig-1g.5gb is not carried over, only whole GPUs",
            "NVIDIA_VISIBLE_DEVICES are not carried over",
        ):
            self.assertIn(part, said)

    def test_defaults(self) -> None:
        """Without flags requests for several are allowed, and the name stays."""
        text = "sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 2}]}}"
        self.assertEqual(
            resources("nvidia", text)["gpu"]["replicas"], {"count": 2, "morePerContainer": True}
        )

    def test_several(self) -> None:
        """Of a ConfigMap with a file for each kind of node, the first that shares is converted."""
        text = """
            data:
              none: |
                version: v1
                flags: {migStrategy: none}
              one: |
                version: v1
                sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 2}]}}
              two: |
                version: v1
                sharing: {mps: {resources: []}}
        """
        self.assertEqual(resources("nvidia", text)["gpu"]["replicas"]["count"], 2)
        said = " ".join(notes("nvidia", text))
        self.assertEqual(said.count("only that of line 6 is carried over"), 2)
        chosen = convert("nvidia", dedent(text), key="two")
        self.assertIn("MPS is not carried over", str(chosen.notes))
        self.assertNotIn("several configurations", str(chosen.notes))

    def test_problems(self) -> None:
        """A number that is none is refused."""
        (problem,) = problems(
            "nvidia", "sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: a}]}}"
        )
        self.assertIn("expected a whole number, found 'a'", problem)


class KubeVirtTests(SynchronousTestCase):
    """KubeVirt: permitted host devices."""

    def test_pci(self) -> None:
        """A PCI function is given with its IOMMU group and the variable that the launcher reads."""
        text = """
            kind: KubeVirt
            spec:
              configuration:
                permittedHostDevices:
                  pciHostDevices:
                    - {pciVendorSelector: "10DE:1EB8", resourceName: nvidia.com/T4-a}
                    - {pciVendorSelector: "8086:6f54", resourceName: intel.com/qat,
                       externalResourceProvider: true}
                    - {pciVendorSelector: "8086:6f55", resourceName: intel.com/x, disabled: true}
        """
        self.assertEqual(
            resources("kubevirt", text),
            {
                "T4-a": {
                    "pci": "10de:1eb8",
                    "driver": "vfio-pci",
                    "as": "vfio",
                    "members": ["/dev/vfio/vfio"],
                    "env": {"PCI_RESOURCE_NVIDIA_COM_T4-A": "{pciBusID}"},
                }
            },
        )
        said = " ".join(notes("kubevirt", text))
        self.assertIn("intel.com/qat is left out, as another device plugin provides it", said)
        self.assertIn("intel.com/x is disabled: left out", said)

    def test_mediated(self) -> None:
        """A mediated device is listed by its type's name or id, with its IOMMU group."""
        text = """
            spec: {permittedHostDevices: {mediatedDevices: [
              {mdevNameSelector: "%s", resourceName: lab.example.com/v-gpu}, {resourceName: a/b}]}}
        """
        where = temporary_directory(self)
        with open(os.path.join(where, "recording"), "w", encoding="ascii") as file:
            file.write(MEDIATED)
        lay_out(read_recording(file.name), os.path.join(where, "root"))
        for selector, group in (("LAB_T4-1Q", 21), ("LAB T4-1Q", 21), ("labGVT-V5_4", 22)):
            (problem,) = problems("kubevirt", text % selector)
            self.assertIn("the key 'mdevNameSelector' is missing", problem)
            ours = converted("kubevirt", (text % selector).replace(", {resourceName: a/b}", ""))
            config = load(ours.text)
            scanner = DeclaredScanner(dict(config.resources), os.path.join(where, "root"))
            ((id_, info),) = scanner.discover()["v-gpu"].items()
            self.assertEqual(info.envs, {"MDEV_PCI_RESOURCE_LAB_EXAMPLE_COM_V-GPU": id_})
            self.assertEqual(
                [node.host_path for node in info.nodes], [f"/dev/vfio/{group}", "/dev/vfio/vfio"]
            )

    def test_pci_on_tree(self) -> None:
        """The function that is bound to vfio-pci is listed."""
        text = """
            spec: {permittedHostDevices: {pciHostDevices: [
              {pciDeviceSelector: "%s", resourceName: lab.example.com/card}]}}
        """
        self.assertEqual(
            found("kubevirt", text % "8086:51B9", "cards"),
            {"card": {"0000:00:1c.1": ["/dev/vfio/8", "/dev/vfio/vfio"]}},
        )
        self.assertEqual(found("kubevirt", text % "8086:46a6", "cards"), {"card": {}})

    def test_hyperconverged(self) -> None:
        """The other name of the list of USB devices is known."""
        text = """
            spec: {permittedHostDevices: {usbHostDevices: [
              {resourceName: kubevirt.io/one, selectors: [{vendor: 46f4, product: "0001"}]}]}}
        """
        self.assertEqual(resources("kubevirt", text)["one"]["usb"], "46f4:0001")

    def test_usb(self) -> None:
        """One selector makes a device of each stick; several make one of all."""
        text = """
            permittedHostDevices:
              usb:
                - {resourceName: kubevirt.io/one, selectors: [{vendor: 46f4, product: "0001"}]}
                - resourceName: kubevirt.io/two
                  selectors: [{vendor: 46f4, product: "0001"}, {vendor: "6", product: A}]
        """
        self.assertEqual(
            resources("kubevirt", text),
            {
                "one": {
                    "usb": "46f4:0001",
                    "as": "usb",
                    "env": {
                        "USB_RESOURCE_KUBEVIRT_IO_ONE": "{attribute:busnum}:{attribute:devnum}"
                    },
                },
                "two": {"usb": ["46f4:0001", "0006:000a"], "as": "usb", "group": "all"},
            },
        )
        (owner, note) = notes("kubevirt", text)
        self.assertIn("KubeVirt makes its own user (107) the owner of USB nodes", owner)
        self.assertIn("all that match one of the selectors are one device", note)

    def test_same_name(self) -> None:
        """Devices of several selectors may have one name, as a pool."""
        text = """
            permittedHostDevices:
              pciHostDevices:
                - {pciVendorSelector: "10DE:1EB8", resourceName: nvidia.com/gpu}
                - {pciVendorSelector: "10DE:2206", resourceName: nvidia.com/gpu}
                - {pciVendorSelector: "10de:2206", resourceName: nvidia.com/other}
              usb:
                - {resourceName: kubevirt.io/s, selectors: [{vendor: 46f4, product: "0001"}]}
                - {resourceName: kubevirt.io/s, selectors: [{vendor: 46f4, product: "0002"}]}
        """
        ours = resources("kubevirt", text)
        self.assertEqual(ours["gpu"]["pci"], ["10de:1eb8", "10de:2206"])
        self.assertEqual(ours["kubevirt.io/s"]["usb"], ["46f4:0001", "46f4:0002"])
        self.assertEqual(ours["kubevirt.io/s"]["as"], "usb")
        said = " ".join(notes("kubevirt", text))
        self.assertEqual(said.count("functions of NVIDIA's vGPUs"), 1)
        self.assertIn("lists devices 10de:2206 as other alone; here they are gpu, too", said)
        twice = (
            "{resourceName: a.b/s, selectors: [{vendor: 1, product: 1}, {vendor: 1, product: 2}]}"
        )
        (problem,) = problems("kubevirt", f"permittedHostDevices: {{usb: [{twice}, {twice}]}}")
        self.assertIn("the resource a.b/s is there already", problem)

    def test_problems(self) -> None:
        """What is no id, and what has no name, is refused."""
        text = """
            permittedHostDevices:
              pciHostDevices: [{pciVendorSelector: "10de", resourceName: a.example.com/b}, {}]
        """
        self.assertEqual(
            problems("kubevirt", text),
            [
                "f.yaml:2:20: permittedHostDevices.pciHostDevices[0].pciVendorSelector: "
                "pciVendorSelector '10de': expected vendor and device as 10de:1eb8",
                "f.yaml:2:80: permittedHostDevices.pciHostDevices[1]: the key 'resourceName' is "
                "missing: the resource's name with its domain",
            ],
        )
