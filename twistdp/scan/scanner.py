"""The class that authors of scanners derive from."""

from collections.abc import Collection, Sequence

from twistdp.model import DeviceTree, name_of
from twistdp.scan.attributes import check_contents, check_interval, check_paths


class WatchingScanner:
    """The usual base of a scanner: name what to watch, and write `discover`.

    `paths` are directories (or single files) whose changes cause a new scan; they need not exist
    yet.  `rescan_interval` is the time in seconds between full scans that happen anyway, because
    some changes cause no event.  With `contents`, writing to a file is a change too; pass False
    for directories such as /dev, where every write to /dev/null would be one.

    Changes in sysfs are not reported for `paths`.  `uevents` names subsystems of the kernel, as
    ``pci``: events of their devices, such as the binding of a driver, cause a new scan too.  ``*``
    stands for all subsystems.  A sandbox may not allow such events; then the rescans serve.

    All four are attributes, and are read again after every scan.  The constructor raises
    `twistdp.BadScanner` for values that cannot be used.

    With `check_paths`, devices with paths that others could change are left out (see
    `twistdp.check_trusted`).  A class may set it to False, and ``--check-paths=false`` does so.

    The constructor runs before the process becomes a daemon: only store values there, and make no
    thread, socket or open file.
    """

    paths: Sequence[str] = ()
    uevents: Sequence[str] = ()
    rescan_interval: float = 60.0
    contents: bool = True
    check_paths: bool = True
    may_act: bool = True
    """Whether `discover` may change anything on the host; `twistdp scan` only looks."""

    def __init__(
        self, paths: Sequence[str] = (), rescan_interval: float = 60.0, contents: bool = True
    ) -> None:
        self.paths = list(check_paths(paths))
        self.rescan_interval = check_interval(rescan_interval)
        self.contents = check_contents(contents)

    def discover(self) -> DeviceTree:
        """Look at the hardware and return all devices that are there now.

        Called in a thread of the scanner's own, never twice at once.  It may block; a call that
        takes longer than the scan timeout is logged.  An exception is logged too, and `discover`
        is called again later.
        """
        raise NotImplementedError(f"{name_of(self)} must define discover()")

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Do the same as `discover`, when only these paths changed since the last call.

        For an event of the kernel the path is the device's directory, as ``/sys/devices/...``.
        Scanners that can look at a few paths instead of everything override it; the default
        calls `discover`.  Called in the same thread; with no paths when only the result of a
        health check has changed (see `twistdp.health.HealthChecks`).
        """
        return self.discover()
