"""What depends on all devices of one container: numbered variables, refusals, changed nodes."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from twistdp.errors import AllocationRefused
from twistdp.kubelet import kept_nodes
from twistdp.model import AllocateResponse, DeviceInfo, PreStartContainerRequest
from twistdp.scanners.declared.raw import is_counted
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.words import NUMBER


class Handing:
    """Completes the answers to Allocate, and checks before containers start.

    Called in the reactor's thread, while the scanner's own changes `numbered`: the variables of
    each type and id, with `NUMBER` for the number among a container's devices.  `plugin_dir` is
    the kubelet's directory.
    """

    def __init__(self, plugin_dir: str) -> None:
        self._plugin_dir = plugin_dir
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
                self._given |= {(kind, id_): (ids, paths) for id_ in ids}
        return response

    def pre_start_container(self, request: PreStartContainerRequest) -> None:
        """Refuse to start a container whose devices no longer have the nodes that it was given.

        The kubelet keeps its first answer, over restarts of the plugin and of the machine, so only
        a new pod gets the new nodes.
        """
        now = raw_paths(request.devices.values())
        if not now:
            return
        ids = request.devices_ids
        given = self._given_before(request.resource, ids)
        if given and not any(nodes <= now for nodes in given):  # more of them do no harm
            raise AllocationRefused(
                f"{request.resource}: device {', '.join(ids)} was {_listed(given[0])} when this "
                f"pod was given it, and is {_listed(now)} now; delete the pod, and a new one gets "
                "the device"
            )

    def _given_before(self, resource: str, ids: Sequence[str]) -> Sequence[frozenset[str]]:
        """The raw nodes that containers with these devices were given, as far as it is known."""
        ours = self._given.get((resource.rpartition("/")[2], ids[0]))
        if ours is not None and ours[0] == frozenset(ids):
            return (ours[1],)
        kept = kept_nodes(self._plugin_dir, resource, ids)
        return [raw for paths in kept if (raw := _raw(paths))]


def raw_paths(devices: Collection[DeviceInfo]) -> frozenset[str]:
    """The nodes of devices whose names change when they are plugged in again."""
    return _raw(node.host_path for info in devices for node in info.nodes)


def _raw(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path for path in paths if is_counted(path))


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(sorted(paths))
