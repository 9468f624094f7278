"""A node with a real kubelet, and what is done there with kubectl.

The environment says where it is; without it the tests skip.

| variable | |
|---|---|
| TWISTDP_NODE | the node's name; kubectl's own KUBECONFIG says whose node |
| TWISTDP_REAL_KUBELET_DIR | the kubelet's device plugin directory, on this machine |
| TWISTDP_REAL_KUBELET_RESTART | a command that restarts the kubelet |
| TWISTDP_NODE_IMAGE | an image that the node has, with a shell; default busybox |
| TWISTDP_NODE_TOPOLOGY | a command that restarts the kubelet with the topology policy that is its \
last argument, on a machine with the NUMA nodes 0 and 1 |
| TWISTDP_NODE_KUBECTL | the kubectl to use; default kubectl |
| TWISTDP_NODE_DEVICES | devices in the test of sizes; default 10000 |
"""

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase

from tests.support.helpers import temporary_directory, until
from twistdp.testing.process import ChildProcess, twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMESPACE = "node-test.twistdp.example"
RESOURCE = f"{NAMESPACE}/thing"
LABEL = "twistdp-node-test"
NEEDED = ("TWISTDP_NODE", "TWISTDP_REAL_KUBELET_DIR", "TWISTDP_REAL_KUBELET_RESTART")

WAIT = 90
"""Seconds that anything of the cluster may take."""


async def run(command: str, *arguments: str, check: bool = True) -> str:
    """What a command prints; raises AssertionError with its errors when it fails."""
    program, *more = shlex.split(command)
    output, errors, status = await getProcessOutputAndValue(
        program, [*more, *arguments], env=os.environ
    )
    if check and status:
        raise AssertionError(
            f"{command} {shlex.join(arguments)}: status {status}: {(errors or output).decode()}"
        )
    return str(output, "utf-8")


class NodeTestCase(TestCase):
    """A plugin of `self.work`'s files on the real node; `tests.node.scanner` finds them."""

    timeout = 600

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Find the node, and a directory for devices."""
        missing = [name for name in NEEDED if not os.environ.get(name)]
        if missing:
            raise SkipTest(f"no real node: set {', '.join(missing)} (see tests/node/cluster.py)")
        if os.geteuid() != 0:
            raise SkipTest("a kubelet's directories are root's: run it as root")
        self.node = os.environ["TWISTDP_NODE"]
        self.kubelet_dir = os.environ["TWISTDP_REAL_KUBELET_DIR"]
        self.restart_command = os.environ["TWISTDP_REAL_KUBELET_RESTART"]
        self.image = os.environ.get("TWISTDP_NODE_IMAGE", "busybox")
        self.work = temporary_directory(self)
        self.addCleanup(self.delete_pods)
        await self.kubectl("wait", f"node/{self.node}", "--for=condition=Ready", "--timeout=60s")
        await self.delete_pods()

    # kubectl

    async def kubectl(self, *arguments: str, check: bool = True) -> str:
        """What kubectl prints."""
        return await run(os.environ.get("TWISTDP_NODE_KUBECTL", "kubectl"), *arguments, check=check)

    async def wait(self, what: str, path: str, value: object) -> None:
        """Wait until a field of an object, such as ``pod/x``, has a value."""
        field = f"--for=jsonpath={{{path}}}={value}"
        await self.kubectl("wait", what, field, f"--timeout={WAIT}s")

    async def has(self, allocatable: int, capacity: int | None = None) -> None:
        """Wait until the node's status has so many devices."""
        name = RESOURCE.replace(".", "\\.")
        for kind, count in (("allocatable", allocatable), ("capacity", capacity)):
            if count is not None:
                # Kubernetes writes 10000 as 10k.
                shown = f"{count // 1000}k" if count and count % 1000 == 0 else count
                await self.wait(f"node/{self.node}", f".status.{kind}.{name}", shown)

    # Pods

    async def pod(
        self, name: str, count: int = 1, *, bound: bool = False, init: bool = False
    ) -> None:
        """Create a pod that wants `count` devices; `bound`: past the scheduler, at once.

        With `init` an ordinary init container wants them.
        """
        container: dict[str, Any] = {
            "name": "main",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"],
            "resources": {"limits": {RESOURCE: str(count)}},
        }
        where: Mapping[str, Any] = {"nodeSelector": {"kubernetes.io/hostname": self.node}}
        spec = {
            **({"nodeName": self.node} if bound else where),
            "hostNetwork": True,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        }
        if init:
            first = {**container, "name": "init", "command": ["true"]}
            spec |= {"containers": [{**container, "resources": {}}], "initContainers": [first]}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {LABEL: "yes"}},
            "spec": spec,
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            await self.kubectl("create", "-f", file.name)

    async def runs(self, *names: str) -> None:
        """Wait until pods run; names the reason where one does not."""
        for name in names:
            try:
                await self.wait(f"pod/{name}", ".status.phase", "Running")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{await self.status(name)}") from error

    async def status(self, name: str) -> Any:
        """A pod's status."""
        return json.loads(await self.kubectl("get", f"pod/{name}", "-o", "json"))["status"]

    async def refused(self, name: str) -> tuple[str, str]:
        """Wait until the kubelet refuses a pod; reason and message."""
        await self.wait(f"pod/{name}", ".status.phase", "Failed")
        status = await self.status(name)
        return status["reason"], status["message"]

    async def inside(self, name: str, script: str) -> str:
        """What a shell prints in a pod."""
        return await self.kubectl("exec", name, "--", "sh", "-c", script)

    async def restarts(self, name: str) -> int:
        """How often a pod's container was started again."""
        (container,) = (await self.status(name))["containerStatuses"]
        return int(container["restartCount"])

    async def delete_pods(self, *names: str) -> None:
        """Delete some pods, or all of these tests."""
        which = names or ("-l", LABEL)
        await self.kubectl(
            "delete", "pod", *which, "--ignore-not-found", "--wait", f"--timeout={WAIT}s"
        )

    # The machine

    def device(self, name: str, content: str = "") -> None:
        """Plug a device in, or change its properties; see `tests.node.scanner`."""
        with open(os.path.join(self.work, name), "w", encoding="ascii") as file:
            file.write(content)

    def unplug(self, name: str) -> None:
        """Take a device away."""
        os.unlink(os.path.join(self.work, name))

    async def plugin(self, scanner: str = "Things", *options: str) -> ChildProcess:
        """Start the plugin, which is ended with the test, and wait until it is registered.

        The node's status alone does not tell: it may still be that of another process.
        """
        child = ChildProcess(
            [
                *twistd_command(),
                *("-n", "--pidfile=", "deviceplugin", "--status-socket="),
                *(f"--scanner=tests.node.scanner:{scanner}", "--set", f"directory={self.work}"),
                *(f"--namespace={NAMESPACE}", f"--plugin-dir={self.kubelet_dir}", *options),
            ],
            reactor=reactor,
            path=ROOT,
        )
        self.addCleanup(self.end, child)
        await until(lambda: "registered " in child.output, WAIT)
        return child

    async def end(self, child: ChildProcess) -> None:
        """End a plugin as an update does."""
        if not child.ended.called:
            child.signal("TERM")
            await child.ended

    async def restart_kubelet(self) -> None:
        """Run the command, and wait until it is ready."""
        await run(self.restart_command)
        await self.kubectl(
            "wait", f"node/{self.node}", "--for=condition=Ready", f"--timeout={WAIT}s"
        )
