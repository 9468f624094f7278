"""Tests for `twistdp.scaffold.project`: a project from templates."""

import ast
import contextlib
import os
import re
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from subprocess import run
from unittest import SkipTest

from incremental import Version
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.errors import BadName, BadSetting
from twistdp.scaffold.project import (
    FILES,
    HOOKS,
    Project,
    check_package,
    compatible_versions,
    create,
)

LONG = Project("abcdefghijklmnopqrstuvwxyz_234", resource="A" * 40 + ".b-" + "9" * 20)
"""The longest names that there can be."""

HOOKED = Project("thermo", resource="sensor", hooks=True)
"""One with hooks."""


class NameTests(SynchronousTestCase):
    """`check_package` and `Project`'s names."""

    def test_good(self) -> None:
        """Names that can be imported and are free."""
        for name in ("thermo", "t", "usb_3", "abcdefghijklmnopqrstuvwxyz_234"):
            self.assertEqual(check_package(name), name)

    def test_bad(self) -> None:
        """No identifier, too long, a keyword, in use, or another value in YAML."""
        for name, why in (
            *((n, "begins with a lower-case") for n in ("", "9x", "a-b", "A", "a_", "_a", "a.b")),
            *((n, "begins with a lower-case") for n in ("a/b", "../x", "é", "a\n", "a" * 31)),
            *((n, "Python or YAML") for n in ("class", "match", "yes", "on", "null")),
            *(
                (n, "has that name")
                for n in ("json", "tests", "twistdp", "twisted", "demo", "e2e", "kustomization")
            ),
            *((n, "has that name") for n in ("test", "queue", "this", "select")),
            *((n, "has that name") for n in ("grpc", "attr", "google", "zope", "mypy", "setup")),
            *((n, "belongs to Kubernetes") for n in ("default", "kube_system", "kube_node_lease")),
        ):
            self.assertIn(why, str(self.assertRaises(BadName, Project, name)), name)

    def test_environment(self) -> None:
        """Nothing that a project's environment has can be the name, for Python or for pip."""
        found: set[str] = set()
        wanted = {"twistdp", "coverage", "mypy", "mypy-zope", "ruff", "pip", "setuptools"}
        while wanted:
            name = wanted.pop()
            try:
                needed = requires(name) or []
            except PackageNotFoundError:
                continue  # for another Python, or a tool that only make lint installs
            found.add(name)
            plain = [line for line in needed if "extra ==" not in line]
            names = {re.split(r"[^\w.-]", line)[0].lower() for line in plain}
            wanted |= names - found
        self.assertIn("zope.interface", found)
        for module, distributions in packages_distributions().items():
            if found & {name.lower() for name in distributions}:
                found.add(module)
        accepted = []
        for name in found:
            with contextlib.suppress(BadName):
                accepted.append(check_package(re.sub(r"[-.]", "_", name)))
        self.assertEqual(accepted, [])

    def test_installed(self) -> None:
        """The same goes for other packages, except those in the current directory."""
        directory = temporary_directory(self)
        for name in ("installed_one", "beside_us"):
            os.mkdir(os.path.join(directory, name))
        os.mkdir(os.path.join(directory, "installed_one", "thermo"))
        for path in ("installed_one/lamps.py", "installed_one/thermo/x.txt", "beside_us/here.py"):
            with open(os.path.join(directory, path), "w", encoding="ascii"):
                pass
        current = os.getcwd()
        self.addCleanup(os.chdir, current)
        os.chdir(os.path.join(directory, "beside_us"))
        self.patch(sys, "path", ["", *sys.path, os.path.join(directory, "installed_one")])
        self.assertIn("has that name", str(self.assertRaises(BadName, check_package, "lamps")))
        self.assertEqual(check_package("thermo"), "thermo", "it has no modules")
        self.assertEqual(check_package("here"), "here")

    def test_versions(self) -> None:
        """A project requires the versions of twistdp that are compatible."""
        for version, text in (
            (Version("twistdp", 0, 1, 0), ">=0.1.0,<0.2"),
            (Version("twistdp", 0, 9, 3), ">=0.9.3,<0.10"),
            (Version("twistdp", 2, 4, 0, release_candidate=1), ">=2.4.0rc1,<3"),
        ):
            self.assertEqual(compatible_versions(version), text)
        text = dict(Project("thermo").files())["pyproject.toml"]
        self.assertIn(f'dependencies = ["twistdp{compatible_versions()}"]', text)

    def test_namespace_and_resource(self) -> None:
        """The namespace and the resource are checked as by the kubelet."""
        for namespace in ("a.kubernetes.io", "requests.x", "A.b", "a/b", ""):
            self.assertRaises(BadName, Project, "thermo", namespace=namespace)
        for resource in ("a/b", "-a", "a" * 64, ""):
            self.assertRaises(BadName, Project, "thermo", resource=resource)

    def test_defaults(self) -> None:
        """The domain is made of the name, without characters that a domain cannot have."""
        project = Project("lab_thermo")
        self.assertEqual(
            (project.distribution, project.namespace, project.resource),
            ("lab-thermo", "lab-thermo.example.com", "device"),
        )


