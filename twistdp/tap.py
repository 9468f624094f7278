"""``twistd deviceplugin``: options and composition.

The only module of the service that imports the reactor.  It is imported before twistd picks
one, and installs the asyncio reactor, which gRPC needs, when none is installed yet.
"""

import gc
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.internet import asyncioreactor
from twisted.python import usage

if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install()

from twistdp.klog import level
from twistdp.launch import (
    ChoiceOptions,
    CommandOptions,
    Ending,
    Manhole,
    ManholeOptions,
    Opening,
    Serving,
)
from twistdp.logs import LoggedService, LogOptions
from twistdp.manager import Manager
from twistdp.rpc import require_asyncio_reactor
from twistdp.settings import (
    CDI_DIRECTORY,
    PLUGIN_DIRECTORY,
    POD_RESOURCES_SOCKET,
    REGISTRY_DIRECTORY,
    STATE_DIRECTORY,
    Settings,
    check_socket_directory,
)
from twistdp.status import Condition, events_of
from twistdp.web import Lookout, WebOptions, web_service

if TYPE_CHECKING:
    from twistdp.launch.following import ConfigFile


class Options(CommandOptions, LogOptions, WebOptions, ManholeOptions, ChoiceOptions):
    """The command line; see `CommandOptions`."""

    command = "deviceplugin"
    synopsis = (
        "[options] [--config=FILE] [--catalog=NAME,...] "
        "[--scanner=module:Class [--set key=value ...]]"
    )
    longdesc = (
        "Serve this node's devices to the kubelet. --set, --namespace, --scan-timeout, "
        "--hook-timeout, --removal-grace, --check-nodes, --check-paths and --preferred belong to "
        "the --scanner before them; before the first one they are defaults for all, but for --set."
    )
    optParameters = [  # noqa: RUF012  # Twisted's way
        [
            "plugin-dir",
            None,
            PLUGIN_DIRECTORY,
            "The kubelet's device plugin directory.",
        ],
        [
            "registration",
            None,
            "socket",
            "How plugins register: at the kubelet's socket, or found by its plugin watcher "
            "(socket or watcher).",
        ],
        ["registry-dir", None, REGISTRY_DIRECTORY, "Where the kubelet's plugin watcher looks."],
        ["cdi-dir", None, CDI_DIRECTORY, "Where to write specs of CDI devices."],
        [
            "pod-resources-socket",
            None,
            POD_RESOURCES_SOCKET,
            "The kubelet's socket that reports which pod holds which device.",
        ],
        [
            "state-dir",
            None,
            STATE_DIRECTORY,
            "Where to keep who has which device, for scanners with post_release.",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self._configs: list[str] = []
        self._of_catalog: list[Manager] = []
        self.managers: list[Manager] = []
        """The managers of the scanners and the catalogue, once the options are parsed."""
        self.files: list[ConfigFile] = []
        """The configuration files."""

    def opt_config(self, path: str) -> None:
        """File that says which devices are given, in YAML; may be repeated."""
        self._configs.append(path)

    def postOptions(self) -> None:
        """Check everything and make the managers; starts and touches nothing."""
        from twisted.internet import reactor

        super().postOptions()
        require_asyncio_reactor(reactor)
        if not (self.choices or self._configs or self.entries):
            raise usage.UsageError(
                "--scanner is missing: name one, as --scanner=module:Class, or a --config=FILE, or "
                "entries of the --catalog"
            )
        defaults = {**self._common(), **self.defaults}
        self.managers = [choice.manager(defaults) for choice in self.choices]
        if self._configs or self.entries:
            self._configure()
        self.managers += self._of_catalog
        check_socket_directory(self.settings())

    def _configure(self) -> None:
        # Imported here because a plugin that reads no file needs no memory for it.
        from twisted.internet import reactor

        from twistdp.launch.configured import check_once, entries, managers_of, read_trusted
        from twistdp.launch.following import ConfigFile

        options = dict(self.defaults)
        namespace = options.pop("namespace", None)
        settings = Settings(**self._common(), **options)
        of_files = [(path, read_trusted(path)) for path in self._configs]
        of_catalog = list(entries(self.entries, namespace))
        fixed = [("the catalogue", config) for config in of_catalog]
        check_once([*of_files, *fixed])
        for path, config in of_files:
            self.files.append(ConfigFile(path, config, settings, reactor))
        for file in self.files:
            file.beside(self.files, fixed)
        for config in of_catalog:
            self._of_catalog += managers_of(config, settings)

    def opening(self) -> Opening:
        """Return the service that logs what these options ask for."""
        scanners = [
            Serving(manager.namespace, choice.name, choice.arguments)
            for manager, choice in zip(self.managers, self.choices, strict=False)
        ]
        scanners += [Serving(manager.namespace, "the catalogue") for manager in self._of_catalog]
        for file in self.files:
            scanners += [Serving(manager.namespace, file.path) for manager in file.managers]
        return Opening(scanners, self.settings().socket_dir)

    def served(self) -> list[tuple[Manager, str]]:
        """The managers that there are now, each with what asks for it."""
        sources = [choice.called for choice in self.choices]
        sources += ["--catalog"] * (len(self.managers) - len(sources))
        found = list(zip(self.managers, sources, strict=True))
        return found + [(m, f"--config {file.path}") for file in self.files for m in file.managers]

    def flags(self) -> dict[str, str]:
        """The options that the process runs with, without secrets."""
        found = {name: str(value) for name, value in self.items() if value}
        found["log-format"] = "json" if self.log.json else "text"
        if self.manhole is not None:
            found["manhole"] = self.manhole
        return {**found, **self.web_flags(), "v": str(level()), "serves": str(self.opening())}

    def conditions(self) -> list[Condition]:
        """The states of all managers."""
        return [manager.condition for manager, _ in self.served()]

    def read_again(self) -> None:
        """Read the configuration files again."""
        for file in self.files:
            file.read_again()

    def settings(self) -> Settings:
        """The settings that all managers share."""
        return Settings(**self._common())

    def _common(self) -> dict[str, Any]:
        """The settings that all managers share."""
        return {
            "plugin_dir": self["plugin-dir"],
            "registration": self["registration"],
            "registry_dir": self["registry-dir"],
            "cdi_dir": self["cdi-dir"],
            "pod_resources_socket": self["pod-resources-socket"],
            "state_dir": self["state-dir"],
        }


def makeService(options: Options) -> IService:
    """Return the service that `options` describe; nothing starts before the service does."""
    from twisted.internet import reactor

    service = LoggedService(options, reactor)
    Ending(reactor).setServiceParent(service)
    options.opening().setServiceParent(service)
    for part in (*options.managers, *options.files):
        part.setServiceParent(service)
    if options.files:
        service.hangup = options.read_again
    files = [file.path for file in options.files]
    lookout = Lookout(options.served, options.settings(), reactor, files=files)
    service.on_demand = lookout.log_state
    web = web_service(options, lookout, options.flags, reactor)
    if web is not None:
        web.setServiceParent(service)
    if options.manhole is not None:
        Manhole(options.manhole, lambda: _names(options, reactor), reactor).setServiceParent(
            service
        )
    if "NOTIFY_SOCKET" in os.environ:
        from twistdp.status.systemd import reporter_from

        # The last service is stopped first, so it reports the end when that begins.
        reporter_from(os.environ, options.conditions, reactor).setServiceParent(service)
    # The objects that exist now, mostly modules, stay.  If the collector never looks at them again,
    # a first scan of 10 000 devices takes 48 ms and not 68 ms.
    gc.freeze()
    return service


def _names(options: Options, reactor: Any) -> Mapping[str, Any]:
    """What a prompt in the manhole begins with."""
    managers = [manager for manager, _ in options.served()]
    resources = [each for manager in managers for each in manager.resources.values()]
    return {
        "events": events_of(reactor),
        "managers": managers,
        "options": options,
        "reactor": reactor,
        "resources": {each.full_name: each for each in resources},
    }
