"""Which module may import what."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

import twistdp

PURE = {
    "twistdp.accepting",
    "twistdp.allocation",
    "twistdp.arguments",
    "twistdp.backoff",
    "twistdp.calls",
    "twistdp.cdi",
    "twistdp.cdijson",
    "twistdp.checking",
    "twistdp.changes",
    "twistdp.coalescing",
    "twistdp.condition",
    "twistdp.devices",
    "twistdp.errors",
    "twistdp.health",
    "twistdp.interfaces",
    "twistdp.latest",
    "twistdp.legible",
    "twistdp.naming",
    "twistdp.preferred",
    "twistdp.room",
    "twistdp.secrecy",
    "twistdp.session",
    "twistdp.settings",
    "twistdp.suggestions",
    "twistdp.summary",
    "twistdp.texts",
    "twistdp.waiting",
}
"""These decide and calculate; nothing here waits for anything or touches the machine."""

WITHOUT_TWISTED = {
    "twistdp.accepting",
    "twistdp.allocation",
    "twistdp.arguments",
    "twistdp.backoff",
    "twistdp.calls",
    "twistdp.cdi",
    "twistdp.cdijson",
    "twistdp.changes",
    "twistdp.checking",
    "twistdp.condition",
    "twistdp.deployment.image",
    "twistdp.deployment.manifests",
    "twistdp.deployment.templates",
    "twistdp.deployment.unit",
    "twistdp.deployment.yamltext",
    "twistdp.devices",
    "twistdp.errors",
    "twistdp.exhaustion",
    "twistdp.health",
    "twistdp.legible",
    "twistdp.naming",
    "twistdp.preferred",
    "twistdp.room",
    "twistdp.secrecy",
    "twistdp.session",
    "twistdp.settings",
    "twistdp.suggestions",
    "twistdp.summary",
    "twistdp.texts",
    "twistdp.topology",
    "twistdp.trust",
}


@attrs.frozen
class Import:
    """That `importer` imports `imported`; `inside` a function or when it is itself imported."""

    importer: str
    imported: str
    inside: bool = False

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


def imports(source: str, importer: str, *, package: bool = False) -> Iterator[Import]:
    """All imports of a module, wherever they are in it.

    ``from a import b`` is an import of ``a`` and of ``a.b``: the source does not tell whether
    ``b`` is a module.
    """
    home = importer if package else importer.rpartition(".")[0]

    def walk(node: ast.AST, inside: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, inside)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = home.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            yield Import(importer, base, inside)
            for alias in node.names:
                yield Import(importer, f"{base}.{alias.name}", inside)
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    return walk(ast.parse(source), False)


def within(module: str, roots: Iterable[str]) -> bool:
    """Whether `module` is one of `roots` or below one."""
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def ours(module: str, *allowed: str) -> bool:
    """Whether `module` is outside of twistdp, or below one of the allowed parts of it."""
    return not within(module, ["twistdp"]) or within(module, [f"twistdp.{a}" for a in allowed])


def generated(module: str) -> bool:
    """Whether `module` is, or is taken from, one that protoc made."""
    return any(part.endswith("_pb2") for part in module.split("."))


def pure_modules_wait_for_nothing(one: Import) -> bool:
    """Pure modules know no gRPC, event loop, kernel interface or protobuf."""
    return one.importer not in PURE or not within(
        one.imported, ["grpc", "asyncio", "pyinotify", "google", "twisted.internet.reactor"]
    )


def pure_modules_import_pure_ones(one: Import) -> bool:
    """Of twistdp, pure modules import pure ones only."""
    return one.importer not in PURE or ours(
        one.imported, *(module.removeprefix("twistdp.") for module in PURE)
    )


def core_without_twisted(one: Import) -> bool:
    """The core does not know Twisted at all."""
    return one.importer not in WITHOUT_TWISTED or not within(one.imported, ["twisted"])


def grpc_in_rpc_only(one: Import) -> bool:
    """The modules grpc and asyncio are seen in `twistdp.rpc` only."""
    return within(one.importer, ["twistdp.rpc"]) or not within(one.imported, ["grpc", "asyncio"])


def asyncio_reactor_where_it_is_chosen(one: Import) -> bool:
    """The asyncio reactor is known to `twistdp.rpc` and to what starts a process."""
    return within(
        one.importer, ["twistdp.rpc", "twistdp.tap", "twistdp.cli.running"]
    ) or not within(one.imported, ["twisted.internet.asyncioreactor"])


def pyinotify_in_one_module_only(one: Import) -> bool:
    """The module pyinotify is seen in `twistdp.inotifyfd` only."""
    return one.importer == "twistdp.inotifyfd" or not within(one.imported, ["pyinotify"])


def messages_in_kubelet_only(one: Import) -> bool:
    """Generated modules are seen by the kubelet's API and by the emulated kubelet only."""
    return within(
        one.importer, ["twistdp.kubelet", "twistdp.testing", "twistdp.conformance"]
    ) or not generated(one.imported)


