"""What a plugin needs of a node, as its configuration says."""

from collections.abc import Iterable, Sequence

import attrs

from twistdp.config import Config, Resource


@attrs.frozen
class Needs:
    """Directories of the node that the plugin reads, and whether it writes CDI specs."""

    host_paths: Sequence[str]
    cdi: bool


def needs(configs: Iterable[Config], declared: bool) -> Needs:
    """What plugins of these configurations need.

    `declared` is whether any devices are described by a configuration, known here or not, rather
    than found by a scanner.
    """
    resources = [each for config in configs for each in config.resources.values()]
    paths = ["/dev"]
    if declared:
        paths.append("/run/udev")  # udev's data base
    if any(map(_has_interfaces, resources)):
        paths.append("/sys")  # the container's own shows the container's interfaces only
    return Needs(paths, any(each.cdi is not None for each in resources))


def _has_interfaces(resource: Resource) -> bool:
    """Whether a resource selects network interfaces, as a device or as a part of one."""
    matches = (*resource.alternatives, *(member.where for member in resource.members))
    kinds = (resource.as_, *(member.as_ for member in resource.members))
    return "net" in kinds or any("net" in match.subsystem for match in matches)
