"""Tests for `twistdp.conformance.plan`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.conformance.plan import Plan, with_places
from twistdp.errors import BadSetting

PLACES = {"plugin_dir": "/p", "registry_dir": "/r", "work_dir": "/w"}


class PlanTests(SynchronousTestCase):
    """Plans that cannot work are refused at once."""

    def test_refusals(self) -> None:
        """Each error names what is missing."""
        good = ("plugin", "--dir={plugin_dir}")
        for expected, command, settings in (
            ("no command", (), {}),
            ("names no directory", ("plugin",), {}),
            ("names no directory", ("plugin", "{work_dir}"), {}),
            ("--hotplug-add and --hotplug-remove", good, {"add": "touch x"}),
            ("--hotplug-add and --hotplug-remove", good, {"remove": "rm x"}),
            ("--make-unhealthy and --make-healthy", good, {"heal": "x"}),
            ("--namesake-add and --namesake-remove", good, {"namesake": "x"}),
            ("--alias-add and --alias-remove", good, {"alias_gone": "x"}),
            ("patience", good, {"patience": 0.0}),
            ("restarts", good, {"restarts": 16}),
        ):
            error = self.assertRaises(BadSetting, Plan, command, **settings)
            self.assertIn(expected, str(error))

    def test_places(self) -> None:
        """A directory, the registry, or a bound directory is enough."""
        for command, bind in ((("x", "{plugin_dir}"), False), (("x{registry_dir}",), False)):
            self.assertEqual(Plan(command, bind=bind).command, command)
        self.assertTrue(Plan(("x",), bind=True).bind)

    def test_names(self) -> None:
        """A place that is named anywhere in the command."""
        plan = Plan(("sh", "-c", "exec plugin {plugin_dir}"))
        self.assertTrue(plan.names("plugin_dir"))
        self.assertFalse(plan.names("registry_dir"))

    def test_with_places(self) -> None:
        """Only the places are filled in; a shell's braces stay."""
        text = "a={work_dir} b=${HOME} c={} d={plugin_dir}/{registry_dir}"
        self.assertEqual(with_places(text, PLACES), "a=/w b=${HOME} c={} d=/p//r")
