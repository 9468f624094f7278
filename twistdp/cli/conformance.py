"""``twistdp conformance``: test a device plugin of any kind."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from twistdp.cli.checking import UNUSABLE, run, write
from twistdp.cli.completing import files, starting
from twistdp.conformance import CHECKS, Check, Plan, explained
from twistdp.errors import BadSetting
from twistdp.settings import PLUGIN_DIRECTORY


def checks(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the checks and their groups to a shell."""
    groups = dict.fromkeys(check.id.partition(".")[0] for check in CHECKS)
    return starting(incomplete, (*groups, *(check.id for check in CHECKS)))


@click.command(
    epilog="Exit status: 0 if no check failed, 1 if one failed, 2 if nothing could be checked. "
    "Ctrl-C and SIGTERM end the plugin, undo the commands' changes and give 130 and 143."
)
@click.argument(
    "command_line",
    nargs=-1,
    metavar="-- COMMAND [ARGUMENT...]",
    help="Starts the plugin in the foreground; {plugin_dir}, {registry_dir} and {work_dir}, an "
    "empty directory, stand for paths that are new for each check.",
)
@click.option("listed", "--list", is_flag=True, help="List the checks and end.")
@click.option(
    "--explain",
    metavar="CHECK",
    help="Explain a check, or each of a group, and end.",
    shell_complete=checks,
)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    help="Run only this check, or those of a group, as in --only list; may be repeated.",
    shell_complete=checks,
)
@click.option(
    "--skip",
    multiple=True,
    metavar="CHECK",
    help="Skip this check, or those of a group; may be repeated.",
    shell_complete=checks,
)
@click.option("--resource", metavar="NAME", help="The resource to check.")
@click.option(
    "add", "--hotplug-add", metavar="SHELL", help="Shell command that makes a device appear."
)
@click.option(
    "remove", "--hotplug-remove", metavar="SHELL", help="Shell command that makes it disappear."
)
@click.option(
    "sicken",
    "--make-unhealthy",
    metavar="SHELL",
    help="Shell command that makes a device unhealthy.",
)
@click.option(
    "heal", "--make-healthy", metavar="SHELL", help="Shell command that makes it healthy again."
)
@click.option(
    "namesake",
    "--namesake-add",
    metavar="SHELL",
    help="Shell command that makes a device appear with the file name of another one.",
)
@click.option(
    "namesake_gone",
    "--namesake-remove",
    metavar="SHELL",
    help="Shell command that makes it disappear.",
)
@click.option(
    "alias",
    "--alias-add",
    metavar="SHELL",
    help="Shell command that makes another name, such as a link, for an existing device.",
)
@click.option(
    "alias_gone", "--alias-remove", metavar="SHELL", help="Shell command that removes that name."
)
@click.option(
    "--bind",
    is_flag=True,
    help=f"For plugins that insist on {PLUGIN_DIRECTORY}: run each in a mount namespace with the "
    "check's directory bound there (needs root).",
)
@click.option(
    "--patience",
    type=float,
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds that each step may take.",
)
@click.option(
    "--startup",
    type=float,
    default=30.0,
    show_default=True,
    metavar="S",
    help="Seconds that a new process may take to register.",
)
@click.option(
    "--restarts",
    type=int,
    default=50,
    show_default=True,
    metavar="N",
    help="Restarts when looking for leaks.",
)
@click.option(
    "-j",
    "--jobs",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Checks to run at once, if the commands change nothing outside {work_dir}.",
)
@click.option("--strict", is_flag=True, help="Treat warnings as failures.")
@click.option("-v", "--verbose", is_flag=True, help="Show all evidence.")
@click.option(
    "json_path",
    "--json",
    metavar="FILE",
    help="Write the results as JSON; - for stdout.",
    shell_complete=files,
)
@click.option(
    "junit_path",
    "--junit",
    metavar="FILE",
    help="Write the results as JUnit XML.",
    shell_complete=files,
)
def command(
    *,
    command_line: tuple[str, ...],
    listed: bool,
    explain: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    jobs: int,
    strict: bool,
    verbose: bool,
    json_path: str | None,
    junit_path: str | None,
    **planned: Any,
) -> int:
    """Test a device plugin of any kind."""
    if listed:
        for check in CHECKS:
            print(f"{check.id:<28} {check.title}")
        return 0
    try:
        if explain:
            print("\n\n".join(explained(check) for check in _chosen((explain,), ())))
            return 0
        if json_path == junit_path == "-":
            raise BadSetting(
                "--json - and --junit - would write into each other: name a file for one of them"
            )
        if jobs < 1:
            raise BadSetting(f"--jobs {jobs}: at least 1 is needed")
        chosen = _chosen(only, skip)
        plan = _plan(command_line, **planned)
        # Now, since later the results would be lost.
        for path in {json_path or "-", junit_path or "-"} - {"-"}:
            try:
                write(path, "")
            except OSError as error:
                raise BadSetting(
                    f"{path}: the report cannot be written: {error.strerror}; name another file"
                ) from error
    except BadSetting as error:
        print(f"twistdp conformance: {error}", file=sys.stderr)
        return UNUSABLE

    return run(
        plan,
        chosen,
        jobs=jobs,
        strict=strict,
        verbose=verbose,
        json_path=json_path,
        junit_path=junit_path,
    )


def _chosen(only: Sequence[str], skip: Sequence[str]) -> list[Check]:
    """The checks of the ids or groups `only`, or all if there are none, without those of `skip`."""
    for name in (*only, *skip):
        if not any(name in _names(check) for check in CHECKS):
            raise BadSetting(f"no check {name!r}; --list shows them all")
    return [
        check
        for check in CHECKS
        if (not only or _names(check) & {*only}) and not _names(check) & {*skip}
    ]


def _names(check: Check) -> set[str]:
    """The names of a check: its id and its group."""
    return {check.id, check.id.partition(".")[0]}


def _plan(command_line: tuple[str, ...], **planned: Any) -> Plan:
    plan = Plan(command_line, **planned)
    for program in (plan.command[0], "setsid"):
        if shutil.which(program) is None:
            raise BadSetting(f"{program}: no such command; install it, or correct its name")
    if plan.bind:
        if os.geteuid() != 0:
            raise BadSetting("--bind needs root, for it mounts a directory")
        # The place to bind to; it remains, as on any node.
        os.makedirs(PLUGIN_DIRECTORY, exist_ok=True)
    return plan
