"""Tests for the conversion of the objects of Intel's operator."""

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page
from twistdp.config import BadConfig
from twistdp.config.convert import Converted
from twistdp.crds import read, resource_names
from twistdp.crds.intel import COMMON, KINDS, convert_intel, is_intels
from twistdp.operator.desired import desired
from twistdp.operator.settings import OperatorSettings

USUAL = {"nodeSelector": {"kubernetes.io/arch": "amd64"}, "tolerations": []}
"""What Intel's operator writes if the object does not have the fields."""


VALUES = {
    "allowIDs": "'0x56c0'", "denyIDs": "'0x56c1'", "bypathMode": "all",
    "preferredAllocationPolicy": "packed", "monitoringMode": "split",
    "enableMonitoring": "true", "driver": "vfio-pci", "dpdkDriver": "igb_uio",
    "kernelVfDrivers": "[c6xxvf]", "mode": "regiondevel", "dcapInfraResources": "true",
    "nodeSelector": "{a: b}", "tolerations": "[{operator: Exists}]",
}  # fmt: skip
"""Values of fields that are no whole numbers, in YAML."""


def crd(kind: str, spec: str, name: str = "sample") -> str:
    """An object of a kind, with fields as JSON has them."""
    return (
        f"apiVersion: deviceplugin.intel.com/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
        f"spec: {spec}\n"
    )


def converted(text: str, **more: Any) -> Converted:
    """What a text is converted to."""
    return convert_intel(dedent(text).lstrip("\n"), "f.yaml", **more)


def objects(text: str, **more: Any) -> list[dict[str, Any]]:
    """The objects that a text is converted to."""
    return list(yaml.safe_load_all(converted(text, **more).text))


def samples() -> Iterator[tuple[str, str]]:
    """Objects of each kind with no field, each of them alone, and all of them."""
    for kind, known in KINDS.items():
        fields = [f"{field}: {VALUES.get(field, '7')}" for field in (*COMMON, *known.fields)]
        for some in ("", *fields, ", ".join(fields)):
            yield kind, f"{{{some}}}"


def spec_of(kind: str, spec: str) -> dict[str, Any]:
    """The spec that one object is converted to, but for what all have."""
    (made,) = objects(crd(kind, spec))
    found: dict[str, Any] = made["spec"]
    for key, value in USUAL.items():
        if found[key] == value:
            del found[key]
    return found


def notes(text: str) -> list[str]:
    """What is reported about a conversion."""
    return [str(note) for note in converted(text).notes]


def problems(text: str) -> list[str]:
    """Why a text is refused."""
    try:
        converted(text)
    except BadConfig as error:
        return [str(problem) for problem in error.problems]
    return []


