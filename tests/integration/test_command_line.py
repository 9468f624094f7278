"""``twistd deviceplugin`` as a process: how it is refused, and its help."""

import os
import shutil
import tempfile

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.support.scanner_samples import MODULE
from twistdp.testing.process import twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMED = f"--scanner={MODULE}:Named"


class CommandLineTests(TestCase):
    """Everything that is wrong with an option ends with one line, before anything starts."""

    def setUp(self) -> None:
        """Make a plugin directory."""
        self.directory = tempfile.mkdtemp(prefix="cl-")
        self.addCleanup(shutil.rmtree, self.directory)

    async def run_twistd(self, *arguments: str) -> tuple[str, str, int]:
        """Output, errors and exit status of ``twistd`` with these arguments."""
        program, *first = twistd_command()
        output, errors, status = await getProcessOutputAndValue(
            program, [*first, "-n", "--pidfile=", *arguments], env=os.environ, path=ROOT
        )
        return output.decode(), errors.decode(), status

    async def assert_refused(self, *arguments: str, names: str) -> None:
        """A command line is refused in one line that contains `names`."""
        output, errors, status = await self.run_twistd(*arguments)
        self.assertEqual((output, status), ("", 1), errors)
        self.assertTrue(errors.endswith("\n"))
        (line,) = errors.splitlines()
        self.assertIn(names, line)
        self.assertEqual(os.listdir(self.directory), [])

    def options(self, *arguments: str) -> list[str]:
        """``deviceplugin`` with our plugin directory and `arguments`."""
        return ["deviceplugin", f"--plugin-dir={self.directory}", *arguments]

    async def test_unknown_option(self) -> None:
        """An unknown option is named."""
        await self.assert_refused(*self.options(NAMED, "--colour=red"), names="colour")

    async def test_no_such_class(self) -> None:
        """A class that does not exist is named."""
        await self.assert_refused(*self.options(f"--scanner={MODULE}:Absent"), names="Absent")

    async def test_constructor_raises(self) -> None:
        """An error in a scanner's constructor is printed in one line."""
        await self.assert_refused(
            *self.options(f"--scanner={MODULE}:Raising"), names="the first line and the second"
        )

    async def test_another_reactor(self) -> None:
        """A reactor that gRPC cannot use is refused with the option to leave out."""
        await self.assert_refused("--reactor=poll", *self.options(NAMED), names="--reactor")

    async def test_help(self) -> None:
        """--help succeeds and shows the options that scripts rely on."""
        output, errors, status = await self.run_twistd("deviceplugin", "--help")
        self.assertEqual((errors, status), ("", 0))
        for option in ("scanner", "set", "namespace", "scan-timeout", "plugin-dir"):
            self.assertRegex(output, rf"(?m)^ *--{option}= +\S")
        self.assertRegex(output, r"-h, --help +\S")

    async def test_asyncio_reactor(self) -> None:
        """The asyncio reactor may be asked for, which changes nothing."""
        output, errors, status = await self.run_twistd(
            "--reactor=asyncio", "deviceplugin", "--version"
        )
        self.assertEqual((errors, status), ("", 0))
        self.assertRegex(output, r"^twistdp \d")
