"""docs/hooks.md: the scanner that explains itself."""

import sys
from io import StringIO
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from tests.catalog.test_entries import root
from tests.docs.pages import blocks
from twistdp.cli import main


class ExplainingTests(SynchronousTestCase):
    """The example of a scanner that explains itself."""

    def test_example(self) -> None:
        """It lists a board, and explains what other serial ports are."""
        (block,) = (each for each in blocks("docs/hooks.md") if "def explain" in each.text)
        module = ModuleType("modems")
        exec(block.text, module.__dict__)
        self.patch(sys, "modules", {**sys.modules, "modems": module})
        out = StringIO()
        self.patch(sys, "stdout", out)
        arguments = ["explain", "--scanner=modems:ModemScanner", f"--root={root('serial')}"]
        self.assertEqual(main(arguments), 0)
        text = out.getvalue()
        self.assertIn("lab.example.com/modem: 1 device\n", text)
        self.assertIn("listed as modem 2341-0043-", text)
        self.assertIn("not selected: no ancestor of ttyUSB0 fits", text)