def testing_for_tests_only(one: Import) -> bool:
    """What is for tests is used by itself and by the commands only."""
    return within(
        one.importer, ["twistdp.testing", "twistdp.conformance", "twistdp.cli"]
    ) or not within(one.imported, ["twistdp.testing", "twistdp.conformance"])


def nothing_imports_the_facade(one: Import) -> bool:
    """Inside, names are imported from where they are defined."""
    return one.imported != "twistdp"


def nothing_imports_tests(one: Import) -> bool:
    """The package does not need its tests."""
    return not within(one.imported, ["tests"])


def reactor_in_functions_only(one: Import) -> bool:
    """No import installs a reactor; few functions ask for the installed one."""
    return not within(one.imported, ["twisted.internet.reactor"]) or (
        one.inside
        and within(
            one.importer, ["twistdp.tap", "twistdp.manager", "twistdp.cli", "twistdp.testing"]
        )
    )


def rpc_stands_alone(one: Import) -> bool:
    """The gRPC adapter knows errors, names and paths, not devices or kubelets."""
    return not within(one.importer, ["twistdp.rpc"]) or ours(
        one.imported,
        *("children", "errors", "exhaustion", "legible", "naming", "klog", "sparing"),
        *("trust", "waiting"),
        "rpc",
    )


def kubelet_stands_low(one: Import) -> bool:
    """The kubelet's API knows the core and the adapters, not the services."""
    return not within(one.importer, ["twistdp.kubelet"]) or ours(
        one.imported,
        *(
            "rpc",
            "inotify",
            "errors",
            "exhaustion",
            "legible",
            "naming",
            "klog",
            "sparing",
            "trust",
            "devices",
            "allocation",
            "calls",
            "kubelet",
        ),
    )


def scanners_do_not_serve(one: Import) -> bool:
    """Scanners find devices and know nothing of how these are served."""
    return not within(one.importer, ["twistdp.scanners"]) or not within(
        one.imported, ["twistdp.rpc", "twistdp.kubelet", "twistdp.manager", "twistdp.resource"]
    )


def deployment_runs_nothing(one: Import) -> bool:
    """What writes how a plugin is run knows the settings, and nothing that serves."""
    return not within(one.importer, ["twistdp.deployment"]) or ours(
        one.imported, "errors", "legible", "settings", "deployment"
    )


def scaffold_stands_apart(one: Import) -> bool:
    """What makes and judges projects knows names, texts and paths, and nothing that serves."""
    return not within(one.importer, ["twistdp.scaffold"]) or ours(
        one.imported, "_version", "errors", "legible", "naming", "trust", "deployment", "scaffold"
    )


