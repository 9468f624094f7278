"""``twistdp conformance``: test a device plugin of any kind."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError

from twistdp.cli.running import run_on_reactor
from twistdp.conformance import (
    CHECKS,
    Check,
    Plan,
    Result,
    TextReport,
    Verdict,
    as_json,
    as_junit,
    explained,
    look,
)
from twistdp.conformance import run as run_checks
from twistdp.errors import BadSetting
from twistdp.settings import PLUGIN_DIRECTORY

UNUSABLE = 2
"""The exit status when nothing could be checked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.usage = "twistdp conformance [options] -- COMMAND [ARGUMENT ...]"
    parser.add_argument(
        "command_line",
        nargs="*",
        metavar="COMMAND",
        help="starts the plugin in the foreground; {plugin_dir}, {registry_dir} and {work_dir}, "
        "an empty directory, stand for paths that are new for each check",
    )
    parser.add_argument("--list", action="store_true", help="list the checks and end")
    parser.add_argument(
        "--explain", metavar="CHECK", help="explain a check, or each of a group, and end"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="CHECK",
        help="run only this check, or those of a group, as in --only list; may be repeated",
    )
    parser.add_argument(
        "--skip",
        action="append",
        metavar="CHECK",
        help="skip this check, or those of a group; may be repeated",
    )
    parser.add_argument("--resource", metavar="NAME", help="the resource to check")
    parser.add_argument(
        "--hotplug-add", metavar="SHELL", help="shell command that makes a device appear"
    )
    parser.add_argument(
        "--hotplug-remove", metavar="SHELL", help="shell command that makes it disappear"
    )
    parser.add_argument(
        "--make-unhealthy", metavar="SHELL", help="shell command that makes a device unhealthy"
    )
    parser.add_argument(
        "--make-healthy", metavar="SHELL", help="shell command that makes it healthy again"
    )
    parser.add_argument(
        "--namesake-add",
        metavar="SHELL",
        help="shell command that makes a device appear with the file name of another one",
    )
    parser.add_argument(
        "--namesake-remove", metavar="SHELL", help="shell command that makes it disappear"
    )
    parser.add_argument(
        "--alias-add",
        metavar="SHELL",
        help="shell command that makes another name, such as a link, for an existing device",
    )
    parser.add_argument(
        "--alias-remove", metavar="SHELL", help="shell command that removes that name"
    )
    parser.add_argument(
        "--bind",
        action="store_true",
        help=f"for plugins that insist on {PLUGIN_DIRECTORY}: run each in a mount namespace with "
        "the check's directory bound there (needs root)",
    )
    parser.add_argument(
        "--patience", type=float, default=10.0, metavar="S", help="seconds that each step may take"
    )
    parser.add_argument(
        "--startup",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds that a new process may take to register",
    )
    parser.add_argument(
        "--restarts",
        type=int,
        default=50,
        metavar="N",
        help="restarts when looking for leaks",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="checks to run at once, if the commands change nothing outside {work_dir}",
    )
    parser.add_argument("--strict", action="store_true", help="treat warnings as failures")
    parser.add_argument("-v", "--verbose", action="store_true", help="show all evidence")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON; - for stdout")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    parser.epilog = (
        "Exit status: 0 if no check failed, 1 if one failed, 2 if nothing could be checked. "
        "Ctrl-C and SIGTERM end the plugin, undo the commands' changes and give 130 and 143."
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the checks."""
    if arguments.list:
        for check in CHECKS:
            print(f"{check.id:<28} {check.title}")
        return 0
    try:
        if arguments.explain:
            print("\n\n".join(explained(check) for check in _chosen([arguments.explain], ())))
            return 0
        if arguments.json == arguments.junit == "-":
            raise BadSetting(
                "--json - and --junit - would write into each other: name a file for one of them"
            )
        if arguments.jobs < 1:
            raise BadSetting(f"--jobs {arguments.jobs}: at least 1 is needed")
        checks = _chosen(arguments.only, arguments.skip or ())
        plan = _plan(arguments)
        # Now, since later the results would be lost.
        for path in {arguments.json, arguments.junit} - {None, "-"}:
            try:
                _write(path, "")
            except OSError as error:
                raise BadSetting(
                    f"{path}: the report cannot be written: {error.strerror}; name another file"
                ) from error
    except BadSetting as error:
        print(f"twistdp conformance: {error}", file=sys.stderr)
        return UNUSABLE

    async def main(reactor: Any) -> int:
        stream = sys.stderr if arguments.json == "-" else sys.stdout
        colour = stream.isatty() and "NO_COLOR" not in os.environ
        report = TextReport(stream, total=len(checks), colour=colour, verbose=arguments.verbose)
        print(
            f"starting the plugin to see its resources (for up to {plan.startup:g} s)",
            file=stream,
            flush=True,
        )
        found = await look(plan, reactor)
        if found.resource:
            print(f"{found.resource}: {len(found.devices)} devices", file=stream)
        else:
            print(f"the plugin was not accepted: {found.problem}", file=stream)
        results = await run_checks(
            plan, checks, found, reactor=reactor, done=report.result, jobs=arguments.jobs
        )
        report.summary(results)
        if arguments.json:
            text = json.dumps(as_json(plan, found, results), indent=2) + "\n"
            _write(arguments.json, text)
        if arguments.junit:
            _write(arguments.junit, as_junit(results))
        return _status(results, arguments.strict)

    async def interruptible(reactor: Any) -> int:
        try:
            return await main(reactor)
        except CancelledError:
            print("interrupted: the plugin has ended and everything is cleaned up", file=sys.stderr)
            raise

    return run_on_reactor(interruptible)


def _chosen(only: Sequence[str] | None, skip: Sequence[str]) -> list[Check]:
    """The checks of the ids or groups `only`, or all if None, without those of `skip`."""
    for name in [*(only or ()), *skip]:
        if not any(name in _names(check) for check in CHECKS):
            raise BadSetting(f"no check {name!r}; --list shows them all")
    return [
        check
        for check in CHECKS
        if (only is None or _names(check) & {*only}) and not _names(check) & {*skip}
    ]


def _names(check: Check) -> set[str]:
    """The names of a check: its id and its group."""
    return {check.id, check.id.partition(".")[0]}


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = Plan(
        tuple(arguments.command_line),
        resource=arguments.resource,
        add=arguments.hotplug_add,
        remove=arguments.hotplug_remove,
        sicken=arguments.make_unhealthy,
        heal=arguments.make_healthy,
        namesake=arguments.namesake_add,
        namesake_gone=arguments.namesake_remove,
        alias=arguments.alias_add,
        alias_gone=arguments.alias_remove,
        bind=arguments.bind,
        patience=arguments.patience,
        startup=arguments.startup,
        restarts=arguments.restarts,
    )
    for command in (plan.command[0], "setsid"):
        if shutil.which(command) is None:
            raise BadSetting(f"{command}: no such command; install it, or correct its name")
    if plan.bind:
        if os.geteuid() != 0:
            raise BadSetting("--bind needs root, for it mounts a directory")
        # The place to bind to; it remains, as on any node.
        os.makedirs(PLUGIN_DIRECTORY, exist_ok=True)
    return plan


def _status(results: Sequence[Result], strict: bool) -> int:
    bad = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
    if any(result.verdict in bad for result in results):
        return 1
    if all(result.verdict is Verdict.SKIP for result in results):
        return UNUSABLE
    return 0


def _write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.write(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
