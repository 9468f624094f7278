"""The container images, run as the manifests have it: read-only, without capabilities.

``make test-image`` makes them and runs these; without them they are skipped.
"""

import json
import os
import re
import signal
import sys
from subprocess import run
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory, until
from tests.support.kubelets import PatientKubelet
from twistdp.cli import COMMANDS
from twistdp.testing.process import ChildProcess

IMAGE = os.environ.get("TWISTDP_TEST_IMAGE", "")

KUBELET = "/var/lib/kubelet"
PATIENCE = 100.0
"""Seconds for a start: in an emulator of another processor all takes ten times as long."""
SERVICE = "deviceplugin"
NULL = "lab.example.com/null"
OPTIONS = (
    "--scanner=twistdp.scanners:GlobScanner",
    "--set=resource=null",
    "--set=pattern=/dev/null,/dev/zero",
    "--namespace=lab.example.com",
)

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
}
"""Of an API server that is not there; YAML is more than JSON."""

RUN = f"""set -e
root=$1 kubelet=$2 directory=$3 user=$4
shift 4
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind "$kubelet" "$root{KUBELET}"
mount --bind /dev "$root/dev"
mount -o remount,bind,ro "$root/dev"
mount --bind /proc "$root/proc"
exec unshare --root="$root" --wd="$directory" setpriv --reuid="$user" --regid="$user" \
    --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs env -i "$@"
"""
"""Each program replaces the one before it, so that the child is the container's process."""


