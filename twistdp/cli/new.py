"""``twistdp new``: make a new plugin project."""

import os
import shlex
import sys

import click

from twistdp.cli.completing import directories
from twistdp.errors import BadName, BadSetting
from twistdp.scaffold import Project, create

WHEEL = "make -C DIRECTORY_OF_TWISTDP wheel WHEELS=$PWD/wheels"
"""The command that puts twistdp where a project's Makefile and Dockerfile look for it."""


@click.command
@click.argument("name", metavar="NAME", help="The name of its Python package.")
@click.option(
    "--namespace", metavar="DOMAIN", help="Domain of the resource; default NAME.example.com."
)
@click.option(
    "--resource", metavar="TYPE", help="The resource's name after the slash; default device."
)
@click.option("--hooks", is_flag=True, help="Add an example of each hook, with its test.")
@click.option(
    "--directory",
    metavar="DIR",
    help="A new or empty directory for it; default NAME.",
    shell_complete=directories,
)
def command(
    name: str, namespace: str | None, resource: str | None, hooks: bool, directory: str | None
) -> int:
    """Make a new plugin project, and print the next steps."""
    given = {
        key: value
        for key, value in (("namespace", namespace), ("resource", resource))
        if value is not None
    }
    try:
        project = Project(name, hooks=hooks, **given)
        directory = directory or project.distribution
        paths = create(project, directory)
    except (BadName, BadSetting) as error:
        print(f"twistdp new: {error}", file=sys.stderr)
        return 1
    for path in paths:
        print(path)
    print(
        f"\nA plugin for {project.namespace}/{project.resource}. Next:\n\n"
        f"    cd {shlex.quote(directory)}\n\n"
        "With a checkout of twistdp, which is never installed from an index by its name:\n\n"
        f"    {WHEEL}\n    make demo\n    make check\n\n"
        f"Then change {os.path.join(project.package, 'scanner.py')}."
    )
    return 0
