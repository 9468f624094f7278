"""Every command and every program that is printed in the pages is run, or named here with where."""

import ast
import json
import os
import re
import textwrap
from configparser import ConfigParser
from shutil import which
from typing import NamedTuple

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.docs.pages import PAGES, ROOT, Block, blocks, commands
from tests.docs.session import Session


class Elsewhere(NamedTuple):
    """Why commands are not run here, and what does run them."""

    commands: str
    """A pattern for the whole command."""
    where: str
    """The target of make, or the module or package of tests, that runs them or their like."""
    why: str
    page: str = ""
    """The only page on which they are not run."""
    unless: str = ""
    """A program with which they are run here, where it is installed."""


NOT_HERE = (
    Elsewhere("make test", "make test", "it is what runs this"),
    Elsewhere("\\.venv/bin/python -m twisted.trial .*", "make test", "tests of the project itself"),
    Elsewhere("make lint types", "make lint", "needs ruff and mypy; .ci/run runs it"),
    Elsewhere("make audit", "tests.test_audit", "asks data bases in the network"),
    Elsewhere(
        "(make (soak|kill|bench)|python -m benchmarks.operator)( .*)?",
        "tests.benchmarks",
        "minutes; it is run in short there",
    ),
    Elsewhere("make update-k8s .*", "tests.test_update_k8s", "changes the checkout"),
    Elsewhere(
        "(cd thermo|make demo|make check|twistdp check --run .*)",
        "make test-scaffold",
        "of the project that is made; pip, for a minute",
        page="docs/scaffold.md",
    ),
    Elsewhere("make -C .* wheel .*", "make test-image", "pip, as above"),
    Elsewhere("KUBECONFIG=.* make test-node", "make test-node", "needs a node of a cluster"),
    Elsewhere("docker build .*", "make test-image", "needs root and buildah"),
    Elsewhere("make operator-image( .*)?", "make test-image", "as above"),
    Elsewhere(
        "kubectl .*",
        "tests.docs.test_operator_page",
        "needs an API server, and some of it nodes",
        page="docs/operator.md",
    ),
    Elsewhere("make bundle .*", "tests.deployment.test_bundle", "writes into the checkout"),
    Elsewhere(
        "(docker|kubectl|oc|opm|operator-sdk|mkdir|cp) .*",
        "tests.deployment.test_bundle",
        "needs a registry, and a cluster with OLM",
        page="docs/olm.md",
    ),
    Elsewhere(
        "(kubectl|openssl|host=).*",
        "tests.deployment.test_operator",
        "needs a cluster",
        page="docs/operator-operations.md",
    ),
    Elsewhere('(pip="/opt/twistdp/bin/pip|\\$pip) .*', "make test-systemd", "as below"),
    Elsewhere("kubectl kustomize .*", "make test-manifests", "needs kubectl", unless="kubectl"),
    Elsewhere(
        "twistdp conformance --bind .*",
        "tests.cli.test_conformance",
        "mounts over the node's directory",
    ),
    Elsewhere("python3 -m venv /opt/.*", "make test-systemd", "needs root and a booted systemd"),
    Elsewhere("/opt/twistdp/bin/.*", "make test-systemd", "as above"),
    Elsewhere("cp deploy/systemd/.*", "make test-systemd", "as above"),
    Elsewhere("mkdir -p /etc/twistdp .*", "make test-systemd", "as above"),
    Elsewhere("systemctl .*", "make test-systemd", "as above"),
)

REPLACED = {
    r"/tmp/(colors|lab)\b": r"BASE/\1",
    r"/run/colors": "BASE/colors",
    r"/srv/files": "BASE",
    r"/dev/ttyUSB\*": "/dev/nul[l]",
    r"\bmodule:Class\b": "examples.color:ColorScanner",
    r"--set key=value": "--set directory=/run/colors",
    r"(?m)^(twistd -n .*?deviceplugin)(?!.*--plugin-dir)": r"\1 --plugin-dir=BASE/plugins",
    # All checks are run by tests.conformance.
    r"(?m)^(twistdp conformance)(?!.*--only)": r"\1 --only registration.registers",
    r"\bPID$": "LAST_PID",
    # The environment is there, whichever of make's targets has made it.
    r"(?m)^make demo$": "make --old-file=.venv/.run --old-file=.venv/bin/python demo",
    r"\btwistdp check DIR\b": "twistdp check thermo",
}
"""Replacements in printed commands: this machine has neither a kubelet nor serial lines."""

SERVES = {"twistd -n": " serves ", "twistdp kubelet --": "kubelet started"}
"""Commands that run until they are ended, with the text that they print once they have started."""

MY_PLUGIN = """#!/bin/sh
# A plugin of somebody's: ./my-plugin [--plugin-dir=]PLUGINS [DEVICES]
devices=${2:-$(mktemp -d -p BASE)}
touch "$devices/blue-0"
exec twistd -n --pidfile= deviceplugin --plugin-dir="${1#--plugin-dir=}" \\
  --scanner=examples.color:ColorScanner --set directory="$devices"
"""

