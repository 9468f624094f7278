"""Builds what is released, from the commit that is checked out, and tries it.

    dist.py DIRECTORY

Run by a Python that has what .ci/dist.txt names.  DIRECTORY gets the sdist, the wheel and a bill of
materials of an installation (CycloneDX), in place of any that were there; none of them is in it
unless all checks have passed.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MADE = ("twistdp-*.tar.gz", "twistdp-*.whl", "twistdp-*.cdx.json")
"""Names of what is made here."""


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


def members(archive: Path) -> Iterator[tuple[str, object]]:
    """Name, and what should be equal, of each file in a wheel or sdist."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                yield info.filename, (info.CRC, info.date_time, info.external_attr)
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist:
                file = sdist.extractfile(member)
                yield member.name, (file and file.read(), member.mtime, member.mode)


def differences(one: Path, other: Path) -> list[str]:
    """What tells two wheels or sdists apart: members, or everything else."""
    if one.read_bytes() == other.read_bytes():
        return []
    first, second = dict(members(one)), dict(members(other))
    names = first.keys() | second.keys()
    return sorted(n for n in names if first.get(n) != second.get(n)) or ["the archive"]


def normalise(sdist: Path, date: int) -> None:
    """Take what only says when, where and by whom it was built out of an sdist."""
    made = sdist.with_suffix(".new")
    with (
        tarfile.open(sdist) as old,
        open(made, "wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old, key=lambda one: one.name):
            member.mtime, member.uid, member.gid = date, 0, 0
            member.uname = member.gname = ""
            member.pax_headers = {}  # which would have its times once more
            new.addfile(member, old.extractfile(member))
    made.replace(sdist)


def lists_the_command(output: str) -> bool:
    """Whether `twistd --help` has our command."""
    return any(line.split()[:1] == ["deviceplugin"] for line in output.splitlines())


def build(source: Path, into: Path, date: str) -> list[Path]:
    """An sdist and the wheel that is made of it, in this order."""
    run("tar", "-xpf", source, "-C", into, "--no-same-owner", cwd=into)
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
    (sdist,), (wheel,) = (into / "dist").glob("*.tar.gz"), (into / "dist").glob("*.whl")
    normalise(sdist, int(date))
    return [sdist, wheel]


def emptied(target: Path) -> Path:
    """The directory, made where it is not there, without what was made earlier."""
    target.mkdir(exist_ok=True)
    for pattern in MADE:
        for path in target.glob(pattern):
            path.unlink()
    return target


def main(target: Path) -> int:
    """Build, check and try; returns the exit status."""
    tools = Path(sys.executable).parent
    date = run("git", "log", "-1", "--format=%ct").strip()
    if changed := run("git", "status", "--porcelain", "--untracked-files=no"):
        raise SystemExit(f"dist: a commit is built, and these are not committed:\n{changed}")
    emptied(target)
    # Modes of files are part of an archive, and the umask is of whoever builds.
    os.umask(0o022)
    print(run(tools / "check-manifest").strip())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run("git", "-c", "tar.umask=022", "archive", "--output", work / "source.tar", "HEAD")
        built = []
        for number in ("one", "two"):
            (work / number).mkdir()
            built.append(build(work / "source.tar", work / number, date))
        for one, other in zip(*built, strict=True):
            if found := differences(one, other):
                raise SystemExit(f"{one.name}: built twice, these differ: {', '.join(found)}")
            print(f"{one.name}: the same, built twice")
        files = built[0]
        wheel = files[1]
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
            wheel,
        )
        # From a directory of wheels, since a bill of materials names the file otherwise, in a
        # directory of this machine.
        run(
            sys.executable,
            *("-m", "pip", "--python", clean / "bin" / "python", "install", "--quiet"),
            *("--no-index", "--no-deps", "--force-reinstall"),
            *("--find-links", wheel.parent, "twistdp"),
        )
        if not lists_the_command(run(clean / "bin" / "twistd", "--help", cwd=work)):
            raise SystemExit("twistd --help of an installed wheel does not list deviceplugin")
        version = run(clean / "bin" / "twistdp", "--version", cwd=work).split()[-1]
        print(f"installed: twistd lists deviceplugin, twistdp is {version}")

        bill = wheel.parent / f"twistdp-{version}.cdx.json"
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
        for file in (*files, bill):
            shutil.copy(file, target)
            print(target / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
