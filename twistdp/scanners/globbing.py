"""A scanner that finds devices by file name patterns."""

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

from twistdp.klog import V
from twistdp.model import (
    HEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Mount,
    check_path,
    check_permissions,
    check_resource_type,
    device_id,
)
from twistdp.scan import WatchingScanner
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.examiner import Examiner
from twistdp.scanners.idle import IdlePatterns
from twistdp.scanners.match import Match
from twistdp.scanners.matches import REST, Matches
from twistdp.scanners.patterns import Pattern, is_still
from twistdp.scanners.search import MOST_WATCHED, Search
from twistdp.scanners.targets import MOST as MOST_TARGETS

if TYPE_CHECKING:
    from twistdp.select import Explanation

_log = Logger()

_ATTENTION: Final = "what matches needs attention"
"""The constant message of complaints, for programs."""

_MOST_RESTS: Final = 10
"""How often a scan waits for more links to new devices."""


class _Details(Complaints):
    """What is shown from level 1 on."""

    def is_wanted(self) -> bool:
        return bool(V(1))


class GlobScanner(WatchingScanner):
    """Every device node whose path matches a pattern is a device of one resource.

    `resource` is the resource's name after the slash.  `pattern` holds absolute paths with the
    wildcards of a shell (``*``, ``?``, ``[...]``, no ``**``); several are a list, or separated by
    commas.  A pattern without wildcards that names a directory makes all nodes in it one device.
    With ``nodes_only=False`` plain files count too and are mounted.  `permissions` are letters of
    ``rwm``; without ``w`` plain files are mounted read-only.  `max_devices` guards against a
    pattern that matches too much; its default fits into one message to the kubelet.

    With `count`, each device is listed that often, for as many pods.  `container_path` is the path
    in the container, for a directory that of the directory.  With `together`, all matches are one
    device, whose id is the resource's name.

    The id is the path below the directory that all patterns have in common before their first
    wildcards, made a valid id by `twistdp.device_id`; with `count` a number from 0 follows.  It
    depends on nothing else.  The container gets the path that matched, which may be a link.
    Several names of one node are one device.  Its own name counts if it matches; otherwise the
    first link that udev made when it appeared, by pattern and then by name.  The device keeps that
    name as long as the node exists.
    """

    def __init__(
        self,
        resource: str,
        pattern: Sequence[str],
        permissions: str = "rw",
        nodes_only: bool = True,
        max_devices: int = 50_000,
        count: int | None = None,
        container_path: str | None = None,
        together: bool = False,
    ) -> None:
        texts = [pattern] if isinstance(pattern, str) else pattern
        parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        if not parts:
            raise ValueError("pattern: give at least one, such as /dev/ttyUSB*")
        if max_devices < 1:
            raise ValueError(f"max_devices {max_devices}: it must be at least 1")
        if count is not None and not 1 <= count <= max_devices:
            raise ValueError(f"count {count}: it must be from 1 to max_devices, {max_devices}")
        if together and container_path is not None:
            raise ValueError(
                f"container_path {container_path!r}: with together=true several nodes would be at "
                "that one path; leave one of the two out"
            )
        self.resource = check_resource_type(resource)
        self._patterns = [Pattern.parse(index, text) for index, text in enumerate(parts)]
        self._base = os.path.join(os.path.commonpath([p.top for p in self._patterns]), "")
        self._permissions = permissions
        self._container_path = container_path
        if container_path is not None:
            check_path("container_path", container_path)
        check_permissions("permissions", permissions)
        self._nodes_only = nodes_only
        self._max_devices = max_devices
        self._count = count
        self._together = together
        self._matches = self._no_matches()
        self._complaints = Complaints(self._warn)
        self._left_out = _Details(self._show_left_out)
        self._examiner = self._new_examiner(self._matches, self._complaints, self._left_out)
        self._search = Search(self._patterns, self._matches, self._examiner, self._complaints)
        self._idle = IdlePatterns(self._patterns, self._warn, self._inform)
        self._overruled: set[int] = set()  # patterns with that warning
        # What is written into files does not matter, and in /dev it would be reported all the time.
        super().__init__(self._search.watched, contents=False)

    def discover(self) -> DeviceTree:
        """List all directories."""
        self._examiner.checked.clear()
        self._search.look()
        return self._tree(everything=True)

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look again at these paths only."""
        self._examiner.checked.clear()
        return self._tree(everything=self._search.follow(changed))

    def explain(self) -> "Iterator[Explanation]":
        """What the last look made of each file in the patterns' directories."""
        # Imported here because it takes memory, and a plugin that serves pods never explains.
        from twistdp.scanners.explaining import Account, Notes

        faults, unfit = Notes(), Notes()
        examiner = self._new_examiner(self._no_matches(), faults, unfit)
        account = Account(
            self._search.directories, self._matches, examiner, faults, unfit, self._together
        )
        yield account.explanation(self.resource, self._patterns)

    def _no_matches(self) -> Matches:
        return Matches(self._named, self._device, self._ids, is_still, self._max_devices)

    def _new_examiner(
        self, matches: Matches, complaints: Complaints, left_out: Complaints
    ) -> Examiner:
        return Examiner(
            matches,
            self._part,
            checks=lambda: self.check_paths,
            nodes_only=self._nodes_only,
            max_devices=self._max_devices,
            complaints=complaints,
            left_out=left_out,
        )

    def _part(self, path: str, kind: int, whole: str | None) -> DeviceSpec | Mount | None:
        """What a container gets of a file; None if it is no device."""
        inside = path
        if self._container_path is not None:
            inside = self._container_path
            if whole is not None:
                inside = os.path.join(inside, os.path.basename(path))
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            return DeviceSpec(path, inside, self._permissions)
        if stat.S_ISREG(kind) and not self._nodes_only:
            return Mount(path, inside, "w" not in self._permissions)
        return None

    def _named(self, match: Match) -> str:
        """The id of a match's device, without the number that `count` adds."""
        if self._together:
            return self.resource
        return device_id((match.whole or match.path).removeprefix(self._base))

    def _ids(self, name: str) -> list[str]:
        """The ids that a device is listed under."""
        if self._count is None:
            return [name]
        return [device_id(f"{name}-{number}") for number in range(self._count)]

    def _device(self, name: str, matches: Sequence[Match]) -> DeviceInfo:
        """The device that the matches of one name make together."""
        if not (self._together or matches[0].whole):
            matches = matches[:1]
        parts = [match.part for match in matches]
        return DeviceInfo(
            HEALTHY,
            nodes=tuple([part for part in parts if isinstance(part, DeviceSpec)]),
            mounts=tuple([part for part in parts if isinstance(part, Mount)]),
            group=name if self._count is not None else None,
        )

    def _tree(self, everything: bool) -> DeviceTree:
        """The devices, once udev has made all links to new ones.  Logs what is wrong."""
        under_way: dict[str, list[str]] = {}
        for _ in range(_MOST_RESTS):
            if (unsettled := self._matches.unsettled()) == under_way:
                break
            under_way = unsettled
            # A little longer than the resolution of files' times.
            sleep(REST + 0.01)
            self._search.look()
        self._matches.settle()
        self.paths = self._search.watched
        if not self._search.watches_all:
            self._complaints.add(
                "watches",
                f"there are too many directories to watch: {MOST_WATCHED} of the pattern and "
                f"{MOST_TARGETS} that links lead to are watched, and the others are looked at "
                f"every {self.rescan_interval:g} s",
            )
        for real, known in self._matches.lost.items():
            self._complaints.add(
                real,
                f"left out {real!r}: it is known as {known.path!r}, which leads elsewhere now, and "
                "pods may have it under that name; it is listed again when the link leads back, or "
                "when it is plugged in again",
            )
        for index in sorted(self._matches.without_effect - self._overruled):
            self._overruled.add(index)
            self._warn(
                f"pattern {self._patterns[index].text!r} has no effect on devices that another "
                "pattern matches by their own names, which count; remove the other pattern, and "
                "ids stay the same when devices are plugged in again"
            )
        tree = DeviceTree()
        count = self._matches.names * (self._count or 1)
        if count > self._max_devices or self._examiner.beyond:
            beyond = self._examiner.beyond
            more = f", and {beyond} more files" if beyond else ""
            self._complaints.add(
                "max_devices",
                f"{count} devices match{more}, more than max_devices={self._max_devices}: "
                "the rest is left out; narrow the pattern or raise max_devices",
            )
        if devices := self._matches.devices:
            tree.add_devices(self.resource, devices)
        # Not kept: it is needed for this tree only, and may be large.
        tree.checked, self._examiner.checked = self._examiner.checked, set()
        self._complaints.end(everything)
        self._left_out.end(everything)
        self._idle.end(self._matches.of_pattern, self._examiner.unfit, self._search.is_covered)
        return tree

    def _warn(self, text: str, constant: str = _ATTENTION, **facts: Any) -> None:
        _log.warn("{resource}: {text}", **self._fields(text, constant, facts))

    def _inform(self, text: str, constant: str, **facts: Any) -> None:
        _log.info("{resource}: {text}", **self._fields(text, constant, facts))

    def _fields(self, text: str, constant: str, facts: dict[str, Any]) -> dict[str, Any]:
        return {
            "resource": self.resource,
            "text": text,
            "log_constant": constant,
            "log_facts": {"resource": self.resource, **(facts or {"reason": text})},
        }

    def _show_left_out(self, text: str) -> None:
        V(1).info("what matches is left out", resource=self.resource, what=text)
