"""What an object amounts to for the plugin: options, a configuration, names and needs."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.cases import CONFIG, KVM, SCANNER
from tests.crds.making import Maker
from tests.crds.objects import an_object
from twistdp.catalog import load
from twistdp.cli.options import read as options_of
from twistdp.crds import (
    BadObject,
    DevicePlugin,
    config_text,
    needs,
    open_domains,
    options,
    read,
    resource_names,
    samples,
)
from twistdp.crds import settings as settings_of


def plugin(**spec: Any) -> DevicePlugin:
    """The plugin of an object with this spec."""
    return read(an_object(**spec))


SHARED = {"name": "intel-gpu", "replicas": 4, "preferred": "packed", "morePerContainer": True}
QAT = {"name": "intel-qat", "arguments": {"limit": ["4"], "bind": ["true"]}, "preferred": "packed"}


class OptionTests(SynchronousTestCase):
    """The words for ``twistd deviceplugin``."""

    def test_scanner(self) -> None:
        """A scanner has its arguments after it."""
        spec = {**SCANNER, "scanner": {**SCANNER["scanner"], "arguments": {"a": ["1", "b=c"]}}}
        self.assertEqual(
            [
                "--namespace=lab.example.com",
                "--scanner=camscan:CamScanner",
                "--set=a=1",
                "--set=a=b=c",
            ],
            options(plugin(**spec)),
        )

    def test_catalogue(self) -> None:
        """Entries stand alone, in the configuration if they are shared, or with arguments."""
        found = plugin(catalog=[SHARED, {"name": "kvm"}, QAT, {"name": "fuse"}], domain="a.example")
        self.assertEqual(
            [
                "--namespace=a.example",
                "--config=/etc/twistdp-config/config.yaml",
                "--catalog=kvm,fuse",
                "--catalog=intel-qat",
                "--set=limit=4",
                "--set=bind=true",
                "--preferred=packed",
            ],
            options(found),
        )
        config = load(config_text(found) or "")
        self.assertEqual(["a.example/i915", "a.example/xe"], [*config.resources])
        for resource in config.resources.values():
            assert resource.replicas is not None
            self.assertEqual(
                (4, True), (resource.replicas.count, resource.replicas.more_per_container)
            )
            self.assertEqual(("packed", "card"), (resource.preferred, resource.group))

    def test_preferred(self) -> None:
        """An entry with a preference alone is in the configuration as well."""
        found = plugin(
            catalog=[{"name": "intel-gpu", "preferred": "packed"}, {"name": "intel-npu"}]
        )
        self.assertIn("--catalog=intel-npu", options(found))
        config = load(config_text(found) or "")
        self.assertEqual({"packed"}, {each.preferred for each in config.resources.values()})

    def test_own_domains(self) -> None:
        """A shared entry keeps its domain, and an entry with one resource its name."""
        found = plugin(catalog=[SHARED, {"name": "intel-npu", "replicas": 2}])
        config = load(config_text(found) or "")
        names = resource_names(found)
        self.assertEqual(names, {name for own in config.resources for name in config.names(own)})
        self.assertIn("gpu.intel.com/xe", names or ())

    def test_all(self) -> None:
        """Every key that the plugin must know of is an option."""
        found = plugin(
            **KVM,
            logLevel=4,
            logFormat="json",
            registration="watcher",
            kubeletDirectory="/var/lib/k0s/kubelet",
            preferred="numa",
            removalGraceSeconds=5,
            scanTimeoutSeconds=60,
            hookTimeoutSeconds=10,
            checkNodes=False,
            checkPaths=False,
            cdi={"directory": "/etc/cdi"},
            http={"pods": True},
        )
        self.assertEqual(
            [
                "-v=4",
                "--log-format=json",
                "--registration=watcher",
                "--plugin-dir=/var/lib/k0s/kubelet/device-plugins",
                "--registry-dir=/var/lib/k0s/kubelet/plugins_registry",
                "--pod-resources-socket=/var/lib/k0s/kubelet/pod-resources/kubelet.sock",
                "--cdi-dir=/etc/cdi",
                "--http-pods",
                "--namespace=lab.example.com",
                "--preferred=numa",
                "--removal-grace=5",
                "--scan-timeout=60",
                "--hook-timeout=10",
                "--check-nodes=false",
                "--check-paths=false",
                "--catalog=kvm",
            ],
            options(found),
        )
        self.assertEqual(options_of(options(found)).settings, settings_of(found))

    def test_samples(self) -> None:
        """The command line takes the options of each sample."""
        for name, sample in samples().items():
            with self.subTest(name=name):
                options_of(options(read(sample)))

    @given(st.randoms(use_true_random=False))
    @settings(max_examples=200)
    def test_any(self, random: Random) -> None:
        """The command line takes the options of whatever is accepted, and means the same."""
        try:
            found = read(an_object(**Maker(random).spec()))
        except BadObject:
            return
        self.assertEqual(settings_of(found), options_of(options(found)).settings)


class ConfigTests(SynchronousTestCase):
    """The file of a configuration."""

    def test_same(self) -> None:
        """The plugin reads what the object says, whatever characters and numbers are in it."""
        resources = {
            "a": {
                "path": "/dev/a",
                "env": {"A": "0403", "B": "no", "C": "\x01\u2028\ufeff\U0001f600", "D": " x\n"},
                "replicas": 3,
                "removalGrace": 0.5,
                "exclusive": True,
                "node": {"containerPath": "/dev/b"},
            },
            "b": {"use": "intel-gpu", "numa": 0},
        }
        found = plugin(config={"domain": "a.example", "resources": resources})
        self.assertEqual(found.spec.config, load(config_text(found) or ""))

    def test_no_anchors(self) -> None:
        """What is there twice is written twice, for people to read."""
        node = {"containerPath": "/dev/x"}
        resources = {name: {"path": f"/dev/{name}", "node": node} for name in "ab"}
        text = config_text(plugin(config={"domain": "a.example", "resources": resources}))
        self.assertEqual(2, str(text).count("containerPath: /dev/x"))

    def test_none(self) -> None:
        """Entries as they are, and scanners, need no file."""
        self.assertIsNone(config_text(plugin(**KVM)))
        self.assertIsNone(config_text(plugin(**SCANNER)))


class NameTests(SynchronousTestCase):
    """The resources that a plugin lists, as far as they are known."""

    def test_names(self) -> None:
        """Those of configurations and entries are known; a scanner's domain is."""
        for spec, names, domains in (
            ({"config": CONFIG}, {"lab.example.com/kvm"}, set()),
            (KVM, {"lab.example.com/kvm"}, set()),
            (
                {"catalog": [{"name": "intel-gpu"}]},
                {"gpu.intel.com/i915", "gpu.intel.com/xe"},
                set(),
            ),
            (SCANNER, None, {"lab.example.com"}),
            ({"catalog": [QAT]}, set(), {"qat.intel.com"}),
            (
                {"catalog": [QAT, *KVM["catalog"]], "domain": "b.example"},
                {"b.example/kvm"},
                {"b.example"},
            ),
        ):
            with self.subTest(spec=spec):
                found = plugin(**spec)
                self.assertEqual(names, resource_names(found))
                self.assertEqual(domains, open_domains(found))


