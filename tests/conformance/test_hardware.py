"""Tests for the user's commands: their time limit and their failures."""

import os
from collections.abc import Awaitable, Callable, Mapping

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.conformance.test_program import runs
from tests.support.helpers import soon, temporary_directory
from twistdp.conformance.checking import CommandFailed, Skipped
from twistdp.conformance.hardware import Hardware
from twistdp.conformance.plan import Plan

PLAN = Plan(("x", "{plugin_dir}"), patience=30.0)


class Bench:
    """Lists the files of a directory, as a plugin would."""

    def __init__(self, plan: Plan, directory: str) -> None:
        self.plan = plan
        self.places: Mapping[str, str] = {
            "plugin_dir": "/p",
            "registry_dir": "/r",
            "work_dir": directory,
        }
        self.said: list[str] = []

    @property
    def healthy(self) -> list[str]:
        """All files."""
        return os.listdir(self.places["work_dir"])

    @property
    def devices(self) -> dict[str, str]:
        """The same."""
        return dict.fromkeys(self.healthy, "Healthy")

    def say(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    async def until(self, what: str, condition: Callable[[], object]) -> None:
        """Look now and then."""
        while not condition():
            await deferLater(reactor, 0.005)


class HardwareTests(TestCase):
    """Shell commands that make files."""

    def setUp(self) -> None:
        """A place for them."""
        self.directory = temporary_directory(self)

    def hardware(self, add: str | None, remove: str | None, patience: float = 30.0) -> Hardware:
        """The hardware that these commands change."""
        self.bench = Bench(
            attrs.evolve(PLAN, add=add, remove=remove, patience=patience), self.directory
        )
        hardware = Hardware(self.bench, reactor)
        self.addCleanup(hardware.end)
        return hardware

    async def fails(self, action: Awaitable[object]) -> str:
        """The text with which a command has failed."""
        with self.assertRaises(CommandFailed) as caught:
            await action
        return str(caught.exception)

    async def test_hotplug(self) -> None:
        """A device comes and goes."""
        hardware = self.hardware("touch {work_dir}/b", "rm {work_dir}/b")
        self.assertEqual(await hardware.plug(), "b")
        await hardware.unplug("b")
        self.assertEqual(os.listdir(self.directory), [])
        await hardware.restore()
        self.assertEqual(self.bench.said[1:], [f"$ rm {self.directory}/b"])

    async def test_no_commands(self) -> None:
        """Without them it cannot be tried; the reason names the options."""
        hardware = self.hardware(None, None)
        for action, options in (
            (hardware.plug, "--hotplug-add and --hotplug-remove"),
            (hardware.sicken, "--make-unhealthy and --make-healthy"),
            (hardware.namesake, "--namesake-add and --namesake-remove"),
            (hardware.alias, "--alias-add and --alias-remove"),
        ):
            with self.assertRaisesRegex(Skipped, f"needs {options}"):
                await action()

    async def test_namesake_and_alias(self) -> None:
        """A namesake is a device that comes; of another name nothing is waited for."""
        hardware = self.hardware(None, None)
        self.bench.plan = attrs.evolve(
            PLAN,
            namesake="touch {work_dir}/a2",
            namesake_gone="rm {work_dir}/a2",
            alias="ln -s a2 {work_dir}/link",
            alias_gone="rm {work_dir}/link",
        )
        self.assertEqual(await hardware.namesake(), "a2")
        await hardware.alias()
        self.assertEqual(sorted(os.listdir(self.directory)), ["a2", "link"])
        await hardware.restore()
        self.assertEqual(os.listdir(self.directory), [])

    async def test_failure(self) -> None:
        """It names the command with its output."""
        text = await self.fails(self.hardware("tuoch {work_dir}/b", "true").plug())
        self.assertIn(f"the command 'tuoch {self.directory}/b' exited with status 127: ", text)
        self.assertIn("not found", text)

    async def test_background(self) -> None:
        """A command that leaves something behind has ended; in the end that is killed."""
        hardware = self.hardware("sleep 60 & echo $! > {work_dir}/pid", "true")
        await soon(Deferred.fromCoroutine(hardware.plug_unseen()))
        with open(f"{self.directory}/pid", encoding="ascii") as file:
            pid = int(file.read())
        self.assertTrue(runs(pid))
        await hardware.end()
        self.assertFalse(runs(pid))

    async def test_patience(self) -> None:
        """A command that does not end is killed."""
        for patience in (0.2, 2.0, 20.0):
            hardware = self.hardware("echo $$ > {work_dir}/pid; sleep 61", "true", patience)
            text = await self.fails(soon(Deferred.fromCoroutine(hardware.plug())))
            self.assertIn("the command 'echo $$ > ", text)
            self.assertIn(f"has not ended within {patience:g} s", text)
            if os.path.exists(f"{self.directory}/pid"):  # a busy machine may not have begun it
                break
        with open(f"{self.directory}/pid", encoding="ascii") as file:
            self.assertFalse(runs(int(file.read())))

    async def test_restore(self) -> None:
        """All that is changed is put back, whatever fails."""
        hardware = self.hardware("true", "date >> {work_dir}/undone; exit 4")
        await hardware.plug_unseen()
        await hardware.plug_unseen()
        text = await self.fails(hardware.restore())
        self.assertEqual(text.count("exited with status 4"), 2)
        with open(f"{self.directory}/undone", encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 2)
        await hardware.restore()
