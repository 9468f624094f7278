"""The root of a host's tree for ``--root``: a directory, or a recording that is laid out."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from twistdp.recording.layout import lay_out
from twistdp.recording.text import LONGEST, BadRecording, Recorded, parse


def read_recording(path: str) -> tuple[Recorded, ...]:
    """The devices of a recording in a file; raises `BadRecording`."""
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise BadRecording(f"cannot read the recording {path}: {error.strerror}") from None
    if len(content) > LONGEST:
        raise BadRecording(f"recording {path}: it has more than {LONGEST} bytes; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRecording(f"{path}:{line}: the text is not UTF-8") from None
    return parse(text, path)


@contextmanager
def open_root(path: str) -> Iterator[str]:
    """A directory for `twistdp.select.Host`: `path` itself, or where the recording `path` lies.

    A recording lies in a temporary directory, which goes away at the end.  Raises `BadRecording`.
    """
    if os.path.isdir(path):
        yield path
        return
    devices = read_recording(path)
    with tempfile.TemporaryDirectory(prefix="twistdp-") as directory:
        try:
            lay_out(devices, directory)
        except OSError as error:
            raise BadRecording(
                f"cannot lay the recording {path} out in {directory}: {error.strerror}"
            ) from None
        yield directory
