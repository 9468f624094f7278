"""What the pages say of the project is true; what is printed in them is run by `tests.docs`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

import twistdp
import twistdp.testing
from twistdp import settings
from twistdp.cli import COMMANDS
from twistdp.scaffold.checklist import ITEMS
from twistdp.scaffold.project import Project
from twistdp.tap import Options

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(ROOT, "docs")


def text_of(path: str) -> str:
    """A document."""
    with open(path, encoding="utf-8") as file:
        return file.read()


class LinkTests(SynchronousTestCase):
    """All documents."""

    def test_links(self) -> None:
        """Links within the project lead somewhere, and the README leads to every document."""
        paths = [os.path.join(DOCS, name) for name in os.listdir(DOCS) if name.endswith(".md")]
        for path in (os.path.join(ROOT, "README.md"), *paths):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(path)):
                found = os.path.join(os.path.dirname(path), target)
                self.assertTrue(os.path.exists(found), f"{path}: {target}")
        readme = text_of(os.path.join(ROOT, "README.md"))
        for path in paths:
            self.assertIn(f"(docs/{os.path.basename(path)})", readme)

    def test_contents(self) -> None:
        """The site's table of contents has every document once."""
        index = text_of(os.path.join(DOCS, "index.md"))
        listed = re.findall(r"(?m)^([a-z-]+)$", index.partition(":::{toctree}")[2])
        pages = [Path(name).stem for name in os.listdir(DOCS) if name.endswith((".md", ".rst"))]
        self.assertEqual(sorted(listed), sorted(set(pages) - {"index"}))

    def test_figures(self) -> None:
        """The figures of the landing page are those that docs/performance.md reports."""
        rows = r"(?m)^\| ([^|]+?) \| (\S+)(?: (\S+))? \| (\S+)(?: \S+)? \|$"
        shown = re.findall(rows, text_of(os.path.join(DOCS, "index.md")))
        self.assertGreater(len(shown), 5)
        measured = text_of(os.path.join(DOCS, "performance.md"))
        for name, ours, unit, plain in shown:
            row = re.escape(f"| {name} | {unit} | {ours} | ") + r"\S+ \| " + re.escape(plain)
            self.assertRegex(measured, row)

    def test_api(self) -> None:
        """The API's page has every public name, and each has a docstring to show there."""
        text = text_of(os.path.join(DOCS, "api.rst"))
        described = set(re.findall(r":: (?:twistdp\.)?(?:testing\.)?(\w+)", text))
        for module in (twistdp, twistdp.testing):
            self.assertEqual(set(module.__all__) - described, set())
            for name in module.__all__:
                self.assertTrue(getattr(module, name).__doc__, name)


class ReadmeTests(SynchronousTestCase):
    """README.md."""

    def test_short(self) -> None:
        """It has fewer than 100 lines."""
        self.assertLess(len(text_of(os.path.join(ROOT, "README.md")).splitlines()), 100)

    def test_checks(self) -> None:
        """The commands by which it has a change checked are among those of ``.ci/run``."""
        sentence = text_of(os.path.join(ROOT, "README.md")).split("Check a change with ")[1]
        run = text_of(os.path.join(ROOT, ".ci", "run"))
        commands = re.findall(r"`(make [^`]*)`", sentence)
        self.assertEqual(len(commands), 2)
        for command in commands:
            self.assertRegex(run, rf"(?m)^{command}\b")


class CommandTests(SynchronousTestCase):
    """Commands in all documents, also within lines: each is one that there is."""

    def test_make(self) -> None:
        """Targets of make are those of the Makefile, or of a project that `twistdp new` makes."""
        template = os.path.join(ROOT, "twistdp", "scaffold", "template", "Makefile.in")
        makefiles = text_of(os.path.join(ROOT, "Makefile")) + text_of(template)
        targets = set(re.findall(r"(?m)^([a-z0-9-]+):", makefiles))
        commands = r"(?:^    |`)make (?:-C \S+ )?([a-z0-9-]+)"
        named = set(re.findall(commands, documents(), re.MULTILINE))
        self.assertGreater(len(named), 10)
        self.assertEqual(named - targets, set())

    def test_twistd(self) -> None:
        """Options of `twistd deviceplugin` are known to it."""
        known = {"--" + name.rstrip("=") for name in Options().longOpt}
        commands = re.findall(r"deviceplugin((?: |\\?\n +)--[^`#]*?)(?:`|\n\n|\n$)", documents())
        named = {option for command in commands for option in re.findall(r"--[a-z-]+", command)}
        self.assertIn("--set", named)
        self.assertEqual(named - known, set())

    def test_twistdp(self) -> None:
        """Commands of `twistdp` are known to it."""
        named = set(re.findall(r"(?:^    |`)twistdp ([a-z][a-z-]*)", documents(), re.MULTILINE))
        self.assertIn("conformance", named)
        self.assertEqual(named - set(COMMANDS), set())


