"""Tests for `twistdp.scaffold.checklist`: each item finds what it looks for."""

import os
import socket
import subprocess
import time
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.errors import BadSetting
from twistdp.scaffold import tree
from twistdp.scaffold.checklist import ITEMS, findings
from twistdp.scaffold.project import Project
from twistdp.scaffold.tree import Tree, read

BITES: tuple[tuple[str, str], ...] = (
    ("command", "thermo/scanner.py"),
    ("image", "Dockerfile"),
    ("manifests", "deploy/kustomize/kustomization.yaml"),
    ("manifests", "deploy/kustomize/thermo.yaml"),
    ("privileges", "deploy/kustomize/thermo.yaml"),
    ("tests", "tests/test_scanner.py"),
    ("coverage", "pyproject.toml"),
    ("lint", "pyproject.toml"),
    ("types", "pyproject.toml"),
    ("end-to-end", "e2e/test_cluster.py"),
    ("documentation", "README.md"),
    ("demo", "README.md"),
    ("demo", "Makefile"),
)
"""Which item needs which file of a project that `twistdp new` made."""

SPOILT: tuple[tuple[str, str, str, str, str], ...] = (
    ("command", "thermo/scanner.py", "class Scanner", "class Other", "thermo.scanner:Scanner"),
    ("image", "Dockerfile", "FROM", "from", "looked for a Dockerfile"),
    ("manifests", "deploy/kustomize/thermo.yaml", "kind: DaemonSet", "kind: Job", "DaemonSet"),
    ("manifests", "deploy/kustomize/thermo.yaml", "/var/lib/kubelet", "/x", "does not mount"),
    ("manifests", "deploy/kustomize/kustomization.yaml", "- thermo.y", "- d.y", "names d.yaml"),
    *(
        ("manifests", "deploy/kustomize/kustomization.yaml", "\n  - thermo.yaml", new, words)
        for new, words in (
            ('\n  - "d.yaml"', "names d.yaml"),
            ("\n- thermo.yaml\n- ./nope", "names ./nope"),
            (" [thermo.yaml, 'd.yaml']", "names d.yaml"),
            (" thermo.yaml", "cannot be read as a list"),
            ("\n  file: thermo.yaml", "cannot be read as a list"),
        )
    ),
    *(
        ("privileges", "deploy/kustomize/thermo.yaml", "- ALL\n", f"- ALL{new}\n", words)
        for new, words in (
            ("\n              add: [SYS_ADMIN]", "adds the capability SYS_ADMIN"),
            ('\n              add:\n              - "SYS_ADMIN"', "adds the capability SYS_ADMIN"),
            ("\n      hostNetwork: true", "has hostNetwork: true"),
            ("\n      hostPID: true  # why not", "has hostPID: true"),
            ("\n      hostIPC: true", "has hostIPC: true"),
        )
    ),
    ("privileges", "deploy/kustomize/thermo.yaml", "- ALL\n", "# - ALL\n", "[ALL]"),
    ("image", "Dockerfile", 'ENTRYPOINT ["twistd"', 'ENTRYPOINT ["nginx"', "starts nginx"),
    ("image", "Dockerfile", 'ENTRYPOINT ["twistd"', "ENTRYPOINT exec nginx #", "starts nginx"),
    ("privileges", "deploy/kustomize/thermo.yaml", "drop:\n", "drop: []\n", "[ALL]"),
    ("privileges", "deploy/kustomize/thermo.yaml", "RuntimeD", "D", "seccompProfile"),
    ("privileges", "deploy/kustomize/thermo.yaml", "system: true", "system: no", "readOnly"),
    ("privileges", "deploy/kustomize/thermo.yaml", "tion: false", "tion: true", "Escalation"),
    (
        *("privileges", "deploy/kustomize/thermo.yaml", "- ALL\n"),
        *("- ALL\n            privileged: true\n", "has privileged: true"),
    ),
    ("tests", "tests/test_scanner.py", "def test_", "def look_", "looked for unit tests"),
    ("coverage", "pyproject.toml", "fail_under = 80", "fail_under = 79", "accepts 79 %"),
    ("coverage", "pyproject.toml", "fail_under", "fail", "looked for fail_under"),
    ("coverage", "pyproject.toml", "fail_under", "# fail_under", "looked for fail_under"),
    ("lint", "pyproject.toml", "[tool.ruff", "[tool.x", "looked for settings of ruff"),
    ("types", "pyproject.toml", "[tool.mypy", "[tool.x", "looked for settings of mypy"),
    ("types", "pyproject.toml", "strict = true", "strict = false", "has strict = false"),
    ("demo", "Makefile", "\ndemo:", "\nshow:", "runs make demo, and no Makefile has a rule"),
    ("demo", "README.md", "## Demo", "## Story", "looked for a heading"),
)
"""Item, file, what is replaced by what, and words of the line about it."""

