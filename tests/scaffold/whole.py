"""From `twistdp new` to passing conformance, in an environment of the project's own.

It needs a package index, and takes a minute: ``make test-scaffold``.  With a cluster's name in
KIND_CLUSTER the end-to-end test may not be skipped.
"""

import os
import re
import shutil
import sys
import textwrap
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, run

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.support.helpers import temporary_directory
from tests.test_packaging import built_wheel
from twistdp.testing.kubelet import FakeKubelet
from twistdp.testing.process import ChildProcess

BESIDE = Path(sys.executable).parent
LIMIT = 120.0
"""Seconds from the command to the verdict of the conformance suite."""


def call(*command: str, cwd: str) -> str:
    """The output of a command that must succeed, in an environment that is not this one."""
    names = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = run(
        command, cwd=cwd, env=environment, stdout=PIPE, stderr=STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


class WholeTests(TestCase):
    """One project, from nothing."""

    timeout = 1200

    async def test_everything(self) -> None:
        """It is installed, all its targets pass, in time, and its twistd serves its devices."""
        directory = temporary_directory(self)
        project = os.path.join(directory, "lab-thermo")
        (wheel,) = Path(built_wheel().unpacked).parent.glob("*.whl")

        begun = time.monotonic()
        call(
            *(str(BESIDE / "twistdp"), "new", "lab_thermo"),
            *("--namespace=thermo.example.com", "--resource=sensor"),
            cwd=directory,
        )
        os.mkdir(os.path.join(project, "wheels"))
        shutil.copy(wheel, os.path.join(project, "wheels"))
        call("make", ".venv/.all", cwd=project)
        self.told("installed", begun)
        tests = call("make", "test", cwd=project)
        self.assertRegex(tests, r"(?m)^TOTAL .* 100%$")
        self.told("tested: 100 % of lines and branches", begun)
        verdict = call("make", "conformance", cwd=project)
        self.assertRegex(verdict, r"\b[56]\d passed, 0 with warnings, [0-9] skipped, 0 failed")
        self.told(verdict.splitlines()[-1], begun)
        self.assertLess(time.monotonic() - begun, LIMIT)

        call("make", "lint", "types", cwd=project)
        self.told("lint and types", begun)
        self.assertIn("the plugin and the kubelet end", call("make", "demo", cwd=project))
        # Skipped where there is no cluster, unless one is named.
        output = call("make", "e2e", cwd=project)
        (seen,) = re.findall("skips=1|successes=1", output)
        if "KIND_CLUSTER" in os.environ:
            self.assertEqual(seen, "successes=1", output)
        self.told(f"demo, and the end-to-end test: {seen}", begun)
        found = call(".venv/bin/twistdp", "check", ".", cwd=project)
        self.assertIn("nothing is missing", found)
        await self.serves(project)
        self.told("twistd serves", begun)

    async def serves(self, project: str) -> None:
        """The command that the README has for another terminal, with a directory of this test's."""
        place = os.path.join(project, "demo")
        readme = Path(project, "README.md").read_text(encoding="utf-8")
        block = re.search(r"(?m)^    mkdir (?:.+\n)+", readme)
        assert block is not None
        command = textwrap.dedent(block[0]).replace("/tmp/lab-thermo", place)
        plugins = os.path.join(place, "plugins")
        os.makedirs(plugins)
        kubelet = FakeKubelet(plugins)
        await kubelet.start()
        self.addCleanup(kubelet.stop)
        command = command.replace(".venv/bin/twistd ", "exec .venv/bin/twistd ")
        child = ChildProcess(["/bin/sh", "-c", command], reactor=reactor, path=project)
        try:
            await kubelet.listed("thermo.example.com/sensor", ["sensor0"], timeout=20)
        finally:
            child.signal("TERM")
            await child.ended

    def told(self, what: str, begun: float) -> None:
        """Print the time so far."""
        sys.stdout.write(f"\n{time.monotonic() - begun:7.1f} s  {what}")
        sys.stdout.flush()
