"""``deploy/kustomize``: kubectl builds it, Kubernetes takes it, and ``twistdp manifests`` agrees.

Without kubectl, or without what ``make test-manifests`` installs, these say so and are skipped.
"""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
from subprocess import run
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import temporary_directory
from twistdp import cli
from twistdp.cli.manifests import block, quoted

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KUSTOMIZE = os.path.join(ROOT, "deploy", "kustomize")
OVERLAYS = sorted(os.listdir(os.path.join(KUSTOMIZE, "overlays")))
VERSIONS = ("1.29", "1.34", "1.37")
OWN = os.path.join(KUSTOMIZE, "overlays", "own-scanner", "joysticks.py")

if shutil.which("kubectl") is None:
    MISSING: str | None = "kubectl is not installed"
elif importlib.util.find_spec("kubernetes_validate") is None:
    MISSING = "kubernetes-validate is not installed: run `make test-manifests`"
else:
    MISSING = None


def content(*names: str) -> str:
    """A file of the project."""
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def printed(*arguments: str) -> str:
    """What ``twistdp manifests`` prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert cli.main(["manifests", *arguments]) == 0
    return output.getvalue()


def base_arguments() -> list[str]:
    """The command line that the base says it is made by."""
    comment = content("deploy", "kustomize", "base", "kustomization.yaml").split("apiVersion")[0]
    command = "".join(re.findall(r"(?m)^#   +(.*\n)", comment))
    program, name, *arguments = shlex.split(command.replace("\\\n", " "))
    assert (program, name) == ("twistdp", "manifests")
    return arguments


def documents(text: str) -> dict[str, Any]:
    """Documents by kind; of lists that have no order, sorted."""
    import yaml

    found = {one["kind"]: one for one in yaml.safe_load_all(text)}
    pod = found["DaemonSet"]["spec"]["template"]["spec"]
    pod["volumes"].sort(key=lambda one: one["name"])
    pod["containers"][0]["volumeMounts"].sort(key=lambda one: one["name"])
    return found


class BaseTests(SynchronousTestCase):
    """The base, which needs nothing to be looked at."""

    def test_is_what_the_command_prints(self) -> None:
        """They have one template, and the base is its output."""
        self.assertEqual(
            content("deploy", "kustomize", "base", "twistdp.yaml"), printed(*base_arguments())
        )

    def test_document(self) -> None:
        """The commands in docs/kubernetes.md print manifests."""
        commands = re.findall(
            r"(?m)^    twistdp manifests ((?:.*\\\n)*.*)", content("docs", "kubernetes.md")
        )
        self.assertEqual(len(commands), 2)
        for command in commands:
            arguments = shlex.split(command.replace("\\\n", " "))
            arguments = [one.replace("=deploy/", f"={ROOT}/deploy/") for one in arguments]
            self.assertIn("kind: DaemonSet\n", printed(*arguments))

    def test_image(self) -> None:
        """The image's version is that of the project, in all places."""
        (version,) = re.findall(r"(?m)^version = (.*)", content("setup.cfg"))
        dockerfile = content("docker", "Dockerfile")
        self.assertIn(f'version="{version}"', dockerfile)
        self.assertIn(f"--tag twistdp:{version} ", dockerfile)

    def test_what_the_image_copies(self) -> None:
        """The context of the image has what its first stage copies, and nothing else."""
        copied = {
            source
            for line in re.findall(r"(?m)^COPY ((?!--).*)", content("docker", "Dockerfile"))
            for source in line.split()[:-1]
        }
        self.assertEqual(set(re.findall(r"(?m)^!(.*)", content(".dockerignore"))), copied)


class BuiltTests(SynchronousTestCase):
    """What kubectl builds."""

    skip = MISSING

    def build(self, *names: str) -> str:
        """The output of ``kubectl kustomize``."""
        done = run(
            ["kubectl", "kustomize", os.path.join(KUSTOMIZE, *names)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_document(self) -> None:
        """The kustomization in docs/kubernetes.md builds."""
        (snippet,) = re.findall(r"(?s)```yaml\n(.*?)```", content("docs", "kubernetes.md"))
        copy = os.path.join(temporary_directory(self), "kustomize")
        shutil.copytree(KUSTOMIZE, copy)
        os.mkdir(os.path.join(copy, "mine"))
        with open(os.path.join(copy, "mine", "kustomization.yaml"), "w", encoding="utf-8") as file:
            file.write(snippet)
        built = self.build(copy, "mine")
        self.check(built)
        self.assertIn("image: lab/twistdp:0.1.0\n", built)
        self.assertIn('lab.example.com/bench: "true"\n', built)

    def check(self, text: str) -> None:
        """All documents are what Kubernetes' schemas describe."""
        import kubernetes_validate
        import yaml

        for document in yaml.safe_load_all(text):
            for version in VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)

    def test_schemas(self) -> None:
        """The base, the overlays, and the sample are valid."""
        self.assertEqual(OVERLAYS, ["cdi", "own-scanner", "selinux", "watcher"])
        self.check(self.build("base"))
        for overlay in OVERLAYS:
            self.check(self.build("overlays", overlay))
        self.check(content("deploy", "kustomize", "sample-pod.yaml"))

    def test_schemas_bite(self) -> None:
        """A word that is spelled wrong is found."""
        import kubernetes_validate

        text = self.build("base").replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
        self.assertRaises(kubernetes_validate.ValidationError, self.check, text)

    def test_overlays(self) -> None:
        """An overlay is what the command prints for the same."""
        flags, options = ["--"], base_arguments()[1:]
        for overlay, arguments in (
            ("cdi", ["--cdi", *flags, *options]),
            ("selinux", ["--selinux", *flags, *options]),
            ("watcher", [*flags, *options, "--registration=watcher"]),
            ("own-scanner", [f"--scanner-file={OWN}", "--", "--scanner=joysticks:JoystickScanner"]),
        ):
            built, rendered = self.build("overlays", overlay), printed(*arguments)
            self.check(rendered)
            hashed = re.compile(r"twistdp-scanner-\w+")
            found, expected = (
                documents(hashed.sub("twistdp-scanner", text)) for text in (built, rendered)
            )
            if overlay == "own-scanner":
                del expected["ConfigMap"]["metadata"]["labels"]
            self.assertEqual(found, expected, overlay)

    def test_sample(self) -> None:
        """The sample asks for what the base offers."""
        options = dict(
            option.removeprefix("--set=").removeprefix("--").split("=", 1)
            for option in base_arguments()[1:]
        )
        self.assertIn(
            f"{options['namespace']}/{options['resource']}: 1",
            content("deploy", "kustomize", "sample-pod.yaml"),
        )

    def test_odd_values(self) -> None:
        """YAML reads arguments and files as they are."""
        import yaml

        for text in ("a: b", "é\x85\u2028\U0001f600", "\x7f\0", "yes", "- |\n x\n", "a\n\n  b \n"):
            self.assertEqual(yaml.safe_load(quoted(text)), text)
            self.assertEqual(yaml.safe_load("k:\n  f: " + block(text))["k"]["f"], text)


class ScannerTests(SynchronousTestCase):
    """The scanner of the overlay ``own-scanner``."""

    def test_finds(self) -> None:
        """It offers what is there, under names of its own."""
        directory = temporary_directory(self)
        for name in ("js0", "js1", "event0"):
            with open(os.path.join(directory, name), "w", encoding="ascii"):
                pass
        spec = importlib.util.spec_from_file_location("joysticks", OWN)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        tree = module.JoystickScanner(directory).discover()
        self.assertEqual(sorted(tree["joystick"]), ["js0", "js1"])
