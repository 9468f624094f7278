"""Logs how many devices a resource has, and how they change."""

import attrs
from twisted.logger import Logger

from twistdp.model import Devices, Update
from twistdp.resource.inventory import Inventory
from twistdp.resource.room import MOST_BYTES
from twistdp.resource.summary import Change, change, counted

_log = Logger()


class Report:
    """Logs the devices of `inventory`, which are those of `resource`, at the start and later."""

    def __init__(self, resource: str, inventory: Inventory) -> None:
        self._resource = resource
        self._inventory = inventory
        self._left_out = 0

    def begin(self) -> None:
        """Log the devices that there are, as a warning if some are unhealthy."""
        found = change({}, Update(self._inventory.devices).whole())
        self._log_devices(attrs.evolve(found, came=()))  # all of them have come
        self._log_left_out()

    def look(self, before: Devices, update: Update, is_relisted: bool) -> None:
        """Log what an update of the devices `before` has changed in ids, health or the list."""
        what = change(before, update)
        if is_relisted or what:
            self._log_devices(what)
        self._log_left_out()

    def _log_devices(self, what: Change) -> None:
        inventory = self._inventory
        left_out = len(inventory.left_out)
        line = "{resource}: {devices}{change}"
        fields = {
            "resource": self._resource,
            "devices": counted(len(inventory.devices), inventory.unhealthy, left_out),
            "change": f" ({what})" if what else "",
        }
        if what.worse:
            _log.warn(line, **fields)
        else:
            _log.info(line, **fields)

    def _log_left_out(self) -> None:
        """Log when the list has no room for all devices, and when it has room again."""
        left_out = len(self._inventory.left_out)
        if left_out == self._left_out:
            return
        self._left_out = left_out
        if left_out:
            _log.error(
                "{resource}: {left_out} of {devices} devices are not listed and cannot be used: "
                "the list would have {size} bytes, and a kubelet takes {most}; give the devices "
                "shorter ids, spread them over several resources, or find fewer of them",
                resource=self._resource,
                left_out=left_out,
                devices=len(self._inventory.devices),
                size=self._inventory.size,
                most=MOST_BYTES,
            )
        else:
            _log.info("{resource}: all devices are listed again", resource=self._resource)
