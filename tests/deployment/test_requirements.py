"""Tests for `twistdp.deployment.requirements`: exact versions with hashes."""

import configparser
import re
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import ROOT, content
from tests.support.scripts import script
from twistdp.deployment import requirements
from twistdp.scaffold.project import Project

PIN = re.compile(
    r"([\w.-]+)==(\S+)(?: ; ([^\\]+))? \\((?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)+)"
)
INSTALL = re.compile(r"(?m)^.*(?:\bpip install|\$pip|\$\(PIP\)).*")
"""A command that installs something."""
BY_NAME = re.compile(r"pip install (?:-\S+ )*['\"]?twistdp\b(?!/)")
"""A command that asks an index for this project."""


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, str]:
    """The versions in a file; every line of it must belong to a pin with hashes."""
    text = "".join(
        line for line in requirements.text(name).splitlines(True) if not line.startswith("#")
    )
    left = PIN.sub("", text)
    assert not left.strip(), left
    return {found[1]: found[2] for found in PIN.finditer(text)}


def name_of(line: str) -> str:
    """The package that a requirement names."""
    found = re.match(r"[\w.-]+", line)
    assert found, line
    return normal(found[0])


def needed(names: Iterator[str], seen: set[str]) -> set[str]:
    """These packages, and what they need in this environment."""
    for name in names:
        if name not in seen:
            seen.add(name)
            lines = (line for line in requires(name) or () if "extra ==" not in line)
            # What is for another Python is not installed here.
            here = (line for line in lines if "python_version" not in line)
            needed(map(name_of, here), seen)
    return seen


class PinTests(SynchronousTestCase):
    """The files."""

    def test_versions(self) -> None:
        """They are those that everything else is tested with."""
        constraints = dict(
            line.split("==") for line in content("constraints.txt").splitlines() if line
        )
        expected = {normal(name): version for name, version in constraints.items()}
        for name in requirements.NAMES:
            for package, version in pins(name).items():
                self.assertEqual(version, expected[package], package)

    def test_all_that_is_needed(self) -> None:
        """No package is missing that pip would look up on an index."""
        setup = configparser.ConfigParser()
        setup.read_string(content("setup.cfg"))
        lines = setup["options"]["install_requires"].strip().splitlines()
        direct = {name_of(line) for line in lines if not line.startswith("#")}
        of_operator = setup["options.extras_require"]["operator"].strip().splitlines()
        operator = {name_of(line) for line in of_operator if not line.startswith("#")}
        self.assertLessEqual(direct, set(pins("run")))
        here = direct - {"pyasyncore"}  # of later Pythons
        self.assertLessEqual(needed(iter(here), set()), set(pins("run")))
        self.assertLessEqual(needed(iter(here | operator), set()), set(pins("operator")))
        self.assertLessEqual(set(pins("run")), set(pins("dev")))
        made_of = script("lock").requirements()
        for name, lines in made_of.items():
            self.assertLessEqual({name_of(line) for line in lines}, set(pins(name)))

    def test_without_twistdp(self) -> None:
        """twistdp is not in them, so that nobody can claim its name on an index."""
        for name in requirements.NAMES:
            self.assertNotIn("twistdp", pins(name))


class InstallTests(SynchronousTestCase):
    """Every command that installs something, in what is shipped and printed."""

    def check(self, text: str, times: int) -> None:
        """Each is by hash or without an index."""
        found = [line for line in INSTALL.findall(text) if not re.search(r"pip=\"|\bpip +:=", line)]
        self.assertEqual(len(found), times, found)
        for line in found:
            self.assertRegex(line, r"--require-hashes --requirement \S+\.txt|--no-index ")

    def test_image(self) -> None:
        """The images."""
        for name in ("Dockerfile", "operator.Dockerfile"):
            self.check(content("docker", name), 3)

    def test_makefile(self) -> None:
        """Our own environments have the pins, and so do those in which pip builds a package."""
        makefile = content("Makefile")
        (pip,) = re.findall(r"(?m)^PIP +:= (.*(?:\\\n.*)*)$", makefile)
        for variable in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
            self.assertIn(f"{variable}=constraints.txt ", pip)
        installs = re.findall(r"(?m)^\t\$\(PIP\) install .*$", makefile)
        self.assertGreater(len(installs), 5)
        for line in installs:
            self.assertIn(" --constraint constraints.txt ", line)
        pinned = content("constraints.txt")
        for name in ("setuptools", "Incremental", "wheel"):
            self.assertRegex(pinned, rf"(?m)^{name}==")

    def test_project(self) -> None:
        """A project's image, environment and page; twistdp comes from its directory of wheels."""
        texts = dict(Project("thermo").files())
        for path in ("Dockerfile", "Makefile", "README.md"):
            self.check(texts[path], 3)
            self.assertRegex(texts[path], r"--no-index --find-links (/src/)?wheels ")
        for name in requirements.OF_A_PROJECT:
            self.assertEqual(texts[f"requirements/{name}.txt"], requirements.text(name))
        self.assertIn("!requirements\n", texts[".dockerignore"])

    def test_pages(self) -> None:
        """The commands in the pages."""
        for path, times in (
            (("README.md",), 0),
            (("docs", "operations.md"), 3),
            (("docs", "conformance.md"), 0),
            (("docs", "scaffold.md"), 0),
        ):
            self.check(content(*path), times)

    def test_never_by_name(self) -> None:
        """No page and no message has twistdp installed by its name, which anybody may claim."""
        root = Path(ROOT)
        paths = [root / "README.md", *root.glob("docs/*.md")]
        paths += [path for path in root.glob("twistdp/**/*") if path.suffix in (".in", ".py")]
        self.assertGreater(len(paths), 300)
        found = {
            str(path.relative_to(root))
            for path in paths
            if BY_NAME.search(path.read_text(encoding="utf-8"))
        }
        self.assertEqual(found, {"docs/dependencies.md"})  # it says why not
