"""``deploy/kustomize``: kubectl builds it, Kubernetes takes it, and ``twistdp manifests`` agrees.

Without kubectl, or without what ``make test-manifests`` installs, these say so and are skipped.
"""

import importlib.util
import os
import re
import shlex
import shutil
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.deployments import MISSING, ROOT, built, command_in, content, printed, validate
from tests.helpers import temporary_directory
from twistdp import __version__
from twistdp.deployment.manifests import block, quoted, sample_pod

KUSTOMIZE = os.path.join(ROOT, "deploy", "kustomize")
OVERLAYS = sorted(os.listdir(os.path.join(KUSTOMIZE, "overlays")))
OWN = os.path.join(KUSTOMIZE, "overlays", "own-scanner", "joysticks.py")


def base_command() -> list[str]:
    """The command that the base says it is made by."""
    return command_in(content("deploy", "kustomize", "base", "kustomization.yaml"))


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

    def test_sample(self) -> None:
        """The sample has a template too, and asks for what the base offers."""
        options = dict(
            option.removeprefix("--set=").removeprefix("--").split("=", 1)
            for option in base_command()[2:]
        )
        resource = f"{options['namespace']}/{options['resource']}"
        self.assertEqual(
            content("deploy", "kustomize", "sample-pod.yaml"),
            sample_pod(options["resource"], "busybox", resource, "/dev/tty[UA]*"),
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
            self.assertIn("kind: DaemonSet\n", printed("manifests", *arguments))


class BuiltTests(SynchronousTestCase):
    """What kubectl builds."""

    skip = MISSING

    def build(self, *names: str) -> str:
        """A directory below ours, built."""
        return built(os.path.join(KUSTOMIZE, *names))

    def test_document(self) -> None:
        """The kustomization in docs/kubernetes.md builds."""
        (snippet,) = re.findall(r"(?s)```yaml\n(.*?)```", content("docs", "kubernetes.md"))
        copy = os.path.join(temporary_directory(self), "kustomize")
        shutil.copytree(KUSTOMIZE, copy)
        os.mkdir(os.path.join(copy, "mine"))
        with open(os.path.join(copy, "mine", "kustomization.yaml"), "w", encoding="utf-8") as file:
            file.write(snippet)
        text = self.build(copy, "mine")
        validate(text)
        self.assertIn(f"image: lab/twistdp:{__version__.public()}\n", text)
        self.assertIn('lab.example.com/bench: "true"\n', text)

    def test_schemas(self) -> None:
        """The base, the overlays, and the sample are valid."""
        self.assertEqual(OVERLAYS, ["cdi", "own-scanner", "selinux", "watcher"])
        validate(self.build("base"))
        for overlay in OVERLAYS:
            validate(self.build("overlays", overlay))
        validate(content("deploy", "kustomize", "sample-pod.yaml"))

    def test_schemas_bite(self) -> None:
        """A word that is spelled wrong is found."""
        import kubernetes_validate

        text = self.build("base").replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
        self.assertRaises(kubernetes_validate.ValidationError, validate, text)

    def test_overlays(self) -> None:
        """An overlay is what the command prints for the same."""
        flags, options = ["--"], base_command()[2:]
        for overlay, arguments in (
            ("cdi", ["--cdi", *flags, *options]),
            ("selinux", ["--selinux", *flags, *options]),
            ("watcher", [*flags, *options, "--registration=watcher"]),
            ("own-scanner", [f"--scanner-file={OWN}", "--", "--scanner=joysticks:JoystickScanner"]),
        ):
            ours, rendered = self.build("overlays", overlay), printed("manifests", *arguments)
            validate(rendered)
            hashed = re.compile(r"twistdp-scanner-\w+")
            found, expected = (
                documents(hashed.sub("twistdp-scanner", text)) for text in (ours, rendered)
            )
            if overlay == "own-scanner":
                del expected["ConfigMap"]["metadata"]["labels"]
            self.assertEqual(found, expected, overlay)

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
