"""Tests for the conversion of the SR-IOV network device plugin's configuration."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.conversions import converted, found, notes, problems, resources
from tests.support.declarations import nodes
from tests.support.helpers import temporary_directory
from tests.support.trees import host, recorded
from twistdp.config.loading import load
from twistdp.recording.layout import lay_out
from twistdp.recording.text import Recorded
from twistdp.scanners.declared.scanner import DeclaredScanner


def info(resource: dict[str, Any]) -> dict[str, Any]:
    """What the variable says of a device, with the words of templates in it."""
    (text,) = (value for name, value in resource["env"].items() if name.endswith("_INFO"))
    for word in ("pciBusID", "node"):
        text = text.replace(f'"{{{word}}}"', f'"<{word}>"')
    text = text.replace("{{", "{").replace("}}", "}")
    for word in ("pciBusID", "node"):
        text = text.replace(f"<{word}>", f"{{{word}}}")
    read: dict[str, Any] = json.loads(text)["{pciBusID}"]
    return read


class SriovTests(SynchronousTestCase):
    """The SR-IOV network device plugin: selectors."""

    def test_selectors(self) -> None:
        """Keys are conditions, lists alternatives; the variable stays."""
        text = """
            kind: ConfigMap
            data:
              config.json: |
                {"resourceList": [
                  {"resourceName": "vf", "selectors":
                    {"vendors": ["8086"], "devices": ["154c", "10ed"], "drivers": ["iavf"]}},
                  {"resourceName": "dpdk-a", "resourcePrefix": "lab.example.com",
                   "selectors": [
                     {"drivers": ["vfio-pci"], "pciAddresses": ["0000:03:02.0"]},
                     {"drivers": ["vfio-pci"], "acpiIndexes": ["101"]}],
                   "excludeTopology": true}]}
        """
        none = {"attribute": {"sriov_numvfs": "/[1-9]/"}}
        self.assertEqual(
            resources("sriov", text),
            {
                "vf": {
                    "pciClass": "02????",
                    "vendorID": "8086",
                    "productID": ["154c", "10ed"],
                    "driver": "iavf",
                    "not": none,
                    "as": "pci",
                    "env": {
                        "PCIDEVICE_INTEL_COM_VF": "{pciBusID}",
                        "PCIDEVICE_INTEL_COM_VF_INFO": '{{"{pciBusID}": {{"generic": '
                        '{{"deviceID": "{pciBusID}"}}}}}}',
                    },
                },
                "lab.example.com/dpdk-a": {
                    "match": [
                        {
                            "pciClass": "02????",
                            "driver": "vfio-pci",
                            "pciBusID": "0000:03:02.0",
                            "not": none,
                        },
                        {
                            "pciClass": "02????",
                            "driver": "vfio-pci",
                            "attribute": {"acpi_index": "101"},
                            "not": none,
                        },
                    ],
                    "as": "vfio",
                    "members": ["/dev/vfio/vfio"],
                    "env": {
                        "PCIDEVICE_LAB_EXAMPLE_COM_DPDK-A": "{pciBusID}",
                        "PCIDEVICE_LAB_EXAMPLE_COM_DPDK-A_INFO": '{{"{pciBusID}": {{"generic": '
                        '{{"deviceID": "{pciBusID}"}}, "vfio": {{"dev-mount": "{node}", "mount": '
                        '"/dev/vfio/vfio"}}}}}}',
                    },
                    "numa": "none",
                },
            },
        )
        self.assertIn("exclusive: true\n", converted("sriov", text).text)

    def test_on_tree(self) -> None:
        """A virtual function is listed with its IOMMU group and its variable."""
        text = """
            resourceList:
              - resourceName: vf
                selectors: {vendors: ["8086"], drivers: [vfio-pci], rootDevices: ["%s"]}
        """
        self.assertEqual(
            found("sriov", text % "0000:00:1c.0", "cards"),
            {"vf": {"0000:00:1c.1": ["/dev/vfio/8", "/dev/vfio/vfio"]}},
        )
        self.assertEqual(found("sriov", text % "0000:00:1d.0", "cards"), {"vf": {}})
        config = load(converted("sriov", text % "0000:00:1c.0").text)
        tree = DeclaredScanner(dict(config.resources), host("cards").root).discover()
        envs = tree["vf"]["0000:00:1c.1"].envs
        self.assertEqual(envs["PCIDEVICE_INTEL_COM_VF"], "0000:00:1c.1")
        vfio = {"dev-mount": "/dev/vfio/8", "mount": "/dev/vfio/vfio"}
        self.assertEqual(
            json.loads(envs["PCIDEVICE_INTEL_COM_VF_INFO"]),
            {"0000:00:1c.1": {"generic": {"deviceID": "0000:00:1c.1"}, "vfio": vfio}},
        )

    def test_functions(self) -> None:
        """Names and addresses of physical functions select their virtual ones, or themselves."""
        text = """
            resourceList:
              - resourceName: x
                selectors: {pfNames: [ens1], rootDevices: ["0000:86:00.0"], drivers: [iavf]}
        """
        ours = resources("sriov", text)["x"]
        net = {"child": {"subsystem": "net", "kernelName": "ens1"}}
        root = [{"physfn": {"pciBusID": "0000:86:00.0"}}, {"pciBusID": "0000:86:00.0"}]
        self.assertEqual(ours["any"], [{"physfn": net, "any": root}, {**net, "any": root}])

    def test_rdma(self) -> None:
        """Conditions on what belongs to a function all hold, and its nodes are given."""
        text = """
            resourceList:
              - resourceName: x
                selectors: {isRdma: true, linkTypes: [ether], needVhostNet: true, drivers: [mlx5]}
        """
        ours = resources("sriov", text)["x"]
        child = {"subsystem": "net", "attribute": {"type": "1"}}
        self.assertEqual(ours["child"], {"subsystem": "infiniband"})
        self.assertEqual(ours["any"], [{"child": child}, {"physfn": {"child": child}}])
        self.assertEqual(
            ours["members"],
            [
                {"subsystem": "infiniband_verbs"},
                {"subsystem": "infiniband_mad", "optional": True},
                "/dev/infiniband/rdma_cm",
                "/dev/vhost-net",
                "/dev/net/tun",
            ],
        )
        said = info(ours)
        self.assertEqual(said["vhost"]["tun-mount"], "/dev/net/tun")
        self.assertEqual(said["rdma"], {"uverbs": "{node}", "rdma_cm": "/dev/infiniband/rdma_cm"})
        self.assertIn("rdma_dev, umad and issm are missing", " ".join(notes("sriov", text)))

    def test_link_of_a_virtual_function(self) -> None:
        """A function without an interface, as one of vfio-pci, has the link of its physical one."""
        text = """
            resourceList:
              - {resourceName: vf, selectors: {drivers: [vfio-pci], linkTypes: [infiniband]}}
        """
        port = Recorded(
            "/devices/pci0000:00/0000:00:1c.0/net/ib0",
            properties={"SUBSYSTEM": "net", "INTERFACE": "ib0", "IFINDEX": "9"},
            attributes={"type": b"32\n"},
        )
        resources = dict(load(converted("sriov", text).text).resources)
        for more, expected in (((), []), ((port,), ["0000:00:1c.1"])):
            root = temporary_directory(self)
            lay_out([*recorded("cards"), *more], root)
            tree = DeclaredScanner(resources, root).discover()
            self.assertEqual(list(nodes(tree, "vf")), expected)

    def test_accelerators(self) -> None:
        """Physical accelerators that have virtual functions are listed with them."""
        text = """
            resourceList:
              - {resourceName: x, deviceType: accelerator, selectors: {vendors: ["8086"]}}
              - {resourceName: y, selectors: {vendors: ["8086"]}}
        """
        ours = resources("sriov", text)
        self.assertNotIn("not", ours["x"])
        self.assertIn("not", ours["y"])

    def test_domains(self) -> None:
        """Devices are exclusive within a domain, and resources of several are reported."""
        text = """
            resourceList:
              - {resourceName: x, resourcePrefix: a.example.com, selectors: {vendors: ["8086"]}}
              - {resourceName: y, selectors: {vendors: ["8086"]}}
        """
        part = "resources of different domains (a.example.com, intel.com) may have the same device"
        self.assertIn(part, " ".join(notes("sriov", text)))
        text = text.replace("resourcePrefix: a.example.com, ", "")
        self.assertNotIn("different domains", " ".join(notes("sriov", text)))

    def test_never_wider(self) -> None:
        """A selector of which a part cannot be said is left out: it would select too much."""
        text = """
            resourceList:
              - resourceName: x
                selectors:
                  - {vendors: ["8086"], ddpProfiles: ["GTPv1-C/U IPv4/IPv6 payload"]}
                  - {vdpaType: other}
                  - {linkTypes: [other]}
                  - {vendors: ["15b3"], drivers: [mlx5_core]}
              - {resourceName: y, selectors: {pKeys: ["0x1"]}}
              - {resourceName: z, deviceType: auxNetDevice, selectors: {auxTypes: [sf]}}
        """
        self.assertEqual(list(resources("sriov", text)), ["x"])
        self.assertEqual(resources("sriov", text)["x"]["vendorID"], "15b3")
        said = " ".join(notes("sriov", text))
        for part in (
            "this selector of x is left out: ddpProfiles cannot be tested here",
            "vdpaType other is none of vhost and virtio",
            "linkTypes other than ether and infiniband cannot be tested here",
            "y is not carried over: it has no selector that can be",
            "z is not carried over: deviceType auxNetDevice",
        ):
            self.assertIn(part, said)

    def test_ranges(self) -> None:
        """Virtual functions are chosen by their numbers; an entry counts once for a function."""
        text = """
            resourceList:
              - resourceName: x
                selectors: {pfNames: [ens1, "ens2#0,2-4", "ENS2#9"], drivers: [iavf]}
              - resourceName: y
                selectors: {rootDevices: ["0000:00:1c.0#%s"], drivers: [vfio-pci]}
        """
        net = {"child": {"subsystem": "net", "kernelName": "ens1"}}
        other = {"child": {"subsystem": "net", "kernelName": "ens2"}}
        self.assertEqual(
            resources("sriov", text % 1)["x"]["any"],
            [{"physfn": net}, net, {"physfn": other, "vfNumber": [0, 2, 3, 4]}],
        )
        self.assertIn(
            "ENS2#9: the SR-IOV plugin looks only at the first", str(notes("sriov", text % 1))
        )
        for numbers, listed in (("0", ["0000:00:1c.1"]), ("0-1", ["0000:00:1c.1"]), ("1-2", [])):
            self.assertEqual(list(found("sriov", text % numbers, "cards")["y"]), listed, numbers)
        for numbers in ("", "3-1", "a", "0-99999", "1-2-3"):
            self.assertIn("as 0-3,5", str(problems("sriov", text % numbers)), numbers)

    def test_drivers(self) -> None:
        """A function of the kernel's driver has no node; several drivers in one are reported."""
        text = """
            resourceList:
              - {resourceName: kernel, selectors: {drivers: [labnic]}}
              - {resourceName: any, selectors: {pciAddresses: ["0000:00:1c.1"]}}
              - {resourceName: uio, selectors: {drivers: [igb_uio]}}
              - {resourceName: fpga, deviceType: accelerator, selectors: {pfNames: [a]}}
        """
        ours = resources("sriov", text)
        self.assertNotIn("members", ours["kernel"])
        self.assertEqual(ours["uio"]["members"], [{"subsystem": "uio"}])
        self.assertEqual(info(ours["uio"])["uio"], {"mount": "{node}"})
        self.assertNotIn("any", ours["fpga"])
        said = " ".join(notes("sriov", text))
        self.assertIn("the SR-IOV plugin ignores the unknown key 'pfNames'", said)
        self.assertIn("functions of several drivers may be in it", said)
        listed = found("sriov", text, "cards")
        self.assertEqual(listed["kernel"], {"0000:00:1c.0": []})
        self.assertEqual(listed["any"], {"0000:00:1c.1": ["/dev/vfio/8", "/dev/vfio/vfio"]})

    def test_vdpa(self) -> None:
        """A vDPA device is given by its node, or has none with virtio."""
        text = """
            resourceList:
              - {resourceName: a, selectors: {vdpaType: vhost, drivers: [mlx5_core]}}
              - {resourceName: b, selectors: {vdpaType: virtio, drivers: [mlx5_core]}}
              - resourceName: c
                selectors: [{vdpaType: vhost, drivers: [x]}, {needVhostNet: true, drivers: [x]}]
        """
        ours = resources("sriov", text)
        self.assertEqual(ours["a"]["child"], {"subsystem": "vdpa", "driver": "vhost_vdpa"})
        self.assertEqual(ours["a"]["members"], [{"subsystem": "vhost-vdpa"}])
        self.assertEqual(info(ours["a"])["vdpa"], {"mount": "{node}"})
        self.assertEqual(ours["b"]["child"]["driver"], "virtio_vdpa")
        self.assertNotIn("members", ours["b"])
        self.assertEqual(list(info(ours["c"])), ["generic"])
        self.assertTrue(all(each["optional"] for each in ours["c"]["members"]))
        self.assertIn("vdpaType holds for some selectors alone", str(notes("sriov", text)))

    def test_info(self) -> None:
        """What is added for all devices is in the variable; what is for single ones is reported."""
        text = """
            resourceList:
              - resourceName: x
                selectors: {drivers: [iavf], pciAddresses: [%s]}
                additionalInfo:
                  "*": {token: "{t}", room: 1}
                  "0000:03:02.0": {token: own}
        """
        ours = resources("sriov", text % '"0000:03:02.0"')["x"]
        self.assertEqual(info(ours)["extra"], {"token": "own", "room": "1"})
        several = text % '"0000:03:02.0", "0000:03:02.1"'
        self.assertEqual(info(resources("sriov", several)["x"])["extra"]["token"], "{t}")
        self.assertIn(
            "what additionalInfo adds for 0000:03:02.0 alone (token)", str(notes("sriov", several))
        )
        self.assertIn("one JSON object for each", str(notes("sriov", several)))

    def test_flags(self) -> None:
        """The prefix that the plugin's container is given is the domain."""
        text = """
            kind: DaemonSet
            spec: {args: [--log-level=10, %s, --use-cdi]}
            ---
            resourceList: [{resourceName: x, selectors: {drivers: [iavf]}}]
        """
        for flag in ("--resource-prefix=lab.example.com", "-resource-prefix, lab.example.com"):
            self.assertIn("domain: lab.example.com\n", converted("sriov", text % flag).text)
        self.assertIn("use-cdi is not carried over", str(notes("sriov", text % "-v")))

    def test_problems(self) -> None:
        """Shapes that are wrong are refused."""
        text = "resourceList:\n- selectors: {}\n- {resourceName: y}\n"
        self.assertEqual(
            problems("sriov", text),
            [
                "f.yaml:2:3: resourceList[0]: the key 'resourceName' is missing: the resource's "
                "name",
                "f.yaml:3:3: resourceList[1]: the key 'selectors' is missing: a mapping, or a "
                "list of them",
            ],
        )
