"""Tests for `twistdp.catalog`: how entries are chosen, and how a file builds on one."""

import inspect
from collections.abc import Container
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistdp.catalog.entry import Entry
from twistdp.catalog.loading import chosen, load
from twistdp.catalog.page import page
from twistdp.catalog.shelf import Shelf
from twistdp.config.fields import fields_of
from twistdp.config.loading import load as load_alone
from twistdp.config.loading import load_as
from twistdp.config.model import Replicas, Resource
from twistdp.config.problems import BadConfig
from twistdp.config.showing import show
from twistdp.errors import BadSetting
from twistdp.select.match import Match

HEAD = "domain: lab.example.com\nresources:\n"


def resource(text: str) -> Resource:
    """The resource ``x`` that a text describes."""
    return load(f"{HEAD}  x: {text}\n").resources["x"]


def arguments_of(scanner: str) -> Container[str]:
    """The names of the arguments of a scanner's constructor."""
    module, _, name = scanner.partition(":")
    return inspect.signature(getattr(import_module(module), name)).parameters


class UseTests(SynchronousTestCase):
    """``use``"""

    def problems(self, text: str) -> list[str]:
        """The problems of resources."""
        error = self.assertRaises(BadConfig, load, HEAD + text, "f.yaml")
        return [str(each) for each in error.problems]

    def test_overrides(self) -> None:
        """What the file says is instead of the entry's, and the rest is the entry's."""
        entry = Shelf().entry("kvm").resource
        assert entry is not None
        self.assertEqual(resource("{use: kvm}"), entry)
        changed = resource("{use: kvm, replicas: 2}")
        self.assertEqual(changed.replicas, Replicas(count=2))
        self.assertEqual(changed.where, entry.where)

    def test_conditions(self) -> None:
        """Conditions of the file are beside those of the entry, or replace the same ones."""
        where = resource('{use: tty-usb, usb: "0403:*"}').where
        self.assertEqual((where.usb, where.subsystem), (("0403:*",), ("tty",)))
        self.assertEqual(resource("{use: tpm, subsystem: tpm}").where.subsystem, ("tpm",))

    def test_not(self) -> None:
        """What the entry leaves out stays out beside what the file leaves out, and alone."""
        entry = Shelf().entry("intel-gpu").resource
        assert entry is not None and entry.where.not_ is not None
        mine = Match(driver="xe")
        both = Match(any=(entry.where.not_, mine))
        self.assertEqual(resource("{use: intel-gpu, not: {driver: xe}}").where.not_, both)
        self.assertEqual(resource("{use: intel-gpu, deny: a}").where.not_, entry.where.not_)
        self.assertEqual(resource("{use: kvm, not: {driver: xe}}").where.not_, mine)

    def test_empty(self) -> None:
        """A list of no alternatives would take the entry's away, or pass for what it needs."""
        for name in ("zigbee", "block"):
            (problem,) = self.problems(f"  a: {{use: {name}, match: []}}\n")
            self.assertIn("resources.a.match: there is nothing in it; leave the key out", problem)

    def test_inner(self) -> None:
        """A resource of an entry is named after the entry and a slash."""
        self.assertEqual(resource("{use: intel-sgx/provision}").where.path, ("/dev/sgx_provision",))

    def test_unknown(self) -> None:
        """An unknown name is reported at its place, with the nearest one."""
        found = self.problems("  a: {use: kwm}\n  b: {use: intel-qat/cx}\n  c: {use: zzzzzz}\n")
        self.assertEqual(
            found,
            [
                "f.yaml:3:12: resources.a.use: the catalogue has no entry 'kwm'; did you mean "
                "'kvm'?",
                "f.yaml:4:12: resources.b.use: the catalogue has no entry 'intel-qat/cx'; did you "
                "mean 'intel-qat/cy'?",
                "f.yaml:5:12: resources.c.use: the catalogue has no entry 'zzzzzz'; see 'twistdp "
                "catalog'",
            ],
        )

    def test_suggestion(self) -> None:
        """The nearest name is in the problem for programs, too."""
        error = self.assertRaises(BadConfig, load, f"{HEAD}  a: {{use: fuze}}\n")
        self.assertEqual(error.problems[0].suggestion, "fuse")

    def test_needed(self) -> None:
        """An entry that selects too much alone wants one of some keys."""
        (problem,) = self.problems("  a: {use: nvme, numa: none}\n")
        self.assertIn("resources.a.use: the entry nvme of the catalogue selects too much", problem)
        self.assertIn("add modelName, serial, allow or match", problem)
        self.assertEqual(resource("{use: nvme, serial: S1}").where.serial, ("S1",))

    def test_scanner(self) -> None:
        """An entry that is a scanner is served, and no resource can use it."""
        (problem,) = self.problems("  a: {use: intel-fpga}\n")
        self.assertIn(
            "resources.a.use: the entry intel-fpga of the catalogue is a scanner", problem
        )

    def test_argument(self) -> None:
        """What only the scanner of an entry can do is refused, with the way to have it."""
        found = self.problems(
            "  a: {use: intel-qat/cy, bind: true}\n  b: {use: kvm, bind: true}\n"
            "  c: {use: intel-sgx, enclave_limit: 3, node: {bind: 1}}\n"
        )
        self.assertEqual(
            found[0],
            "f.yaml:3:26: resources.a.bind: the key 'bind' is unknown; it is an argument for "
            "--catalog=intel-qat, as --set bind=...",
        )
        self.assertIn("--catalog=intel-sgx, as --set enclave_limit=...", found[2])
        for other in (found[1], found[3]):
            self.assertNotIn("--set", other)

    def test_override_that_does_not_fit(self) -> None:
        """What is wrong only together with the entry is reported too."""
        (problem,) = self.problems("  a: {use: zigbee, any: [/dev/a]}\n")
        self.assertIn("resources.a.use: match and any are both alternatives", problem)

    def test_without_catalogue(self) -> None:
        """Without a catalogue the name stays, for programs that only look at files."""
        self.assertEqual(load_alone(f"{HEAD}  x: {{use: kwm}}\n").resources["x"].use, "kwm")

    def test_shown(self) -> None:
        """What is shown needs no catalogue any more."""
        config = load(f"{HEAD}  x: {{use: intel-gpu, replicas: 2}}\n")
        self.assertEqual(load_alone(show(config)), config)


