"""Makes and removes files of a tree: those that a stranger named, and nothing outside the tree.

The links of a recording may lead anywhere, and a device may have the name of another one's link.
"""

import os
import shutil
import stat
from contextlib import suppress

from twistdp.errors import BadSetting


class Tree:
    """A directory that everything stays in; paths are relative to it.

    Nothing is made or removed behind a link.  What is there already is left as it is.
    """

    def __init__(self, directory: str) -> None:
        self._directory = os.path.abspath(directory)
        self._directories: set[str] = set()

    def path(self, path: str) -> str:
        """The whole path of something in the directory."""
        return os.path.join(self._directory, path)

    def make(self, path: str) -> None:
        """Make a directory and those above it; raises `BadSetting` if a link is in the way."""
        if path in self._directories or not path:
            return
        self.make(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(self.path(path))
        if not self._is_directory(path):
            raise BadSetting(f"{self.path(path)} is no directory, and must be one; remove it")
        self._directories.add(path)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, unless something is there."""
        self.make(os.path.dirname(path))
        full = self.path(path)
        if os.path.lexists(full):
            return  # of two devices with one node the first has it
        with open(full, "xb") as file:
            file.write(content)

    def node(self, path: str) -> None:
        """A character device like ``/dev/null``, unless something is there."""
        self.make(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mknod(self.path(path), 0o666 | stat.S_IFCHR, os.makedev(1, 3))

    def link(self, path: str, target: str) -> None:
        """A relative link to another path of the tree."""
        self.link_text(path, os.path.relpath(target, os.path.dirname(path)))

    def link_text(self, path: str, text: str) -> None:
        """A link that says a text, unless something is there."""
        self.make(os.path.dirname(path))
        with suppress(FileExistsError):
            os.symlink(text, self.path(path))

    def remove(self, path: str) -> None:
        """Remove a file or link, if it is there."""
        if self._holds(path):
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(self.path(path))

    def remove_all(self, path: str) -> None:
        """Remove a directory and all in it, if it is there."""
        if self._holds(path):
            shutil.rmtree(self.path(path), ignore_errors=True)

    def holds(self, path: str) -> bool:
        """Whether a directory is there, and not a link to one."""
        return self._holds(path) and self._is_directory(path)

    def _holds(self, path: str) -> bool:
        """Whether no part of the way to a path is a link."""
        parent = os.path.dirname(path)
        return not parent or self.holds(parent)

    def _is_directory(self, path: str) -> bool:
        try:
            return stat.S_ISDIR(os.lstat(self.path(path)).st_mode)
        except OSError:
            return False
