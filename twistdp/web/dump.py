"""Logs the whole state on demand: a line about the process, and one for each resource."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twistdp import klog
from twistdp.model import HEALTHY
from twistdp.resource import Resource
from twistdp.web.plain import plain
from twistdp.web.state import Observatory

_log = Logger()

MOST_RESOURCES: Final = 500
"""Resources that get a line."""

MOST_ILL: Final = 20
"""Unhealthy devices in the line of a resource."""

_under_way: set[Observatory] = set()


def begin(observatory: Observatory) -> None:
    """Log the state as soon as the kubelet has said who holds what, or half a second later.

    Does nothing while that is under way.
    """
    if observatory in _under_way:
        return
    _under_way.add(observatory)
    done = Deferred.fromCoroutine(_log_state(observatory))
    done.addErrback(lambda failure: _log.failure("logging the state", failure))
    done.addBoth(lambda _: _under_way.discard(observatory))


async def _log_state(observatory: Observatory) -> None:
    await observatory.holdings.fresh()
    state = plain(observatory.state(devices=False))
    del state["time"]  # the log has it
    found = state.pop("resources")
    klog.info("state of the process", **state, resources=len(found))
    running = {
        resource.full_name: resource
        for manager, _ in observatory.served()
        for resource in manager.resources.values()
    }
    for each in found[:MOST_RESOURCES]:
        del each["devices"]
        name = each.pop("name")
        resource = running.get(name)  # None if it cannot be served
        ill = [] if resource is None else list(islice(_ill(resource), MOST_ILL))
        klog.info("state of a resource", resource=name, **each, unhealthy=ill)


def _ill(resource: Resource) -> Iterator[dict[str, Any]]:
    """The devices that are not healthy, in the order of the list."""
    inventory = resource.inventory
    for id_ in inventory.order:
        info = inventory.devices[id_]
        if info.state != HEALTHY:
            yield {"id": id_, "reason": info.reason}
