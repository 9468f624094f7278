"""The wheel: what is in it, and that twistd sees the plugin of an installed one."""

import atexit
import configparser
import os
import shutil
import sys
import tempfile
import zipfile
from functools import cache
from subprocess import PIPE, STDOUT, run

import attrs
from twisted.trial.unittest import SynchronousTestCase

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("twistdp", "twisted")
# What a wheel must not take along though it lies beside the packages.
NEIGHBOURS = ("tests", "examples", "docker", "docs", "benchmarks", "protos")

# Only the unpacked wheel, as an installation would have it: no source tree on the path.
PRELUDE = """
import os, sys
wheel = os.environ["UNPACKED_WHEEL"]
sys.path[:] = [wheel] + [
    path for path in sys.path if path and not os.path.exists(os.path.join(path, "twistdp"))
]
"""
TWISTD = PRELUDE + "sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"


@attrs.frozen
class Wheel:
    """A wheel built from this tree, and unpacked."""

    unpacked: str
    elsewhere: str
    names: frozenset[str]


@cache
def built_wheel() -> Wheel:
    """Build a wheel from a copy of the source, without the network; once for all tests."""
    directory = tempfile.mkdtemp(prefix="wheel-")
    atexit.register(shutil.rmtree, directory)
    source, unpacked, elsewhere = (
        os.path.join(directory, name) for name in ("source", "unpacked", "elsewhere")
    )
    os.mkdir(source)
    os.mkdir(elsewhere)
    ignore = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in PACKAGES:
        shutil.copytree(os.path.join(ROOT, name), os.path.join(source, name), ignore=ignore)
    for name in NEIGHBOURS:
        os.mkdir(os.path.join(source, name))
        for file in ("__init__.py", "module.py"):
            with open(os.path.join(source, name, file), "w", encoding="ascii"):
                pass
    for name in FILES:
        if os.path.exists(os.path.join(ROOT, name)):
            shutil.copy(os.path.join(ROOT, name), source)
        else:
            with open(os.path.join(source, name), "w", encoding="ascii"):
                pass
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    build = run(
        [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", directory, source],
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout
    (name,) = (name for name in os.listdir(directory) if name.endswith(".whl"))
    with zipfile.ZipFile(os.path.join(directory, name)) as archive:
        archive.extractall(unpacked)
        return Wheel(unpacked, elsewhere, frozenset(archive.namelist()))


class WheelTests(SynchronousTestCase):
    """What is in the wheel, and what it is like to have it installed."""

    timeout = 300

    def setUp(self) -> None:
        """Build it if that has not been done."""
        self.wheel = built_wheel()
        self.names = self.wheel.names

    def run_python(self, script: str, *arguments: str) -> str:
        """Output of a child that has the wheel and not the source; it must succeed."""
        child = run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.wheel.elsewhere,
            env={**os.environ, "UNPACKED_WHEEL": self.wheel.unpacked},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((child.returncode, child.stderr), (0, ""), child.stdout)
        return child.stdout

    def test_plugin(self) -> None:
        """The plugin module is in it, and no __init__ that would hide Twisted or the plugin."""
        self.assertIn("twisted/plugins/twistdp_plugin.py", self.names)
        self.assertEqual(
            [name for name in self.names if name.startswith("twisted/")],
            ["twisted/plugins/twistdp_plugin.py"],
        )

    def test_every_module(self) -> None:
        """Every module is in it, and with them their types, templates, entries and pins."""
        expected = {"twistdp/py.typed"}
        for directory, _, files in os.walk(os.path.join(ROOT, "twistdp")):
            relative = os.path.relpath(directory, ROOT)
            expected.update(
                os.path.join(relative, file)
                for file in files
                if file.endswith(
                    (".py", ".pyi", ".in", ".txt", ".yaml", ".html", ".js", ".css", ".svg")
                )
            )
        self.assertIn("twistdp/kubelet/deviceplugin_v1beta1_pb2.pyi", expected)
        self.assertIn("twistdp/catalog/entries/kvm.yaml", expected)
        self.assertIn("twistdp/scaffold/template/scanner.py.in", expected)
        self.assertIn("twistdp/deployment/template/service.in", expected)
        self.assertIn("twistdp/deployment/requirements/run.txt", expected)
        self.assertEqual({name for name in self.names if name.startswith("twistdp/")}, expected)

    def test_nothing_else(self) -> None:
        """Tests, examples and what else lies beside the packages are not in it."""
        tops = {name.split("/")[0] for name in self.names}
        self.assertEqual({top for top in tops if not top.endswith(".dist-info")}, set(PACKAGES))

    def test_licence(self) -> None:
        """The licence is in it."""
        self.assertTrue([name for name in self.names if name.endswith("/LICENSE")])

    def test_command(self) -> None:
        """The twistdp command is an entry point that can be called."""
        (name,) = (name for name in self.names if name.endswith("/entry_points.txt"))
        entries = configparser.ConfigParser()
        entries.read(os.path.join(self.wheel.unpacked, name))
        self.assertEqual(dict(entries["console_scripts"]), {"twistdp": "twistdp.cli:main"})
        output = self.run_python(
            PRELUDE + "from twistdp.cli import main; sys.exit(main(['--help']))"
        )
        self.assertIn("Usage: twistdp", output)

    def test_installed(self) -> None:
        """The child of these tests has the wheel's package, not that of the source."""
        output = self.run_python(PRELUDE + "import twistdp; print(twistdp.__file__)")
        self.assertEqual(output, os.path.join(self.wheel.unpacked, "twistdp", "__init__.py") + "\n")

    def test_twistd_lists_it(self) -> None:
        """twistd lists the command with its summary."""
        self.assertRegex(
            self.run_python(TWISTD, "--help"), r"(?m)^ *deviceplugin +Serve this node's devices"
        )

    def test_twistd_helps(self) -> None:
        """The command's help comes out of the installed package."""
        output = self.run_python(TWISTD, "deviceplugin", "--help")
        self.assertIn("--scanner=", output)

    def test_no_garbage_is_looked_for(self) -> None:
        """While the command is imported the collector rests, as what imports make stays."""
        output = self.run_python(
            PRELUDE
            + """
import gc
from twisted.plugins.twistdp_plugin import deviceplugin
for collects in (True, False):
    (gc.enable if collects else gc.disable)()
    before = gc.get_stats()
    deviceplugin.options
    print(gc.get_stats() == before, gc.isenabled(), gc.get_freeze_count() > 10000)
"""
        )
        self.assertEqual(output.splitlines(), ["True True True", "True False True"])

    def test_listing_plugins_is_cheap(self) -> None:
        """Listing twistd's commands imports neither gRPC nor any of this package."""
        output = self.run_python(
            PRELUDE
            + """
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
print([plugin.tapname for plugin in getPlugins(IServiceMaker) if plugin.tapname == "deviceplugin"])
print([name for name in sys.modules if name.split(".")[0] in ("grpc", "twistdp")])
print("twisted.internet.reactor" in sys.modules)
"""
        )
        self.assertEqual(output.splitlines(), ["['deviceplugin']", "[]", "False"])
