"""The programs in the documentation work as they are printed."""

import ast
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

import twistdp
from twistdp import settings
from twistdp.scaffold.checklist import ITEMS
from twistdp.scaffold.project import Project

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
        paths = [os.path.join(DOCS, name) for name in os.listdir(DOCS)]
        for path in (os.path.join(ROOT, "README.md"), *paths):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(path)):
                found = os.path.join(os.path.dirname(path), target)
                self.assertTrue(os.path.exists(found), f"{path}: {target}")
        readme = text_of(os.path.join(ROOT, "README.md"))
        for path in paths:
            self.assertIn(f"(docs/{os.path.basename(path)})", readme)


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


class FirstPluginTests(TestCase):
    """docs/first-plugin.md."""

    timeout = 60

    async def test_the_plugin_passes_its_test(self) -> None:
        """The scanner and the test that a reader copies run and pass."""
        with open(os.path.join(DOCS, "first-plugin.md"), encoding="utf-8") as file:
            scanner, test, *_ = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        for name, text in (("thermo.py", scanner), ("test_thermo.py", test)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "twisted.trial", "--reactor=asyncio", "test_thermo"],
            env=os.environ,
            path=directory,
        )
        self.assertEqual(status, 0, (out + err).decode())
        self.assertIn(b"successes=1", out)


class ScaffoldTests(SynchronousTestCase):
    """docs/scaffold.md."""

    def test_tables(self) -> None:
        """The items are those of the checklist, and the files and targets those that are made."""
        text = text_of(os.path.join(DOCS, "scaffold.md"))
        items = text.split("| item |")[1].split("\n\n")[0]
        self.assertEqual(
            re.findall(r"^\| ([a-z-]+) \|", items, re.MULTILINE), [item.name for item in ITEMS]
        )
        made = dict(Project("thermo", resource="sensor").files())
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


class LogLineTests(SynchronousTestCase):
    """docs/operations.md, "When something runs out"."""

    def test_log_lines(self) -> None:
        """Each line in the table is one that the code logs, where … stands for what varies."""
        with open(os.path.join(DOCS, "operations.md"), encoding="utf-8") as file:
            section = file.read().split("## When something runs out")[1].split("\n## ")[0]
        lines = re.findall(r"^\| `([^`]*)`", section, re.MULTILINE)
        self.assertGreater(len(lines), 10)
        texts = "\n".join(texts_of_the_code())
        for line in lines:
            for part in filter(None, re.split("[ ,:;]*…[ ,:;]*", line)):
                self.assertIn(part, texts)


def texts_of_the_code() -> Iterator[str]:
    """All string constants of twistdp, with … for what is put in."""
    for path in Path(twistdp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "…" for part in node.values
                )
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"\{\w*(:\S*)?\}", "…", node.value)