RULES: tuple[Callable[[Import], bool], ...] = (
    pure_modules_wait_for_nothing,
    pure_modules_import_pure_ones,
    core_without_twisted,
    grpc_in_rpc_only,
    asyncio_reactor_where_it_is_chosen,
    pyinotify_in_one_module_only,
    messages_in_kubelet_only,
    testing_for_tests_only,
    nothing_imports_the_facade,
    nothing_imports_tests,
    reactor_in_functions_only,
    rpc_stands_alone,
    kubelet_stands_low,
    scanners_do_not_serve,
    deployment_runs_nothing,
    scaffold_stands_apart,
)
"""Each says whether an import is allowed."""


def broken(source: str, importer: str, *, package: bool = False) -> set[str]:
    """The names of the rules that a module breaks."""
    found = list(imports(source, importer, package=package))
    return {rule.__name__ for rule in RULES if not all(map(rule, found))}


class PackageTests(SynchronousTestCase):
    """The package keeps its layers."""

    def setUp(self) -> None:
        """Read all imports of the package."""
        root = Path(twistdp.__file__).parent
        self.modules: set[str] = set()
        self.imports: list[Import] = []
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if package else parts)
            self.modules.add(module)
            self.imports += imports(path.read_text(), module, package=package)

    def test_rules(self) -> None:
        """No import of the package breaks a rule."""
        complaints = [
            f"{one} ({rule.__name__})" for rule in RULES for one in self.imports if not rule(one)
        ]
        self.assertEqual(complaints, [])

    def test_all_was_read(self) -> None:
        """The modules that the rules name exist, and imports were found where they must be."""
        named = {"twistdp.inotifyfd", "twistdp.tap", "twistdp.manager", "twistdp.resource"}
        packages = {f"twistdp.{name}" for name in ("rpc", "kubelet", "scanners", "testing", "cli")}
        self.assertEqual((PURE | WITHOUT_TWISTED | named | packages) - self.modules, set())
        for one in (
            Import("twistdp", "twistdp.manager.Manager"),
            Import("twistdp.inotifyfd", "pyinotify"),
            Import("twistdp.rpc.server", "grpc"),
            Import("twistdp.tap", "twisted.internet.reactor", True),
        ):
            self.assertIn(one, self.imports)

    def test_no_cycles(self) -> None:
        """No two modules import each other, by whatever way round."""
        below: dict[str, set[str]] = {module: set() for module in self.modules}
        for one in self.imports:
            # A module and the package it is in are one: what the package offers is the module's.
            if one.imported in self.modules and not (
                one.inside or within(one.importer, [one.imported])
            ):
                below[one.importer].add(one.imported)
        done: set[str] = set()
        while ready := [m for m, needs in below.items() if m not in done and needs <= done]:
            done.update(ready)
        self.assertEqual(self.modules - done, set())