class FilesTests(SynchronousTestCase):
    """`Project.files`"""

    def test_every_template(self) -> None:
        """Each template is used, and each one that is used exists."""
        there = {file.name for file in files("twistdp.scaffold").joinpath("template").iterdir()}
        used = {*FILES.values(), *HOOKS.values()}
        self.assertEqual({f"{name}.in" for name in used if name}, there)

    def test_filled_in(self) -> None:
        """Names are filled in everywhere, also in paths; variables of make and shells stay."""
        texts = dict(Project("lab_thermo", "lab.example", "sensor").files())
        for path, text in texts.items():
            self.assertNotIn("%%", text, path)
            self.assertNotIn("{", path)
            self.assertTrue(not text or text.endswith("\n"), path)
        self.assertIn("lab.example/sensor: 1", texts["deploy/pod.yaml"])
        self.assertIn('RESOURCE = "sensor"', texts["lab_thermo/scanner.py"])
        self.assertIn("lab_thermo.scanner:Scanner", texts["deploy/lab-thermo.service"])
        self.assertIn("$(BIN)/twistdp conformance", texts["Makefile"])
        self.assertIn("FROM ${BASE}", texts["Dockerfile"])
        self.assertIn('CMD ["--scanner=lab_thermo.scanner:Scanner"]', texts["Dockerfile"])
        self.assertIn("!lab_thermo\n", texts[".dockerignore"])

    def test_workflow(self) -> None:
        """A forge runs targets of the Makefile."""
        texts = dict(Project("thermo").files())
        (command,) = re.findall(r"run: make (.*)", texts[".github/workflows/ci.yaml"])
        for target in command.split():
            self.assertRegex(texts["Makefile"], rf"(?m)^{target}:")

    def test_hooks(self) -> None:
        """Hooks are present on request, and without it there is no trace of them."""
        with_hooks = dict(Project("thermo", hooks=True).files())
        without = dict(Project("thermo").files())
        self.assertEqual(
            with_hooks.keys() - without.keys(), {"thermo/hooks.py", "tests/test_hooks.py"}
        )
        self.assertIn("class Scanner(Hooks, WatchingScanner)", with_hooks["thermo/scanner.py"])
        for path, text in without.items():
            self.assertNotIn("hook", text.lower(), path)

    def test_python(self) -> None:
        """Every module is Python, with a docstring."""
        for path, text in LONG.files():
            if path.endswith(".py"):
                self.assertTrue(ast.get_docstring(ast.parse(text)), path)

    def test_targets(self) -> None:
        """The Makefile has the targets that README and checklist mention."""
        targets = set(re.findall(r"^([a-z0-9]+):", dict(LONG.files())["Makefile"], re.MULTILINE))
        self.assertLessEqual(
            {"demo", "test", "lint", "types", "conformance", "check", "image", "e2e"}, targets
        )

    def test_space(self) -> None:
        """The Makefile works in a directory whose path has a space."""
        directory = os.path.join(temporary_directory(self), "us er")
        programs = os.path.join(directory, ".venv", "bin")
        create(Project("thermo"), directory)
        os.makedirs(programs)
        for name in ("python", "coverage", "ruff", "mypy", "twistdp"):
            os.symlink("/bin/true", os.path.join(programs, name))
        for target in ("demo", "test", "lint", "types", "conformance", "check", "e2e"):
            done = run(["make", target], cwd=directory, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)

    def test_ruff(self) -> None:
        """With the longest names, the files still pass ruff's rules and format."""
        if find_spec("ruff") is None:
            raise SkipTest("ruff is not installed: make lint does that")
        for project in (Project("t", "e", "x"), Project("thermo", resource="sensor"), LONG, HOOKED):
            directory = temporary_directory(self)
            create(project, directory)
            for command in (["check", "."], ["format", "--check", "--diff", "."]):
                done = run(
                    [sys.executable, "-m", "ruff", *command, "--no-cache"],
                    cwd=directory,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class ProjectsTests(SynchronousTestCase):
    """A project's own tests."""

    timeout = 300

    def said_by_trial(self, directory: str) -> str:
        """trial's output about a project's tests."""
        done = run(
            [sys.executable, "-m", "twisted.trial", "--reactor=asyncio", "tests"],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": directory},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def made(self, project: Project) -> str:
        """The directory of a new project."""
        directory = temporary_directory(self)
        create(project, directory)
        return directory

    def test_pass(self) -> None:
        """They pass, with hooks and without."""
        self.assertIn("PASSED (successes=5)", self.said_by_trial(self.made(Project("thermo"))))
        self.assertIn("PASSED (successes=9)", self.said_by_trial(self.made(HOOKED)))

    def test_without_a_hook(self) -> None:
        """When a hook is deleted, its test fails, and no other does."""
        directory = self.made(HOOKED)
        path = Path(directory, "thermo", "hooks.py")
        whole = path.read_text(encoding="utf-8")
        for method, test in (
            ("allocate", "test_refusal"),
            ("post_allocate", "test_variable"),
            ("get_preferred_allocation", "test_preferred"),
            ("pre_start_container", "test_pre_start"),
        ):
            path.write_text(re.sub(rf"\bdef {method}\b", "def deleted", whole), encoding="utf-8")
            said = self.said_by_trial(directory)
            self.assertEqual(re.findall(r"(\w+) \.\.\. +\[(?:FAIL|ERROR)\]", said), [test], said)


class CreateTests(SynchronousTestCase):
    """`create`"""

    def setUp(self) -> None:
        """A place."""
        self.directory = temporary_directory(self)

    def test_new_directory(self) -> None:
        """A missing directory is made, with all files."""
        target = os.path.join(self.directory, "a", "b")
        paths = create(Project("thermo"), target)
        self.assertEqual(len(paths), len(list(Project("thermo").files())))
        for path in paths:
            self.assertTrue(os.path.isfile(path), path)
        self.assertIn(os.path.join(target, "thermo", "scanner.py"), paths)

    def test_empty_directory(self) -> None:
        """An empty directory is accepted."""
        self.assertTrue(create(Project("thermo"), self.directory))

    def test_used_directory(self) -> None:
        """A directory with any file, even a hidden one, is refused and left as it is."""
        with open(os.path.join(self.directory, ".x"), "w", encoding="ascii"):
            pass
        error = self.assertRaises(BadSetting, create, Project("thermo"), self.directory)
        self.assertIn("not empty", str(error))
        self.assertEqual(os.listdir(self.directory), [".x"])

    def test_no_directory(self) -> None:
        """A path that cannot be a directory is refused in one line."""
        path = os.path.join(self.directory, "file")
        with open(path, "w", encoding="ascii"):
            pass
        for target in (path, os.path.join(path, "below")):
            error = self.assertRaises(BadSetting, create, Project("thermo"), target)
            self.assertIn("cannot be written", str(error))
