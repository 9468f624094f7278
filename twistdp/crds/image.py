"""The images of a plugin's pods."""

from collections.abc import Sequence
from typing import Annotated, Literal

import attrs

from twistdp.config import key
from twistdp.crds.places import Directory, HostDirectories
from twistdp.crds.rule import ATOMIC, CelRule, Ruled, count, unique
from twistdp.crds.values import Environment, Image, ObjectName, Word


@attrs.frozen(kw_only=True)
class InitContainer(Ruled):
    """A container that prepares the hardware before the plugin starts, as Intel's init images."""

    rules = (
        CelRule(
            "has(self.configMap) == has(self.configMapPath)",
            "configMap and configMapPath belong together; give both or neither",
            lambda init: (init.config_map is None) == (init.config_map_path is None),
        ),
        CelRule(
            "!has(self.scratch) || !has(self.configMapPath) || self.scratch != self.configMapPath",
            "scratch and configMapPath are one directory; give each its own",
            lambda init: init.scratch is None or init.scratch != init.config_map_path,
            "scratch",
        ),
        CelRule(
            "!has(self.hostPaths) || !self.hostPaths.exists(path, "
            "(has(self.scratch) && self.scratch == path) || "
            "(has(self.configMapPath) && self.configMapPath == path))",
            "a directory of the node is also scratch or configMapPath; give each its own",
            lambda init: not {init.scratch, init.config_map_path} & set(init.host_paths),
            "hostPaths",
        ),
    )

    image: Image = key("image", "The image.", example="intel/intel-idxd-config-initcontainer:0.36")
    command: Annotated[Sequence[Word], count(64, 0, ATOMIC)] = key(
        "command", "The program instead of the image's.", (), "[/usr/bin/configure]"
    )
    args: Annotated[Sequence[Word], count(64, 0, ATOMIC)] = key(
        "args", "Its arguments.", (), "[--all]"
    )
    env: Environment = key("env", "Variables.", {}, "{LEVEL: debug}")
    privileged: bool = key("privileged", "Whether it may do everything on the node.", False, "true")
    host_paths: HostDirectories = key(
        "hostPaths", "Directories of the node that it may write in.", (), "[/sys/devices]"
    )
    config_map: ObjectName | None = key(
        "configMap", "A ConfigMap in the operator's namespace that it reads.", None, "dsa-queues"
    )
    config_map_path: Directory | None = key(
        "configMapPath", "The directory of the ConfigMap's files in it.", None, "/idxd-init/conf"
    )
    scratch: Directory | None = key(
        "scratch",
        "An empty directory that it may write in; its root file system is read-only.",
        None,
        "/idxd-init/scratch",
    )


@attrs.frozen(kw_only=True, slots=False)
class Images:
    """What the pods run."""

    image: Image | None = key(
        "image",
        "The plugin's image; the operator's default without it.",
        None,
        "registry.example.com/twistdp:1.0",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = key(
        "imagePullPolicy",
        "When the image is pulled; Kubernetes decides by the image's tag without it.",
        None,
        "IfNotPresent",
    )
    image_pull_secrets: Annotated[Sequence[ObjectName], count(16), unique()] = key(
        "imagePullSecrets",
        "The names of secrets for the registry, in the operator's namespace.",
        (),
        "[registry]",
    )
    init_container: InitContainer | None = key(
        "initContainer",
        "A container that runs before the plugin's in each pod.",
        None,
        "{image: intel/intel-qat-initcontainer:0.36, privileged: true}",
    )