BAD: tuple[tuple[str, str, list[Callable[[Import], bool]]], ...] = (
    ("twistdp.naming", "import grpc", [pure_modules_wait_for_nothing, grpc_in_rpc_only]),
    ("twistdp.latest", "import asyncio.events", [pure_modules_wait_for_nothing]),
    ("twistdp.session", "from google.protobuf import any", [pure_modules_wait_for_nothing]),
    ("twistdp.session", "from .rpc import Server", [pure_modules_import_pure_ones]),
    ("twistdp.settings", "from twisted.python import log", [core_without_twisted]),
    ("twistdp.settings", "def f():\n    import twisted", [core_without_twisted]),
    ("twistdp.manager", "def f():\n    class A:\n        import grpc", [grpc_in_rpc_only]),
    ("twistdp.manager", "from asyncio import sleep as s", [grpc_in_rpc_only]),
    ("twistdp.testing.kubelet", "import grpc.aio", [grpc_in_rpc_only]),
    (
        "twistdp.manager",
        "from twisted.internet import asyncioreactor",
        [asyncio_reactor_where_it_is_chosen],
    ),
    ("twistdp.watching", "import os, pyinotify", [pyinotify_in_one_module_only]),
    (
        "twistdp.resource",
        "from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Device",
        [messages_in_kubelet_only],
    ),
    (
        "twistdp.resource",
        "from twistdp.kubelet import podresources_v1_pb2",
        [messages_in_kubelet_only],
    ),
    (
        "twistdp.resource",
        "from .kubelet import podresources_v1_pb2",
        [messages_in_kubelet_only],
    ),
    ("twistdp.tap", "from twistdp.testing import FakeKubelet", [testing_for_tests_only]),
    ("twistdp.tap", "import twistdp", [nothing_imports_the_facade]),
    ("twistdp.tap", "from twistdp import Manager", [nothing_imports_the_facade]),
    ("twistdp.tap", "from . import Manager", [nothing_imports_the_facade]),
    ("twistdp.cli.demo", "from .. import Manager", [nothing_imports_the_facade]),
    ("twistdp.tap", "from tests.test_layers import RULES", [nothing_imports_tests]),
    ("twistdp.tap", "import twisted.internet.reactor", [reactor_in_functions_only]),
    (
        "twistdp.tap",
        "if 1:\n    from twisted.internet import reactor",
        [reactor_in_functions_only],
    ),
    (
        "twistdp.tap",
        "class A:\n    from twisted.internet import reactor",
        [reactor_in_functions_only],
    ),
    (
        "twistdp.resource",
        "def f():\n    from twisted.internet import reactor",
        [reactor_in_functions_only],
    ),
    ("twistdp.rpc.server", "from twistdp.devices import Mount", [rpc_stands_alone]),
    ("twistdp.rpc.server", "from twistdp.kubelet import api", [rpc_stands_alone]),
    ("twistdp.kubelet.api", "from twistdp.streams import x", [kubelet_stands_low]),
    ("twistdp.kubelet.api", "import twistdp.manager", [kubelet_stands_low]),
    ("twistdp.scanners.x", "from twistdp.manager import x", [scanners_do_not_serve]),
    ("twistdp.scanners.x", "import twistdp.rpc.server", [scanners_do_not_serve]),
    ("twistdp.deployment.x", "from twistdp.tap import Options", [deployment_runs_nothing]),
    ("twistdp.scaffold.x", "from twistdp.cli import new", [scaffold_stands_apart]),
    ("twistdp.scaffold.x", "from twistdp.settings import x", [scaffold_stands_apart]),
)
"""Importer, source, and the rules that it breaks."""


class CheckerTests(SynchronousTestCase):
    """The checker bites."""

    def test_bad_sources(self) -> None:
        """Each rule is broken by a small source that breaks it, wherever the import stands."""
        for importer, source, rules in BAD:
            found = broken(source, importer)
            self.assertLessEqual({rule.__name__ for rule in rules}, found, (importer, source))

    def test_every_rule_bites(self) -> None:
        """There is a bad source for every rule."""
        self.assertEqual({rule for _, _, rules in BAD for rule in rules}, set(RULES))

    def test_good_sources(self) -> None:
        """What is allowed breaks no rule, and a name that only begins alike is another."""
        for importer, source in (
            ("twistdp.naming", "from twistdp.errors import BadName\nimport os"),
            ("twistdp.naming", "import twistdp_other, grpcio, asyncio_x, testsx"),
            ("twistdp.tap", "def f():\n    from twisted.internet import reactor"),
            ("twistdp.rpc.server", "import twistdp.errors, grpc, asyncio"),
            ("twistdp.rpc.server", "from .status import answer_for"),
            ("twistdp.kubelet.messages", "from .deviceplugin_v1beta1_pb2 import Device"),
            ("twistdp.cli.demo", "from twistdp.testing import FakeKubelet"),
        ):
            self.assertEqual(broken(source, importer), set(), (importer, source))
        self.assertEqual(broken("from .server import Server", "twistdp.rpc", package=True), set())
