"""What depends on all devices of one container: numbered variables, refusals, changed nodes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThread

from twistdp.errors import AllocationRefused
from twistdp.kubelet.checkpoint import Checkpoint
from twistdp.model import AllocateResponse, DeviceInfo, PreStartContainerRequest
from twistdp.scanners.declared.raw import is_counted
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.words import NUMBER

MOST_GIVEN: Final = 5000
"""Ids whose containers are remembered; for others the kubelet's checkpoint is read."""


class Handing:
    """Completes the answers to Allocate, and checks before containers start.

    Called in the reactor's thread, while the scanner's own changes `numbered`: the variables of
    each type and id, with `NUMBER` for the number among a container's devices.  `plugin_dir` is
    the kubelet's directory.
    """

    def __init__(self, plugin_dir: str) -> None:
        self._checkpoint = Checkpoint(plugin_dir)
        self._reading = DeferredLock()
        self._single: frozenset[str] = frozenset()
        self._numbered: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = {}
        self._given: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
        """Of each id: all ids of its container, and the raw nodes that the container was given."""

    def use(
        self,
        rules: Iterable[Rule],
        numbered: Mapping[tuple[str, str], Sequence[tuple[str, str]]],
    ) -> None:
        """Complete answers by these rules from now on."""
        self._numbered = numbered
        self._single = frozenset(
            replicas.rename or rule.name
            for rule in rules
            if (replicas := rule.resource.replicas) is not None
            and replicas.count > 1
            and not replicas.more_per_container
        )

    def post_allocate(self, response: AllocateResponse) -> AllocateResponse:
        """Add numbered variables; raises `AllocationRefused` for several replicas."""
        assert response.request is not None
        kind = response.request.resource.rpartition("/")[2]
        answers = zip(
            response.request.container_requests, response.container_responses, strict=True
        )
        for request, answer in answers:
            if kind in self._single and len(request.devices_ids) > 1:
                raise AllocationRefused(
                    f"{response.request.resource}: a container gets one of them, since several are "
                    "the same device shared; ask for 1 (morePerContainer allows more)"
                )
            for number, id_ in enumerate(request.devices_ids):
                for name, value in self._numbered.get((kind, id_), ()):
                    answer.envs[name.replace(NUMBER, str(number))] = value.replace(
                        NUMBER, str(number)
                    )
            paths = raw_paths(request.devices.values())
            if paths:
                ids = frozenset(request.devices_ids)
                for id_ in ids:
                    self._given.pop((kind, id_), None)  # so that the oldest stay the first
                    self._given[kind, id_] = ids, paths
        for key in list(self._given)[: max(0, len(self._given) - MOST_GIVEN)]:
            del self._given[key]
        return response

    def pre_start_container(self, request: PreStartContainerRequest) -> Deferred[None] | None:
        """Refuse to start a container whose devices no longer have the nodes that it was given.

        The kubelet keeps its first answer, over restarts of the plugin and of the machine, so only
        a new pod gets the new nodes.
        """
        now = raw_paths(request.devices.values())
        if not now:
            return None
        kind, ids = request.resource.rpartition("/")[2], request.devices_ids
        ours = self._given.get((kind, ids[0]))
        if ours is not None and ours[0] == frozenset(ids):
            _check(request, [ours[1]], now)
            return None
        return self._kept(request.resource, ids).addCallback(
            lambda kept: _check(request, [raw for paths in kept if (raw := _raw(paths))], now)
        )

    def _kept(self, resource: str, ids: Sequence[str]) -> Deferred[list[frozenset[str]]]:
        """What the kubelet keeps for containers with these devices."""
        # One after the other: the file may be large.
        return self._reading.run(deferToThread, self._checkpoint.kept_nodes, resource, ids)


def _check(
    request: PreStartContainerRequest, given: Sequence[frozenset[str]], now: frozenset[str]
) -> None:
    if given and not any(nodes <= now for nodes in given):  # more of them do no harm
        raise AllocationRefused(
            f"{request.resource}: device {', '.join(request.devices_ids)} was "
            f"{_listed(given[0])} when this pod was given it, and is {_listed(now)} now; delete "
            "the pod, and a new one gets the device"
        )


def raw_paths(devices: Collection[DeviceInfo]) -> frozenset[str]:
    """The nodes of devices whose names change when they are plugged in again."""
    return _raw(node.host_path for info in devices for node in info.nodes)


def _raw(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path for path in paths if is_counted(path))


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(sorted(paths))
