"""The settings that a command line makes: frozen and validated values."""

import os

import attrs

from twistdp.errors import BadSetting
from twistdp.model import socket_path

PLUGIN_DIRECTORY = "/var/lib/kubelet/device-plugins"
"""Where kubelets look for plugins, whatever their ``--root-dir``."""

REGISTRY_DIRECTORY = "/var/lib/kubelet/plugins_registry"
"""Where kubelets look for the sockets of plugins that do not register themselves."""

REGISTRATIONS = ("socket", "watcher")
"""The ways to register: at the kubelet's socket, or found by it in the plugins registry."""

POLICIES = ("none", "packed", "spread", "numa")
"""The policies of preferred devices; `twistdp.resource.policies` explains them."""

CDI_DIRECTORY = "/var/run/cdi"
"""Where container runtimes look for generated specs (CDI specification, dynamic specs)."""

RUN_DIRECTORY = "/run/twistdp"
POD_RESOURCES_SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
"""The kubelet's pod-resources API."""

STATE_DIRECTORY = "/run/twistdp"
"""Where plugins keep what must outlive them, but not the node."""


def _directory(value: str | os.PathLike[str]) -> str:
    if not os.fspath(value):
        raise BadSetting("a path is empty; give one, or leave the option out")
    return os.path.abspath(os.fspath(value))


def _positive(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 < value < float("inf"):
        raise BadSetting(f"{_option(attribute)} {value:g}: it must be a positive number of seconds")


def _not_negative(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value < float("inf"):
        raise BadSetting(
            f"{_option(attribute)} {value:g}: it must be a number of seconds, 0 or more"
        )


def _option(attribute: "attrs.Attribute[float]") -> str:
    return f"--{attribute.name.replace('_', '-')}"


def _policy(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if value not in POLICIES:
        raise BadSetting(f"--preferred {value!r}: use one of {', '.join(POLICIES)}")


def _registration(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if value not in REGISTRATIONS:
        raise BadSetting(f"--registration {value!r}: use one of {', '.join(REGISTRATIONS)}")


@attrs.frozen
class Settings:
    """How a `twistdp.Manager` works.

    `plugin_dir` is the kubelet's device plugin directory.  A call of ``discover()`` that takes
    longer than `scan_timeout` seconds counts as hung; a hook that has not answered after
    `hook_timeout` seconds is cancelled.  `preferred` is the policy of preferred devices, one of
    `POLICIES`.  A device that a container has stays listed, unhealthy, for `removal_grace` seconds
    after it has vanished.  With `check_nodes`, an allocation of a device whose node is gone is
    refused.  With `check_paths`, a device with a path that others than root and our user could
    change is left out.  With `pre_start`, the kubelet is asked to call PreStartContainer if the
    scanner has that hook.  `cdi_dir` is where specs of CDI devices are written, and
    `pod_resources_socket` the kubelet's socket that reports which pod holds which device.
    `registration` is one of `REGISTRATIONS`; with ``watcher``, the sockets are in `registry_dir`.
    `state_dir` is where a file is kept of who has which device, for scanners with `post_release`.
    Raises `BadSetting`.
    """

    plugin_dir: str = attrs.field(default=PLUGIN_DIRECTORY, converter=_directory)
    scan_timeout: float = attrs.field(default=30.0, validator=_positive)
    hook_timeout: float = attrs.field(default=60.0, validator=_positive)
    preferred: str = attrs.field(default="none", validator=_policy)
    removal_grace: float = attrs.field(default=0.0, validator=_not_negative)
    check_nodes: bool = True
    check_paths: bool = True
    pre_start: bool = True
    cdi_dir: str = attrs.field(default=CDI_DIRECTORY, converter=_directory)
    pod_resources_socket: str = attrs.field(default=POD_RESOURCES_SOCKET, converter=_directory)
    registration: str = attrs.field(default="socket", validator=_registration)
    registry_dir: str = attrs.field(default=REGISTRY_DIRECTORY, converter=_directory)
    state_dir: str = attrs.field(default=STATE_DIRECTORY, converter=_directory)

    @plugin_dir.validator
    def _fits_a_socket(self, _: object, value: str) -> None:
        socket_path(value, "x.example/x")

    @registry_dir.validator
    def _fits_too(self, _: object, value: str) -> None:
        socket_path(value, "x.example/x", os.path.dirname(value))

    @property
    def socket_dir(self) -> str:
        """The directory in which the sockets of the resources appear."""
        return self.registry_dir if self.registration == "watcher" else self.plugin_dir

    @property
    def private_place(self) -> str | None:
        """The directory in which the sockets are bound; None for the one that they appear in.

        A kubelet takes every socket that it sees anywhere in the registry for a plugin's.
        """
        return os.path.dirname(self.registry_dir) if self.registration == "watcher" else None


def check_socket_directory(settings: Settings) -> None:
    """Raise `BadSetting` unless `settings` name a directory in which plugins can be served."""
    if settings.private_place is None:
        check_plugin_directory(settings.plugin_dir)
        return
    check_plugin_directory(settings.registry_dir, "registry directory", "--registry-dir")
    if _is_forbidden(settings.private_place):
        raise BadSetting(
            f"registry directory {settings.registry_dir}: {settings.private_place}, where its "
            "sockets are made, is not writable for this user; run as root, or give another "
            "--registry-dir"
        )


def check_plugin_directory(
    path: str, what: str = "plugin directory", option: str = "--plugin-dir"
) -> None:
    """Raise `BadSetting` unless sockets can be made in `path`, or it can still appear.

    A missing directory may still appear, since a kubelet makes it; if its parent is missing too,
    the path is taken for a mistake.  A read-only file system may still become writable: it can be
    mounted again while the process runs, and each registration until then logs what is wrong.
    """
    if os.path.isdir(path):
        if _is_forbidden(path):
            raise BadSetting(
                f"{what} {path}: not writable for this user; run as root, or give another {option}"
            )
    elif os.path.lexists(path):
        raise BadSetting(f"{what} {path}: not a directory; give another {option}")
    elif not os.path.isdir(os.path.dirname(path)):
        raise BadSetting(
            f"{what} {path}: neither it nor its parent exists; is a kubelet installed "
            f"here? Otherwise give another {option}"
        )


def _is_forbidden(path: str) -> bool:
    """Whether this user may not write in a directory, even if its file system becomes writable."""
    if os.access(path, os.W_OK | os.X_OK):
        return False
    return not (os.access(path, os.X_OK) and os.statvfs(path).f_flag & os.ST_RDONLY)