class GpuTests(SynchronousTestCase):
    """GpuDevicePlugin."""

    def test_plain(self) -> None:
        """An object without fields is the entry of the catalogue."""
        self.assertEqual(spec_of("GpuDevicePlugin", "{}"), {"catalog": [{"name": "intel-gpu"}]})
        self.assertEqual(notes(crd("GpuDevicePlugin", "{}")), [])

    def test_shared(self) -> None:
        """As with Intel's plugin, a container may have several shares."""
        shared = {"replicas": 10, "morePerContainer": True}
        for policy, preferred in (
            ("", "spread"),
            (", preferredAllocationPolicy: none", "spread"),
            (", preferredAllocationPolicy: balanced", "spread"),
            (", preferredAllocationPolicy: packed", "packed"),
        ):
            self.assertEqual(
                spec_of("GpuDevicePlugin", f"{{sharedDevNum: 10{policy}}}"),
                {"catalog": [{"name": "intel-gpu", "preferred": preferred, **shared}]},
            )

    def test_monitoring(self) -> None:
        """Monitoring is an entry of its own, for each driver with split."""
        for mode, entry in (
            ("", "intel-gpu-monitoring"),
            (", monitoringMode: single", "intel-gpu-monitoring"),
            (", monitoringMode: split", "intel-gpu-monitoring-split"),
        ):
            self.assertEqual(
                spec_of("GpuDevicePlugin", f"{{enableMonitoring: true{mode}}}"),
                {"catalog": [{"name": "intel-gpu"}, {"name": entry}]},
            )

    def test_chosen(self) -> None:
        """Ids and mounts are keys of a configuration, beside those of the shares."""
        text = (
            "{allowIDs: '0x56c0,0x56c1', sharedDevNum: 2, preferredAllocationPolicy: packed, "
            "bypathMode: none, enableMonitoring: true}"
        )
        keys = {
            "allow": ["0x56c0", "0x56c1"],
            "mounts": [],
            "replicas": {"count": 2, "morePerContainer": True},
            "preferred": "packed",
        }
        self.assertEqual(
            spec_of("GpuDevicePlugin", text),
            {
                "config": {
                    "domain": "gpu.intel.com",
                    "resources": {
                        "i915": {"use": "intel-gpu/i915", **keys},
                        "xe": {"use": "intel-gpu/xe", **keys},
                        "monitoring": {"use": "intel-gpu-monitoring"},
                    },
                }
            },
        )

    def test_denied(self) -> None:
        """All links, and all cards but some; monitoring of each driver's cards."""
        text = "{denyIDs: '0x56c0', bypathMode: all, enableMonitoring: true, monitoringMode: split}"
        made = spec_of("GpuDevicePlugin", text)["config"]["resources"]
        links = {"hostPath": "/dev/dri/by-path", "readOnly": True, "optional": True}
        self.assertEqual(
            made,
            {
                "i915": {"use": "intel-gpu/i915", "deny": ["0x56c0"], "mounts": [links]},
                "xe": {"use": "intel-gpu/xe", "deny": ["0x56c0"], "mounts": [links]},
                "i915_monitoring": {"use": "intel-gpu-monitoring-split/i915_monitoring"},
                "xe_monitoring": {"use": "intel-gpu-monitoring-split/xe_monitoring"},
            },
        )

    def test_without_effect(self) -> None:
        """Fields that Intel's plugin would not heed are noted."""
        text = crd("GpuDevicePlugin", "{preferredAllocationPolicy: packed, monitoringMode: split}")
        first, second = notes(text)
        self.assertIn("it has no effect unless sharedDevNum is 2 or more", first)
        self.assertIn("it has no effect without enableMonitoring: true", second)

    def test_bad_ids(self) -> None:
        """Ids are checked as Intel's webhook does."""
        for text in ("0x56c0,", "56c0", "0x56C0", "0x56c0, 0x56c1"):
            (problem,) = problems(crd("GpuDevicePlugin", f"{{denyIDs: '{text}'}}"))
            self.assertIn("f.yaml:4:17: spec.denyIDs: ", problem)
            self.assertIn("is no id of a PCI device, as 0x56c0", problem)


