"""What a user can say about the Container Device Interface.

Texts are templates.  The values are those of `twistdp.cdi`, which checks them for each device.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

from twistdp.config.fields import key
from twistdp.config.rules import (
    Amount,
    HostPath,
    Octal,
    Permissions,
    Place,
    Template,
    Word,
)
from twistdp.model import CDIDevice
from twistdp.model import CDIHook as MadeHook
from twistdp.model import CDIIntelRdt as MadeRdt
from twistdp.model import CDIMount as MadeMount
from twistdp.model import CDINetDevice as MadeNetDevice
from twistdp.model import CDINode as MadeNode

_Fill: TypeAlias = Callable[[str], str]


@attrs.frozen(kw_only=True)
class CDINode:
    """A device node that the runtime makes."""

    path: Place = key("path", "The path in the container.", short=True, example="/dev/accel0")
    host_path: HostPath | None = key(
        "hostPath", "The path on the host; `path` by default.", None, '"{node}"'
    )
    permissions: Permissions = key("permissions", "Letters of `rwm`.", "rw", "rwm")
    file_mode: Octal | None = key("fileMode", "The mode in octal digits.", None, '"0660"')
    uid: Amount | None = key("uid", "The owner.", None, "1000")
    gid: Amount | None = key("gid", "The group.", None, "44")

    def filled(self, fill: _Fill) -> MadeNode:
        """The node of one device; `fill` fills in a template for it."""
        return MadeNode(
            path=fill(self.path),
            host_path=fill(self.host_path) if self.host_path is not None else None,
            permissions=self.permissions,
            file_mode=int(self.file_mode, 8) if self.file_mode is not None else None,
            uid=self.uid,
            gid=self.gid,
        )


@attrs.frozen(kw_only=True)
class CDIMount:
    """A mount that the runtime makes."""

    host_path: Template = key("hostPath", "What is mounted.", example="/opt/firmware", short=True)
    container_path: Place | None = key(
        "containerPath", "Where; `hostPath` by default.", None, "/firmware"
    )
    options: Sequence[Word] = key("options", "Options of the mount.", ("ro", "bind"), "[rbind, ro]")
    type: str = key("type", "The file system's type.", "", "tmpfs")

    def filled(self, fill: _Fill) -> MadeMount:
        """The mount of one device."""
        host_path = fill(self.host_path)
        place = fill(self.container_path) if self.container_path is not None else host_path
        return MadeMount(host_path, place, self.options, self.type)


@attrs.frozen(kw_only=True)
class CDIHook:
    """A program of the host that the runtime runs."""

    name: Literal["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] = (
        key("hookName", "When it runs.", example="createRuntime")
    )
    path: HostPath = key("path", "The program.", example="/usr/bin/program-card")
    args: Sequence[Template] = key(
        "args", "Its arguments, its own name first.", (), '[program-card, "{node}"]'
    )
    env: Mapping[str, Template] = key("env", "Its variables.", {}, "{LEVEL: debug}")
    timeout: Amount | None = key("timeout", "Seconds after which it is ended.", None, "10")

    def filled(self, fill: _Fill) -> MadeHook:
        """The hook of one device."""
        return MadeHook(
            name=self.name,
            path=fill(self.path),
            args=[fill(each) for each in self.args],
            env={name: fill(value) for name, value in self.env.items()},
            timeout=self.timeout,
        )


@attrs.frozen(kw_only=True)
class CDINetDevice:
    """A network interface that is moved into the container."""

    host_name: Template = key(
        "hostInterfaceName", "Its name on the host.", short=True, example='"{kernelName}"'
    )
    name: Template | None = key(
        "name", "Its name in the container; `hostInterfaceName` by default.", None, "eth1"
    )

    def filled(self, fill: _Fill) -> MadeNetDevice:
        """The interface of one device."""
        host_name = fill(self.host_name)
        return MadeNetDevice(host_name, fill(self.name) if self.name is not None else host_name)


@attrs.frozen(kw_only=True)
class CDIIntelRdt:
    """The class of service of Intel's Resource Director Technology for the container."""

    clos_id: Template = key("closID", "The class's name.", "", "guaranteed")
    l3_cache_schema: str = key("l3CacheSchema", "The line for the L3 cache.", "", '"L3:0=f"')
    mem_bw_schema: str = key("memBwSchema", "The line for memory bandwidth.", "", '"MB:0=20"')
    schemata: Sequence[Word] = key("schemata", "Lines as resctrl takes them.", (), '["L3:0=f"]')
    enable_monitoring: bool = key(
        "enableMonitoring", "Whether the container is monitored.", False, "true"
    )

    def filled(self, fill: _Fill) -> MadeRdt:
        """The class of service of one device."""
        return MadeRdt(
            clos_id=fill(self.clos_id),
            l3_cache_schema=self.l3_cache_schema,
            mem_bw_schema=self.mem_bw_schema,
            schemata=self.schemata,
            enable_monitoring=self.enable_monitoring,
        )


@attrs.frozen(kw_only=True)
class CDI:
    """Changes to the container that its runtime makes."""

    nodes: Sequence[CDINode] = key("deviceNodes", "Device nodes.", (), "[/dev/accel0]")
    mounts: Sequence[CDIMount] = key("mounts", "Mounts.", (), "[/opt/firmware]")
    env: Mapping[str, Template] = key("env", "Variables.", {}, '{CARD: "{pciBusID}"}')
    hooks: Sequence[CDIHook] = key(
        "hooks", "Programs to run.", (), "[{hookName: createRuntime, path: /usr/bin/program-card}]"
    )
    additional_gids: Sequence[Amount] = key("additionalGIDs", "Further groups.", (), "[44]")
    net_devices: Sequence[CDINetDevice] = key(
        "netDevices", "Network interfaces.", (), '["{kernelName}"]'
    )
    intel_rdt: CDIIntelRdt | None = key(
        "intelRdt", "Intel's Resource Director Technology.", None, "{closID: guaranteed}"
    )

    def filled(self, fill: Callable[[str], str]) -> CDIDevice:
        """The changes for one device; `fill` fills in a template for it.

        Raises `BadDevice` for what no runtime would accept.
        """
        return CDIDevice(
            nodes=[each.filled(fill) for each in self.nodes],
            mounts=[each.filled(fill) for each in self.mounts],
            env={name: fill(value) for name, value in self.env.items()},
            hooks=[each.filled(fill) for each in self.hooks],
            additional_gids=self.additional_gids,
            net_devices=[each.filled(fill) for each in self.net_devices],
            intel_rdt=self.intel_rdt.filled(fill) if self.intel_rdt is not None else None,
        )
