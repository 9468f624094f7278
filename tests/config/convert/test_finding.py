"""Tests for `twistdp.config.convert.finding`: where people have their configuration."""

from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.support.conversions import converted, notes, problems, resources
from twistdp.config.convert.converting import convert, recognised

TOOL = "generic-device-plugin"
DEVICE = "{name: kvm, groups: [{paths: [{path: /dev/kvm}]}]}"
CONFIG_MAP = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: devices}
    data:
      config.yaml: |
        domain: lab.example.com
        devices:
          - name: kvm
            groups:
              - paths:
                  - path: /dev/kvm
                    permisions: r
"""
DAEMON_SET = """
    # A comment, and an empty document before it.
    ---
    kind: DaemonSet
    spec:
      template:
        spec:
          containers:
            - name: other
              args: [--verbose]
            - name: plugin
              args:
                - --device
                - |
                  name: kvm
                  groups:
                    - paths:
                        - path: /dev/kvm
                          permisions: r
                - '--device={"name": "fuse", "groups": [{"paths": [{"path": "/dev/fuse"}]}]}'
                - --log-level=debug
              env: [{name: DOMAIN, value: lab.example.com}]
"""
HELM_RELEASE = f"""
    kind: HelmRelease
    spec:
      values:
        controllers:
          main:
            containers:
              main:
                args: [--domain, lab.example.com, --device, '{DEVICE}']
