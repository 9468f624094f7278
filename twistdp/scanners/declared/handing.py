"""What depends on all devices of one container: numbered variables, refusals, changed nodes."""

from collections.abc import Iterable, Mapping, Sequence

from twistdp.errors import AllocationRefused
from twistdp.model import AllocateResponse, DeviceInfo, PreStartContainerRequest
from twistdp.scanners.declared.raw import RAW
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.words import NUMBER


class Handing:
    """Completes the answers to Allocate, and checks before containers start.

    Called in the reactor's thread, while the scanner's own changes `numbered`: the variables of
    each type and id, with `NUMBER` for the number among a container's devices.
    """

    def __init__(self) -> None:
        self._single: frozenset[str] = frozenset()
        self._numbered: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = {}
        self._given: dict[tuple[str, str], tuple[str, ...]] = {}

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
                paths = raw_paths(request.devices[id_])
                if paths:
                    self._given[kind, id_] = paths
        return response

    def pre_start_container(self, request: PreStartContainerRequest) -> None:
        """Refuse to start a container whose device has another node than it was given.

        The kubelet keeps its first answer, so only a new pod gets the new node.
        """
        kind = request.resource.rpartition("/")[2]
        for id_ in request.devices_ids:
            given = self._given.get((kind, id_))
            info = request.devices.get(id_)
            now = raw_paths(info) if info is not None else ()
            if given and now and now != given:
                raise AllocationRefused(
                    f"{request.resource}: device {id_} was {', '.join(given)} when this pod was "
                    f"given it, and is {', '.join(now)} now; delete the pod, and a new one gets "
                    "the device"
                )


def raw_paths(info: DeviceInfo) -> tuple[str, ...]:
    """The nodes of a device whose names change when it is plugged in again."""
    return tuple(node.host_path for node in info.nodes if node.host_path.startswith(RAW))
