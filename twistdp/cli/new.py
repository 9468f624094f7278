"""``twistdp new``: make a new plugin project."""

import argparse
import os
import shlex
import sys

from twistdp.errors import BadName, BadSetting
from twistdp.scaffold import Project, create

WHEEL = "make -C DIRECTORY_OF_TWISTDP wheel WHEELS=$PWD/wheels"
"""The command that puts twistdp where a project's Makefile and Dockerfile look for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", metavar="NAME", help="the name of its Python package")
    parser.add_argument(
        "--namespace", metavar="DOMAIN", help="domain of the resource; default NAME.example.com"
    )
    parser.add_argument(
        "--resource", metavar="TYPE", help="the resource's name after the slash; default device"
    )
    parser.add_argument(
        "--hooks", action="store_true", help="add an example of each hook, with its test"
    )
    parser.add_argument(
        "--directory", metavar="DIR", help="a new or empty directory for it; default NAME"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files, and print the next steps."""
    given = {
        name: value
        for name in ("namespace", "resource")
        if (value := getattr(arguments, name)) is not None
    }
    try:
        project = Project(arguments.name, hooks=arguments.hooks, **given)
        directory = arguments.directory or project.distribution
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
