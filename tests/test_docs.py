"""The programs in the documentation work as they are printed."""

import os
import re
import shutil
import sys
import tempfile

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")


class FirstPluginTests(TestCase):
    """docs/first-plugin.md."""

    timeout = 60

    async def test_the_plugin_passes_its_test(self) -> None:
        """The scanner and the test that a reader copies run and pass."""
        with open(os.path.join(DOCS, "first-plugin.md"), encoding="utf-8") as file:
            scanner, test, *_ = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        for name, text in (("thermo.py", scanner), ("test_thermo.py", test)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "twisted.trial", "--reactor=asyncio", "test_thermo"],
            env=os.environ,
            path=directory,
        )
        self.assertEqual(status, 0, (out + err).decode())
        self.assertIn(b"successes=1", out)