"""


class PlaceTests(SynchronousTestCase):
    """What people have at hand."""

    def test_own_file(self) -> None:
        """The tool's own file, as YAML or JSON, keys in any case."""
        for text in (
            f"Domain: lab.example.com\nDevice: [{DEVICE}]",
            '{"domain": "lab.example.com", "devices": [{"name": "kvm", "groups": [{"paths": '
            '[{"path": "/dev/kvm"}]}]}]}',
        ):
            self.assertEqual(
                converted(TOOL, text).text, "domain: lab.example.com\nresources: {kvm: /dev/kvm}\n"
            )

    def test_config_map(self) -> None:
        """A file within a file; lines are those of the outer one."""
        self.assertEqual(resources(TOOL, CONFIG_MAP), {"kvm": "/dev/kvm"})
        (note,) = notes(TOOL, CONFIG_MAP)
        self.assertTrue(
            note.startswith(
                "f.yaml:12:17: data['config.yaml'].devices[0].groups[0].paths[0].permisions: "
            ),
            note,
        )

    def test_arguments(self) -> None:
        """The arguments of a container, in one word or two, with its variable DOMAIN."""
        found = converted(TOOL, DAEMON_SET)
        self.assertEqual(
            found.text, "domain: lab.example.com\nresources: {kvm: /dev/kvm, fuse: /dev/fuse}\n"
        )
        first, second = (str(note) for note in found.notes)
        self.assertTrue(first.startswith("f.yaml:18:23: "), first)
        self.assertIn("log-level is not carried over; give -v to twistd deviceplugin", second)

    def test_from_the_cluster(self) -> None:
        """What kubectl prints has each object twice, the second time in an annotation."""
        text = f"""
            kind: List
            items:
              - kind: DaemonSet
                metadata:
                  annotations:
                    kubectl.kubernetes.io/last-applied-configuration: |
                      {{"spec": {{"args": ["--device", "{DEVICE}"]}}}}
                spec: {{args: [--device, "{DEVICE}"]}}
        """
        self.assertEqual(resources(TOOL, text), {"kvm": "/dev/kvm"})

    def test_arguments_of_a_wrong_shape(self) -> None:
        """A device without groups is reported at its own place."""
        self.assertEqual(
            problems(TOOL, "args:\n- --device\n- |\n  name: kvm\n  group: []\n"),
            ["f.yaml:4:3: args[1]: the key 'groups' is missing: a list of groups"],
        )

    def test_folded(self) -> None:
        """A file whose lines are not those of the file around it is reported where it begins."""
        text = 'x: 1\ny: "devices:\\n- name: kvm\\n  groups:\\n    paths: []\\n"\n'
        self.assertEqual(
            problems(TOOL, text),
            [
                "f.yaml:2:4: y.devices[0].groups: expected a list of groups, found a mapping; put "
                "`- ` before paths",
                "f.yaml:2:4: y.devices[0].groups.paths: the list is empty; put something in it",
            ],
        )
        (problem,) = problems(TOOL, 'x: 1\ny: "devices:\\n- groups: [\\n"\n')
        self.assertTrue(problem.startswith("f.yaml:2:4: y: no YAML"), problem)

    def test_values(self) -> None:
        """Values of a chart, in a release or alone, and merged mappings."""
        self.assertEqual(resources(TOOL, HELM_RELEASE), {"kvm": "/dev/kvm"})
        text = f"base: &base {{paths: [{{path: /dev/kvm}}]}}\nx: {{devices: [{DEVICE}]}}\n"
        merged = text.replace("{paths: [{path: /dev/kvm}]}]}]}", "{<<: *base}]}]}")
        self.assertIn("<<", merged)
        self.assertEqual(resources(TOOL, merged), {"kvm": "/dev/kvm"})

    def test_domain(self) -> None:
        """Another domain may be given; without any, the report says which it is."""
        self.assertEqual(
            converted(TOOL, CONFIG_MAP, "x.example.com").text,
            "domain: x.example.com\nresources: {kvm: /dev/kvm}\n",
        )
        found = converted(TOOL, f"devices: [{DEVICE}]")
        self.assertEqual(found.text, "domain: squat.ai\nresources: {kvm: /dev/kvm}\n")
        (note,) = found.notes
        self.assertIn("squat.ai, the default up to generic-device-plugin 0.1.0", note.text)
        self.assertIn("--domain devic.es", note.text)

    def test_several_domains(self) -> None:
        """Resources of another domain have it in their names."""
        text = f"{CONFIG_MAP}    ---\n    args: ['--device', '{DEVICE}', --domain=b.example.com]\n"
        self.assertEqual(
            resources(TOOL, text), {"kvm": "/dev/kvm", "b.example.com/kvm": "/dev/kvm"}
        )

    def test_flags(self) -> None:
        """A container's domain comes before that of the file that it reads."""
        text = f"{CONFIG_MAP}    ---\n    args: [--config, /x.yaml, --domain=b.example.com]\n"
        self.assertIn("domain: b.example.com\n", converted(TOOL, text).text)

    def test_default_file(self) -> None:
        """The tool's container is known by its image too, and its variables count as flags."""
        for given in (
            "args: [--domain, b.example.com]",
            "env: [{name: DOMAIN, value: b.example.com}]",
        ):
            for image in (
                "squat/generic-device-plugin:1",
                "{repository: squat/generic-device-plugin}",
            ):
                text = f"""{CONFIG_MAP}
    ---
    containers: [{{image: "other"}}, {{image: {image}, command: [/gdp, --listen=:1], {given}}}]
                """
                self.assertIn("domain: b.example.com\n", converted(TOOL, text).text)
                said = " ".join(notes(TOOL, text))
                self.assertIn("containers[1].command[1]: --listen is not carried over", said)
        text = f"{CONFIG_MAP}    ---\n    {{image: other, args: [--domain, b.example.com]}}\n"
        self.assertIn("domain: lab.example.com\n", converted(TOOL, text).text)

    def test_command(self) -> None:
        """Options may stand in a container's command, beside its arguments."""
        text = f"""
            command: [/gdp, --domain, b.example.com, --version]
            args: ['--device={DEVICE}']
        """
        self.assertIn("domain: b.example.com\n", converted(TOOL, text).text)
        self.assertIn("command[3]: --version is not carried over", " ".join(notes(TOOL, text)))

    def test_lost(self) -> None:
        """Each flag and variable that is lost is reported, and each key that means nothing."""
        text = f"""
            nonsense: 1
            spec:
              args: ['--device={DEVICE}', --config=/x.yaml]
              env: [{{name: LISTEN, value: ":1"}}, {{name: DEVICE, value: "{{}}"}}, {{name: A}}]
            ---
            devices: [{DEVICE.replace("kvm", "fuse")}]
            log-level: info
            nonsense: 1
        """
        said = "\n".join(notes(TOOL, text))
        for part in (
            "args[1]: --config is not carried over; convert the file itself",
            "spec.args: with --device, generic-device-plugin ignores the devices of its file",
            "spec.env[0].value: the variable LISTEN is not carried over",
            "spec.env[1].value: the variable DEVICE is not carried over; give it as an argument",
            "log-level is not carried over; give -v",
            "f.yaml:8:1: nonsense: generic-device-plugin ignores the unknown key 'nonsense'",
        ):
            self.assertIn(part, said)
        self.assertEqual(said.count("nonsense:"), 1)

    def test_template(self) -> None:
        """The template of a chart is no YAML: what to convert instead is said."""
        text = "{{- if .Values.x }}\ndevices: []\n{{- end }}\n"
        (problem,) = problems(TOOL, text)
        self.assertIn("no YAML", problem)
        self.assertIn("convert what 'helm template' makes of it", problem)
        self.assertNotIn("helm", problems(TOOL, "a: [")[0])

    def test_broken_inside(self) -> None:
        """What is no YAML within a file is reported with its place in the whole file."""
        text = CONFIG_MAP.replace("groups:", "groups: [")
        (problem,) = problems(TOOL, text)
        self.assertTrue(problem.startswith("f.yaml:10:"), problem)
        self.assertIn("data['config.yaml']: no YAML", problem)
        script = CONFIG_MAP + "      run.sh: |\n        for x in $groups; do a: b: c; done\n"
        (problem,) = problems(TOOL, script)
        self.assertIn("if this is not the tool's file, choose that by its key with --key", problem)
        text = dedent(script).lstrip("\n")
        self.assertEqual(convert(TOOL, text, key="config.yaml").resources, 1)

    def test_many(self) -> None:
        """A file with many others in it is read to its end, or refused."""
        text = "data:\n"
        for number in range(1001):
            text += f'  a{number}: "groups: [{number}]"\n'
            if number == 998:
                own = f"{text}  x: 'devices: [{DEVICE}]'\n"
        self.assertEqual(resources(TOOL, own), {"kvm": "/dev/kvm"})
        self.assertIn(
            "more than 1000 texts in the file may be files; split it", problems(TOOL, text)[0]
        )

    def test_nothing(self) -> None:
        """A file without the tool's configuration says whose it looks like."""
        (problem,) = problems(TOOL, "- {devicematch: ^kvm$, nummaxdevices: 1}")
        self.assertEqual(
            problem,
            "f.yaml:1:1: there is no configuration of generic-device-plugin in the file; it looks "
            "like that of smarter-device-manager",
        )
        self.assertEqual(len(problems(TOOL, "")), 1)

    def test_recognised(self) -> None:
        """A file is recognised as that of its tool; other files are not."""
        for text in (CONFIG_MAP, DAEMON_SET, HELM_RELEASE):
            self.assertEqual(recognised(dedent(text)), TOOL)
        for text in ("domain: x\nresources: {kvm: /dev/kvm}", "[", "a: [--verbose]", ""):
            self.assertIsNone(recognised(text))