OTHER = {
    "README.rst": "Serial lines\n\n\nTry it\n------\n\nType::\n\n    twistd deviceplugin \\\n"
    "      --scanner serial_lines:Lines\n",
    "src/serial_lines/__init__.py": "import x\n\nclass Lines(x.Y):\n    pass\n",
    "docker/plugin.Dockerfile": "FROM scratch\nCMD [x]\n",
    "k8s/kustomization.yml": "resources:\n- ds.yml\n- https://x.example/y.yaml\n",
    "k8s/ds.yml": "kind: DaemonSet\nhostPath: /var/lib/kubelet/plugins_registry\n"
    "allowPrivilegeEscalation: false\nreadOnlyRootFilesystem: true\ndrop:\n  - ALL\n"
    "type: RuntimeDefault\n",
    "test/lines_test.py": "async def test_a(): ...\n",
    "tox.ini": "commands = coverage report --fail-under=85\n",
    ".flake8": "[flake8]\n",
    "setup.cfg": "[mypy]\n",
    "ci/e2e.sh": "kubectl apply -k k8s\n",
}
"""A project with another layout that has everything."""


def bad(texts: Mapping[str, str]) -> dict[str, str]:
    """The missing items, and the line about each."""
    tree = Tree("/x", {path: text for path, text in texts.items() if text.strip()})
    return {finding.name: finding.line for finding in findings(tree) if not finding.good}


class ChecklistTests(SynchronousTestCase):
    """`findings`"""

    def setUp(self) -> None:
        """A project as it is made."""
        self.texts = dict(Project("thermo", resource="sensor").files())

    def test_all_there(self) -> None:
        """A new project has everything."""
        self.assertEqual(bad(self.texts), {})

    def test_another_layout(self) -> None:
        """So has a project that `twistdp new` did not make."""
        self.assertEqual(bad(OTHER), {})

    def test_nothing(self) -> None:
        """In an empty project every item is missing, and its line has the remedy."""
        lines = bad({})
        self.assertEqual(list(lines), [item.name for item in ITEMS])
        for item in ITEMS:
            self.assertIn(f"looked for {item.wanted}", lines[item.name])
            self.assertIn(item.remedy, lines[item.name])
            self.assertNotIn("\n", lines[item.name])

    def test_bites(self) -> None:
        """The items that need a file miss it when it is removed or emptied."""
        for item, path in BITES:
            rest = {name: text for name, text in self.texts.items() if name != path}
            self.assertEqual(len(rest), len(self.texts) - 1)
            self.assertIn(item, bad(rest), path)
            self.assertIn(item, bad({**rest, path: "\n"}), path)

    def test_every_item_bites(self) -> None:
        """`BITES` has a file for each item."""
        self.assertEqual({name for name, _ in BITES}, {item.name for item in ITEMS})

    def test_spoilt(self) -> None:
        """A file that lacks what matters is reported, with the reason."""
        for item, path, old, new, words in SPOILT:
            self.assertIn(old, self.texts[path])
            found = bad({**self.texts, path: self.texts[path].replace(old, new)})
            self.assertIn(words, found.get(item, "nothing is missing"), (item, old))

    def test_short_readme(self) -> None:
        """A title is no documentation."""
        self.assertIn("hardly any text", bad({"README.md": "# x\n\ny\n"})["documentation"])

    def test_another_start(self) -> None:
        """The checklist accepts starts of an image that it cannot judge."""
        for lines in (
            'CMD ["--scanner=a:B"]',  # its base decides what it starts
            'ENTRYPOINT []\nCMD ["/opt/x/bin/twistd"]',
            'ENTRYPOINT ["python3.11", "-m", "twisted"]',
            'ENTRYPOINT ["tini", "--", "x"]',
            'ENTRYPOINT ["$START"]',
            'ENTRYPOINT ["/bin/bash", "-c", "x"]',
            "CMD exec twistd -n",
            'COPY --from=go /out/gizmo /usr/bin/gizmo\nENTRYPOINT ["/usr/bin/gizmo", "-v"]',
            'ENTRYPOINT ["thermo"]',
            'ENTRYPOINT ["/src/test_scanner.py"]',
        ):
            texts = {**self.texts, "Dockerfile": f"FROM x\n{lines}\n"}
            self.assertEqual(bad(texts), {}, lines)

    def test_other_resources(self) -> None:
        """A kustomization may also name directories with a kustomization, and remote files."""
        listed = """resources: # all
- "../base/"  # the usual
- ../base
- github.com/a/b/deploy?ref=v1
- https://x.example/y

bases: []
---
patches:
- path: p.yaml
  target: {kind: DaemonSet}
"""
        for text in (listed, "resources: [\n  ../base,\n]\n"):
            texts = {**OTHER, "k8s/base/kustomization.yaml": "resources: [../ds.yml]\n"}
            texts["k8s/over/kustomization.yaml"] = text
            self.assertEqual(bad(texts), {}, text)

    def test_demo_by_hand(self) -> None:
        """Only a plain `make TARGET` needs a rule, which may be for several targets."""
        for command in ("python demo.py", "make", "make -C x demo", "make A=b demo", "make play"):
            text = f"# Demo\n\n```sh\n{command}\n```\n"
            texts = {"README.md": text, "Makefile": ".PHONY: a\nall play: b\n\techo no: x\n"}
            self.assertNotIn("demo", bad(texts), command)
        for target in ("a", "echo", "no", "b"):
            texts["README.md"] = f"# Demo\n\n    make {target}\n"
            self.assertIn("no Makefile", bad(texts)["demo"])

    def test_demo_without_command(self) -> None:
        """A heading alone is no demo, and the next section's commands do not count."""
        text = "# Demo\n\nIt is nice.\n\n# Else\n\n    x\n"
        self.assertIn("demo", bad({"README.md": text}))
        self.assertNotIn("demo", bad({"README.md": text.replace("# Else\n", "")}))