class MigratingTests(TestCase):
    """docs/migrating.md."""

    timeout = 300

    async def run_tests(self, document: str, module: str, **more: str) -> None:
        """Write a document's programs to their files and run the tests among them."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        for name, text in {**programs(document), **more}.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "twisted.trial", "--reactor=asyncio", module],
            env=os.environ,
            path=directory,
        )
        self.assertEqual(status, 0, (out + err).decode())

    async def test_migrating(self) -> None:
        """The plugins of docs/migrating.md give a container what those they replace did."""
        await self.run_tests("migrating.md", "test_migrated", **{"test_migrated.py": MIGRATED})


class DiagramTests(SynchronousTestCase):
    """docs/imports.svg."""

    def test_true(self) -> None:
        """It shows the imports that there are."""
        script = os.path.join(ROOT, ".ci", "diagram.py")
        child = subprocess.run([sys.executable, script, "--check"], check=False)
        self.assertEqual(child.returncode, 0, "run 'make diagram'")


MIGRATED = """
import os, tempfile
from twisted.trial.unittest import TestCase
from twistdp import Manager, Settings
from twistdp.testing import FakeKubelet
from files import FileScanner
from ports import PortScanner

class Tests(TestCase):
    async def answer(self, scanner, resource):
        kubelet = FakeKubelet(tempfile.mkdtemp())
        await kubelet.start()
        self.addCleanup(kubelet.stop)
        settings = Settings(plugin_dir=kubelet.directory)
        manager = Manager(scanner.namespace, scanner, settings=settings)
        manager.startService()
        self.addCleanup(manager.stopService)
        await kubelet.until(lambda: kubelet.allocatable(resource) == 1, 60.0)
        return await kubelet.allocate(resource)

    async def test(self):
        devices = tempfile.mkdtemp()
        path = os.path.join(devices, "port0")
        open(path, "w").close()
        answer = await self.answer(FileScanner(devices), "plain.example.com/file")
        self.assertEqual(answer.mounts[0].container_path, "/run/files/port0")
        answer = await self.answer(PortScanner(devices + "/port*"), "fpga.example.com/port")
        self.assertEqual(answer.devices[0].host_path, path)
        self.assertEqual(dict(answer.annotations), {"fpga.example.com/mode": "af"})
"""


def documents() -> str:
    """All documents."""
    paths = [Path(ROOT, "README.md"), *sorted(Path(DOCS).glob("*.md"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def programs(document: str) -> dict[str, str]:
    """The programs of a document that are introduced by the name of their file."""
    text = text_of(os.path.join(DOCS, document))
    return dict(re.findall(r"`(\w+\.py)`[^`]*:\n\n```python\n(.*?)```", text, re.DOTALL))


class SecurityTests(SynchronousTestCase):
    """docs/security.md."""

    def test_names(self) -> None:
        """The modules that it names are there, and the paths are those of the settings."""
        text = text_of(os.path.join(DOCS, "security.md"))
        modules = set(re.findall(r"`(twistdp/[^`]*)`", text))
        self.assertGreater(len(modules), 5)
        for module in modules:
            self.assertTrue(os.path.exists(os.path.join(ROOT, module)), module)
        for path in (
            settings.PLUGIN_DIRECTORY,
            settings.REGISTRY_DIRECTORY,
            settings.CDI_DIRECTORY,
            settings.POD_RESOURCES_SOCKET,
        ):
            self.assertIn(f"`{path}", text)

    def test_tests(self) -> None:
        """The tests that it names are there."""
        text = text_of(os.path.join(DOCS, "security.md"))
        paths = set(re.findall(r"`(tests/[^`]*\.py)`", text))
        modules = set(re.findall(r"`(tests(?:\.\w+)+)`", text))
        names = set(re.findall(r"`(test_\w+|\w+Tests)`", text))
        self.assertGreater(min(len(paths), len(modules), len(names)), 5)
        for path in paths:
            self.assertTrue(os.path.isfile(os.path.join(ROOT, path)), path)
        for module in modules:
            path = os.path.join(ROOT, *module.split("."))
            self.assertTrue(os.path.isdir(path) or os.path.isfile(f"{path}.py"), module)
        known: set[str] = set()
        for file in Path(ROOT, "tests").rglob("test_*.py"):
            known.update(re.findall(r"(?:def|class) (\w+)", file.read_text(encoding="utf-8")))
        self.assertEqual(names - known, set())


class ScaffoldTests(SynchronousTestCase):
    """docs/scaffold.md."""

    def test_tables(self) -> None:
        """The items are those of the checklist, and the files and targets those that are made."""
        text = text_of(os.path.join(DOCS, "scaffold.md"))
        items = text.split("| item |")[1].split("\n\n")[0]
        self.assertEqual(
            re.findall(r"^\| ([a-z-]+) \|", items, re.MULTILINE), [item.name for item in ITEMS]
        )
        made = dict(Project("thermo", resource="sensor", hooks=True).files())
        table = text.split("| file |")[1].split("\n\n")[0]
        cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        named = [name for cell in cells for name in re.findall("`(.*?)`", cell)]
        self.assertGreater(len(named), 8)
        for name in named:
            self.assertTrue([path for path in made if path.startswith(name)], name)
        targets = re.search(r"^\| `Makefile` \| (.*) \|$", table, re.MULTILINE)
        assert targets is not None
        for target in re.findall("`(.*?)`", targets[1]):
            self.assertRegex(made["Makefile"], rf"(?m)^{target}:")
