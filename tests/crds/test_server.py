"""A real API server takes the definition, applies its defaults and keeps its rules.

It does so where ``KUBEBUILDER_ASSETS`` names one.
"""

import re
from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from tests.crds.cases import CASES, CONFIG, KVM
from tests.crds.celling import broken
from tests.crds.making import Maker
from tests.crds.objects import an_object
from tests.crds.test_intel import crd, objects
from tests.crds.test_intel import samples as intels
from tests.support.apiclient import ApiClient, ApiReply
from tests.support.definition import DEVICE_PLUGINS, define
from tests.support.envtest import ADMIN, real_api_server
from twistdp.crds import BadObject, read, samples
from twistdp.crds.limits import MOST_RESOURCES


class ServerTests(TestCase):
    """A client of a server that knows the definition."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        server = await real_api_server()
        self.client = ApiClient(server.url, ADMIN, server.ca)
        self.definition = await define(self.client)

    async def tried(self, found: dict[str, Any]) -> ApiReply:
        """Create an object without keeping it."""
        return await self.client.create(
            DEVICE_PLUGINS, found, dryRun="All", fieldValidation="Strict"
        )

    async def test_accepted(self) -> None:
        """The definition is structural: nothing is said against its schema."""
        conditions = {
            each["type"]: each["status"] for each in self.definition["status"]["conditions"]
        }
        self.assertEqual("True", conditions["NamesAccepted"])
        self.assertNotIn("NonStructuralSchema", conditions)

    async def test_samples(self) -> None:
        """Every sample is accepted, without a key that it does not know."""
        for name, sample in samples().items():
            reply = await self.tried(sample)
            self.assertEqual(201, reply.code, f"{name}: {reply.body}")

    async def test_intels(self) -> None:
        """So is what Intel's objects are converted to."""
        for kind, fields in intels():
            (made,) = objects(crd(kind, fields))
            reply = await self.tried(made)
            self.assertEqual(201, reply.code, f"{kind} {fields}: {reply.body}")

    async def test_kept(self) -> None:
        """What keeps a rule is accepted."""
        for case in CASES:
            reply = await self.tried(dict(case.good))
            self.assertEqual(201, reply.code, f"{case.words}: {reply.body}")

    async def test_broken(self) -> None:
        """What breaks a rule is refused at its place, with its message."""
        for case in CASES:
            ((_, rule),) = broken(case.bad)
            reply = await self.tried(dict(case.bad))
            self.assertEqual(422, reply.code, case.words)
            ((place, message),) = causes(reply)
            self.assertEqual(case.place, place)
            self.assertTrue(message.endswith(f": {rule.message}"), message)

    async def test_random(self) -> None:
        """What the model accepts, it accepts; what it accepts breaks no rule."""
        accepted = 0
        for seed in range(100):
            maker = Maker(Random(seed))
            spec = maker.spec() if seed % 3 else maker.spoilt(maker.spec())
            found = an_object(**spec) if isinstance(spec, dict) else {**an_object(), "spec": spec}
            reply = await self.tried(found)
            if reply.code == 201:
                accepted += 1
                self.assertEqual([], list(broken(found)), seed)
            elif reply.code in (400, 422):
                self.assertRaises(BadObject, read, found)
            else:
                self.fail(f"seed {seed}: {reply.body}")
        self.assertGreater(accepted, 10)

    async def test_defaults(self) -> None:
        """What is left out has the model's defaults, as the model says."""
        plain = an_object(**KVM, updateStrategy={}, http={}, tolerations=[{"operator": "Exists"}])
        reply = await self.tried(plain)
        self.assertEqual(201, reply.code, reply.body)
        self.assertEqual(
            {"type": "InTurn", "progressDeadlineSeconds": 600},
            reply.body["spec"]["updateStrategy"],
        )
        self.assertEqual(read(plain).spec, read(reply.body).spec)

    async def test_pruned(self) -> None:
        """A misspelt key of a configuration stays, for the model to name it; others are named."""
        config = {**CONFIG, "exclusiv": True, "resources": {"a": {"path": "/dev/a", "limt": 1}}}
        reply = await self.tried(an_object(config=config))
        self.assertEqual(201, reply.code, reply.body)
        self.assertEqual(config, reply.body["spec"]["config"])
        reply = await self.tried(an_object(**KVM, logLevels=1))
        self.assertEqual(400, reply.code)
        self.assertIn('unknown field "spec.logLevels"', reply.body["message"])

    async def test_too_many(self) -> None:
        """A configuration with more resources than the model accepts is refused."""
        resources = {f"r{number}": "/dev/r" for number in range(MOST_RESOURCES)}
        found = an_object(config={"domain": "a.example", "resources": resources})
        reply = await self.tried(found)
        self.assertEqual(201, reply.code, reply.body)
        resources["more"] = "/dev/r"
        reply = await self.tried(found)
        self.assertEqual(422, reply.code, reply.body)
        # Rules are not looked at then, as it says beside.
        self.assertIn(
            (
                "spec.config.resources",
                f"Too many: {MOST_RESOURCES + 1}: must have at most {MOST_RESOURCES} items",
            ),
            causes(reply),
        )

    async def test_changes(self) -> None:
        """The domain of an object cannot change."""
        name = f"t-{self.id().rpartition('.')[2].replace('_', '-')}"
        reply = await self.client.create(DEVICE_PLUGINS, an_object(name, **KVM))
        self.assertIn(reply.code, (201, 409), reply.body)
        place = f"{DEVICE_PLUGINS}/{name}"
        self.addCleanup(self.client.delete, place)
        for domain in ("b.example", None):
            reply = await self.client.patch(
                place, {"spec": {"domain": domain, "catalog": [{"name": "intel-npu"}]}}
            )
            self.assertEqual(422, reply.code, reply.body)
            ((at, message),) = causes(reply)
            self.assertEqual("spec.domain", at)
            self.assertIn("domain cannot change", message)
        reply = await self.client.patch(place, {"spec": {"logLevel": 3}})
        self.assertEqual((200, 3), (reply.code, reply.body["spec"]["logLevel"]), reply.body)

    async def test_status(self) -> None:
        """A status has its schema and its own subresource, and there is no scale."""
        name = "t-status"
        reply = await self.client.create(DEVICE_PLUGINS, an_object(name, **KVM))
        self.assertIn(reply.code, (201, 409), reply.body)
        place = f"{DEVICE_PLUGINS}/{name}"
        self.addCleanup(self.client.delete, place)
        condition = {
            "type": "Available",
            "status": "True",
            "reason": "AllReady",
            "message": "",
            "lastTransitionTime": "2026-11-27T12:00:00Z",
        }
        for status, code in (
            ({"conditions": [condition], "devices": 8, "desired": 2, "ready": 2}, 200),
            ({"conditions": [{**condition, "status": "Yes"}]}, 422),
            ({"devices": -1}, 422),
        ):
            reply = await self.client.patch(f"{place}/status", {"status": status})
            self.assertEqual(code, reply.code, reply.body)
        table = await self.client.ask("GET", place)
        self.assertEqual(8, table.body["status"]["devices"])
        self.assertEqual(404, (await self.client.get(f"{place}/scale")).code)


def causes(reply: ApiReply) -> list[tuple[str, str]]:
    """Where an object is wrong, as the model writes places, and why."""
    found = reply.body["details"]["causes"]
    return [(re.sub(r"\[(\D[^]]*)\]", r".\1", each["field"]), each["message"]) for each in found]
