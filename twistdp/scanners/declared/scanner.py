"""The scanner that makes devices of the resources of a configuration file."""

from collections.abc import Mapping
from typing import Any

import attrs

from twistdp.config import Resource
from twistdp.model import DeviceTree
from twistdp.scan import WatchingScanner
from twistdp.scanners.declared.reports import Reports
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.survey import Survey
from twistdp.scanners.declared.watched import watched
from twistdp.select import Host
from twistdp.settings import Settings


class DeclaredScanner(WatchingScanner):
    """Finds the devices that `resources` of one domain select, by the types of resources.

    `root` is where the host's tree is: ``/``, or that of a recording.
    """

    def __init__(self, resources: Mapping[str, Resource], root: str = "/") -> None:
        self._root = root
        self._rules = [Rule(name, each, order) for order, (name, each) in
                       enumerate(resources.items())]  # fmt: skip
        self.survey = Survey(self._rules)
        self._reports = Reports(self.survey)
        # What is written into nodes does not matter, and would be reported all the time.
        super().__init__(watched(self._rules, Host(root)), contents=False)

    def settings_of(self, kind: str, common: Settings) -> Settings:
        """The settings of a type of resource, where its resource says other than `common`."""
        for rule in self._rules:
            resource, replicas = rule.resource, rule.resource.replicas
            if kind in (rule.name, replicas.rename if replicas is not None else None):
                own = {"preferred": resource.preferred, "removal_grace": resource.removal_grace}
                given: dict[str, Any] = {
                    key: value for key, value in own.items() if value is not None
                }
                return attrs.evolve(common, **given)
        return common

    def discover(self) -> DeviceTree:
        """Look at the whole host."""
        host = Host(self._root)
        self.survey.look(host)
        self._reports.report(host, everything=True)
        self.paths = watched(self._rules, host)
        return self._tree()

    def _tree(self) -> DeviceTree:
        tree = DeviceTree()
        for kind, devices in self.survey.ledger.devices.items():
            tree.add_devices(kind, devices)
        return tree