class NeedTests(SynchronousTestCase):
    """What a plugin needs of a node."""

    def test_needs(self) -> None:
        """Devices of a configuration need udev's data, interfaces sysfs, and checks more."""
        net = {"domain": "a.example", "resources": {"net": {"subsystem": "net"}}}
        cdi = {
            "domain": "a.example",
            "resources": {"a": {"path": "/dev/a", "cdi": {"env": {"A": "b"}}}},
        }
        for spec, paths, uses_cdi in (
            (SCANNER, ["/dev"], False),
            ({**SCANNER, "cdi": {"enabled": True}}, ["/dev"], True),
            (KVM, ["/dev", "/run/udev"], False),
            ({"catalog": [{"name": "intel-fpga", "arguments": {"mode": ["af"]}}]}, ["/dev"], False),
            (
                {"catalog": [{"name": "intel-fpga", "arguments": {"mode": ["region"]}}]},
                ["/dev"],
                True,
            ),
            ({"config": net}, ["/dev", "/run/udev", "/sys"], False),
            ({"config": cdi}, ["/dev", "/run/udev"], True),
            (
                {**KVM, "security": {"hostPaths": ["/run/modem", "/dev"]}},
                ["/dev", "/run/udev", "/run/modem"],
                False,
            ),
        ):
            with self.subTest(spec=spec):
                found = needs(plugin(**spec))
                self.assertEqual((paths, uses_cdi), ([*found.host_paths], found.cdi))
