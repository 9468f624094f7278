"""Tests for `twistdp.kubelet.messages`."""

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.kubelet import deviceplugin_v1beta1_pb2 as pb2
from twistdp.kubelet.messages import allocate_response, container_part, listed_part
from twistdp.model.calls import ContainerAllocateResponse
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, Mount

FULL = DeviceInfo(
    HEALTHY,
    nodes=[DeviceSpec("/dev/h1", "/dev/c1", "r"), DeviceSpec("/dev/h2", "/dev/c2", "mrw")],
    mounts=[Mount("/h1", "/c1", True), Mount("/h2", "/c2")],
    envs={"A": "1", "B": "ä"},
    annotations={"a/b": "x", "c": ""},
)


def sized(length: int) -> bytes:
    """A ContainerAllocateResponse of at least `length` bytes."""
    return container_part(ContainerAllocateResponse(envs={"A": "x" * length}))


class ListedPartTests(SynchronousTestCase):
    """A device's part of the advertised list."""

    def test_round_trip(self) -> None:
        """A part is a list of one device, with its id and health and nothing else."""
        for state in (HEALTHY, UNHEALTHY):
            message = pb2.ListAndWatchResponse.FromString(
                listed_part("x1", DeviceInfo(state, envs={"A": "1"}, reason="hot"))
            )
            self.assertEqual(
                message,
                pb2.ListAndWatchResponse(devices=[pb2.Device(ID="x1", health=state)]),
            )

    def test_parts_join(self) -> None:
        """Parts put one after the other are the list of their devices."""
        joined = b"".join(listed_part(key, FULL) for key in "cab")
        message = pb2.ListAndWatchResponse.FromString(joined)
        self.assertEqual([device.ID for device in message.devices], ["c", "a", "b"])


class ContainerPartTests(SynchronousTestCase):
    """What a container gets."""

    def test_round_trip(self) -> None:
        """Every field of a device or an allocation arrives."""
        expected = pb2.ContainerAllocateResponse(
            envs={"A": "1", "B": "ä"},
            annotations={"a/b": "x", "c": ""},
            mounts=[
                pb2.Mount(host_path="/h1", container_path="/c1", read_only=True),
                pb2.Mount(host_path="/h2", container_path="/c2", read_only=False),
            ],
            devices=[
                pb2.DeviceSpec(host_path="/dev/h1", container_path="/dev/c1", permissions="r"),
                pb2.DeviceSpec(host_path="/dev/h2", container_path="/dev/c2", permissions="mrw"),
            ],
        )
        same = attrs.evolve(FULL)
        for subject in (FULL, same):
            self.assertEqual(
                pb2.ContainerAllocateResponse.FromString(container_part(subject)), expected
            )

    def test_nothing(self) -> None:
        """A device without parts is the empty message."""
        self.assertEqual(container_part(DeviceInfo(HEALTHY)), b"")

    def test_parts_join(self) -> None:
        """Parts put one after the other are one message with all of them."""
        other = DeviceInfo(HEALTHY, envs={"C": "3"}, nodes=[DeviceSpec("/dev/3", "/dev/3")])
        message = pb2.ContainerAllocateResponse.FromString(
            container_part(FULL) + container_part(other)
        )
        self.assertEqual(dict(message.envs), {"A": "1", "B": "ä", "C": "3"})
        self.assertEqual(
            [node.host_path for node in message.devices], ["/dev/h1", "/dev/h2", "/dev/3"]
        )


class AllocateResponseTests(SynchronousTestCase):
    """The answer to a whole Allocate request."""

    def test_lengths(self) -> None:
        """Containers of any size keep their place, also at each limit of the length's encoding."""
        overhead = len(sized(200)) - 200
        parts = [b"", container_part(FULL), sized(300), sized(20_000), sized(3_000_000), b""]
        parts += [sized(length) for length in range(110, 130)]
        parts += [sized(length - overhead) for length in range(16_370, 16_400)]
        self.assertTrue({127, 128, 16_383, 16_384} <= {len(part) for part in parts})
        message = pb2.AllocateResponse.FromString(allocate_response(parts))
        self.assertEqual(
            list(message.container_responses),
            [pb2.ContainerAllocateResponse.FromString(part) for part in parts],
        )

    @given(st.lists(st.integers(0, 40_000).map(sized), max_size=5))
    def test_equals_the_library_s(self, parts: list[bytes]) -> None:
        """The bytes are those that the protobuf library makes of the same message."""
        message = pb2.AllocateResponse(
            container_responses=[pb2.ContainerAllocateResponse.FromString(part) for part in parts]
        )
        self.assertEqual(allocate_response(parts), message.SerializeToString())

    def test_no_containers(self) -> None:
        """A request for no container is answered with the empty message."""
        self.assertEqual(allocate_response([]), b"")
