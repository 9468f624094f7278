"""Tests for what `twistdp` offers."""

import ast
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twistdp
import twistdp.cdi
import twistdp.model

PUBLIC = [
    "AUTO",
    "AdministratorError",
    "AllocateRequest",
    "AllocateResponse",
    "AllocationRefused",
    "BadDevice",
    "BadName",
    "BadScanner",
    "BadSetting",
    "BadTree",
    "CDIDevice",
    "CDIHook",
    "CDIIntelRdt",
    "CDIMount",
    "CDINetDevice",
    "CDINode",
    "ConflictingDevices",
    "ContainerAllocateRequest",
    "ContainerAllocateResponse",
    "ContainerPreferredAllocationRequest",
    "DeviceInfo",
    "DeviceSpec",
    "DeviceTree",
    "HEALTHY",
    "HealthGate",
    "Holder",
    "IAllocator",
    "IContainerPreStarter",
    "INotifier",
    "IPostAllocator",
    "IPreferredAllocator",
    "IReleaseObserver",
    "IScanner",
    "Manager",
    "Mount",
    "PluginError",
    "PodError",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "ReleasedDevices",
    "RetriedError",
    "Settings",
    "TwistdpError",
    "UNHEALTHY",
    "Untrusted",
    "UseDefaultMethod",
    "WatchingScanner",
    "__version__",
    "check_trusted",
    "device_id",
    "entries",
    "klog",
]


def docstrings(source: str) -> dict[str, str | None]:
    """The docstring of each name that a module defines: its first statement, or the one after."""
    body = ast.parse(source).body
    found: dict[str, str | None] = {}
    for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            found[statement.name] = ast.get_docstring(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            is_text = (
                isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            )
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found[target.id] = ast.unparse(following) if is_text else None
    return found


def modules(place: Path) -> list[Path]:
    """The module of that name, or all of a package."""
    return sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


class PublicTests(SynchronousTestCase):
    """The facade is what plugins are written against."""

    def test_names(self) -> None:
        """Exactly these names are public; a change here is a change of the interface."""
        self.assertEqual(sorted(twistdp.__all__), PUBLIC)

    def test_names_are_there(self) -> None:
        """Every public name can be imported."""
        for name in twistdp.__all__:
            self.assertTrue(hasattr(twistdp, name), name)

    def test_names_are_listed(self) -> None:
        """dir() shows them before they are imported, as the completion of an interpreter does."""
        program = (
            "import twistdp, twistdp.testing\n"
            "for module in (twistdp, twistdp.testing):\n"
            "    print(*set(module.__all__).difference(dir(module)))\n"
        )
        shown = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        self.assertEqual(shown.stdout.split(), [])

    def test_names_of_cdi(self) -> None:
        """What CDI parts are made of is in `twistdp.cdi` as well, and no other name is."""
        for name in (name for name in PUBLIC if name.startswith("CDI")):
            self.assertIs(getattr(twistdp.cdi, name), getattr(twistdp, name), name)
        for module in (twistdp, twistdp.cdi, twistdp.model):
            self.assertRaises(AttributeError, getattr, module, "CDINothing")

    def test_documented(self) -> None:
        """Every public name has a docstring where it is defined."""
        package = Path(twistdp.__file__).parent
        found: dict[str, str | None] = {}
        for statement in ast.walk(ast.parse((package / "__init__.py").read_text())):
            source = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
            if isinstance(statement, ast.ImportFrom) and source.startswith("twistdp."):
                texts: dict[str, str | None] = {}
                for module in modules(package.parent.joinpath(*source.split("."))):
                    texts |= docstrings(module.read_text())
                found.update({alias.name: texts.get(alias.name) for alias in statement.names})
            elif isinstance(statement, ast.Import):
                for alias in statement.names:
                    module = package.parent.joinpath(*alias.name.split(".")).with_suffix(".py")
                    text = ast.get_docstring(ast.parse(module.read_text()))
                    found[alias.asname or alias.name] = text
        found["__version__"] = "its module is written by incremental"
        self.assertEqual([name for name in twistdp.__all__ if not found.get(name)], [])

    def test_docstrings_are_found(self) -> None:
        """The search finds a constant's docstring below it and misses one that is not there."""
        source = 'A = 1\n"""A."""\nB: int = 2\nclass C:\n    """C."""\nclass D: pass\nE = 1'
        self.assertEqual({name for name, text in docstrings(source).items() if text}, {"A", "C"})
        self.assertEqual(set(docstrings(source)), set("ABCDE"))
