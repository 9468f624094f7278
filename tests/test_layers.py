"""Which part may import which, as `pyproject.toml` has it, and through which doors."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import grimp
from twisted.trial.unittest import SynchronousTestCase

import twistdp

ROOT = Path(twistdp.__file__).parent
CONTRACTS = ROOT.parent / "pyproject.toml"
GENERATED = re.compile(r"twistdp\.kubelet\.\w+_pb2")
WIRE = ("twistdp.testing", "twistdp.conformance")
"""They play the kubelet, and so use its generated messages."""
CHOOSE_THE_REACTOR = {"tap.py", "cli"}
ASK_FOR_THE_REACTOR = {"tap.py", "manager.py", "cli", "testing"}


def place(path: Path) -> str:
    """The room or module of a file; the taps of all services are one place."""
    return path.name if path.name == "tap.py" else path.relative_to(ROOT).parts[0]


def lint(config: Path) -> "subprocess.CompletedProcess[str]":
    """Have import-linter check the contracts in a file."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], cache_dir=None, no_cache=True))"  # noqa: E501
    return subprocess.run(
        [sys.executable, "-c", program, str(config)],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


def side_doors(graph: grimp.ImportGraph) -> Iterator[str]:
    """Imports of a package's inner modules from outside of it, and of the whole from inside."""
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            parts = imported.split(".")
            is_inner = len(parts) > 2 and parts[:2] != importer.split(".")[:2]
            is_generated = GENERATED.match(imported) and importer.startswith(WIRE)
            is_named = parts[-1] in getattr(import_module(".".join(parts[:2])), "__all__", ())
            if imported == "twistdp" or (is_inner and not is_generated and not is_named):
                yield f"{importer} imports {imported}"


class LayerTests(SynchronousTestCase):
    """Imports go down, and through the packages' doors."""

    def test_contracts(self) -> None:
        """No import breaks a contract."""
        outcome = lint(CONTRACTS)
        self.assertEqual(outcome.returncode, 0, outcome.stdout + outcome.stderr)
        self.assertIn("Contracts: 6 kept, 0 broken.", outcome.stdout)

    def test_contracts_bite(self) -> None:
        """Each contract is broken when what is there is forbidden."""
        text = CONTRACTS.read_text()
        for here, bad in (
            ('"errors | klog | _version",\n', '"errors | klog | _version",\n    "x",\n'),
            ('"resource | scan"', '"cdi",\n    "resource | scan"'),
            ('forbidden_modules = ["grpc"', 'forbidden_modules = ["twisted"'),
            ('forbidden_modules = ["pyinotify"', 'forbidden_modules = ["zope"'),
            ('forbidden_modules = ["kopf"', 'forbidden_modules = ["attrs"'),
            ('forbidden_modules = ["click", ', 'forbidden_modules = ["attrs", '),
            ('forbidden_modules = ["twisted", ', 'forbidden_modules = ["attrs", '),
        ):
            with self.subTest(bad=bad):
                self.assertIn(here, text)
                config = Path(self.mktemp()).with_suffix(".toml").absolute()
                config.write_text(text.replace(here, bad, 1))
                self.assertNotEqual(lint(config).returncode, 0)

    def test_doors(self) -> None:
        """Outside a package its names come from its ``__init__``; inside, from their modules."""
        graph = grimp.build_graph("twistdp", cache_dir=None)
        self.assertEqual(list(side_doors(graph)), [])
        for importer, imported in (
            ("twistdp.tap", "twistdp.rpc.server"),
            ("twistdp.manager", "twistdp"),
            ("twistdp.resource.handlers", "twistdp.kubelet.deviceplugin_v1beta1_pb2"),
        ):
            graph.add_import(importer=importer, imported=imported)
            self.assertEqual(list(side_doors(graph)), [f"{importer} imports {imported}"])
            graph.remove_import(importer=importer, imported=imported)

    def test_no_import_installs_a_reactor(self) -> None:
        """All but what chooses one can be imported before a reactor is chosen."""
        modules = [
            ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
            for path in sorted(ROOT.rglob("*.py"))
            if place(path) not in CHOOSE_THE_REACTOR
            and "template" not in path.parts
            # The manhole's prompt is imported when the reactor runs; twisted.conch asks for it.
            and path != ROOT / "launch" / "prompt.py"
        ]
        program = (
            "import importlib, sys\n"
            "for name in sys.argv[1:]: importlib.import_module(name.removesuffix('.__init__'))\n"
            "assert 'twisted.internet.reactor' not in sys.modules\n"
        )
        outcome = subprocess.run(
            [sys.executable, "-c", program, *modules],
            cwd=ROOT.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(outcome.returncode, 0, outcome.stderr)

    def test_few_ask_for_the_reactor(self) -> None:
        """Elsewhere the reactor is an argument."""
        found = {
            place(path)
            for path in ROOT.rglob("*.py")
            if "from twisted.internet import reactor" in path.read_text()
        }
        self.assertEqual(found, ASK_FOR_THE_REACTOR)
