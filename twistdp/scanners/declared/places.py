"""Where a node is on the host and in the container."""

from collections.abc import Sequence

from twistdp.config import fill_path
from twistdp.model import DeviceSpec
from twistdp.scanners.declared.words import Words
from twistdp.select import Device, stable_path

PERMISSIONS = "mrw"
"""What containers may do with a node unless the file says otherwise; Docker gives the same."""


def paths_of(function: Device, patterns: Sequence[str]) -> tuple[str, str]:
    """The path of a device's node on the host, and in the container.

    The host path is one that leads to this device for good, for the kubelet keeps it.  The path
    in the container is the one that a pattern of the file matches, a link too, else the node's.
    """
    node = str(function.node)
    stable = stable_path(function) or node
    matched = [path for pattern in patterns for path in function.host.matched(node, pattern)]
    if node in matched:
        return stable, node
    if not matched:
        return stable, node
    own = function.host.links_to(node)
    safe = [path for path in matched if path in own]
    if stable in matched:
        return stable, stable
    return (safe[0], safe[0]) if safe else (stable, matched[0])


def specs(
    function: Device,
    patterns: Sequence[str],
    index: int,
    words: Words,
    *,
    container_path: str | None = None,
    permissions: str | None = None,
    links: Sequence[str] = (),
) -> list[DeviceSpec]:
    """A node of a device for its container, and the further paths of it there.

    Raises `BadSetting` for a template that has no value, `BadDevice` for what it makes.
    """
    host_path, inside = paths_of(function, patterns)
    letters = permissions or PERMISSIONS
    values = {"index": index, "node": inside}
    if container_path is not None:
        place = fill_path(container_path, words.with_more(**values))
        inside = place + inside.rpartition("/")[2] if place.endswith("/") else place
    made = [DeviceSpec(host_path, inside, letters)]
    for link in links:
        made.append(DeviceSpec(host_path, fill_path(link, words.with_more(**values)), letters))
    return made
