"""The scanner that makes devices of the resources of a configuration file."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from twistdp.config import Resource
from twistdp.health import HealthChecks
from twistdp.klog import V
from twistdp.model import DeviceTree, Resources
from twistdp.scan import WatchingScanner
from twistdp.scanners.declared.explanation import explained
from twistdp.scanners.declared.handing import Handing
from twistdp.scanners.declared.reports import Reports
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.subsystems import subsystems
from twistdp.scanners.declared.survey import Survey
from twistdp.scanners.declared.watched import watched
from twistdp.select import Explanation, Host, refresh
from twistdp.settings import PLUGIN_DIRECTORY, Settings

FIRMWARE = 5.0
"""Seconds in which a device that loads its firmware has come back as another one."""


SILENT = 5.0
"""Seconds between two whole looks, if something changes without an event."""


class DeclaredScanner(WatchingScanner):
    """Finds the devices that `resources` of one domain select, by the types of resources.

    `root` is where the host's tree is: ``/``, or that of a recording.  `plugin_dir` is the
    kubelet's directory.
    """

    reports_shared = True

    def __init__(
        self,
        resources: Mapping[str, Resource],
        root: str = "/",
        plugin_dir: str = PLUGIN_DIRECTORY,
    ) -> None:
        self._root = root
        if root != "/":
            V(1).info(
                "no events of the kernel: rescans find what happens in sysfs",
                reason=f"{root} is not the root of this host",
            )
        self._host: Host | None = None
        self._settings: dict[str, Settings] = {}
        self._reports = Reports()
        self._handing = Handing(plugin_dir)
        self.checks = HealthChecks()
        self._use(resources)
        self.survey = self._new_survey(self._rules, {})
        self.post_allocate = self._handing.post_allocate
        self.pre_start_container = self._handing.pre_start_container
        # What is written into nodes does not matter, and would be reported all the time.
        paths = watched(self._rules, Host(root))
        super().__init__(paths, self.rescan_interval, contents=False)

    def replace(self, resources: Mapping[str, Resource]) -> None:
        """Select by other resources from the next call of `discover` on."""
        self._use(resources)

    def _use(self, resources: Mapping[str, Resource]) -> None:
        self._rules = tuple(Rule(name, each) for name, each in resources.items())
        self.join = _joined(self._rules)
        silent = any(rule.changes_silently for rule in self._rules)
        self.rescan_interval = SILENT if silent else WatchingScanner.rescan_interval
        # The kernel's events are about this host, and not about one whose tree was laid out.
        self.uevents = subsystems(self._rules) if self._root == "/" else ()

    def _new_survey(self, rules: Sequence[Rule], before: Resources) -> Survey:
        survey = Survey(rules, before, self.checks)
        self._handing.use(rules, survey.ledger.numbered)
        return survey

    def settings_of(self, kind: str, common: Settings) -> Settings:
        """The settings of a type of resource, where its resource says other than `common`.

        A resource that is gone keeps its settings until it is withdrawn: with others it would be
        made again instead, and the kubelet would not learn that it has no devices.
        """
        rules = [rule for rule in self._rules if kind in rule.types]
        if rules:
            given: dict[str, Any] = {"pre_start": any(rule.gives_counted for rule in rules)}
            if any(rule.changes_identity for rule in rules):
                given["removal_grace"] = max(common.removal_grace, FIRMWARE)
            for resource in (rule.resource for rule in rules):
                if resource.preferred is not None:
                    given["preferred"] = resource.preferred
                if resource.removal_grace is not None:
                    given["removal_grace"] = resource.removal_grace
            self._settings[kind] = attrs.evolve(common, **given)
        return self._settings.get(kind, common)

    def discover(self) -> DeviceTree:
        """Look at the whole host."""
        rules = self._rules
        if self.survey.rules is not rules:
            self.survey = self._new_survey(rules, self.survey.ledger.devices)
        if self._host is not None:
            self._host.release()
            self._host = None  # if the look fails, the next one is a whole one again
        host = Host(self._root, None if self.check_paths else False)
        self.survey.look(host)
        self._reports.report(self.survey, host, everything=True)
        host.prepare()
        self._host = host
        self.paths = watched(rules, host)
        return self._tree()

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look again at what is behind these paths only."""
        host = self._host
        if host is None or self.survey.rules is not self._rules:
            return self.discover()
        if not changed:
            self.survey.follow_health()
            return self._tree()
        found = refresh(host, [path.removeprefix(host.prefix) for path in changed])
        if found is None:
            return self.discover()
        self.survey.follow(found, host)
        self._reports.report(self.survey, host, everything=False)
        nodes = (path for path in changed if not path.startswith(f"{host.prefix}/sys/"))
        if any(os.path.isdir(path) or path in self.paths for path in nodes):
            self.paths = watched(self._rules, host)
        return self._tree()

    def explain(self) -> Iterator[Explanation]:
        """What the last look made of each candidate."""
        if self._host is not None:
            yield from explained(self.survey, self._host)

    def _tree(self) -> DeviceTree:
        tree = DeviceTree()
        for kind, devices in self.survey.ledger.devices.items():
            tree.add_devices(kind, devices)
        return tree


def _joined(rules: Iterable[Rule]) -> dict[str, str]:
    """The variables and annotations of which a container with several devices gets all values."""
    return {
        name: ","
        for rule in rules
        for name in (*rule.resource.env, *rule.resource.annotations)
        if "{" not in name
    }
