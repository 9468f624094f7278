"""The class that authors of scanners derive from."""

from collections.abc import Collection, Sequence

from twistdp.model import DeviceTree, name_of
from twistdp.scan.attributes import check_contents, check_interval, check_paths


class WatchingScanner:
    """The usual base of a scanner: name what to watch, and write `discover`.

    `paths` are directories (or single files) whose changes call for a new scan; they need not
    exist yet, and are read again after every scan.  `rescan_interval` is the time in seconds
    between full scans that happen anyway, as a net for what events cannot tell.  With
    `contents`, writing to a file is a change too; pass False for directories such as /dev,
    where every write to /dev/null would be one.  All three are attributes too, read again after
    every scan; the constructor raises `twistdp.BadScanner` for values that cannot be used.

    `check_paths` says whether devices with paths that others could change are left out (see
    `twistdp.check_trusted`); a class that sets it to False takes them, and so does
    ``--check-paths=false``, which sets it.

    The constructor runs before the process becomes a daemon: store values there and nothing
    else, no thread, socket or open file.
    """

    paths: Sequence[str] = ()
    rescan_interval: float = 60.0
    contents: bool = True
    check_paths: bool = True

    def __init__(
        self, paths: Sequence[str] = (), rescan_interval: float = 60.0, contents: bool = True
    ) -> None:
        self.paths = list(check_paths(paths))
        self.rescan_interval = check_interval(rescan_interval)
        self.contents = check_contents(contents)

    def discover(self) -> DeviceTree:
        """Look at the hardware and return all devices that are there now.

        Called in a thread of the scanner's own, never twice at once.  It may block; a call that
        takes longer than the scan timeout is reported.  What it raises is logged, and it is
        called again later.
        """
        raise NotImplementedError(f"{name_of(self)} must define discover()")

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Like `discover`, when only these paths changed since the last call.

        For scanners that can look at a few paths instead of everything; by default it
        discovers.  Called in the same thread.
        """
        return self.discover()
