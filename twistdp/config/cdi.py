"""What a user can say about the Container Device Interface.

Texts are templates.  The values are those of `twistdp.cdi`, which checks them for each device.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from twistdp.config.fields import key
from twistdp.config.rules import HostPath, Permissions, Place, Template, Word


@attrs.frozen(kw_only=True)
class CDINode:
    """A device node that the runtime makes."""

    path: Place = key("path", "The path in the container.", short=True, example="/dev/accel0")
    host_path: HostPath | None = key(
        "hostPath", "The path on the host; `path` by default.", None, '"{node}"'
    )
    permissions: Permissions = key("permissions", "Letters of `rwm`.", "rw", "rwm")
    file_mode: Word | None = key("fileMode", "The mode in octal digits.", None, '"0660"')
    uid: int | None = key("uid", "The owner.", None, "1000")
    gid: int | None = key("gid", "The group.", None, "44")


@attrs.frozen(kw_only=True)
class CDIMount:
    """A mount that the runtime makes."""

    host_path: Template = key("hostPath", "What is mounted.", example="/opt/firmware", short=True)
    container_path: Place | None = key(
        "containerPath", "Where; `hostPath` by default.", None, "/firmware"
    )
    options: Sequence[Word] = key("options", "Options of the mount.", ("ro", "bind"), "[rbind, ro]")
    type: Word | None = key("type", "The file system's type.", None, "tmpfs")


@attrs.frozen(kw_only=True)
class CDIHook:
    """A program of the host that the runtime runs."""

    name: Literal[
        "createRuntime", "createContainer", "startContainer", "poststart", "poststop", "prestart"
    ] = key("hookName", "When it runs.", example="createRuntime")
    path: HostPath = key("path", "The program.", example="/usr/bin/program-card")
    args: Sequence[Template] = key(
        "args", "Its arguments, its own name first.", (), '[program-card, "{node}"]'
    )
    env: Mapping[str, Template] = key("env", "Its variables.", {}, "{LEVEL: debug}")
    timeout: int | None = key("timeout", "Seconds after which it is ended.", None, "10")


@attrs.frozen(kw_only=True)
class CDINetDevice:
    """A network interface that is moved into the container."""

    host_name: Template = key(
        "hostInterfaceName", "Its name on the host.", short=True, example='"{kernelName}"'
    )
    name: Template | None = key("name", "Its name in the container.", None, "eth1")


@attrs.frozen(kw_only=True)
class CDI:
    """Changes to the container that its runtime makes."""

    nodes: Sequence[CDINode] = key("deviceNodes", "Device nodes.", (), "[/dev/accel0]")
    mounts: Sequence[CDIMount] = key("mounts", "Mounts.", (), "[/opt/firmware]")
    env: Mapping[str, Template] = key("env", "Variables.", {}, '{CARD: "{pciBusID}"}')
    hooks: Sequence[CDIHook] = key(
        "hooks", "Programs to run.", (), "[{hookName: createRuntime, path: /usr/bin/program-card}]"
    )
    additional_gids: Sequence[int] = key("additionalGIDs", "Further groups.", (), "[44]")
    net_devices: Sequence[CDINetDevice] = key(
        "netDevices", "Network interfaces.", (), '["{kernelName}"]'
    )
