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

from twistdp._version import __version__
from twistdp.errors import BadSettings, TwistdpError
from twistdp.klog import level
from twistdp.launch import (
    Choice,
    Ending,
    Manhole,
    ManholeOptions,
    Opening,
    Serving,
    end_at_once,
    stand_in,
)
from twistdp.logs import LoggedService, LogOptions
from twistdp.manager import Manager
from twistdp.model import printable
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
from twistdp.status import Condition, events_of, reporter_from
from twistdp.web import Lookout, WebOptions, web_service

if TYPE_CHECKING:
    from twistdp.launch.following import ConfigFile


class Options(LogOptions, WebOptions, ManholeOptions):
    """The command line; whatever is wrong with it ends the process with one line and status 1."""

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
        self._defaults: dict[str, Any] = {}
        self._choices: list[Choice] = []
        self._configs: list[str] = []
        self._entries: list[str] = []
        self._of_catalog: list[Manager] = []
        self.managers: list[Manager] = []
        """The managers of the scanners and the catalogue, once the options are parsed."""
        self.files: list[ConfigFile] = []
        """The configuration files."""

    def opt_scanner(self, name: str) -> None:
        """Class that finds the devices, as module:Class; may be repeated."""
        self._choices.append(Choice(name, f"--scanner {name}"))

    def opt_config(self, path: str) -> None:
        """File that says which devices are given, in YAML; may be repeated."""
        self._configs.append(path)

    def opt_catalog(self, names: str) -> None:
        """Entries of the catalogue to serve, with commas; 'twistdp catalog' lists them."""
        # Imported here because a plugin that reads no file needs no memory for it.
        from twistdp.catalog import Shelf

        found = [each.strip() for each in names.split(",")]
        for name in found:
            if found.count(name) > 1:
                raise usage.UsageError(f"--catalog {names}: {name} is named twice; leave one out")
            scanner = Shelf().scanner(name)
            if scanner is not None:
                self._choices.append(Choice(scanner, f"--catalog {name}"))
            else:
                self._entries.append(name)

    def opt_set(self, assignment: str) -> None:
        """KEY=VALUE, a constructor argument of the --scanner before it; repeat KEY for a list."""
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise usage.UsageError(f"--set {assignment}: write it as key=value")
        if not self._choices:
            if self._entries:
                raise usage.UsageError(
                    f"--set {assignment}: --catalog {self._entries[-1]} has no arguments; write a "
                    f"configuration file with keys beside use: {self._entries[-1]}"
                )
            raise usage.UsageError(f"--set {assignment}: put it after the --scanner it is for")
        self._choices[-1].arguments.setdefault(key, []).append(value)

    def opt_namespace(self, namespace: str) -> None:
        """Domain of the resources; default: the scanner's own."""
        self._own()["namespace"] = namespace

    def opt_scan_timeout(self, seconds: str) -> None:
        """Seconds after which a scan counts as hung; default 30."""
        self._own()["scan_timeout"] = _seconds("scan-timeout", seconds)

    def opt_hook_timeout(self, seconds: str) -> None:
        """Seconds after which a hook that has not answered is cancelled; default 60."""
        self._own()["hook_timeout"] = _seconds("hook-timeout", seconds)

    def opt_removal_grace(self, seconds: str) -> None:
        """Seconds that a device in use stays listed, unhealthy, after it vanished; default 0."""
        self._own()["removal_grace"] = _seconds("removal-grace", seconds)

    def opt_check_nodes(self, text: str) -> None:
        """Refuse to allocate a device whose node is gone: true (default) or false."""
        self._own()["check_nodes"] = _truth("check-nodes", text)

    def opt_check_paths(self, text: str) -> None:
        """Leave out devices whose paths others could change: true (default) or false."""
        self._own()["check_paths"] = _truth("check-paths", text)

    def opt_preferred(self, policy: str) -> None:
        """Policy of preferred devices: none (default), packed, spread or numa."""
        self._own()["preferred"] = policy

    def opt_version(self) -> None:
        """Show the version and exit."""
        sys.stdout.write(f"twistdp {__version__.public()}\n")
        raise SystemExit(0)

    opt_h = usage.Options.opt_help

    def parseOptions(self, options: Any = None) -> None:
        """Parse; an error ends the process with one line (twistd would print its whole usage).

        Process 1 of a container goes on in a child: see `twistdp.launch.first_process`.  That
        happens before foreign code is imported, since this may start threads.
        """
        twistd: Mapping[str, Any] = self.parent or {}
        if twistd.get("nodaemon"):
            status = stand_in()
            if status is not None:
                os._exit(status)
            end_at_once()
        try:
            super().parseOptions(options)
        except BadSettings as error:
            lines = [f"deviceplugin: {printable(line)}" for line in error.lines]
            raise SystemExit("\n".join(lines)) from error
        except (usage.UsageError, TwistdpError) as error:
            line = printable(" ".join(str(error).split()))
            raise SystemExit(f"deviceplugin: {line}") from error

    def postOptions(self) -> None:
        """Check everything and make the managers; starts and touches nothing."""
        from twisted.internet import reactor

        super().postOptions()
        require_asyncio_reactor(reactor)
        if not (self._choices or self._configs or self._entries):
            raise usage.UsageError(
                "--scanner is missing: name one, as --scanner=module:Class, or a --config=FILE, or "
                "entries of the --catalog"
            )
        defaults = {**self._common(), **self._defaults}
        self.managers = [choice.manager(defaults) for choice in self._choices]
        if self._configs or self._entries:
            self._configure()
        self.managers += self._of_catalog
        check_socket_directory(self.settings())

    def _configure(self) -> None:
        # Imported here because a plugin that reads no file needs no memory for it.
        from twisted.internet import reactor

        from twistdp.launch.configured import check_once, entries, managers_of, read_trusted
        from twistdp.launch.following import ConfigFile

        options = dict(self._defaults)
        namespace = options.pop("namespace", None)
        settings = Settings(**self._common(), **options)
        of_files = [(path, read_trusted(path)) for path in self._configs]
        of_catalog = list(entries(self._entries, namespace))
        fixed = [("the catalogue", config) for config in of_catalog]
        check_once([*of_files, *fixed])
        for path, config in of_files:
            self.files.append(ConfigFile(path, config, settings, reactor))
        for file in self.files:
            file.beside(self.files, fixed)
        for config in of_catalog:
            self._of_catalog += managers_of(config, settings)

    def parseArgs(self, *arguments: str) -> None:
        """There are no arguments."""
        if arguments:
            raise usage.UsageError(f"{arguments[0]}: unexpected; options start with '--'")

    def opening(self) -> Opening:
        """Return the service that logs what these options ask for."""
        scanners = [
            Serving(manager.namespace, choice.name, choice.arguments)
            for manager, choice in zip(self.managers, self._choices, strict=False)
        ]
        scanners += [Serving(manager.namespace, "the catalogue") for manager in self._of_catalog]
        for file in self.files:
            scanners += [Serving(manager.namespace, file.path) for manager in file.managers]
        return Opening(scanners, self.settings().socket_dir)

    def served(self) -> list[tuple[Manager, str]]:
        """The managers that there are now, each with what asks for it."""
        sources = [choice.called for choice in self._choices]
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

    def _own(self) -> dict[str, Any]:
        return self._choices[-1].options if self._choices else self._defaults

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


def _seconds(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise usage.UsageError(f"--{option} {text}: give a number of seconds") from None


def _truth(option: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise usage.UsageError(f"--{option} {text}: give true or false")
    return text == "true"
