"""Tests for `twistdp.kubelet.checkpoint`."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.kubelet.checkpoint import CHECKPOINT, kept_nodes

OF_A_KUBELET = """{"Data":{"PodDeviceEntries":[
 {"PodUID":"84ce606f-42dd-4f3f-91e6-b04dd81b1d24","ContainerName":"c",
  "ResourceName":"lab.example.com/loop","DeviceIDs":{"-1":["loop0"]},
  "AllocResp":"Gh0KCi9kZXYvbG9vcDASCi9kZXYvbG9vcDAaA21ydw=="},
 {"PodUID":"84ce606f-42dd-4f3f-91e6-b04dd81b1d24","ContainerName":"c",
  "ResourceName":"lab.example.com/null","DeviceIDs":{"0":["null-1"],"1":["null-2"]},
  "AllocResp":"GhsKCS9kZXYvbnVsbBIJL2Rldi9udWxsGgNtcnc="}],
 "RegisteredDevices":{"lab.example.com/loop":["loop1","loop0"]}},"Checksum":739327502}"""
"""As Kubernetes 1.36 writes it."""


class KeptNodesTests(SynchronousTestCase):
    """`kept_nodes`"""

    def kept(self, content: str | None, resource: str, *ids: str) -> list[frozenset[str]]:
        """What is found in a checkpoint with this content."""
        directory = temporary_directory(self)
        if content is not None:
            with open(os.path.join(directory, CHECKPOINT), "w", encoding="utf-8") as file:
                file.write(content)
        return kept_nodes(directory, resource, ids)

    def test_found(self) -> None:
        """A container is found by all of its devices of a resource, on whichever NUMA nodes."""
        self.assertEqual(self.kept(OF_A_KUBELET, "lab.example.com/loop", "loop0"), [{"/dev/loop0"}])
        two = self.kept(OF_A_KUBELET, "lab.example.com/null", "null-2", "null-1")
        self.assertEqual(two, [{"/dev/null"}])

    def test_others(self) -> None:
        """Other devices, and other resources, are not meant."""
        for resource, *ids in (
            ("lab.example.com/loop", "loop1"),
            ("lab.example.com/null", "null-1"),
            ("lab.example.com/other", "loop0"),
        ):
            self.assertEqual(self.kept(OF_A_KUBELET, resource, *ids), [])

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
            self.assertEqual(self.kept(content, "lab.example.com/loop", "loop0"), [])
