"""Tests for `twistdp.config.loading`."""

import os
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp.config.checks import AttributeCheck, CommandCheck, HttpCheck
from twistdp.config.loading import check, load
from twistdp.config.model import Member, Mount, Node, Replicas, Resource
from twistdp.config.problems import BadConfig
from twistdp.errors import BadSetting
from twistdp.select.match import Match

HEAD = "domain: lab.example.com\nresources:\n"


def resource(text: str) -> Resource:
    """The resource ``x`` that a text describes."""
    return load(f"{HEAD}  x: {text}\n").resources["x"]


def problems(text: str) -> list[str]:
    """All problems of a text."""
    return [str(problem) for problem in check(text, "f.yaml")]


class ShortFormTests(SynchronousTestCase):
    """What may be written shorter."""

    def test_text_is_path(self) -> None:
        """A resource that is a text, or a list of texts, is its paths."""
        self.assertEqual(resource("/dev/kvm").where, Match(path=("/dev/kvm",)))
        self.assertEqual(resource("[/dev/a*, /dev/b]").where, Match(path=("/dev/a*", "/dev/b")))

    def test_keys_of_match(self) -> None:
        """Conditions stand in the resource, below `match`, or in a list of alternatives."""
        one, other = Match(usb=("2341:0043",)), Match(driver=("ch341",))
        self.assertEqual(resource('{usb: "2341:0043", as: tty}').alternatives, (one,))
        self.assertEqual(resource("{match: {usb: 2341:0043}}").alternatives, (one,))
        self.assertEqual(
            resource("{subsystem: tty, match: [{usb: 2341:0043}, {driver: ch341}]}").alternatives,
            (attrs.evolve(one, subsystem="tty"), attrs.evolve(other, subsystem="tty")),
        )
        self.assertEqual(
            resource("{driver: ch*, match: {driver: ch341}}").alternatives,
            (Match(driver="ch*", any=(other,)),),
        )

    def test_number_is_count(self) -> None:
        """Replicas may be a number."""
        self.assertEqual(resource("{path: /dev/kvm, replicas: 100}").replicas, Replicas(count=100))

    def test_single_value_is_list(self) -> None:
        """One value stands for a list of one."""
        found = resource("{path: /dev/a, mounts: /opt/fw, health: {http: 'http://a', status: 204}}")
        self.assertEqual(found.mounts, (Mount(host_path="/opt/fw"),))
        self.assertEqual(found.health, (HttpCheck(http="http://a", status=(204,)),))

    def test_members(self) -> None:
        """Members are paths or what belongs to the hardware."""
        found = resource("{path: /dev/a, members: [/dev/b, {as: sound, optional: true}]}")
        self.assertEqual(
            found.members,
            (Member(where=Match(path=("/dev/b",))), Member(as_="sound", optional=True)),
        )

    def test_over(self) -> None:
        """What a resource says overrides the entry that it uses, and nothing else does."""
        entry = resource("{driver: i915, replicas: 4, limit: 3, node: {permissions: r}}")
        said = resource("{use: gpu, serial: A1, replicas: 1, node: /dev/x}")
        merged = said.over(entry)
        self.assertEqual(merged.where, Match(driver=("i915",), serial=("A1",)))
        self.assertEqual(merged.replicas, Replicas(count=1))
        self.assertEqual(merged.limit, 3)
        self.assertEqual(merged.node, Node(container_path="/dev/x"))


