"""Limits for the time of a block: of this process's files, and of a file system."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tmpfs(path: str, options: str = "") -> Iterator[None]:
    """A file system of its own at `path` while the block runs; needs root."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "tmpfs", path], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def no_descriptors(but: int = 0) -> Iterator[None]:
    """Let this process open only `but` more files while the block runs."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    *few, next_one = [os.dup(0) for _ in range(but + 1)]
    for descriptor in (*few, next_one):
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
