"""Tests for `twistdp.kubelet.checkpoint`."""

import json
import os

from tests.support.helpers import temporary_directory
from tests.support.logs import LogTestCase
from tests.support.users import ALICE, NEEDS_ROOT, given_to
from twistdp.kubelet import checkpoint
from twistdp.kubelet.checkpoint import CHECKPOINT, Checkpoint

OF_A_KUBELET = """{"Data":{"PodDeviceEntries":[
 {"PodUID":"84ce606f-42dd-4f3f-91e6-b04dd81b1d24","ContainerName":"c",
  "ResourceName":"lab.example.com/loop","DeviceIDs":{"-1":["loop0"]},
  "AllocResp":"Gh0KCi9kZXYvbG9vcDASCi9kZXYvbG9vcDAaA21ydw=="},
 {"PodUID":"84ce606f-42dd-4f3f-91e6-b04dd81b1d24","ContainerName":"c",
  "ResourceName":"lab.example.com/null","DeviceIDs":{"0":["null-1"],"1":["null-2"]},
  "AllocResp":"GhsKCS9kZXYvbnVsbBIJL2Rldi9udWxsGgNtcnc="}],
 "RegisteredDevices":{"lab.example.com/loop":["loop1","loop0"]}},"Checksum":739327502}"""
"""As Kubernetes 1.36 writes it."""


OF_ANOTHER = """{"PodUID":"a","ContainerName":"c","ResourceName":"lab.example.com/x",
  "DeviceIDs":{"-1":["x"]},"AllocResp":"GhsK"},"""


