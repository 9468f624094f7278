"""Builds what is released, from the commit that is checked out, and tries it.

    dist.py DIRECTORY

Run by a Python that has what .ci/dist.txt names.  DIRECTORY gets the sdist, the wheel and a bill of
materials of an installation (CycloneDX); nothing is in it unless all checks have passed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: object, cwd: Path = ROOT, **environment: str) -> str:
    """A command's output; SystemExit with it when it fails."""
    child = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if child.returncode:
        raise SystemExit(f"{child.stdout}{' '.join(map(str, command))}: status {child.returncode}")
    return child.stdout


def differences(one: Path, other: Path) -> list[str]:
    """What tells two wheels apart: members, or everything else."""
    if one.read_bytes() == other.read_bytes():
        return []
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        members = [
            {i.filename: (i.CRC, i.date_time, i.external_attr) for i in z.infolist()}
            for z in (first, second)
        ]
    names = members[0].keys() | members[1].keys()
    return sorted(n for n in names if members[0].get(n) != members[1].get(n)) or ["the archive"]


def lists_the_command(output: str) -> bool:
    """Whether `twistd --help` has our command."""
    return any(line.split()[:1] == ["deviceplugin"] for line in output.splitlines())


def build(source: Path, into: Path, date: str) -> Path:
    """An sdist, and the wheel that is made of it; returns the wheel."""
    # Modes of files are part of an archive, and the umask is of whoever builds.
    run("tar", "-xf", source, "-C", into, "--no-same-owner", "--mode=u=rwX,go=rX", cwd=into)
    run(
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        into / "dist",
        into,
        SOURCE_DATE_EPOCH=date,
    )
    (wheel,) = (into / "dist").glob("*.whl")
    return wheel


def main(target: Path) -> int:
    """Build, check and try; returns the exit status."""
    tools = Path(sys.executable).parent
    date = run("git", "log", "-1", "--format=%ct").strip()
    if run("git", "status", "--porcelain", "--untracked-files=no"):
        print("dist: what is not committed is not in it")
    print(run(tools / "check-manifest").strip())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run("git", "archive", "--output", work / "source.tar", "HEAD")
        wheels = []
        for number in ("one", "two"):
            (work / number).mkdir()
            wheels.append(build(work / "source.tar", work / number, date))
        if found := differences(*wheels):
            raise SystemExit(f"built twice, the wheels differ: {', '.join(found)}")
        print(f"{wheels[0].name}: the same, built twice")
        files = sorted(wheels[0].parent.iterdir())
        print(run(tools / "twine", "check", "--strict", *files).strip())

        clean = work / "clean"
        run(sys.executable, "-m", "venv", "--without-pip", clean)
        run(
            sys.executable,
            "-m",
            "pip",
            "--python",
            clean / "bin" / "python",
            "install",
            "--quiet",
            "--constraint",
            ROOT / "constraints.txt",
            wheels[0],
        )
        # From a directory of wheels, since a bill of materials names the file otherwise, in a
        # directory of this machine.
        run(
            sys.executable,
            *("-m", "pip", "--python", clean / "bin" / "python", "install", "--quiet"),
            *("--no-index", "--no-deps", "--force-reinstall"),
            *("--find-links", wheels[0].parent, "twistdp"),
        )
        if not lists_the_command(run(clean / "bin" / "twistd", "--help", cwd=work)):
            raise SystemExit("twistd --help of an installed wheel does not list deviceplugin")
        version = run(clean / "bin" / "twistdp", "--version", cwd=work).split()[-1]
        print(f"installed: twistd lists deviceplugin, twistdp is {version}")

        bill = wheels[0].parent / f"twistdp-{version}.cdx.json"
        run(
            tools / "cyclonedx-py",
            "environment",
            "--output-reproducible",
            "--output-format",
            "JSON",
            "--output-file",
            bill,
            clean / "bin" / "python",
        )
        target.mkdir(exist_ok=True)
        for file in (*files, bill):
            shutil.copy(file, target)
            print(target / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
