"""Runs the user's commands, which change the devices that the plugin finds."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import TimeoutError

from twistdp.conformance.checking import CommandFailed, Skipped
from twistdp.conformance.plan import Plan, with_places
from twistdp.conformance.program import Program, described


class Looker(Protocol):
    """The part of a `twistdp.conformance.bench.Bench` that is used here."""

    plan: Plan
    places: Mapping[str, str]

    @property
    def healthy(self) -> list[str]:
        """The ids of the healthy devices in the kubelet's list."""

    @property
    def devices(self) -> dict[str, str]:
        """All devices in its list, with their health."""

    def say(self, text: str) -> None:
        """Keep an observation."""

    def until(self, what: str, condition: Callable[[], object]) -> Awaitable[None]:
        """Wait for a condition."""


class Hardware:
    """Devices that appear, disappear, become unhealthy and recover.

    All methods raise `CommandFailed` if a command fails or takes longer than the user's patience.
    """

    def __init__(self, bench: Looker, reactor: Any) -> None:
        self._bench = bench
        self._reactor = reactor
        self._undo: list[str] = []
        self._programs: list[Program] = []

    async def plug(self) -> str:
        """Make a device appear and return its id.  Raises `Skipped` without such a command."""
        return await self._appear(*self._hotplug())

    async def namesake(self) -> str:
        """The same for a device with the file name of another."""
        plan = self._bench.plan
        commands = _given(plan.namesake, plan.namesake_gone, "--namesake-add and --namesake-remove")
        return await self._appear(*commands)

    async def alias(self) -> None:
        """Make another name for a device.  Raises `Skipped` without such a command."""
        plan = self._bench.plan
        await self._change(*_given(plan.alias, plan.alias_gone, "--alias-add and --alias-remove"))

    async def plug_unseen(self) -> None:
        """Make a device appear while no kubelet runs.  Raises `Skipped` without such a command."""
        await self._change(*self._hotplug())

    async def unplug(self, id_: str) -> None:
        """Make the device disappear, and wait until it is not listed or unhealthy."""
        await self._restore()
        await self._bench.until(
            f"{id_} is no longer listed, or unhealthy", lambda: id_ not in self._bench.healthy
        )

    async def sicken(self) -> str:
        """Make a device unhealthy and return its id.  Raises `Skipped` without such a command."""
        plan = self._bench.plan
        commands = _given(plan.sicken, plan.heal, "--make-unhealthy and --make-healthy")
        before = set(self._bench.healthy)
        await self._change(*commands)
        await self._bench.until("a device is unhealthy", lambda: self._ill(before))
        return next(iter(self._ill(before)))

    async def heal(self, id_: str) -> None:
        """Make it healthy again, and wait until it is listed as healthy."""
        await self._restore()
        await self._bench.until(f"{id_} is healthy again", lambda: id_ in self._bench.healthy)

    async def restore(self) -> None:
        """Undo all changes, also when one of the commands fails."""
        problems = []
        while self._undo:
            try:
                await self._restore()
            except CommandFailed as error:
                problems.append(str(error))
        if problems:
            raise CommandFailed("; ".join(problems))

    async def end(self) -> None:
        """End the commands' processes in the background."""
        for program in self._programs:
            await program.kill_all()

    def _hotplug(self) -> tuple[str, str]:
        plan = self._bench.plan
        return _given(plan.add, plan.remove, "--hotplug-add and --hotplug-remove")

    async def _appear(self, command: str, undo: str) -> str:
        before = set(self._bench.healthy)
        await self._change(command, undo)
        await self._bench.until("the new device is listed", lambda: self._new(before))
        return next(iter(self._new(before)))

    def _new(self, before: set[str]) -> set[str]:
        return set(self._bench.healthy) - before

    def _ill(self, before: set[str]) -> set[str]:
        return {id_ for id_ in before if self._bench.devices.get(id_, "Healthy") != "Healthy"}

    async def _change(self, command: str, undo: str) -> None:
        self._undo.append(undo)
        await self._run(command)

    async def _restore(self) -> None:
        await self._run(self._undo.pop())

    async def _run(self, command: str) -> None:
        command = with_places(command, self._bench.places)
        self._bench.say(f"$ {command}")
        program = Program(["/bin/sh", "-c", command], self._reactor)
        self._programs.append(program)
        patience = self._bench.plan.patience
        try:
            status = await program.exited().addTimeout(patience, self._reactor)
        except TimeoutError:
            raise CommandFailed(
                f"the command {command!r} has not ended within {patience:g} s; let it continue in "
                "the background, or give it more time with --patience"
            ) from None
        finally:
            if program.status is None:
                await program.kill_all()
        if status:
            await program.drain()
            raise CommandFailed(
                f"the command {command!r} {described(status)}: {program.output.strip()}"
            )


def _given(do: str | None, undo: str | None, options: str) -> tuple[str, str]:
    """Two commands that belong together.  Raises `Skipped` if the user has not given them."""
    if do is None or undo is None:
        raise Skipped(f"needs {options}")
    return do, undo