BEFORE = {
    "docs/operations.md": ["twistdp kubelet --dir BASE/plugins"],
}
"""Commands that set up what a node has."""

CONTEXT = {
    "docs/hooks.md": """
from twistdp import HEALTHY, DeviceInfo, DeviceSpec
device_id, path, node = "a", "/dev/a", DeviceSpec("/dev/a", "/dev/a")
answers = lambda path: True
""",
}
"""Names that programs without a file's name use; those of a page run as one program."""

LANGUAGES = {"sh", "python", "output", "text", "yaml", "ini", "json", "go", "diff"}


class PageTests(SynchronousTestCase):
    """Each page is gone through from its first block to its last."""

    def test_all_are_gone_through(self) -> None:
        """There is a test here for every page with a block."""
        for path in PAGES:
            self.assertTrue(not list(blocks(path)) or hasattr(self, name_of_test(path)), path)

    def test_not_here(self) -> None:
        """A page prints each command that runs elsewhere, and the place where it runs exists."""
        printed = [
            c
            for path in PAGES
            for b in blocks(path)
            if b.language == "sh"
            for c in commands(b.text)
        ]
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for elsewhere in NOT_HERE:
            with self.subTest(elsewhere.commands):
                pattern = re.compile(elsewhere.commands)
                self.assertTrue(any(map(pattern.fullmatch, printed)), "is printed nowhere")
                if elsewhere.where.startswith("make "):
                    self.assertRegex(makefile, rf"(?m)^{elsewhere.where[5:]}:")
                else:
                    self.assertTrue(is_module(elsewhere.where), elsewhere.where)

    def go_through(self, path: str) -> None:
        """Do what a reader does."""
        if path == "docs/visibility.md" and which("curl") is None:
            raise SkipTest("it asks with curl, which is not installed")
        session = Session(REPLACED, SERVES)
        self.addCleanup(session.close)
        script = os.path.join(session.directory, "my-plugin")
        with open(script, "w", encoding="utf-8") as file:
            file.write(MY_PLUGIN.replace("BASE", session.base))
        os.chmod(script, 0o755)
        os.mkdir(os.path.join(session.base, "plugins"), 0o755)
        for command in BEFORE.get(path, ()):
            session.run(command.replace("BASE", session.base))
        self.begun: set[str] = set()
        for block in blocks(path):
            self.assertIn(block.language, LANGUAGES, f"{block}: name the block's language")
            getattr(self, f"do_{block.language}", lambda *_: None)(block, session)

    def do_sh(self, block: Block, session: Session) -> None:
        """Type it."""
        for command in commands(block.text):
            if not is_elsewhere(command, block.page):
                session.run(command)

    def do_output(self, block: Block, session: Session) -> None:
        """See it."""
        session.expect(block)

    def do_python(self, block: Block, session: Session) -> None:
        """Save it, or run it; what is a part of an example is run with that."""
        if block.words.endswith("by hand:"):
            example = (ROOT / "examples" / "plain_grpcio.py").read_text(encoding="utf-8")
            self.assertIn("".join(block.text.split()), "".join(example.split()))
        elif block.file is not None:
            ast.parse(block.text, str(block))
            session.write(block)
        else:
            context = "" if block.page in self.begun else CONTEXT.get(block.page, "")
            self.begun.add(block.page)
            session.execute(f"{context}\n{textwrap.dedent(block.text)}\n")

    def do_json(self, block: Block, *_: object) -> None:
        """Read it."""
        json.loads(block.text)

    def do_ini(self, block: Block, *_: object) -> None:
        """Read it."""
        ConfigParser(strict=False, interpolation=None).read_string(block.text)

    def do_yaml(self, block: Block, session: Session) -> None:
        """Read it, where there is a parser: `make test-manifests` has one; save it."""
        try:
            import yaml
        except ImportError:
            return
        list(yaml.safe_load_all(block.text))
        if block.file is not None:
            session.write(block)


def is_elsewhere(command: str, path: str) -> bool:
    """Whether a command is named in `NOT_HERE`."""
    return any(
        re.fullmatch(elsewhere.commands, command)
        and elsewhere.page in ("", path)
        and not (elsewhere.unless and which(elsewhere.unless))
        for elsewhere in NOT_HERE
    )


def is_module(name: str) -> bool:
    """Whether there is a module, or a package, of tests of this name."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.joinpath("__init__.py").exists()


def name_of_test(path: str) -> str:
    """The name of a page's test."""
    return "test_" + re.sub(r"\W", "_", path.removeprefix("docs/").removesuffix(".md").lower())


def _add(path: str) -> None:
    def test(self: PageTests) -> None:
        self.go_through(path)

    test.__doc__ = f"{path} does what it says."
    setattr(PageTests, name_of_test(path), test)


for _path in PAGES:
    if any(blocks(_path)):
        _add(_path)