class TextTests(SynchronousTestCase):
    """A text is what the file has."""

    def test_as_written(self) -> None:
        """No text is taken for a number, a time or a bool; in quotes not for nothing."""
        found = resource(
            '{vendorID: 0403, serial: 12:34:56, driver: no, env: {A: 1_0, B: "~", null: a}}'
        )
        self.assertEqual(found.where.vendor_id, ("0403",))
        self.assertEqual(found.where.serial, ("12:34:56",))
        self.assertEqual(found.where.driver, ("no",))
        self.assertEqual(found.env, {"A": "1_0", "B": "~", "null": "a"})

    def test_json(self) -> None:
        """JSON is YAML."""
        text = '{"domain": "lab.example.com", "resources": {"x": {"path": ["/dev/\\u0061"]}}}'
        self.assertEqual(load(text).resources["x"].where.path, ("/dev/a",))

    def test_alias(self) -> None:
        """An alias repeats a value."""
        text = f"{HEAD}  x: {{path: /dev/a, env: &e {{A: b}}}}\n  y: {{path: /dev/b, env: *e}}"
        self.assertEqual(load(text).resources["y"].env, {"A": "b"})

    def test_domains(self) -> None:
        """A resource may have a domain of its own."""
        found = load(f"{HEAD}  x: /dev/a\n  other.example.com/x: /dev/b\n")
        self.assertEqual(
            [found.full_name(name) for name in found.resources],
            ["lab.example.com/x", "other.example.com/x"],
        )


