"""Tests of the whole state, as values and as JSON."""

import json
import os
from typing import Any

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import until
from tests.web.observed import observe
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.kubelet import Held
from twistdp.model import Holder
from twistdp.web.plain import plain
from twistdp.web.state import Observatory

HELD: Held = {YELLOW: {"a": Holder("default", "painter", "brush")}}


class StateTests(LifeTestCase):
    """What the observatory sees of a manager with an emulated kubelet."""

    def observe(self, scanner: Any, held: Held | None = None) -> Observatory:
        """A running manager, observed."""
        pods = os.path.join(self.directory, "pods.sock")
        observatory, holdings = observe(self, scanner, pods)
        holdings.held, holdings.reason = held, "" if held is not None else "nobody listens"
        return observatory

    async def test_devices(self) -> None:
        """A device with all that can be shown of it, and no value that may be a secret."""
        await self.kubelet.start()
        tree = DeviceTree()
        info = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/null", "/dev/a", "r")],
            mounts=[Mount("/etc", "/mnt", read_only=True)],
            envs={"TOKEN": "hush"},
            annotations={"x.example/key": "hush"},
            topology=[1],
            group="card",
        )
        tree.add_device("yellow", "a", info)
        observatory = self.observe(ToldScanner(tree), HELD)
        await self.kubelet.listed(YELLOW, ["a"])
        state = plain(observatory.state())
        self.assertNotIn("hush", json.dumps(state))
        (resource,) = state["resources"]
        self.assertEqual((resource["name"], resource["held"]), (YELLOW, 1))
        self.assertEqual(
            resource["devices"],
            [
                {
                    "id": "a",
                    "health": "Healthy",
                    "reason": "",
                    "listed": True,
                    "group": "card",
                    "numaNodes": [1],
                    "nodes": [
                        {"hostPath": "/dev/null", "containerPath": "/dev/a", "permissions": "r"}
                    ],
                    "mounts": [{"hostPath": "/etc", "containerPath": "/mnt", "readOnly": True}],
                    "envNames": ["TOKEN"],
                    "annotationNames": ["x.example/key"],
                    "cdi": False,
                    "holder": {"namespace": "default", "pod": "painter", "container": "brush"},
                    "history": [],
                }
            ],
        )

    async def test_gone_meanwhile(self) -> None:
        """Devices that go while a long answer is written are left out of the rest of it."""
        await self.kubelet.start()
        ids = [f"d-{number}" for number in range(90)]
        scanner = ToldScanner(tree_of(*ids))
        observatory = self.observe(scanner)
        await self.kubelet.listed(YELLOW, ids)
        (resource,) = observatory.state().resources
        assert resource.devices is not None
        devices = iter(resource.devices)
        self.assertEqual(next(devices).id, "d-0")
        scanner.tell(tree_of(*ids[::2]))
        await self.kubelet.listed(YELLOW, ids[::2])
        self.assertEqual([device.id for device in devices], ids[2::2])

    async def test_session(self) -> None:
        """The session follows a registration, a refusal and a stop of the kubelet."""
        observatory = self.observe(ToldScanner(tree_of("a")))

        def session() -> dict[str, Any]:
            for resource in plain(observatory.state(devices=False))["resources"]:
                self.assertIsNone(resource["devices"])
                found: dict[str, Any] = resource["session"]
                return found
            return {"standing": "none", "streams": 0}

        await until(lambda: session()["standing"] == "waiting")
        self.assertIn("no kubelet", session()["reason"])
        self.assertIsNone(session()["lastWord"])
        await self.kubelet.start()
        await until(lambda: (session()["standing"], session()["streams"]) == ("registered", 1))
        self.assertEqual((session()["reason"], session()["problem"]), ("", ""))
        self.assertGreater(session()["lastWord"], observatory.state().start_time)
        self.kubelet.refusal = "no thanks"
        await self.kubelet.restart()
        await until(lambda: session()["standing"] == "failing")
        self.assertIn("no thanks", session()["problem"])
        self.assertEqual(session()["streams"], 0)

    async def test_health(self) -> None:
        """Numbers follow the devices' health, whose history is kept."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a", "b"))
        observatory = self.observe(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        scanner.tell(tree_of("a", "b", state=UNHEALTHY))
        (resource,) = observatory.state(resource=YELLOW).resources
        self.assertEqual((resource.capacity, resource.allocatable, resource.held), (2, 0, None))
        assert resource.devices is not None
        self.assertEqual(
            [(d.reason, [turn.reason for turn in d.history]) for d in resource.devices],
            [("worn out", ["worn out"])] * 2,
        )
        self.assertEqual(observatory.state(resource="x.example/none").resources, [])

    async def test_the_rest(self) -> None:
        """The scanner, its last scan, and why the kubelet cannot be asked who holds devices."""
        await self.kubelet.start()
        observatory = self.observe(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        state = plain(observatory.state())
        (scanner,) = state["scanners"]
        self.assertEqual(scanner["source"], "--scanner x:Y")
        self.assertIn(":ToldScanner", scanner["name"])
        self.assertEqual(
            (state["podResources"]["available"], state["podResources"]["reason"]),
            (False, "nobody listens"),
        )
        json.dumps(state)