class ChosenTests(SynchronousTestCase):
    """``--catalog``"""

    def test_own_domain(self) -> None:
        """An entry that has a domain is served in it, with the resources that pods know."""
        found = chosen(["intel-gpu", "intel-gpu-monitoring", "intel-npu"])
        self.assertEqual(
            {domain: [*config.resources] for domain, config in found.items()},
            {"gpu.intel.com": ["i915", "xe", "monitoring"], "npu.intel.com": ["accel"]},
        )

    def test_domain(self) -> None:
        """A domain that is given is for all entries; those without one of their own need it."""
        (config,) = chosen(["kvm", "intel-npu"], "lab.example.com").values()
        self.assertEqual(config.domain, "lab.example.com")
        self.assertEqual([*config.resources], ["kvm", "accel"])
        error = self.assertRaises(BadSetting, chosen, ["kvm"])
        self.assertIn("entry kvm of the catalogue has no domain of its own", str(error))

    def test_refused(self) -> None:
        """Unknown entries, those that say too little, and those of one name."""
        for names, reason in (
            (["kwm"], "no entry 'kwm'; did you mean kvm?"),
            (["block"], "the entry block of the catalogue selects too much alone"),
            (["intel-dsa-vfio", "intel-iaa-vfio"], "has a resource x.example.com/vfio"),
        ):
            error = self.assertRaises(BadSetting, chosen, names, "x.example.com")
            self.assertIn(reason, str(error))


class FormatTests(SynchronousTestCase):
    """The files of the catalogue."""

    def test_options(self) -> None:
        """Options and needs name keys of a resource."""
        head = "title: t\ndescription: d\n"
        text = f"{head}resource: /dev/a\noptions: {{replica: r}}\n"
        error = self.assertRaises(BadConfig, load_as, Entry, text)
        self.assertIn("'replica' is no key of a resource", str(error))
        for text, reason in (
            (head, "an entry has a resource, a scanner, or both"),
            (f"{head}resource: /dev/a\narguments: {{x: y}}\n", "the entry has none"),
        ):
            error = self.assertRaises(BadConfig, load_as, Entry, text)
            self.assertIn(reason, str(error))

    def test_texts(self) -> None:
        """Each entry has a title of one line and sentences that end; its options end as well."""
        shelf = Shelf()
        for name in shelf.entries:
            entry = shelf.entry(name)
            self.assertLess(len(entry.title), 70, name)
            for text in (entry.description, *entry.options.values(), *entry.arguments.values()):
                self.assertRegex(text.strip(), r"\.\)?$", name)
            for key in (*entry.options, *entry.needs):
                self.assertIn(key, fields_of(Resource))
            for key in entry.arguments:
                self.assertIn(key, arguments_of(str(entry.scanner)))

    def test_resolved(self) -> None:
        """Every name can be used, once it has what it needs."""
        shelf = Shelf()
        for name in shelf.names:
            if shelf.entry(name.partition("/")[0]).resource is None:
                continue
            needs = shelf.entry(name.partition("/")[0]).needs
            more = f", {needs[0]}: x" if needs else ""
            self.assertIsNone(resource(f"{{use: {name}{more}}}").use, name)

    def test_page(self) -> None:
        """The page of the documentation is what the entries make."""
        path = Path(__file__).parents[2] / "docs" / "catalog.md"
        self.assertEqual(path.read_text("utf-8"), page(), "run make config-reference")
        example = page().partition("```yaml\n")[2].partition("```")[0]
        self.assertEqual([*load(example).resources], ["kvm", "modem", "intel", "scratch"])
