"""Looks at a host for ``twistdp scan`` and ``twistdp explain``, as the plugin would."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs
import click

from twistdp.catalog import Shelf, chosen
from twistdp.cli.completing import entries, files
from twistdp.cli.once import called_once
from twistdp.config import Config
from twistdp.errors import BadSetting, BadSettings
from twistdp.health import HealthChecks
from twistdp.launch.configured import by_domain, read_config
from twistdp.model import DeviceTree
from twistdp.recording import open_root
from twistdp.scan import Vetting
from twistdp.scanners.declared import Rule, Survey, belong_to, explained, shared
from twistdp.select import Explanation, Host

_NO_DOMAIN: Final = "(no domain)"


@attrs.frozen
class Look:
    """What a configuration, or a scanner, finds for one domain.

    Of a scanner in Python there is what it logged, too; of a configuration there is the survey.
    """

    domain: str
    tree: DeviceTree
    host: Host
    explanations: Sequence[Explanation]
    survey: Survey | None = None
    messages: Sequence[str] = ()
    refused: Mapping[tuple[str, str], str] = attrs.Factory(dict)
    """Why devices are refused, by type and id: others could change their paths."""

    noted: Sequence[tuple[Sequence[str], str]] = ()
    """What people should know of resources that work all the same, with their names."""

    def notes(self, resource: str) -> Sequence[str]:
        """What people should know of a resource, each once."""
        return list(dict.fromkeys(text for names, text in self.noted if resource in names))

    def full_name(self, resource: str) -> str:
        """A resource's name with its domain."""
        return f"{self.domain}/{resource}" if resource else self.domain


_OPTIONS: Final = (
    click.option(
        "configs",
        "--config",
        multiple=True,
        metavar="FILE",
        help="A configuration file.",
        shell_complete=files,
    ),
    click.option(
        "catalog",
        "--catalog",
        multiple=True,
        metavar="NAME,...",
        help="Entries of the catalogue.",
        shell_complete=entries,
    ),
    click.option("scanners", "--scanner", multiple=True, metavar="MODULE:CLASS", help="A scanner."),
    click.option(
        "settings",
        "--set",
        multiple=True,
        metavar="KEY=VALUE",
        help="An argument of the last --scanner.",
    ),
    click.option("--namespace", metavar="DOMAIN", help="The domain of a scanner's resources."),
    click.option(
        "--root",
        default="/",
        show_default=True,
        metavar="DIR|RECORDING",
        help="The host: a directory with sys, dev and run/udev/data, or a recording of one.",
        shell_complete=files,
    ),
)


@attrs.frozen(kw_only=True)
class Where:
    """Where to look, and for what: the options that `where_to_look` gives a command."""

    configs: Sequence[str]
    catalog: Sequence[str]
    scanners: Sequence[str]
    settings: Sequence[str]
    namespace: str | None
    root: str

    def __bool__(self) -> bool:
        """Whether there is something to look for."""
        return bool(self.configs or self.catalog or self.scanners)


def where_to_look(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options that make a `Where` to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@contextmanager
def looking(where: Where) -> Iterator[tuple[Host, list[Look]]]:
    """The host, and what each configuration and scanner finds there.

    Raises `BadSetting`, also `BadSettings` with a line for each problem.
    """
    with ExitStack() as stack:
        root = stack.enter_context(open_root(where.root))
        host = Host(root)
        shelf = Shelf()
        names = [name.strip() for text in where.catalog for name in text.split(",")]
        configs = [read_config(path) for path in where.configs]
        plain = [name for name in names if shelf.scanner(name) is None]
        configs += chosen(plain, where.namespace, _NO_DOMAIN).values()
        looks = [look for config in configs for look in _of_config(config, host)]
        scanners = [(name, f"--scanner {name}") for name in where.scanners]
        for name in names:
            scanner = shelf.scanner(name)
            if scanner is not None:
                scanners.append((scanner, f"--catalog {name}"))
        if where.settings and not scanners:
            raise BadSetting(
                f"--set {where.settings[0]}: no scanner takes it; write a configuration file with "
                "keys beside use"
            )
        for number, (name, called) in enumerate(scanners, 1):
            given = where.settings if number == len(scanners) else ()
            looks.append(_of_scanner(name, called, given, where.namespace, host))
        yield host, _with_others(looks)


def _of_config(config: Config, host: Host) -> Iterator[Look]:
    for domain, resources in by_domain(config).items():
        rules = [Rule(kind, each) for kind, each in resources.items()]
        survey = Survey(rules, checks=HealthChecks())
        survey.look(host)
        tree = DeviceTree()
        for kind, devices in survey.ledger.devices.items():
            tree.add_devices(kind, devices)
        yield Look(
            domain,
            tree,
            host,
            [*explained(survey, host)],
            survey,
            refused=_vetted(tree, host),
            noted=tuple(survey.warnings()),
        )


def _with_others(looks: Sequence[Look]) -> list[Look]:
    """The looks with notes on nodes that resources of different files or domains have."""
    found = [
        (look, look.survey.rules[order].name, listed)
        for look in looks
        if look.survey is not None
        for order, listed in look.survey.listed().items()
    ]
    noted = {id(look): list(look.noted) for look in looks}
    for places, nodes in shared({place: each[2] for place, each in enumerate(found)}).items():
        holders = [found[place][:2] for place in places]
        if len({id(look) for look, _ in holders}) > 1:
            fact = belong_to(nodes, [look.full_name(name) for look, name in holders])
            for look, name in holders:
                text = f"{fact}; leave out what is not meant, as exclusive is about one domain"
                noted[id(look)].append(([name], text))
    return [attrs.evolve(look, noted=noted[id(look)]) for look in looks]


def _of_scanner(
    name: str, called: str, given: Sequence[str], namespace: str | None, host: Host
) -> Look:
    settings: dict[str, list[str]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadSetting(f"--set {text}: write it as key=value")
        settings.setdefault(key, []).append(value)
    once = called_once(name, settings, host, called)
    domain = namespace or getattr(once.scanner, "namespace", None) or _NO_DOMAIN
    refused = _vetted(once.tree, host) if once.scanner.check_paths else {}
    return Look(domain, once.tree, host, once.explanations, None, once.messages, refused)


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


def counted(sizes: Sequence[int]) -> str:
    """How many devices a resource lists, for people; `sizes` are how many replicas each has."""
    total, replicas = sum(sizes), [size for size in sizes if size > 1]
    text = f"{total} device{'' if total == 1 else 's'}"
    if not replicas:
        return text
    which = "" if sum(replicas) == total else f"{sum(replicas)} of them "
    return f"{text}, {which}replicas of {len(replicas)}"


def problems(error: BadSetting) -> Iterator[str]:
    """The lines of an error."""
    yield from error.lines if isinstance(error, BadSettings) else (str(error),)