class OthersTests(SynchronousTestCase):
    """The other seven kinds."""

    def test_devices(self) -> None:
        """Which devices each means; fields that are left out have Intel's defaults."""
        shared = {"replicas": {"count": 3, "morePerContainer": True}}
        vf = {"kernel_vf_drivers": ["c6xxvf", "4xxxvf"], "driver": ["vfio-pci"], "limit": ["32"]}
        debug = {"security": {"hostPaths": ["/sys/kernel/debug"]}}
        for kind, fields, wanted in (
            ("DlbDevicePlugin", "{}", {"catalog": [{"name": "intel-dlb"}]}),
            ("NpuDevicePlugin", "{}", {"catalog": [{"name": "intel-npu"}]}),
            ("NpuDevicePlugin", "{sharedDevNum: 5}", {"catalog": [
                {"name": "intel-npu", "replicas": 5, "morePerContainer": True}]}),
            ("DsaDevicePlugin", "{}", {"catalog": [{"name": "intel-dsa"}]}),
            ("DsaDevicePlugin", "{driver: vfio-pci}", {"catalog": [{"name": "intel-dsa-vfio"}]}),
            ("DsaDevicePlugin", "{sharedDevNum: 3, driver: idxd}", {"config": {
                "domain": "dsa.intel.com",
                "resources": {
                    "wq-user-shared": {"use": "intel-dsa/wq-user-shared", **shared},
                    "wq-user-dedicated": {"use": "intel-dsa/wq-user-dedicated"},
                    "wq-kernel-shared": {"use": "intel-dsa/wq-kernel-shared", **shared},
                    "wq-kernel-dedicated": {"use": "intel-dsa/wq-kernel-dedicated"}}}}),
            ("IaaDevicePlugin", "{sharedDevNum: 1}", {"catalog": [{"name": "intel-iaa"}]}),
            ("FpgaDevicePlugin", "{}", {"catalog": [
                {"name": "intel-fpga", "arguments": {"mode": ["af"]}}]}),
            ("FpgaDevicePlugin", "{mode: region}", {"catalog": [
                {"name": "intel-fpga", "arguments": {"mode": ["region"]}}],
                "cdi": {"enabled": True}}),
            ("SgxDevicePlugin", "{}", {"catalog": [{"name": "intel-sgx", "arguments": {
                "enclave_limit": ["1"], "provision_limit": ["1"]}}]}),
            ("SgxDevicePlugin", "{enclaveLimit: 110, provisionLimit: 20, dcapInfraResources: true}",
             {"catalog": [{"name": "intel-sgx", "arguments": {
                "enclave_limit": ["110"], "provision_limit": ["20"]}},
                {"name": "intel-sgx-dcap"}], "cdi": {"enabled": True}}),
            ("QatDevicePlugin", "{}",
             {"catalog": [{"name": "intel-qat", "arguments": vf}], **debug}),
            ("QatDevicePlugin",
             "{kernelVfDrivers: [420xxvf], dpdkDriver: igb_uio, maxNumDevices: 4, "
             "preferredAllocationPolicy: balanced}",
             {"catalog": [{"name": "intel-qat", "arguments": {"kernel_vf_drivers": ["420xxvf"],
                "driver": ["igb_uio"], "limit": ["4"]}}], "preferred": "spread", **debug}),
        ):  # fmt: skip
            with self.subTest(kind=kind, fields=fields):
                self.assertEqual(spec_of(kind, fields), wanted)

    def test_same_names(self) -> None:
        """Pods find their resources under the same names."""
        for kind, fields, wanted in (
            ("GpuDevicePlugin", "{enableMonitoring: true}",
             "gpu.intel.com/i915 gpu.intel.com/xe gpu.intel.com/monitoring"),
            ("GpuDevicePlugin", "{bypathMode: none}", "gpu.intel.com/i915 gpu.intel.com/xe"),
            ("NpuDevicePlugin", "{sharedDevNum: 5}", "npu.intel.com/accel"),
            ("DlbDevicePlugin", "{}", "dlb.intel.com/pf dlb.intel.com/vf"),
            ("DsaDevicePlugin", "{driver: vfio-pci}", "dsa.intel.com/vfio"),
            ("DsaDevicePlugin", "{}",
             "dsa.intel.com/wq-user-shared dsa.intel.com/wq-user-dedicated "
             "dsa.intel.com/wq-kernel-shared dsa.intel.com/wq-kernel-dedicated"),
            ("IaaDevicePlugin", "{sharedDevNum: 2}",
             "iaa.intel.com/wq-user-shared iaa.intel.com/wq-user-dedicated "
             "iaa.intel.com/wq-kernel-shared iaa.intel.com/wq-kernel-dedicated"),
        ):  # fmt: skip
            with self.subTest(kind=kind, fields=fields):
                (made,) = objects(crd(kind, fields))
                self.assertEqual(resource_names(read(made)), frozenset(wanted.split()))

    def test_remarks(self) -> None:
        """What Intel's plugins do besides is noted."""
        for kind, fields, wanted in (
            ("QatDevicePlugin", "{}", "Intel's plugin binds virtual functions to vfio-pci"),
            ("QatDevicePlugin", "{initImage: i, dpdkDriver: igb_uio}", "functions to igb_uio"),
            ("FpgaDevicePlugin", "{}", "fpga.intel.com/device-plugin-mode of nodes is not read"),
            ("DsaDevicePlugin", "{driver: vfio-pci, sharedDevNum: 2}", "spec.sharedDevNum: it has"),
            ("DsaDevicePlugin", "{provisioningConfig: a}", "no effect without initImage: left out"),
        ):
            with self.subTest(kind=kind, fields=fields):
                (note,) = notes(crd(kind, fields))
                self.assertIn(wanted, note)
        self.assertEqual(notes(crd("QatDevicePlugin", "{initImage: i}")), [])

    def test_bad_values(self) -> None:
        """Words are Intel's."""
        for kind, fields, wanted in (
            ("DsaDevicePlugin", "{driver: uio}", "spec.driver: expected one of idxd, vfio-pci, "),
            ("FpgaDevicePlugin", "{mode: afu}", "spec.mode: expected one of af, region, "),
            ("QatDevicePlugin", "{kernelVfDrivers: [c7]}", "spec.kernelVfDrivers: 'c7' is none of"),
            ("NpuDevicePlugin", "{sharedDevNum: -1}", "expected a whole number, found '-1'"),
            ("DlbDevicePlugin", "[]", "expected a mapping"),
        ):
            with self.subTest(kind=kind, fields=fields):
                self.assertIn(wanted, " ".join(problems(crd(kind, fields))))