def buildah(*arguments: str) -> str:
    """The output of a buildah command."""
    done = run(["buildah", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class ContainerTestCase(TestCase):
    """A container of an image."""

    timeout = 3 * PATIENCE
    skip = None if IMAGE else "no image: run `make test-image`"
    image = IMAGE

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A container, not running, and a kubelet with its directories."""
        self.container = buildah("from", f"localhost/{self.image}")
        self.addCleanup(buildah, "rm", self.container)
        self.root = buildah("mount", self.container)
        config = json.loads(buildah("inspect", self.container))["OCIv1"]["config"]
        self.config: dict[str, Any] = config
        for path in (KUBELET, "/dev"):
            os.makedirs(self.root + path, exist_ok=True)
        self.directory = temporary_directory(self)
        os.chmod(self.directory, 0o755)  # as the kubelet's is
        self.registry = os.path.join(self.directory, "plugins_registry")
        plugins = os.path.join(self.directory, "device-plugins")
        for path in (self.registry, plugins):
            os.mkdir(path)
        self.kubelet = PatientKubelet(plugins, registry_dir=self.registry)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)

    def start(self, *options: str, user: int = 0) -> ChildProcess:
        """The image's entry point."""
        return self.start_command(*self.config["Entrypoint"], *options, user=user)

    def start_command(self, *command: str, user: int = 0) -> ChildProcess:
        """A command of the image, which may use the kubelet's directory for temporary files."""
        child = ChildProcess(
            [
                *("/usr/bin/unshare", "--mount", "/bin/sh", "-c", RUN, "container"),
                *(self.root, self.directory, self.config["WorkingDir"], str(user)),
                *(*self.config["Env"], f"TMPDIR={KUBELET}", *command),
            ],
            reactor=reactor,
        )
        self.addCleanup(self.end, child)
        return child

    async def end(self, child: ChildProcess) -> None:
        """End a child if it has not been done; it must not have met anything unusual."""
        if child.pid:
            child.signal("TERM")
            self.assertEqual(await soon(child.ended), -signal.SIGTERM, child.output)

    async def no_complaint(self, child: ChildProcess) -> None:
        """End a child that must have had nothing to complain about, not even of twistd's cache."""
        await self.end(child)
        self.assertNotRegex(child.output, r"(?m)^[WEF]\d{4} |Traceback|cache")

    def lacks(self, place: str, *without: str) -> None:
        """Packages are installed at `place`, and no directory has one of the names `without`."""
        names = {name for _, names, _ in os.walk(self.root + place) for name in names}
        self.assertIn("grpc", names)
        self.assertEqual(names & set(without), set())


class ImageTests(ContainerTestCase):
    """twistdp's own image."""

    async def test_life(self) -> None:
        """Devices are listed and allocated, nothing is complained about, and memory is measured."""
        child = self.start(*OPTIONS)
        await self.kubelet.listed(NULL, ["null", "zero"], PATIENCE)
        given = await soon(self.kubelet.allocate(NULL, 1))
        self.assertIn(given.devices[0].host_path, ("/dev/null", "/dev/zero"))
        with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
            status = dict(re.findall(r"(\w+):\s+(\w+)", file.read()))
        self.assertEqual(int(status["CapEff"], 16) | int(status["CapBnd"], 16), 0)
        with open(f"/proc/{child.pid}/mountinfo", encoding="utf-8") as file:
            self.assertRegex(file.read(), r"(?m)^\d+ \d+ \S+ \S+ / ro,")
        total, own = (int(status[name]) / 1024 for name in ("VmRSS", "RssAnon"))
        sys.stdout.write(f"\nresident memory {total:.1f} MiB, without files {own:.1f} MiB\n")
        await self.no_complaint(child)

    async def test_without_root(self) -> None:
        """Found by the plugin watcher, it need not be root where the directories are its own."""
        for path in (self.directory, self.registry):
            os.chown(path, 65532, 65532)
        self.start(*OPTIONS, "--registration=watcher", user=65532)
        await self.kubelet.listed(NULL, ["null", "zero"], PATIENCE)

    async def says(self, *command: str) -> str:
        """The output of a command that succeeds."""
        child = self.start_command(*command)
        self.assertEqual(await child.ended, 0, child.output)
        return child.output

    async def test_help(self) -> None:
        """twistd prints the service's help and lists the service, and nothing about its cache."""
        self.assertIn("--scanner=", await self.says(*self.config["Entrypoint"], "--help"))
        said = await self.says("twistd", "--help")
        self.assertIn(SERVICE, re.findall(r"(?m)^    ([a-z-]+) ", said.split("Commands:")[1]))
        self.assertNotIn("cache", said)

    async def test_tools(self) -> None:
        """All of twistdp's commands are there, and a plugin's whole life can be shown."""
        for name in COMMANDS:
            self.assertIn(f"Usage: twistdp {name} ", await self.says("twistdp", name, "--help"))
        self.assertIn("All steps succeeded.", await self.says("twistdp", "demo"))

    async def test_conformance(self) -> None:
        """The image's plugin passes the image's own conformance test."""
        said = await self.says(
            *(
                "twistdp",
                "conformance",
                "--only=registration.registers",
                "--only=allocate",
                "-j2",
                "--",
            ),
            *(*self.config["Entrypoint"], *OPTIONS, "--plugin-dir={plugin_dir}"),
        )
        self.assertIn("passed", said)

    def test_nothing_that_only_builds(self) -> None:
        """The image has neither pip nor setuptools."""
        self.lacks("/opt/twistdp", "pip", "setuptools")


class OperatorTests(ContainerTestCase):
    """The operator's image, as a user that is not root."""

    image = f"{IMAGE}-operator"

    def begin(self, *options: str) -> ChildProcess:
        """The entry point, as the image's own user."""
        user, _, _ = self.config["User"].partition(":")
        self.assertGreater(int(user), 0)
        return self.start(*options, user=int(user))

    async def test_help(self) -> None:
        """It has what the operator needs, and lists its options."""
        child = self.begin("--help")
        self.assertEqual(await child.ended, 0, child.output)
        self.assertIn("--plugin-image=", child.output)
        self.assertNotIn("cache", child.output)

    async def test_ends(self) -> None:
        """SIGTERM ends it, also where there is no API server."""
        config = os.path.join(self.directory, "config")
        with open(config, "w", encoding="utf-8") as file:
            json.dump(KUBECONFIG, file)
        options = ("--namespace=lab", "--plugin-image=lab", f"--kubeconfig={KUBELET}/config")
        child = self.begin(*options)
        await until(lambda: "cannot watch" in child.output, PATIENCE)
        child.signal("TERM")
        self.assertEqual(await soon(child.ended), 0, child.output)
        self.assertIn("Server Shut Down.", child.output)

    def test_nothing_that_only_builds(self) -> None:
        """The image has neither pip nor setuptools."""
        self.lacks("/opt/twistdp", "pip", "setuptools")


class ProjectTests(ContainerTestCase):
    """The image of a project that ``twistdp new`` made."""

    image = f"{IMAGE}-project"

    async def test_life(self) -> None:
        """Its scanner runs by default; devices come and are allocated."""
        devices = os.path.join(self.directory, "devices")
        os.mkdir(devices)
        child = self.start(*self.config["Cmd"], f"--set=directory={KUBELET}/devices")
        resource = "thermo.example.com/device"
        for names in (["device0"], ["device0", "device1"]):
            os.symlink("/dev/null", os.path.join(devices, names[-1]))
            await self.kubelet.listed(resource, names)
        given = await soon(self.kubelet.allocate(resource, ids=["device0"]))
        self.assertEqual([node.host_path for node in given.devices], [f"{KUBELET}/devices/device0"])
        await self.no_complaint(child)

    def test_nothing_that_only_builds(self) -> None:
        """No pip; what else is installed is the project's business."""
        self.lacks("/opt/thermo", "pip")