class ProblemTests(SynchronousTestCase):
    """Everything that is wrong, at once and with its place."""

    def test_all_at_once(self) -> None:
        """Problems of several kinds in one file are all reported, in the file's order."""
        text = (
            "domain: lab.kubernetes.io\n"
            "resources:\n"
            "  a: {usb: 2341:0043, ass: tty}\n"
            "  b:\n"
            "    path: /dev/../kvm\n"
            "    replicas: many\n"
            "    health: [{attribute: x}, {file: /x, evry: 1}]\n"
            "    mounts: [{containerPath: /y}]\n"
            "    id: '{serail}'\n"
            "  a: /dev/b\n"
        )
        self.assertEqual(
            problems(text),
            [
                "f.yaml:1:9: domain: namespace 'lab.kubernetes.io': domains ending in "
                "'kubernetes.io' are reserved; use your own",
                "f.yaml:3:23: resources.a.ass: the key 'ass' is unknown; did you mean 'as'?",
                "f.yaml:5:11: resources.b.path: path '/dev/../kvm': '..' leads elsewhere; give "
                "the path itself",
                "f.yaml:6:15: resources.b.replicas: expected a whole number from 1 to 100000, "
                "found 'many'",
                "f.yaml:7:41: resources.b.health[1].evry: the key 'evry' is unknown; did you mean "
                "'every'?",
                "f.yaml:8:14: resources.b.mounts[0]: the key 'hostPath' is missing: The path on "
                "the host.",
                "f.yaml:9:9: resources.b.id: the template has an unknown name {serail}; did you "
                "mean serial?",
                "f.yaml:10:3: the key 'a' is there twice, first in line 3; leave one out",
            ],
        )

    def test_wrong_kinds(self) -> None:
        """The message says what was expected and what was found."""
        for text, expected in (
            ("", "expected a mapping, or a text (path), found nothing"),
            ("{path: /dev/a, optional: yes}", "the key 'optional' is unknown"),
            ("{path: /dev/a, exclusive: yes}", "expected true or false, found 'yes'; write true"),
            ("{path: /dev/a, limit: '3'}", "found the text '3'; write it without quotes"),
            ("{path: /dev/a, limit: [3]}", "from 1 to 1000000, found a list"),
            ("{path: /dev/a, limit: 3.5}", "from 1 to 1000000, found '3.5'"),
            ("{path: /dev/a, env: [A]}", "expected a mapping, found a list"),
            ("{path: /dev/a, env: {A: [b]}}", "found a list"),
            ("{path: /dev/a, env: {A: }}", 'found nothing; write "" for an empty text'),
            ("{path: /dev/a, env: {A: null}}", 'write "null" if that is the text'),
            (
                "{path: ~}",
                "x.path: expected a text, found nothing, as YAML takes ~; leave the",
            ),
            ("~", "expected a mapping, or a text (path), found nothing, as YAML takes ~"),
            ("{path: /dev/a, replicas: Null}", "found nothing, as YAML takes Null; leave the key"),
            ("{path: /dev/a, group: null}", "found nothing, as YAML takes null; leave the key out"),
            ("{path: /dev/a, numa: ~}", "found nothing, as YAML takes ~; leave the key out"),
            ("{path: /dev/a, requires: [null]}", "x.requires[0]: expected"),
            ("{path: /dev/a, preferred: nuna}", "found 'nuna'; did you mean 'numa'?"),
            ("{path: /dev/a, numa: nome}", "found 'nome'; did you mean 'none'?"),
            ("{path: /dev/a, health: {every: 3}}", "a key is missing that says what it is"),
            ("{path: /dev/a, health: {tcp: 'a:1', file: /x}}", "are in one mapping"),
            ("{path: /dev/a, health: {file: /x, min: 2, max: 1}}", "min 2 is more than max 1"),
            ("{path: /dev/a, health: {command: true}}", "give the absolute path of a program"),
            ("{as: tty}", "the resource selects no device"),
            ("{match: [/dev/a, {}]}", "the resource selects no device"),
            ("{any: [/dev/a], match: [/dev/b]}", "put any into match"),
            ("{path: /dev/a, <<: {limit: 3}}", "merge keys are not supported"),
            ("{path: /dev/a, node: {permissions: rx}}", "use letters of 'rwm'"),
            ("{path: /dev/a, node: /dev}", "themselves are not allowed"),
            ("{path: dev/a}", "give an absolute path or glob"),
            ("{path: /dev/a, id: 'x{n}'}", "x.id: {n}, the number of the device among"),
            ("{path: /dev/a, annotations: {a: '{index}'}}", "x.annotations.a: {index}, the"),
            ("{path: /dev/a, env: {A: '{serial'}}", "x.env.A: the template '{serial' has a brace"),
            ("{path: /dev/a, env: {'{nn}': a}}", "x.env['{nn}']: the template has an unknown"),
            ("{path: /dev/a, env: {A=B: a}}", "x.env['A=B']: variables: key 'A=' must be"),
            ("{path: /dev/a, env: {'': a}}", "x.env['']: variables: key ''"),
            ('{path: /dev/a, env: {"A\\n{n}": a}}', "has the control character U+000A"),
            ("{path: /dev/a, cdi: {env: {A=B: a}}}", "x.cdi.env['A=B']: variables: key"),
            ("{path: /dev/a, id: ' '}", "x.id: the id is empty"),
            ("{path: /dev/a, mounts: '{serial}/x'}", "it must be an absolute path"),
            ("{path: /dev/a, replicas: 1000000000}", "from 1 to 100000, found 1000000000"),
            ("{path: /etc/passwd}", "nodes of devices are below /dev; mounts are not"),
            ("/dev", "x: path '/dev': it is everything; name what is meant in it"),
            ("{path: '/*'}", "nodes of devices are below /dev"),
            (
                "{path: /dev/a, health: {http: 'http://a', status: []}}",
                "3:56: resources.x.health.status: there is nothing in it; leave the key out",
            ),
            ("{path: []}", "x.path: there is nothing in it; leave the key out"),
            ("{attribute: {a: [], b: c}}", "3:22: resources.x.attribute.a: there is nothing in it"),
            ("{uevent: {}}", "3:15: resources.x.uevent: there is nothing in it"),
            ("{parent: {property: {A: []}}}", "resources.x.parent.property.A: there is nothing"),
            (
                "{path: /dev/a, health: {attribute: a, equals: []}}",
                "3:52: resources.x.health.equals: there is nothing in it; leave the key out",
            ),
            (
                "{path: /dev/a, replicas: {count: 2, match: []}}",
                "resources.x.replicas.match: there is nothing in it; leave the key out",
            ),
            ("{parent: {usb: [046d:*, zz]}}", "x.parent.usb: id 'zz'"),
        ):
            with self.subTest(text=text):
                found = problems(f"{HEAD}  x: {text}\n")
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_names(self) -> None:
        """Names of resources are checked, and that no two are the same."""
        self.assertIn("f.yaml:3:3: resources.a_: ", problems(f"{HEAD}  a_: /dev/a\n")[0])
        self.assertIn(
            "f.yaml:4:3: resources['lab.example.com/x']: resources 'x' and 'lab.example.com/x' are "
            "the same",
            problems(f"{HEAD}  x: /dev/a\n  lab.example.com/x: /dev/a\n")[0],
        )
        (found,) = problems("resources: {a.b/x: /dev/a, x: /dev/a}")
        self.assertIn("f.yaml:1:28: resources.x: resource 'x' has no domain", found)

    def test_shared_name(self) -> None:
        """Resources that list devices under one name have one value of each setting of it."""
        head = f"{HEAD}  a: {{path: /dev/a, replicas: {{count: 2, rename: x}}, preferred: numa}}\n"
        for text, expected in (
            ("x: {path: /dev/x, preferred: packed}", "resources.x: resources 'a' and 'x' both "
             "list devices as lab.example.com/x, with a different preferred"),
            ("b: {path: /dev/b, replicas: {count: 2, rename: x, match: {major: 1}}, "
             "preferred: none}", "with a different preferred"),
            ("b: {path: /dev/b, replicas: {count: 3, rename: x, morePerContainer: true}}",
             "resources 'a' and 'b' both list devices as lab.example.com/x, with a different "
             "morePerContainer; give both the same"),
            ("x: {path: /dev/x, replicas: {count: 3, morePerContainer: true}}",
             "with a different morePerContainer"),
            ("x: {path: /dev/x, replicas: {count: 3, rename: b, morePerContainer: true}}", ""),
            ("b: {path: /dev/b, replicas: {count: 1, rename: x, morePerContainer: true}}", ""),
            ("x: {path: /dev/x, preferred: numa}", ""),
            ("x: {path: /dev/x}", ""),
            ("a.b/x: {path: /dev/x, preferred: packed}", ""),
            ("b: {path: /dev/b, preferred: packed}", ""),
        ):  # fmt: skip
            with self.subTest(text=text):
                found = problems(f"{head}  {text}\n")
                self.assertEqual(len(found), bool(expected), found)
                self.assertIn(expected, "".join(found))

    def test_one_line(self) -> None:
        """The error is one line: the first problem, and how many more there are."""
        error = self.assertRaises(BadConfig, load, "a: 1\nb: 2\nresources: {}\n", "f.yaml")
        self.assertEqual(len(error.problems), 2)
        self.assertTrue(str(error).startswith("f.yaml:1:1: a: the key 'a' is unknown"), error)
        self.assertTrue(str(error).endswith("(and 1 more problem)"), error)


