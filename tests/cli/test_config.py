"""Tests for `twistdp.cli.config`: ``twistdp config``."""

import json
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from twistdp import cli
from twistdp.config.loading import load

GOOD = "domain: lab.example.com\nresources:\n  kvm: {path: /dev/kvm, replicas: 100}\n"
BAD = "domain: lab.example.com\nresources:\n  kvm: {pat: /dev/kvm}\n  x: {path: x}\n"


class ConfigCommandTests(SynchronousTestCase):
    """What the command prints, and its exit status."""

    def setUp(self) -> None:
        """A directory with a good file and a bad one."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.good = self.directory / "good.yaml"
        self.good.write_text(GOOD)
        self.bad = self.directory / "bad.yaml"
        self.bad.write_text(BAD)

    def run_command(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        return cli.main(["config", *words]), output.getvalue(), errors.getvalue()

    def test_good(self) -> None:
        """A good file is named with the number of its resources."""
        self.assertEqual(
            self.run_command("check", str(self.good)),
            (0, f"{self.good}: no problem, 1 resource\n", ""),
        )

    def test_bad(self) -> None:
        """Each problem is listed with its line and a mark; all files are checked."""
        status, output, errors = self.run_command("check", str(self.bad), str(self.good))
        self.assertEqual(status, 1)
        self.assertEqual(
            output,
            f"{self.bad}:3:9: resources.kvm.pat: the key 'pat' is unknown; did you mean 'path'?\n"
            "      kvm: {pat: /dev/kvm}\n"
            "            ^\n"
            f"{self.bad}:4:13: resources.x.path: path 'x': give an absolute path or glob, "
            "as /dev/ttyUSB*\n"
            "      x: {path: x}\n"
            "                ^\n"
            f"{self.good}: no problem, 1 resource\n",
        )
        self.assertEqual(errors, f"{self.bad}: 2 problems\n")

    def test_entry(self) -> None:
        """What is shown of a file has the entries of the catalogue that it uses."""
        file = self.directory / "used.yaml"
        file.write_text("domain: lab.example.com\nresources: {a: {use: kvm, replicas: 2}}\n")
        _, output, _ = self.run_command("show", str(file))
        resource = load(output).resources["a"]
        self.assertIsNone(resource.use)
        self.assertEqual(resource.where.path, ("/dev/kvm",))

    def test_unreadable(self) -> None:
        """A file that cannot be read is one line."""
        status, _, errors = self.run_command("check", str(self.directory / "none"))
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"^twistdp config: configuration .*none: No such file")

    def test_standard_input(self) -> None:
        """``-`` is standard input, which may have what a terminal should not get."""
        self.patch(sys, "stdin", TextIOWrapper(BytesIO(b"\xff\x1b[31m")))
        status, output, _ = self.run_command("check", "-")
        self.assertEqual(status, 1)
        self.assertEqual(output, "-:1:1: the file is not UTF-8; save it as UTF-8\n")

    def test_show(self) -> None:
        """A file is shown as one that loads as the same, with defaults; a bad one is not shown."""
        status, output, _ = self.run_command("show", str(self.good))
        self.assertEqual((status, load(output)), (0, load(GOOD)))
        self.assertIn("morePerContainer: false", output)
        status, output, errors = self.run_command("show", str(self.bad))
        self.assertEqual((status, errors), (1, f"{self.bad}: 2 problems\n"))

    def test_schema(self) -> None:
        """The schema is JSON."""
        status, output, _ = self.run_command("schema")
        self.assertEqual(status, 0)
        self.assertIn("resources", json.loads(output)["$defs"]["Config"]["properties"])

    def test_schema_of_use(self) -> None:
        """Editors that have the schema know the entries of the catalogue."""
        validator = Draft202012Validator(json.loads(self.run_command("schema")[1]))
        for name, wanted in (("kvm", True), ("intel-sgx/provision", True), ("kwm", False)):
            document = {"domain": "a.b", "resources": {"x": {"use": name}}}
            self.assertEqual(validator.is_valid(document), wanted, name)

    def test_from(self) -> None:
        """A converted file is printed as one that loads; notes go to standard error."""
        file = self.directory / "devices.yaml"
        file.write_text("devices: [{name: kvm, groups: [{count: 2, paths: [{path: /dev/kvm}]}]}]")
        status, output, errors = self.run_command("from", "generic-device-plugin", str(file))
        self.assertEqual(status, 0)
        self.assertEqual(
            output, "domain: squat.ai\nresources:\n  kvm: {path: /dev/kvm, replicas: 2}\n"
        )
        *notes, last = errors.splitlines()
        self.assertEqual(last, f"{file}: 1 resource converted, 2 notes")
        self.assertTrue(all(note.startswith(f"{file}:1:") for note in notes), notes)
        _, output, errors = self.run_command(
            "from", "generic-device-plugin", str(file), "--domain", "x.example.com"
        )
        self.assertTrue(output.startswith("domain: x.example.com\n"), output)
        self.assertTrue(errors.endswith(": 1 resource converted, 1 note\n"), errors)

    def test_from_key(self) -> None:
        """One file of a ConfigMap is chosen by its key."""
        file = self.directory / "map.yaml"
        one = "'[{devicematch: ^%s$, nummaxdevices: %s}]'"
        file.write_text(f"data: {{a: {one % ('kvm', 2)}, b: {one % ('kvm', 3)}}}")
        command = ["from", "smarter-device-manager", str(file)]
        self.assertIn("replicas: 3", self.run_command(*command, "--key=b")[1])
        status, output, _ = self.run_command(*command, "--key=c")
        self.assertEqual(status, 1)
        self.assertIn("there is no configuration of smarter-device-manager under the key c", output)

    def test_from_intel(self) -> None:
        """Objects of Intel's operator are converted to objects, and are known for what they are."""
        file = self.directory / "gpu.yaml"
        file.write_text(
            "apiVersion: deviceplugin.intel.com/v1\nkind: GpuDevicePlugin\n"
            "metadata: {name: a}\nspec: {image: i}\n"
        )
        status, output, errors = self.run_command("from", "intel-crd", str(file))
        self.assertEqual((status, yaml.safe_load(output)["kind"]), (0, "DevicePlugin"))
        self.assertTrue(errors.endswith(": 1 object converted, 1 note\n"), errors)
        status, _, errors = self.run_command("check", str(file))
        self.assertEqual(status, 1)
        self.assertIn(f"convert it with 'twistdp config from intel-crd {file}'\n", errors)

    def test_objects(self) -> None:
        """Objects for the operator are checked as it does."""
        file = self.directory / "plugin.yaml"
        good = {
            "apiVersion": "twistdp.io/v1alpha1",
            "kind": "DevicePlugin",
            "metadata": {"name": "a"},
            "spec": {"catalog": [{"name": "intel-npu"}]},
        }
        file.write_text(yaml.safe_dump_all([good, {"kind": "List", "items": [good]}]))
        found = self.run_command("check", str(file))
        self.assertEqual(found, (0, f"{file}: no problem, 2 objects\n", ""))
        file.write_text(yaml.safe_dump(good).replace("intel-npu", "intel-nqu"))
        status, output, errors = self.run_command("check", str(file))
        self.assertEqual((status, errors), (1, f"{file}: 1 problem\n"))
        self.assertTrue(output.startswith(f"{file}: a: spec.catalog[0].name: "), output)
        self.assertIn("intel-npu", output)

    def test_from_refused(self) -> None:
        """A file of a wrong shape is refused with each problem and its line."""
        text = b"devices:\n- name: kvm\n  groups:\n    paths: /dev/kvm\n"
        self.patch(sys, "stdin", TextIOWrapper(BytesIO(text)))
        status, output, errors = self.run_command("from", "generic-device-plugin", "-")
        self.assertEqual((status, errors), (1, "-: 2 problems\n"))
        self.assertEqual(
            output,
            "-:3:3: devices[0].groups: expected a list of groups, found a mapping; put `- ` before "
            "paths\n"
            "      groups:\n"
            "      ^\n"
            "-:4:5: devices[0].groups.paths: expected a list of paths, found '/dev/kvm'; put "
            "brackets around it\n"
            "        paths: /dev/kvm\n"
            "        ^\n",
        )

    def test_foreign_file(self) -> None:
        """The check of another tool's file names the converter for it."""
        file = self.directory / "conf.yaml"
        file.write_text("- devicematch: ^kvm$\n  nummaxdevices: 2\n")
        status, _, errors = self.run_command("check", str(file))
        self.assertEqual(status, 1)
        self.assertIn(
            f"{file}: this looks like a configuration of smarter-device-manager; convert it with "
            f"'twistdp config from smarter-device-manager {file}'\n",
            errors,
        )

    def test_usage(self) -> None:
        """An action is needed."""
        error = self.assertRaises(SystemExit, self.run_command)
        self.assertEqual(error.code, 2)