class InitContainerTests(SynchronousTestCase):
    """The field initImage."""

    def test_labels(self) -> None:
        """A program for Node Feature Discovery is written to the node."""
        for kind in ("GpuDevicePlugin", "SgxDevicePlugin"):
            self.assertEqual(
                spec_of(kind, "{initImage: i:1}")["initContainer"],
                {
                    "image": "i:1",
                    "hostPaths": ["/etc/kubernetes/node-feature-discovery/source.d"],
                },
            )

    def test_queues(self) -> None:
        """The queues of accelerators are made as a ConfigMap says."""
        common = {"image": "i:1", "privileged": True, "scratch": "/idxd-init/scratch"}
        config = {"configMap": "queues", "configMapPath": "/idxd-init/conf"}
        for kind, fields, wanted in (
            ("IaaDevicePlugin", "provisioningConfig: queues",
             {"env": {"DEVICE_TYPE": "iaa"}, **config}),
            ("DsaDevicePlugin", "provisioningConfig: queues, driver: vfio-pci",
             {"env": {"DEVICE_TYPE": "dsa", "DSA_DRIVER": "vfio-pci"}, **config}),
            ("DsaDevicePlugin", "sharedDevNum: 1",
             {"env": {"DEVICE_TYPE": "dsa", "DSA_DRIVER": "idxd"}}),
        ):  # fmt: skip
            made = spec_of(kind, f"{{initImage: 'i:1', {fields}}}")
            self.assertEqual(made["initContainer"], {**common, **wanted})

    def test_others(self) -> None:
        """QuickAssist's knows the physical functions by their ids."""
        text = "{initImage: i, provisioningConfig: c, kernelVfDrivers: [4xxxvf, 420xxvf]}"
        for kind, fields, wanted in (
            ("QatDevicePlugin", text, {
                "privileged": True,
                "env": {"ENABLED_QAT_PF_PCIIDS": "4940 4942 4944 4946"},
                "configMap": "c", "configMapPath": "/qat-init/conf"}),
            ("DlbDevicePlugin", "{initImage: i}", {"privileged": True}),
            ("FpgaDevicePlugin", "{initImage: i}", {"hostPaths": ["/opt/intel/fpga-sw"]}),
        ):  # fmt: skip
            self.assertEqual(spec_of(kind, fields)["initContainer"], {"image": "i", **wanted})


