"""An earlier commit, to be compared with."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench.contenders import ROOT


@contextmanager
def checked_out(revision: str) -> Iterator[str]:
    """A directory with the files of `revision`; ValueError if there is no such commit.

    It is run with the packages that are installed now.
    """
    git = ["git", "-C", ROOT, "archive", "--format=tar", revision]
    archive = subprocess.run(git, capture_output=True, check=False)
    if archive.returncode:
        raise ValueError(f"BASE={revision}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="bench-base-") as directory:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(directory, filter="data")
        yield directory
