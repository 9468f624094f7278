"""Tests for ``.ci/update_k8s.py``, with a Kubernetes that was made up."""

import io
import os
import shutil
import subprocess
import urllib.request
from http.client import IncompleteRead
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.scripts import script

ROOT = Path(__file__).resolve().parent.parent


update_k8s = script("update_k8s")


class UpdateTests(SynchronousTestCase):
    """A newer Kubernetes beside a copy of our protos."""

    def setUp(self) -> None:
        """A checkout with the same APIs, as Kubernetes lays them out."""
        base = Path(temporary_directory(self))
        self.protos = base / "protos"
        shutil.copytree(ROOT / "protos", self.protos)
        self.checkout = base / "kubernetes"
        self.apis = self.checkout / "staging/src/k8s.io/kubelet/pkg/apis"
        for name, origin in update_k8s.SOURCES.items():
            path = self.apis / origin
            path.parent.mkdir(parents=True)
            text = (self.protos / name).read_text()
            path.write_text(
                text.replace(
                    'syntax = "proto3";',
                    'syntax = "proto3";\n\nimport "github.com/gogoproto/gogo.proto";\n'
                    "option (gogoproto.marshaler_all) = true;\n"
                    'option go_package = "k8s.io/kubelet/pkg/apis/x";',
                )
            )
        self.said: list[str] = []
        update_k8s.print = self.said.append

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the newer API."""
        path = self.apis / update_k8s.SOURCES[name]
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def update(self, version: str = "") -> int:
        """Run it."""
        status: int = update_k8s.update(self.checkout, version, self.protos)
        return status

    def test_same(self) -> None:
        """What is for Go is no difference, and nothing is replaced."""
        self.assertEqual(self.update(), 0)
        self.assertEqual([line.partition(": ")[2] for line in self.said], 3 * [SAME])
        for name in os.listdir(ROOT / "protos"):
            self.assertEqual((self.protos / name).read_text(), (ROOT / "protos" / name).read_text())

    def test_changes(self) -> None:
        """Additions, removals and changes are reported; the file is replaced without Go's part."""
        name = "pluginregistration_v1.proto"
        self.edit(name, "string error = 2;", "bytes error = 2;\n  string why = 3;")
        self.edit(name, "string endpoint = 3;", "")
        self.edit(name, "string name = 2;", "string name = 2 [deprecated = true];")
        self.edit(
            name,
            "rpc GetInfo(InfoRequest) returns (PluginInfo) {}",
            "rpc GetInfo(InfoRequest) returns (stream PluginInfo) {}\n"
            "  rpc Forget(InfoRequest) returns (PluginInfo) {}",
        )
        self.assertEqual(self.update("1.99"), 0)
        self.assertEqual(
            [line.strip() for line in self.said if line.startswith("  ")],
            [
                "removed  field PluginInfo.endpoint optional string = 3  (breaking)",
                "changed  field PluginInfo.name: optional string = 2 -> "
                "optional string = 2 deprecated",
                "changed  field RegistrationStatus.error: optional string = 2 -> "
                "optional bytes = 2  (breaking)",
                "added    field RegistrationStatus.why optional string = 3",
                "added    method Registration.Forget InfoRequest -> PluginInfo",
                "changed  method Registration.GetInfo: InfoRequest -> PluginInfo -> "
                "InfoRequest -> stream PluginInfo  (breaking)",
            ],
        )
        self.assertIn("string why = 3;", (self.protos / name).read_text())
        self.assertNotIn("gogo", (self.protos / name).read_text())
        self.assertEqual((self.protos / "README.md").read_text().count("Kubernetes 1.99 |"), 3)

    def test_released_files(self) -> None:
        """A directory of files with our names will do; one that is missing is an error."""
        shutil.rmtree(self.checkout)
        shutil.copytree(self.protos, self.checkout)
        self.assertEqual(self.update(), 0)
        os.unlink(self.checkout / "podresources_v1.proto")
        self.assertEqual(self.update(), 1)

    def test_fetched(self) -> None:
        """A release is fetched, file by file; one that is not there is an error that says so."""
        shutil.move(self.checkout, self.checkout.parent / "v1.99.0")
        into = Path(temporary_directory(self))
        releases = self.checkout.parent.as_uri()
        fetched = update_k8s.fetched("v1.99.0", into, releases)
        self.assertEqual(update_k8s.update(fetched, "1.99", self.protos), 0)
        self.assertEqual([line.partition(": ")[2] for line in self.said], 3 * [SAME])
        self.assertIn("| Kubernetes 1.99 |", (self.protos / "README.md").read_text())
        error = self.assertRaises(OSError, update_k8s.fetched, "v1.98.0", into, releases)
        self.assertIn("v1.98.0/staging/src/k8s.io/kubelet/pkg/apis/deviceplugin", str(error))

    def test_another_version(self) -> None:
        """A version of an API that we do not have is reported."""
        (self.apis / "deviceplugin/v1").mkdir()
        (self.apis / "deviceplugin/v1/api.proto").write_text("")
        self.update()
        self.assertIn("deviceplugin/v1/api.proto", self.said[-1])

    def test_broken(self) -> None:
        """What does not compile replaces nothing, nor do the others that differ."""
        self.edit("deviceplugin_v1beta1.proto", "string endpoint = 2;", "bytes endpoint = 2;")
        self.edit("podresources_v1.proto", "message", "massage")
        self.assertEqual(self.update("1.99"), 1)
        for name in os.listdir(ROOT / "protos"):
            self.assertEqual((self.protos / name).read_text(), (ROOT / "protos" / name).read_text())

    def test_cut_short(self) -> None:
        """An answer that ends too soon is an error that says of what."""

        class Answer(io.BytesIO):
            """One of a server that went away."""

            def read(self, size: int | None = -1) -> bytes:
                raise IncompleteRead(b"syn", 100)

        self.patch(urllib.request, "urlopen", lambda url, timeout: Answer())
        self.assertEqual(update_k8s.main("v1.99.0"), 1)
        self.assertIn("deviceplugin/v1beta1/api.proto: IncompleteRead", self.said[-1])

    def test_make(self) -> None:
        """What is given to make is an argument, whatever is in it."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        command = ["make", "--dry-run", "update-k8s", "FROM=v1'; echo one; '", "VERSION=; echo two"]
        recipe = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
        self.assertIn("update_k8s.py", recipe)
        self.assertNotIn("echo one", recipe)
        self.assertNotIn("echo two", recipe)

    def test_arguments(self) -> None:
        """What makes no sense is refused before anything is read."""
        for arguments, problem in (
            ([], "usage: make update-k8s FROM=DIR"),
            (["", "1.37"], "usage: make update-k8s FROM=DIR"),
            ([str(self.checkout), "abc"], "VERSION=abc: not a version"),
            (["v1.37.0", "1.37.0"], "VERSION=1.37.0: not a version"),
            (["v1.37"], "FROM=v1.37: neither a directory nor a release"),
            (["/nowhere"], "FROM=/nowhere: neither"),
        ):
            self.assertEqual(update_k8s.main(*arguments), 2)
            self.assertIn(problem, self.said.pop())
            self.assertEqual(self.said, [])


SAME = "the API is the same"