class TreeTests(SynchronousTestCase):
    """`read`"""

    def test_files(self) -> None:
        """Files that could matter are read, but no installed or built ones."""
        directory = temporary_directory(self)
        for path, text in {
            "a/b.py": "x",
            ".github/workflows/e2e.yaml": "x",
            ".venv/c.py": "x",
            "build/d.py": "x",
            "empty.py": " \n",
            "picture.png": "x",
        }.items():
            os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
            with open(os.path.join(directory, path), "w", encoding="ascii") as file:
                file.write(text)
        self.assertEqual(list(read(directory).texts), [".github/workflows/e2e.yaml", "a/b.py"])

    def test_no_directory(self) -> None:
        """A path that is no directory is refused in one line."""
        for path, words in (("/no/such", "no such directory"), (__file__, "not a directory")):
            error = self.assertRaises(BadSetting, read, path)
            self.assertEqual(str(error), f"{path}: {words}")

    def test_no_files(self) -> None:
        """Only regular files are opened: neither a device nor a FIFO delays it."""
        directory = temporary_directory(self)
        os.mkfifo(os.path.join(directory, "a.py"))
        os.symlink("/dev/zero", os.path.join(directory, "b.py"))
        os.symlink("absent", os.path.join(directory, "c.py"))
        os.symlink("d.py", os.path.join(directory, "d.py"))
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.join(directory, "e.py"))
            self.assertEqual(read(directory).texts, {})

    def test_large(self) -> None:
        """Only the beginning of a file and of a line are read, and few of many empty lines."""
        directory = temporary_directory(self)
        with open(os.path.join(directory, "a.py"), "wb") as file:
            file.write(b"#" * 5000 + b"\r\n" * 100 + b"x\n")
            file.truncate(1 << 40)
        text = read(directory).texts["a.py"]
        self.assertEqual(text[:1004], "#" * 1000 + "\n\n\nx")
        self.assertLess(len(text), 201_000)

    def test_deep(self) -> None:
        """A tree of any depth is read down to a limit."""
        directory = temporary_directory(self)
        fd = os.open(directory, os.O_RDONLY)
        for _ in range(2000):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(fd)
        # Python's own rmtree gives up on such a tree.
        self.addCleanup(
            subprocess.run, ["/bin/rm", "-rf", os.path.join(directory, "d")], check=True
        )
        with open(os.path.join(directory, *["d"] * 30, "a.py"), "w", encoding="ascii") as file:
            file.write("x")
        self.assertEqual(len(read(directory).texts), 1)

    def test_bounds(self) -> None:
        """A tree with more files or bytes than a project has is refused in one line."""
        directory = temporary_directory(self)
        for name in ("a.py", "b.py"):
            with open(os.path.join(directory, name), "w", encoding="ascii") as file:
                file.write("x")
        for bound in ("MOST_ENTRIES", "MOST_BYTES"):
            self.patch(tree, bound, 2)
            self.assertEqual(len(read(directory).texts), 2)
            patched = self.patch(tree, bound, 1)
            error = self.assertRaises(BadSetting, read, directory)
            self.assertRegex(str(error), f"^{directory}: more than 1 (files|bytes); give the dir")
            patched.restore()


class LinearTests(SynchronousTestCase):
    """Files that are made to keep the checklist busy."""

    def test_hostile(self) -> None:
        """No item takes long for a file of the largest size."""
        directory = temporary_directory(self)
        for name, text in (
            ("pyproject.toml", "[tool.mypy]\n" + "\n" * 200_000),
            ("pyproject.toml", "[tool.mypy]\n" + "#\n" * 100_000),
            ("pyproject.toml", "[tool.mypy]\n" + " " * 200_000),
            ("Dockerfile", "FROM x\n" * 30_000),
            ("README.md", "demo " * 40_000),
            ("README.md", "demo\n====\n" * 20_000),
            ("README.md", "# demo\n" * 30_000),
            ("README.md", "".join(f"--scanner=a{n}:B\n" for n in range(13_000))),
            ("a.yaml", "kind: DaemonSet\n/var/lib/kubelet\ndrop:" + "\n " * 90_000),
            ("kustomization.yaml", "resources:\n" + "\n" * 190_000),
            ("Makefile", "a " * 90_000),
        ):
            path = os.path.join(directory, name)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            begun = time.process_time()
            findings(read(directory))
            self.assertLess(time.process_time() - begun, 3.0, (name, text[:30]))
            os.unlink(path)
