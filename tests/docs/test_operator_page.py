"""The page about the operator, gone through on a real API server.

There are no nodes and no controllers but the operator: the test plays them.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from typing import Any, Final

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from tests.docs.pages import Block, blocks, commands
from tests.docs.session import Session
from tests.support.envtest import ADMIN, RealApiServer, real_api_server

PAGE: Final = "docs/operator.md"
NAMESPACE: Final = "twistdp-system"
PATIENCE: Final = 60

ON_A_NODE: Final = re.compile("make operator-image|docker build .*|kubectl (.* )?(exec|logs) .*")
"""Commands for images, and for pods that run."""

FUSE: Final = "lab.example.com/fuse"


def kubeconfig(server: RealApiServer, file: Path) -> None:
    """Write how kubectl and the operator reach the API server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "a", "cluster": {"server": server.url, "certificate-authority": server.ca}}
        ],
        "users": [{"name": "a", "user": {"token": ADMIN}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    file.write_text(json.dumps(config))


class Cluster:
    """Plays the nodes and the controllers of a cluster, by kubectl."""

    def __init__(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}}
        self.run("apply", "-f", "-", given=json.dumps(node))

    def run(self, *words: str, given: str = "") -> str:
        """Run kubectl, and return what it prints."""
        done = subprocess.run(
            ["kubectl", *words], input=given, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, f"kubectl {shlex.join(words)}: {done.stderr}"
        return done.stdout

    def get(self, *words: str) -> Any:
        """What kubectl gets."""
        return json.loads(self.run("get", *words, "--output=json"))

    def _set(self, status: dict[str, Any], *words: str) -> None:
        body = json.dumps({"status": status})
        self.run("patch", *words, "--subresource=status", "--type=merge", f"--patch={body}")

    def play(self) -> None:
        """Have each pod run, and the node have the devices that the configuration says."""
        counts = {}
        for kind, key in (
            ("deployment", ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")),
            (
                "daemonset",
                (
                    "desiredNumberScheduled",
                    "currentNumberScheduled",
                    "updatedNumberScheduled",
                    "numberReady",
                    "numberAvailable",
                ),
            ),
        ):
            for one in self.get("--namespace", NAMESPACE, kind)["items"]:
                counts = {
                    "observedGeneration": one["metadata"]["generation"],
                    **dict.fromkeys(key, 1),
                    **({"numberMisscheduled": 0} if kind == "daemonset" else {}),
                }
                self._set(counts, "--namespace", NAMESPACE, kind, one["metadata"]["name"])
        devices = {}
        for one in self.get("--namespace", NAMESPACE, "configmap")["items"]:
            count = re.search(r"count: (\d+)|replicas: (\d+)", one["data"].get("config.yaml", ""))
            if count is not None:
                devices[FUSE] = count[1] or count[2]
        self._set({"capacity": devices, "allocatable": devices}, "node", "worker")
        for pod in self.get("pods")["items"]:
            ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            self._set(ready, "pod", pod["metadata"]["name"])


class OperatorPageTests(TestCase):
    """Each command of the page that needs no node."""

    timeout = 600

    async def test_page(self) -> None:
        """The objects of the page do what it says."""
        if which("kubectl") is None:
            raise SkipTest("there is no kubectl")
        server = await real_api_server()
        file = Path(self.mktemp()).absolute()
        kubeconfig(server, file)
        before = os.environ.get("KUBECONFIG")
        os.environ["KUBECONFIG"] = str(file)
        try:
            await deferToThread(self.go_through)
        finally:
            del os.environ["KUBECONFIG"]
            if before is not None:
                os.environ["KUBECONFIG"] = before

    def go_through(self) -> None:
        """Do what a reader does, and play the cluster beside him."""
        session = Session({}, {})
        self.addCleanup(session.close)
        acted = Cluster()
        operator: subprocess.Popen[bytes] | None = None
        for block in blocks(PAGE):
            if block.language in ("yaml", "python") and block.file is not None:
                session.write(block)
            if block.language == "text" and block.text.startswith(("$ ", "NAME")):
                self.compare(block, acted)
            for command in commands(block.text) if block.language == "sh" else ():
                if ON_A_NODE.fullmatch(command):
                    continue
                if operator is None and "rollout status" in command:
                    operator = self.start_operator(session)
                self.run_command(session, acted, command)
        self.assertEqual(acted.get("deviceplugins")["items"], [])

    def compare(self, block: Block, acted: Cluster) -> None:
        """Compare what kubectl says with what the page says, but for times."""
        lines = block.text.splitlines()
        typed = lines[0].startswith("$ ")
        command = lines.pop(0).removeprefix("$ ") if typed else "kubectl get dplug"
        if not typed:  # a status follows what it is about
            name, _, _, devices, *_ = lines[1].split()
            counted = f"--for=jsonpath={{.status.devices}}={devices}"
            acted.run("wait", counted, f"--timeout={PATIENCE}s", f"deviceplugin/{name}")
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        # The last column is the age.
        found, wanted = (
            [line if typed else line.split()[:-1] for line in each] for each in (said, lines)
        )
        self.assertEqual(found, wanted)

    def run_command(self, session: Session, acted: Cluster, command: str) -> None:
        """Run one; one that waits is run again and again while the cluster goes on."""
        if not re.match("kubectl (.* )?(wait|rollout) ", command):
            session.run(command)
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            acted.play()
            try:
                session.run(re.sub("--timeout=[0-9]+s", "--timeout=2s", command))
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def start_operator(self, session: Session) -> "subprocess.Popen[bytes]":
        """The operator, outside of the cluster."""
        process = subprocess.Popen(
            [
                f"{sys.prefix}/bin/twistd",
                "-n",
                "--pidfile=",
                "deviceplugin-operator",
                f"--namespace={NAMESPACE}",
                "--plugin-image=twistdp:0.1.0",
                "--status-interval=1",
                f"--kubeconfig={os.environ['KUBECONFIG']}",
            ],
            cwd=session.base,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

        def stop() -> None:
            process.terminate()
            self.assertEqual(process.wait(20), 0)

        self.addCleanup(stop)
        return process
