"""What a user can say about the Container Device Interface.

Texts are templates.  The values are those of `twistdp.cdi`, which checks them for each device.
"""

from collections.abc import Mapping, Sequence
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
    Variable,
    Word,
)
from twistdp.config.templates import fill, fill_path
from twistdp.model import CDIDevice, DeviceSpec, Mount
from twistdp.model import CDIHook as MadeHook
from twistdp.model import CDIIntelRdt as MadeRdt
from twistdp.model import CDIMount as MadeMount
from twistdp.model import CDINetDevice as MadeNetDevice
from twistdp.model import CDINode as MadeNode

_Values: TypeAlias = Mapping[str, object]


@attrs.frozen(kw_only=True)
class CDINode:
    """A device node that the runtime makes."""

    path: Place = key("path", "The path in the container.", short=True, example="/dev/accel0")
    host_path: HostPath | None = key(
        "hostPath", "The path on the host; `path` by default.", None, '"{hostNode}"'
    )
    permissions: Permissions = key("permissions", "Letters of `rwm`.", "rw", "rwm")
    file_mode: Octal | None = key("fileMode", "The mode in octal digits.", None, '"0660"')
    uid: Amount | None = key("uid", "The owner.", None, "1000")
    gid: Amount | None = key("gid", "The group.", None, "44")

    def filled(self, values: _Values) -> MadeNode:
        """The node of one device, whose words have these `values`."""
        return MadeNode(
            path=fill_path(self.path, values),
            host_path=fill_path(self.host_path, values) if self.host_path is not None else None,
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

    def filled(self, values: _Values) -> MadeMount:
        """The mount of one device."""
        host_path = fill_path(self.host_path, values)
        place = (
            fill_path(self.container_path, values) if self.container_path is not None else host_path
        )
        return MadeMount(host_path, place, self.options, self.type)


@attrs.frozen(kw_only=True)
class CDIHook:
    """A program of the host that the runtime runs."""

    name: Literal["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] = (
        key("hookName", "When it runs.", example="createRuntime")
    )
    path: HostPath = key("path", "The program.", example="/usr/bin/program-card")
    args: Sequence[Template] = key(
        "args", "Its arguments, its own name first.", (), '[program-card, "{hostNode}"]'
    )
    env: Mapping[Variable, Template] = key("env", "Its variables.", {}, "{LEVEL: debug}")
    timeout: Amount | None = key("timeout", "Seconds after which it is ended.", None, "10")

    def filled(self, values: _Values) -> MadeHook:
        """The hook of one device."""
        return MadeHook(
            name=self.name,
            path=fill_path(self.path, values),
            args=[fill(each, values) for each in self.args],
            env={name: fill(value, values) for name, value in self.env.items()},
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

    def filled(self, values: _Values) -> MadeNetDevice:
        """The interface of one device."""
        host_name = fill(self.host_name, values)
        return MadeNetDevice(
            host_name, fill(self.name, values) if self.name is not None else host_name
        )


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

    def filled(self, values: _Values) -> MadeRdt:
        """The class of service of one device."""
        return MadeRdt(
            clos_id=fill(self.clos_id, values),
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
    env: Mapping[Variable, Template] = key("env", "Variables.", {}, '{CARD: "{pciBusID}"}')
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

    with_nodes: bool = key(
        "withNodes",
        "Whether the nodes and mounts that the kubelet gives are in it as well.",
        False,
        "true",
    )

    def filled(
        self, values: _Values, nodes: Sequence[DeviceSpec] = (), mounts: Sequence[Mount] = ()
    ) -> CDIDevice:
        """The changes for one device, whose words have these `values`, and these nodes and mounts.

        Raises `BadDevice` for what no runtime would accept.
        """
        all_nodes = [each.filled(values) for each in self.nodes]
        all_mounts = [each.filled(values) for each in self.mounts]
        if self.with_nodes:
            places = {each.path for each in all_nodes}
            all_nodes += [
                MadeNode(each.container_path, each.host_path, permissions=each.permissions)
                for each in nodes
                if each.container_path not in places
            ]
            places = {each.container_path for each in all_mounts}
            all_mounts += [
                MadeMount(
                    each.host_path, each.container_path, ("ro" if each.read_only else "rw", "bind")
                )
                for each in mounts
                if each.container_path not in places
            ]
        return CDIDevice(
            nodes=all_nodes,
            mounts=all_mounts,
            env={name: fill(value, values) for name, value in self.env.items()},
            hooks=[each.filled(values) for each in self.hooks],
            additional_gids=self.additional_gids,
            net_devices=[each.filled(values) for each in self.net_devices],
            intel_rdt=self.intel_rdt.filled(values) if self.intel_rdt is not None else None,
        )
