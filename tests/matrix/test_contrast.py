"""``twistdp conformance`` on a plugin that is written by hand."""

import json
import os
import shutil
import tempfile

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.cli.test_conformance import PLAIN, ROOT, TWISTDP


class ContrastTests(TestCase):
    """The plugin that is written by hand."""

    timeout = 900

    async def test_what_it_does_not_survive(self) -> None:
        """It fails just what its author has not thought of."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        report = os.path.join(directory, "report.json")
        out, _, status = await getProcessOutputAndValue(
            TWISTDP,
            [
                *(
                    "conformance",
                    "-j3",
                    "--patience=30",
                    "--skip",
                    "process.leaks",
                    "--json",
                    report,
                ),
                *("--hotplug-add", "touch {work_dir}/b", "--hotplug-remove", "rm {work_dir}/b"),
                *("--", "sh", "-c", PLAIN),
            ],
            env={**os.environ, "PYTHONPATH": ROOT},
            reactor=reactor,
        )
        self.assertEqual(status, 1, out.decode())
        with open(report, encoding="utf-8") as file:
            checks = json.load(file)["checks"]
        failed = {check["id"] for check in checks if check["verdict"] == "fail"}
        self.assertEqual(
            failed,
            {
                "allocate.unknown",
                "allocate.duplicates",
                "restart.directory",
                "restart.socket-only",
                "restart.stream",
                "process.leftovers",
            },
            out.decode(),
        )
