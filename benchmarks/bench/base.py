"""Checks out an earlier commit for comparison."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench.contenders import ROOT


@contextmanager
def checked_out(revision: str) -> Iterator[str]:
    """A directory with the files of `revision`.  Raises ValueError if there is no such commit.

    It runs with the packages that are installed now.
    """
    git = ["git", "-C", ROOT, "archive", "--format=tar", revision]
    archive = subprocess.run(git, capture_output=True, check=False)
    if archive.returncode:
        raise ValueError(f"BASE={revision}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="bench-base-") as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=archive.stdout, check=True)
        yield directory
