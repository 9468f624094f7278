"""Writes twistdp/deployment/requirements: what is installed where nothing else may be, with hashes.

    lock.py UV

UV is the command uv, which asks the package index for the hashes of all files of each release, so
that the result is for any platform.  The versions are those of constraints.txt.
"""

import configparser
import subprocess
import sys
import tomllib
from pathlib import Path

from twistdp.deployment.requirements import DIRECTORY
from twistdp.deployment.templates import filled
from twistdp.scaffold.project import Project

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Made by `make lock`; for pip install --require-hashes.\n"


def requirements() -> dict[str, list[str]]:
    """What each file is made of."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].strip().splitlines()
    run = [line for line in lines if not line.startswith("#")]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    project = filled("twistdp.scaffold", "pyproject.toml", Project("lab").words)
    extras = tomllib.loads(project)["project"]["optional-dependencies"]
    operator = setup["options.extras_require"]["operator"].strip().splitlines()
    return {
        "build": build,
        "run": run,
        "dev": [*run, *extras["test"], *extras["lint"]],
        "operator": [*run, *(line for line in operator if not line.startswith("#"))],
    }


def main(uv: str) -> None:
    """Write them."""
    for name, lines in requirements().items():
        done = subprocess.run(
            [
                *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
                *("--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url"),
                *("--constraint", ROOT / "constraints.txt"),
                *("--build-constraint", ROOT / "constraints.txt", "-"),
            ],
            input="\n".join(lines),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        path = Path(DIRECTORY) / f"{name}.txt"
        path.write_text(HEADER + done.stdout, "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1])
