"""Looks at a host for ``twistdp scan`` and ``twistdp explain``, as the plugin would."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import attrs
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from twistdp import klog
from twistdp.catalog import Shelf, chosen
from twistdp.config import Config
from twistdp.errors import BadSetting, BadSettings
from twistdp.launch import make
from twistdp.launch.configured import by_domain, read_config
from twistdp.model import DeviceTree
from twistdp.recording import open_root
from twistdp.scan import Vetting, WatchingScanner, check_scanner
from twistdp.scanners.declared import Rule, Survey
from twistdp.select import Host


@attrs.frozen
class Look:
    """What a configuration, or a scanner, finds for one domain.

    Of a scanner in Python there are the devices and what it logged; of a configuration there is
    the survey, too.
    """

    domain: str
    tree: DeviceTree
    host: Host
    survey: Survey | None = None
    messages: tuple[str, ...] = ()
    refused: dict[tuple[str, str], str] = attrs.Factory(dict)
    """Why devices are refused, by type and id: others could change their paths."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to look, and for what."""
    parser.add_argument(
        "--config", action="append", default=[], metavar="FILE", help="a configuration file"
    )
    parser.add_argument(
        "--catalog", action="append", default=[], metavar="NAME,...",
        help="entries of the catalogue",
    )  # fmt: skip
    parser.add_argument(
        "--scanner", action="append", default=[], metavar="MODULE:CLASS", help="a scanner"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="an argument of the last --scanner",
    )  # fmt: skip
    parser.add_argument("--namespace", metavar="DOMAIN", help="the domain of a scanner's resources")
    parser.add_argument(
        "--root", default="/", metavar="DIR|RECORDING",
        help="the host: a directory with sys, dev and run/udev/data, or a recording of one",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


@contextmanager
def looking(arguments: argparse.Namespace) -> Iterator[tuple[Host, list[Look]]]:
    """The host, and what each configuration and scanner finds there.

    Raises `BadSetting`, also `BadSettings` with a line for each problem.
    """
    with ExitStack() as stack:
        root = stack.enter_context(open_root(arguments.root))
        host = Host(root)
        shelf = Shelf()
        names = [name.strip() for text in arguments.catalog for name in text.split(",")]
        configs = [read_config(path) for path in arguments.config]
        plain = [name for name in names if shelf.scanner(name) is None]
        configs += chosen(plain, arguments.namespace).values()
        looks = [look for config in configs for look in _of_config(config, host)]
        of_catalog = [*filter(None, map(shelf.scanner, names))]
        scanners = [*arguments.scanner, *of_catalog]
        for number, name in enumerate(scanners, 1):
            given = arguments.set if number == len(scanners) else []
            has_root = name in of_catalog
            looks.append(_of_scanner(name, given, arguments.namespace, host, has_root))
        yield host, looks


def _of_config(config: Config, host: Host) -> Iterator[Look]:
    for domain, resources in by_domain(config).items():
        survey = Survey([Rule(kind, each) for kind, each in resources.items()])
        survey.look(host)
        tree = DeviceTree()
        for kind, devices in survey.ledger.devices.items():
            tree.add_devices(kind, devices)
        yield Look(domain, tree, host, survey, refused=_vetted(tree, host))


def _of_scanner(
    name: str, given: list[str], namespace: str | None, host: Host, has_root: bool
) -> Look:
    """What a scanner finds; with `has_root` its constructor takes the host's root."""
    if host.prefix and not has_root:
        raise BadSetting("--root is for configuration files; a scanner reads the host itself")
    settings: dict[str, list[str]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadSetting(f"--set {text}: write it as key=value")
        settings.setdefault(key, []).append(value)
    if host.prefix:
        settings["root"] = [host.root]
    scanner = make(name, settings)
    check_scanner(scanner)
    if not isinstance(scanner, WatchingScanner):
        raise BadSetting(f"--scanner {name}: it has a loop of its own, which is not run here")
    messages: list[str] = []

    @provider(ILogObserver)
    def note(event: LogEvent) -> None:
        what = f": {event['what']}" if "what" in event else ""
        if what or event.get("log_level", LogLevel.info) >= LogLevel.warn:
            messages.append(f"{formatEvent(event)}{what}")

    level = klog.level()
    klog.set_level(1)  # ready-made scanners log there what they leave out
    globalLogPublisher.addObserver(note)
    try:
        tree = scanner.discover()
    finally:
        globalLogPublisher.removeObserver(note)
        klog.set_level(level)
    domain = namespace or getattr(scanner, "namespace", None) or "(no domain)"
    refused = _vetted(tree, host) if scanner.check_paths else {}
    return Look(domain, tree, host, None, tuple(messages), refused)


def _vetted(tree: DeviceTree, host: Host) -> dict[tuple[str, str], str]:
    """The devices that the plugin would refuse; in a tree that was laid out, owners say nothing."""
    if host.prefix:
        return {}
    vetting = Vetting()
    vetting.begin()
    return {
        (kind, id_): reason
        for kind in tree
        for id_, reason in vetting.refused(kind, tree[kind], list(tree[kind])).items()
    }


def problems(error: BadSetting) -> Iterator[str]:
    """The lines of an error."""
    yield from error.lines if isinstance(error, BadSettings) else (str(error),)