class FileTests(SynchronousTestCase):
    """Files rather than texts."""

    def test_file(self) -> None:
        """A path is read, and names the file in problems."""
        path = Path(self.mktemp())
        path.write_text(f"{HEAD}  x: /dev/kvm\n")
        self.assertEqual(load(path).resources["x"].where.path, ("/dev/kvm",))
        path.write_text("resources: 3\n")
        self.assertEqual(check(path)[0].file, str(path))

    def test_unreadable(self) -> None:
        """A file that cannot be read is one refusal; a pipe does not block."""
        path = Path(self.mktemp())
        self.assertIn("No such file", str(self.assertRaises(BadSetting, load, path)))
        self.assertIn("no regular file", str(self.assertRaises(BadSetting, load, Path("/"))))
        os.mkfifo(path)
        self.assertIn("no regular file", str(self.assertRaises(BadSetting, load, path)))
        self.assertRaises(BadSetting, load, Path("a\0b"))


class HealthTests(SynchronousTestCase):
    """The key of a check says which it is."""

    def test_kinds(self) -> None:
        """Attribute and command, with what they share."""
        found = resource(
            "{path: /dev/a, health: [{attribute: authorized, equals: '1', every: 0.5}, "
            "{command: [/bin/probe, '{node}'], timeout: 2, unhealthyAfter: 5}]}"
        )
        self.assertEqual(
            found.health,
            (
                AttributeCheck(attribute="authorized", equals=("1",), every=0.5),
                CommandCheck(command=("/bin/probe", "{node}"), timeout=2.0, unhealthy_after=5),
            ),
        )