class FileTests(SynchronousTestCase):
    """Whole files and objects."""

    def test_common(self) -> None:
        """The fields of all kinds, and the metadata."""
        (made,) = objects("""
            apiVersion: deviceplugin.intel.com/v1
            kind: DlbDevicePlugin
            metadata:
              name: dlb
              uid: 00a
              labels: {team: net}
              annotations:
                note: kept
                kubectl.kubernetes.io/last-applied-configuration: '{}'
            spec:
              image: intel/intel-dlb-plugin:0.36.0
              logLevel: 4
              nodeSelector: {intel.feature.node.kubernetes.io/dlb: 'true'}
              tolerations:
                - {key: dlb, operator: Equal, value: only, effect: NoExecute, tolerationSeconds: 9}
                - operator: Exists
            status: {numberReady: 1}
        """)
        self.assertEqual(
            made,
            {
                "apiVersion": "twistdp.io/v1alpha1",
                "kind": "DevicePlugin",
                "metadata": {
                    "name": "dlb",
                    "labels": {"team": "net"},
                    "annotations": {"note": "kept"},
                },
                "spec": {
                    "catalog": [{"name": "intel-dlb"}],
                    "logLevel": 4,
                    "nodeSelector": {"intel.feature.node.kubernetes.io/dlb": "true"},
                    "tolerations": [
                        {
                            "key": "dlb",
                            "operator": "Equal",
                            "value": "only",
                            "effect": "NoExecute",
                            "tolerationSeconds": 9,
                        },
                        {"operator": "Exists"},
                    ],
                },
            },
        )

    def test_notes(self) -> None:
        """What is left out is noted: images, unknown fields, other objects."""
        text = """
            apiVersion: deviceplugin.intel.com/v1
            kind: DlbDevicePlugin
            metadata: {name: dlb, finalizers: [a]}
            spec: {image: 'intel/intel-dlb-plugin:1', logLevel: 12, loglevels: 1}
            ---
            apiVersion: fpga.intel.com/v2
            kind: FpgaRegion
            metadata: {name: a10}
            ---
            kind: Namespace
        """
        found = notes(text)
        for wanted in (
            "f.yaml:3:23: metadata.finalizers: finalizers is not carried over",
            "spec.image: intel/intel-dlb-plugin:1 is Intel's plugin; it is left out",
            "spec.logLevel: it is 10 here",
            "ignores the unknown key 'loglevels', and so it is here; did you mean 'logLevel'?",
            "f.yaml:6:1: FpgaRegion is not carried over",
            "f.yaml:10:1: Namespace is not carried over: it is none of DlbDevicePlugin",
        ):
            self.assertTrue([note for note in found if wanted in note], (wanted, found))
        self.assertEqual(len(found), 6)

    def test_names(self) -> None:
        """Objects of two kinds may have one name with Intel's operator, and here they may not."""
        text = "---\n".join(crd(kind, "{}") for kind in ("DlbDevicePlugin", "NpuDevicePlugin"))
        found = [made["metadata"]["name"] for made in objects(text)]
        self.assertEqual(found, ["sample", "sample-npu"])
        (note,) = notes(text)
        self.assertIn("sample is the name of the DlbDevicePlugin from line 1 too", note)
        again = "---\n".join([crd("NpuDevicePlugin", "{}")] * 2)
        self.assertIn(
            "there is a NpuDevicePlugin called sample already, from line 1", *problems(again)
        )
        taken = f"{crd('DlbDevicePlugin', '{}', 'sample-npu')}---\n{text}"
        self.assertIn("there is a DlbDevicePlugin called sample-npu already", *problems(taken))

    def test_list(self) -> None:
        """A list is what `kubectl get -o yaml` prints, and JSON is YAML."""
        listed = {"kind": "List", "items": [yaml.safe_load(crd("GpuDevicePlugin", "{}"))]}
        self.assertEqual(converted(yaml.safe_dump(listed)).resources, 1)
        self.assertEqual(notes(yaml.safe_dump(listed)), [])

    def test_domain(self) -> None:
        """Another domain is that of the catalogue or of the configuration."""
        (made,) = objects(crd("NpuDevicePlugin", "{}"), domain="a.example.com")
        self.assertEqual(made["spec"]["domain"], "a.example.com")
        (made,) = objects(crd("GpuDevicePlugin", "{bypathMode: all}"), domain="a.example.com")
        self.assertEqual(made["spec"]["config"]["domain"], "a.example.com")

    def test_refused(self) -> None:
        """Files without an object, of another version or kind, and what ours refuse."""
        for text, wanted in (
            ("kind: Namespace\n", "there is no object of deviceplugin.intel.com/v1 in the file"),
            (crd("NpuPlugin", "{}"), "the kind 'NpuPlugin' is none of DlbDevicePlugin, "),
            (crd("NpuDevicePlugins", "{}"), "did you mean 'NpuDevicePlugin'?"),
            (crd("NpuDevicePlugin", "{}").replace("/v1", "/v2"), "found deviceplugin.intel.com/v2"),
            (crd("NpuDevicePlugin", "{}", "''"), "metadata.name is missing"),
            (crd("NpuDevicePlugin", "{}", "Bad_Name"), "no DevicePlugin can say this: "),
            (crd("NpuDevicePlugin", "{nodeSelector: {'a b': c}}"), "spec.nodeSelector"),
            ("{{ .Values }}: [", "helm template"),
        ):
            with self.subTest(text=text):
                self.assertIn(wanted, " ".join(problems(text)))

    def test_recognised(self) -> None:
        """Intel's objects are known from other files."""
        self.assertTrue(is_intels(crd("NpuDevicePlugin", "{}")))
        self.assertFalse(is_intels("apiVersion: v1\nkind: Pod\n"))
        self.assertFalse(is_intels(b"\xff["))

    def test_fields(self) -> None:
        """A value for every field of every kind is converted or noted, and none is ignored."""
        for kind, known in KINDS.items():
            plain = crd(kind, "{}")
            for field in (*COMMON, *known.fields):
                changed = crd(kind, f"{{{field}: {VALUES.get(field, '7')}}}")
                with self.subTest(kind=kind, field=field):
                    self.assertNotEqual(
                        (objects(changed), notes(changed)), (objects(plain), notes(plain))
                    )

    def test_rendered(self) -> None:
        """The operator makes a DaemonSet of every kind, with and without an init container."""
        settings = OperatorSettings(namespace="n", plugin_image="i")
        for kind, fields in samples():
            with self.subTest(kind=kind, fields=fields):
                (made,) = objects(crd(kind, fields))
                last = desired(read(made), settings)[-1]["spec"]["template"]["spec"]
                self.assertEqual("initContainers" in last, "initImage" in fields)

    def test_page(self) -> None:
        """The table of the page has a row for each field of each kind, and no other fields."""
        section = page("docs/intel.md").partition("## From Intel's operator")[2]
        found: dict[str, list[str]] = {}
        kind = ""
        for first, fields in re.findall(
            r"(?m)^\| (\w* ?)\| (`.+?`) \|", section.partition("\n## ")[0]
        ):
            kind = first.strip() or kind
            found.setdefault(kind, []).extend(re.findall(r"`(\w+)`", fields))
        self.assertEqual(sorted(found.pop("all")), sorted(COMMON))
        wanted = {name: sorted(known.fields) for name, known in KINDS.items()}
        self.assertEqual({name: sorted(fields) for name, fields in found.items()}, wanted)
