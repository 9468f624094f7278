"""Tests for `twistdp.tools.places`."""

import json
import os
import sys
import sysconfig
from importlib import import_module

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.logs import here
from twistdp.model.names import check_namespace
from twistdp.tools.places import at, place_of


class PlaceTests(SynchronousTestCase):
    """`place_of`"""

    def test_own(self) -> None:
        """The author's line, not what it calls, whether Python's or ours."""
        for call in (lambda: json.loads("{"), lambda: check_namespace("")):
            try:
                call()
            except ValueError as error:
                self.assertEqual(place_of(error), f"{__file__}:{here() - 4}")
                self.assertEqual(place_of(Failure()), place_of(error))
                failure = Failure()
                failure.cleanFailure()
                self.assertEqual(place_of(failure), f"{__file__}:{here() - 8}")

    def test_imported(self) -> None:
        """A module that fails while it is imported: its line, not the machinery's."""
        directory = temporary_directory(self)
        path = os.path.join(directory, "broken_for_places.py")
        with open(path, "w", encoding="ascii") as file:
            file.write("import json\n\njson.loads('{')\n")
        sys.path.insert(0, directory)
        self.addCleanup(sys.path.remove, directory)
        error = self.assertRaises(ValueError, import_module, "broken_for_places")
        self.assertEqual(place_of(error), f"{path}:3")

    def test_installed(self) -> None:
        """A scanner that is installed is preferred to Python's own code."""
        path = os.path.join(sysconfig.get_path("purelib"), "plugin", "scanner.py")
        code = compile("import json\njson.loads('{')", path, "exec")
        error = self.assertRaises(ValueError, exec, code, {})
        self.assertEqual(place_of(error), f"{path}:2")

    def test_syntax(self) -> None:
        """The line that cannot be parsed, not the one that has it parsed."""
        error = self.assertRaises(SyntaxError, compile, "a\nb c", "/lamps/scanner.py", "exec")
        self.assertEqual(at(error), ", at /lamps/scanner.py:2")

    def test_not_known(self) -> None:
        """An error that was never raised has no place."""
        self.assertEqual(place_of(ValueError()), "")
        self.assertEqual(place_of(Failure(ValueError())), "")
        self.assertEqual(at(ValueError()), "")
