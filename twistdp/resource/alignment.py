"""Warns of devices that no topology manager can align."""

from twisted.logger import Logger

from twistdp.host import Topology
from twistdp.resource.inventory import Inventory

_log = Logger()


class Alignment:
    """Warns once if some devices of `resource` have NUMA nodes and others none, and once if a
    device is on a node that the machine lacks.

    With the policy restricted or single-numa-node, a kubelet's topology manager counts such
    devices on no node at all, and refuses pods that need them.
    """

    def __init__(self, resource: str, inventory: Inventory, sysfs: str = "/sys") -> None:
        self._resource = resource
        self._inventory = inventory
        self._sysfs = sysfs
        self._mixed = False
        self._absent = False
        self._known: set[int] = set()

    def look(self) -> None:
        """Check the present devices."""
        inventory = self._inventory
        if not self._mixed and 0 < inventory.placed < len(inventory.devices):
            self._mixed = True
            near = {id_: inventory.numa(id_) for id_ in inventory.devices}
            _log.warn(
                "{resource}: {count} of {devices} devices have no NUMA node, such as {example}, "
                "and others have one, such as {other}: a kubelet with the topology policy "
                "restricted or single-numa-node refuses pods that need both kinds; give nodes to "
                "all of them, or topology=None",
                resource=self._resource,
                count=len(inventory.devices) - inventory.placed,
                devices=len(inventory.devices),
                example=next(id_ for id_, nodes in near.items() if not nodes),
                other=next(id_ for id_, nodes in near.items() if nodes),
            )
        nodes = set(inventory.nodes)
        if not self._absent and not nodes <= self._known:
            self._known = nodes
            topology = Topology(self._sysfs)
            if absent := {node for node in nodes if not topology.has_node(node)}:
                self._absent = True
                _log.warn(
                    "{resource}: {example} is on NUMA node {node}, which this machine does not "
                    "have: a kubelet with the topology policy restricted or single-numa-node "
                    "admits no pod to it; correct its topology, or leave it out",
                    resource=self._resource,
                    example=next(
                        id_ for id_ in inventory.devices if absent & set(inventory.numa(id_))
                    ),
                    node=min(absent),
                )
