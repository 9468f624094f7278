"""What the pods may do, and what is cleaned up after them."""

import attrs

from twistdp.config import key
from twistdp.crds.places import HostDirectories
from twistdp.crds.rule import CelRule, Ruled
from twistdp.crds.values import SELinuxType


@attrs.frozen(kw_only=True)
class Security(Ruled):
    """What the plugin's container may do on a node."""

    rules = (
        CelRule(
            "!(has(self.openshift) && self.openshift) || !has(self.seLinuxType)",
            "openshift sets the SELinux type; leave seLinuxType out",
            lambda each: not each.openshift or each.selinux_type is None,
            "seLinuxType",
        ),
    )

    selinux_type: SELinuxType | None = key(
        "seLinuxType",
        "The SELinux type of the container, as of container-selinux's policy.",
        None,
        "container_device_plugin_t",
    )
    host_paths: HostDirectories = key(
        "hostPaths",
        "Further directories of the node that it may read, as those of health checks.",
        (),
        "[/run/modem]",
    )
    openshift: bool = key(
        "openshift",
        "Whether the pods ask for what OpenShift's constraints for the plugins allow, and no more.",
        False,
        "true",
    )


@attrs.frozen(kw_only=True)
class CleanUp:
    """What is removed with the object, beside what Kubernetes removes itself."""

    extended_resources: bool = key(
        "extendedResources",
        "Whether resources with 0 devices are removed from the nodes' status.",
        False,
        "true",
    )


@attrs.frozen(kw_only=True, slots=False)
class Guarding:
    """What the pods may do, and what is left of them."""

    security: Security = key(
        "security",
        "What the plugin's container may do on a node.",
        attrs.Factory(Security),
        "{hostPaths: [/run/modem]}",
    )
    clean_up: CleanUp = key(
        "cleanUp",
        "What is removed with the object.",
        attrs.Factory(CleanUp),
        "{extendedResources: true}",
    )
