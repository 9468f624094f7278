"""The scanner that makes devices of the resources of a configuration file."""

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.logger import Logger

from twistdp.config import Resource
from twistdp.model import DeviceInfo, DeviceTree, device_id
from twistdp.scan import WatchingScanner
from twistdp.scanners.declared.found import Found, Listed
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.survey import Survey
from twistdp.scanners.declared.watched import watched
from twistdp.select import Host
from twistdp.settings import Settings

_log = Logger()


class DeclaredScanner(WatchingScanner):
    """Finds the devices that `resources` of one domain select, by the types of resources.

    `root` is where the host's tree is: ``/``, or that of a recording.
    """

    def __init__(self, resources: Mapping[str, Resource], root: str = "/") -> None:
        self._root = root
        self._rules = [Rule(name, each, order) for order, (name, each) in
                       enumerate(resources.items())]  # fmt: skip
        self._survey = Survey(self._rules)
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
        found = self._survey.look(host)
        self.paths = watched(self._rules, host)
        return self._tree(found)

    def _tree(self, found: Found) -> DeviceTree:
        devices: dict[str, dict[str, DeviceInfo]] = {}
        for rule in self._rules:
            for each in (one for one in found.listed if one.resource == rule.name):
                kind, ids, info = replicated(rule, each)
                devices.setdefault(kind, {}).update(dict.fromkeys(ids, info))
        tree = DeviceTree()
        for kind, infos in devices.items():
            tree.add_devices(kind, infos)
        return tree


def replicated(rule: Rule, listed: Listed) -> tuple[str, list[str], DeviceInfo]:
    """The type, ids and value under which a device is listed."""
    replicas = rule.resource.replicas
    if replicas is None or not (
        not replicas.match or any(match.holds(listed.lead) for match in replicas.match)
    ):
        return rule.name, [listed.id], listed.info
    ids = [device_id(f"{listed.id}-{number}") for number in range(replicas.count)]
    info = attrs.evolve(listed.info, group=listed.id)
    return replicas.rename or rule.name, ids, info