class KeptNodesTests(LogTestCase):
    """`Checkpoint.kept_nodes`"""

    def found(self, content: str | None, resource: str, *ids: str) -> list[frozenset[str]]:
        """What is found in a checkpoint with this content."""
        directory = temporary_directory(self)
        if content is not None:
            with open(os.path.join(directory, CHECKPOINT), "w", encoding="utf-8") as file:
                file.write(content)
        return Checkpoint(directory).kept_nodes(resource, ids)

    def test_found(self) -> None:
        """A container is found by all of its devices of a resource, on whichever NUMA nodes."""
        self.assertEqual(
            self.found(OF_A_KUBELET, "lab.example.com/loop", "loop0"), [{"/dev/loop0"}]
        )
        two = self.found(OF_A_KUBELET, "lab.example.com/null", "null-2", "null-1")
        self.assertEqual(two, [{"/dev/null"}])

    def test_others(self) -> None:
        """Other devices, and other resources, are not meant."""
        for resource, *ids in (
            ("lab.example.com/loop", "loop1"),
            ("lab.example.com/null", "null-1"),
            ("lab.example.com/other", "loop0"),
        ):
            self.assertEqual(self.found(OF_A_KUBELET, resource, *ids), [])

    def test_unreadable(self) -> None:
        """What cannot be understood says nothing."""
        for content in (
            None,
            "",
            "{",
            "[]",
            "null",
            "{}",
            '{"Data":null}',
            '{"Data":{"PodDeviceEntries":null}}',
            '{"Data":{"PodDeviceEntries":[1]}}',
            OF_A_KUBELET.replace('{"-1":["loop0"]}', "null"),
            OF_A_KUBELET.replace("Gh0K", "!"),
            OF_A_KUBELET.replace("Gh0K", "////"),
            "[" * 100_000,
        ):
            self.assertEqual(self.found(content, "lab.example.com/loop", "loop0"), [])

    def test_too_large(self) -> None:
        """A file that is too large is reported once, and again when it was smaller in between."""
        directory = temporary_directory(self)
        path = os.path.join(directory, CHECKPOINT)
        kubelet = Checkpoint(directory)
        self.patch(checkpoint, "LARGEST", 1 << 20)
        for padding, count in ((1 << 20, 0), (1 << 20, 0), (0, 1), (1 << 20, 0)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(OF_A_KUBELET + " " * padding)
            self.assertEqual(len(kubelet.kept_nodes("lab.example.com/loop", ["loop0"])), count)
        self.assertEqual(len(self.lines), 2)
        for line in self.lines:
            self.assertIn(f"{path} is not read: it has more than 1 MiB; ", line)

    def test_other_threads(self) -> None:
        """A large file is parsed piece by piece, so that other threads run meanwhile."""
        pieces: list[int] = []
        whole = json.JSONDecoder.raw_decode

        def counted(decoder: json.JSONDecoder, text: str, begin: int = 0) -> tuple[object, int]:
            parsed, end = whole(decoder, text, begin)
            pieces.append(end - begin)
            return parsed, end

        self.patch(json.JSONDecoder, "raw_decode", counted)
        content = OF_A_KUBELET.replace("[\n", "[\n" + OF_ANOTHER * 1000, 1)
        self.assertEqual(self.found(content, "lab.example.com/loop", "loop0"), [{"/dev/loop0"}])
        self.assertLess(max(pieces), 300)


class OthersTests(LogTestCase):
    """A plugin directory in which others may make files: it is sticky, as /tmp is."""

    def setUp(self) -> None:
        """Make the directory."""
        super().setUp()
        directory = temporary_directory(self)
        os.chmod(directory, 0o1777)
        self.path = os.path.join(directory, CHECKPOINT)
        self.kubelet = Checkpoint(directory)

    def refused(self, reason: str) -> None:
        """Check that nothing is read, and that the log says why, once."""
        for _ in range(2):
            self.assertIsNone(self.kubelet.kept_ids())
            self.assertEqual(self.kubelet.kept_nodes("lab.example.com/loop", ["loop0"]), [])
        (line,) = self.lines
        self.assertIn(f"{self.path} is not read: {reason}", line)

    def test_pipe(self) -> None:
        """A pipe, which nobody would ever write to, is not waited for."""
        os.mkfifo(self.path)
        self.refused("it is no regular file; remove it")

    def test_link(self) -> None:
        """A link, which may lead to any file, is not followed."""
        with open(f"{self.path}.real", "w", encoding="utf-8") as file:
            file.write(OF_A_KUBELET)
        os.symlink(f"{self.path}.real", self.path)
        self.assertIsNone(self.kubelet.kept_ids())

    def test_file_of_a_user(self) -> None:
        """A user's file says nothing of what the kubelet keeps."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(OF_A_KUBELET)
        self.assertIsNotNone(self.kubelet.kept_ids())
        given_to(self.path, ALICE, 0o644)
        self.refused(f"{self.path} belongs to user {ALICE} (mode 0644), who could replace it")

    test_file_of_a_user.skip = NEEDS_ROOT  # type: ignore[attr-defined]

    def test_exchanged_directory(self) -> None:
        """Neither does a directory that others could exchange."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(OF_A_KUBELET)
        os.chmod(os.path.dirname(self.path), 0o777)
        self.refused(f"others may write in {os.path.dirname(self.path)}")


class KeptIdsTests(LogTestCase):
    """`Checkpoint.kept_ids`"""

    def kept_in(self, content: str | None) -> frozenset[tuple[str, str]] | None:
        """What is kept according to a checkpoint with this content."""
        directory = temporary_directory(self)
        if content is not None:
            with open(os.path.join(directory, CHECKPOINT), "w", encoding="utf-8") as file:
                file.write(content)
        return Checkpoint(directory).kept_ids()

    def test_kept(self) -> None:
        """All devices of all containers, but not those that are only registered."""
        null = {("lab.example.com/null", "null-1"), ("lab.example.com/null", "null-2")}
        self.assertEqual(self.kept_in(OF_A_KUBELET), {("lab.example.com/loop", "loop0"), *null})

    def test_nothing_kept(self) -> None:
        """A kubelet without such pods keeps nothing."""
        for entries in ("null", "[]", " [ ]"):
            self.assertEqual(
                self.kept_in('{"Data":{"PodDeviceEntries":' + entries + '},"Checksum":1}'), set()
            )

    def test_not_known(self) -> None:
        """A file that cannot be read or understood, or that is too large, says nothing."""
        for content in (
            None,
            "",
            "{}",
            '{"Data":{"PodDeviceEntries":[1]}}',
            '{"Data":{"PodDeviceEntries":[{"ResourceName":"x"}]}}',
            OF_A_KUBELET.replace('{"-1":["loop0"]}', "null"),
            '{"Data":{"PodDeviceEntries":{}}}',
            OF_A_KUBELET[:200],
            OF_A_KUBELET[: OF_A_KUBELET.index('"},') + 2],
        ):
            self.assertIsNone(self.kept_in(content), content)
        self.patch(checkpoint, "LARGEST", 100)
        self.assertIsNone(self.kept_in(OF_A_KUBELET))
