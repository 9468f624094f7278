"""A new project's files for clusters and nodes, as far as tests need neither."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, run
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.scaffold.test_project import LONG
from tests.support.deployments import MISSING, MOST_EXPOSED, built, command_in, printed, validate
from tests.support.helpers import temporary_directory
from twistdp.scaffold.project import Project, create

STUB = """#!/bin/sh
echo "$(basename $0) $*" >> {log}
case "$(basename $0) $*" in
"kind get clusters") echo {clusters} ;;
"kind get nodes"*) echo first second ;;
*" logs "*) echo "crw-rw-rw- 1 root root 1, 3 /dev/sensor0" ;;
esac
"""
"""Stands for kind, kubectl and docker."""


class DeploymentTests(SynchronousTestCase):
    """A project's files under ``deploy``, and its end-to-end test."""

    def setUp(self) -> None:
        """A project."""
        self.directory = temporary_directory(self)
        create(Project("thermo", resource="sensor"), self.directory)

    def end_to_end(self, path: str) -> str:
        """The output of the end-to-end test with this PATH."""
        done = run(
            [sys.executable, "-m", "twisted.trial", "e2e"],
            cwd=self.directory,
            env={**os.environ, "PATH": path, "PYTHONPATH": self.directory},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def stubs(self, clusters: str) -> tuple[str, str]:
        """A PATH with stubs of the commands, and the file with their calls."""
        stubs, log = (os.path.join(self.directory, name) for name in ("stubs", "log"))
        os.mkdir(stubs)
        for name in ("kind", "kubectl", "docker"):
            stub = os.path.join(stubs, name)
            with open(stub, "w", encoding="ascii") as file:
                file.write(STUB.format(log=log, clusters=clusters))
            os.chmod(stub, 0o755)
        return f"{stubs}:{os.environ['PATH']}", log

    def test_without_kind(self) -> None:
        """Without kind the test is skipped, and says why."""
        self.assertIn("needs the command kind", self.end_to_end("/no/such"))

    def test_without_cluster(self) -> None:
        """Without a cluster it is skipped too."""
        path, _ = self.stubs("")
        self.assertIn("there is no kind cluster", self.end_to_end(path))

    def test_with_cluster(self) -> None:
        """With a cluster it builds, loads, plugs, applies, waits and looks, and then cleans up."""
        path, log = self.stubs("lab")
        self.assertIn("successes=1", self.end_to_end(path))
        with open(log, encoding="ascii") as file:
            calls = file.read()
        order = [
            "docker build .*--tag thermo:dev",
            "kind load docker-image thermo:dev --name=lab",
            "docker exec first .*mknod /dev/sensor0",
            "docker exec second .*mknod /dev/sensor0",
            "kubectl --context=kind-lab apply -k deploy/kustomize",
            "rollout status daemonset/thermo",
            "apply -f deploy/pod.yaml",
            "logs pod/thermo-sample",
            "delete .*deploy/pod.yaml",
            "delete .*deploy/kustomize",
            "docker exec first rm",
        ]
        self.assertTrue(re.search(r"[\s\S]*".join(order), calls), calls)

    def content(self, *names: str) -> str:
        """A file of the project."""
        return Path(self.directory, *names).read_text(encoding="utf-8")

    def test_printed(self) -> None:
        """twistdp prints the unit and the manifests for the commands in their comments."""
        unit = self.content("deploy", "thermo.service")
        command = unit.splitlines()[0].removeprefix("# Printed by: twistdp ")
        self.assertEqual(printed(*shlex.split(command)), unit)
        command = self.content("deploy", "kustomize", "kustomization.yaml")
        self.assertEqual(
            printed(*command_in(command)), self.content("deploy", "kustomize", "thermo.yaml")
        )

    def test_kustomization(self) -> None:
        """kubectl builds it: everything is in the plugin's namespace, with the image's tag."""
        if shutil.which("kubectl") is None:
            raise SkipTest("there is no kubectl to build the manifests with")
        text = built(os.path.join(self.directory, "deploy", "kustomize"))
        self.assertEqual(text.count("namespace: thermo\n"), 3)
        self.assertIn("image: thermo:dev\n", text)
        self.assertIn("image: thermo:dev\n", self.content("deploy", "pod.yaml"))
        self.assertIn("thermo.example.com/sensor: 1\n", self.content("deploy", "pod.yaml"))

    def test_schemas(self) -> None:
        """Kubernetes' schemas describe what kubectl builds, also with the longest names."""
        if MISSING is not None:
            raise SkipTest(MISSING)
        long = temporary_directory(self)
        create(LONG, long)
        for directory in (self.directory, long):
            validate(built(os.path.join(directory, "deploy", "kustomize")))
            validate(Path(directory, "deploy", "pod.yaml").read_text(encoding="utf-8"))

    def systemd_analyze(self, *arguments: str) -> str:
        """systemd's output about the unit."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("there is no systemd-analyze to look at the unit with")
        unit = Path(self.directory, "deploy", "thermo.service")
        # systemd refuses a unit whose program is missing.
        unit.write_text(unit.read_text().replace("/opt/thermo/bin/twistd", sys.executable))
        done = run(
            ["systemd-analyze", *arguments, str(unit)],
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_unit(self) -> None:
        """systemd finds nothing wrong with the unit."""
        said = self.systemd_analyze("verify", "--man=no")
        self.assertEqual([line for line in said.splitlines() if "thermo" in line], [])

    def test_exposure(self) -> None:
        """The unit has the same sandbox as twistdp's own."""
        said = self.systemd_analyze("security", "--no-pager", "--offline=true")
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert exposure, said
        self.assertLessEqual(float(exposure[1]), MOST_EXPOSED)
