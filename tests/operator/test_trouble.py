"""The API server refuses, is slow or is away; specs are bad; roll-outs stand still."""

from collections.abc import Sequence
from typing import Any

from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import (
    ACCOUNT,
    CONFIG,
    DOMAIN,
    IMAGE,
    NAMESPACE,
    SET,
    STATUS,
    Stage,
    daemon_set,
    pod_spec,
    running,
)
from twistdp.operator.kinds import DAEMON_SET, DEVICE_PLUGIN
from twistdp.testing.apiserver import ApiFault
from twistdp.testing.apiserver.refusals import invalid

FOREVER = float("inf")
SCANNER: dict[str, Any] = {"scanner": {"class": "cams:Cams", "configMap": "cams"}, "domain": DOMAIN}


class BadSpecTests(SynchronousTestCase):
    """A spec that the model refuses."""

    def test_last_good_stays(self) -> None:
        """The DaemonSet stays as it was, the status has the problem, and good ends it."""
        stage = running(config=CONFIG)
        before = daemon_set(stage)
        stage.edit({"spec": {"config": {"resources": {"kvm": {"nonsense": 1}}}}})
        stage.settle(60)
        self.assertEqual(stage.requests(), [STATUS])
        self.assertEqual(daemon_set(stage), before)
        status, reason, message = stage.condition("Degraded")
        self.assertEqual((status, reason), ("True", "InvalidSpec"))
        self.assertIn("nonsense", message)
        self.assertEqual(stage.status()["observedGeneration"], 2)
        stage.edit({"spec": {"config": {"resources": {"kvm": "/dev/kvm*"}}}})
        stage.settle(60)
        self.assertEqual(stage.condition("Degraded")[0], "False")
        self.assertEqual(stage.events(), ["RolledOut", "InvalidSpec", "Recovered"])
        warning = [e["reason"] for e in stage.objects.list("events") if e["type"] == "Warning"]
        self.assertEqual(warning, ["InvalidSpec"])

    def test_while_rolling_out(self) -> None:
        """A roll-out that is under way goes on, and is none that stands still."""
        stage = running(config=CONFIG)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.edit({"spec": {"config": {"resources": {"kvm": {"nonsense": 1}}}}})
        stage.settle()
        self.assertEqual(stage.condition("Degraded")[1], "InvalidSpec")
        self.assertEqual(stage.condition("Progressing")[:2], ("True", "RollingOut"))

    def test_first(self) -> None:
        """An object that is bad from the start gets a status and nothing else."""
        stage = Stage()
        stage.start()
        stage.plugin(config={"resources": {"kvm": {"nonsense": 1}}})
        stage.settle(60)
        self.assertEqual(stage.requests(), [STATUS])

    def test_restart(self) -> None:
        """A new operator leaves the last good DaemonSet, too."""
        stage = running(config=CONFIG)
        stage.edit({"spec": {"config": {"resources": {"kvm": {"nonsense": 1}}}}})
        stage.settle()
        stage.forget()
        stage.restart()
        self.assertEqual(stage.requests(), [])
        self.assertIsNotNone(stage.find("daemonsets"))

    def test_files(self) -> None:
        """A scanner's ConfigMap is waited for, and its files are in the pods' template."""
        stage = Stage()
        stage.start()
        stage.plugin(**SCANNER)
        stage.settle()
        self.assertIn(f"there is no ConfigMap {NAMESPACE}/cams", stage.condition("Degraded")[2])
        self.assertIsNone(stage.find("daemonsets"))
        files = {"metadata": {"name": "cams", "namespace": NAMESPACE}, "data": {"cams.py": "1"}}
        stage.objects.create({"apiVersion": "v1", "kind": "ConfigMap", **files})
        stage.settle()
        self.assertEqual(stage.condition("Degraded")[0], "False")
        before = daemon_set(stage)["metadata"]["generation"]
        stage.forget()
        stage.objects.patch("configmaps", "cams", {"data": {"cams.py": "2"}}, NAMESPACE)
        stage.settle()
        self.assertEqual(stage.requests(), [SET])
        self.assertEqual(daemon_set(stage)["metadata"]["generation"], before + 1)
        stage.objects.patch("configmaps", "cams", {"metadata": {"labels": {"a": "b"}}}, NAMESPACE)
        stage.settle()
        self.assertEqual(stage.requests(), [SET])
        stage.objects.delete("configmaps", "cams", NAMESPACE)
        stage.settle()
        self.assertIn(f"there is no ConfigMap {NAMESPACE}/cams", stage.condition("Degraded")[2])
        self.assertIsNotNone(stage.find("daemonsets"))

    def test_no_files(self) -> None:
        """A scanner of the image's own, and an init container without files, wait for none."""
        stage = Stage()
        stage.start()
        stage.plugin(
            scanner={"class": "cams:Cams"}, domain=DOMAIN, initContainer={"image": "init:1"}
        )
        stage.settle()
        self.assertIsNotNone(stage.find("daemonsets"))
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")


class RefusedTests(SynchronousTestCase):
    """Answers of 4xx."""

    def test_invalid(self) -> None:
        """422 is in the status, in the API server's words; it is tried less and less often."""
        stage = Stage()

        def refuse(_: str, kind: Any, new: Any, __: Any) -> None:
            if kind.kind == "DaemonSet":
                raise invalid(kind, new["metadata"]["name"], [("spec", "x", "no such thing")])

        stage.server.admission.append(refuse)
        stage.start()
        stage.plugin()
        stage.settle(3600)
        self.assertEqual(stage.condition("Degraded")[1], "Refused")
        self.assertIn("no such thing", stage.condition("Degraded")[2])
        self.assertEqual(stage.requests().count("create serviceaccounts"), 1)
        self.assertNotIn(ACCOUNT, stage.requests())
        self.assertLess(stage.requests().count(SET), 25)
        self.assertGreater(stage.requests().count(SET), 15)
        self.assertEqual(stage.requests().count(STATUS), 1)
        self.assertEqual(stage.events(), ["Refused"])
        stage.server.admission.clear()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")

    def test_status_goes_on(self) -> None:
        """While the objects are refused, the devices are counted all the same."""
        stage = running()
        stage.server.fail(403, kind="daemonsets", times=FOREVER)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(170)
        stage.forget()
        stage.node("n1", kvm=5)
        stage.settle(6)
        self.assertEqual(stage.status()["devices"], 5)
        self.assertNotIn(SET, stage.requests())

    def test_forbidden(self) -> None:
        """403 names the verb and the resource that the operator's role lacks."""
        stage = Stage()
        stage.server.fail(403, kind="daemonsets", times=FOREVER)
        stage.start()
        stage.plugin()
        stage.settle(0.5)
        message = stage.condition("Degraded")[2]
        self.assertIn('cannot patch resource "daemonsets" in API group "apps"', message)

    def test_forbidden_status(self) -> None:
        """Without the right to write statuses everything else goes on, at its pace."""
        for code in (401, 403, 404):
            stage = Stage()
            stage.server.fail(code, kind="deviceplugins", times=FOREVER)
            with capturedLogs() as events:
                stage.start()
                stage.plugin()
                stage.settle(1800)
            self.assertIsNotNone(stage.find("daemonsets"))
            self.assertEqual(stage.requests().count(SET), 1)
            self.assertLess(stage.requests().count(STATUS), 20)
            # The client logs what is not allowed, and an object that is gone has no status.
            self.assertNotIn("a status cannot be", " ".join(map(formatEvent, events)), code)

    def test_refused_status(self) -> None:
        """A status that stays refused is logged, once each time: it cannot say so itself."""
        stage = Stage()
        fault = stage.server.fail(500, kind="deviceplugins", times=FOREVER)
        with capturedLogs() as events:
            stage.start()
            stage.plugin()
            stage.settle(1800)
            self.assertEqual(_unwritten(events), 1)
            fault.end()
            stage.settle(600)
            stage.server.fail(500, kind="deviceplugins", times=4)
            stage.node("n1", kvm=4)
            stage.settle(60)
        self.assertEqual(stage.status()["devices"], 4)
        self.assertEqual(_unwritten(events), 2)

    def test_status_again(self) -> None:
        """A status that could be written after some time is tried soon the next time."""
        stage = running()
        fault = stage.server.fail(500, kind="deviceplugins", times=FOREVER)
        stage.node("n1", kvm=4)
        stage.settle(300)
        fault.end()
        stage.settle(400)
        self.assertEqual(stage.status()["devices"], 4)
        stage.server.fail(500, kind="deviceplugins")
        stage.node("n1", kvm=5)
        stage.settle(7)
        self.assertEqual(stage.status()["devices"], 5)

    def test_pause(self) -> None:
        """A pause ends what was refused: nothing is asked any more."""
        stage = running()
        stage.server.fail(403, kind="daemonsets", times=FOREVER)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(30)
        self.assertEqual(stage.condition("Degraded")[1], "Refused")
        stage.edit({"metadata": {"annotations": {"twistdp.io/paused": "true"}}})
        stage.settle(30)
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")

    def test_terminating(self) -> None:
        """A namespace that is being deleted is named, and nothing is asked in a loop."""
        stage = Stage()
        stage.start()
        stage.objects.delete("namespaces", NAMESPACE)
        stage.plugin()
        stage.settle(600)
        self.assertEqual(stage.condition("Degraded")[1], "Refused")
        self.assertIn("is being terminated", stage.condition("Degraded")[2])
        self.assertLess(len(stage.requests()), 20)

    def test_gone_before_its_status(self) -> None:
        """404 and 409 for the status of an object that is gone, or another, are no trouble."""
        for again in (False, True):
            stage = running()
            stage.feed.cut()
            stage.node("n1", kvm=3)
            stage.objects.delete("deviceplugins", "gpus")
            if again:
                stage.plugin(catalog=[{"name": "kvm"}], domain=DOMAIN)
            stage.reconciler.observe(DEVICE_PLUGIN, None, {"metadata": {}})
            stage.count("gpus", 9, generation=1)
            stage.reconciler.observe(
                DAEMON_SET, "MODIFIED", stage.objects.get("daemonsets", "gpus", NAMESPACE)
            )
            stage.settle(600)
            self.assertLess(len(stage.requests()), 15, again)
            if again:
                self.assertEqual(stage.status(), {}, "the status of another object")
            stage.feed.begin()
            stage.settle()
            self.assertEqual("gpus" in stage.reconciler.cache.plugins, again)


class PassingTests(SynchronousTestCase):
    """The API server has trouble of its own."""

    def test_errors(self) -> None:
        """A few errors of each kind are tried again, and the status does not show them."""
        for code in (429, 500, 502, 503, 504, 401, 408, 409):
            stage = running()
            stage.server.fail(code, verb="apply", kind="daemonsets", times=2)
            stage.edit({"spec": {"image": "x:2"}})
            stage.settle(60)
            self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2", code)
            self.assertEqual(stage.condition("Degraded")[0], "False")
            self.assertEqual(stage.requests().count(SET), 3, code)
            self.assertEqual(stage.events(), ["RolledOut"])

    def test_now_and_then(self) -> None:
        """Errors that have other requests between them are none that last."""
        stage = running()
        for number in range(5):
            stage.server.fail(500, verb="apply", kind="daemonsets")
            change = {"spec": {"minReadySeconds": 77 + number}}
            stage.objects.patch("daemonsets", "gpus", change, NAMESPACE)
            stage.settle(700)
            self.assertLess(daemon_set(stage)["spec"]["minReadySeconds"], 77)
        self.assertNotIn("Refused", stage.events())

    def test_lasting_error(self) -> None:
        """An error that lasts is in the status."""
        stage = running()
        stage.server.fail(500, verb="apply", kind="daemonsets", times=3)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(4.5)
        self.assertEqual(stage.condition("Degraded")[1], "Refused")
        self.assertIn("etcdserver", stage.condition("Degraded")[2])

    def test_retry_after(self) -> None:
        """The time that the API server asks for is kept to, for all objects."""
        for code in (429, 503):
            stage = running()
            stage.plugin("more", catalog=[{"name": "kvm"}], domain=DOMAIN)
            stage.settle()
            stage.forget()
            stage.server.fail(code, verb="apply", times=1, retry_after=40)
            stage.edit({"spec": {"image": "x:2"}})
            stage.settle(1)
            stage.edit({"spec": {"image": "x:2"}}, "more")
            stage.settle(38)
            self.assertEqual(len(stage.requests()), 1, code)
            stage.settle(5)
            self.assertIn("apply daemonsets/more", stage.requests())
            self.assertEqual(stage.requests().count(SET), 2)

    def test_too_many(self) -> None:
        """429 is never in the status, however long it lasts, and holds all objects for a second."""
        stage = running()
        stage.plugin("more", catalog=[{"name": "kvm"}], domain=DOMAIN)
        stage.settle()
        stage.forget()
        fault = stage.server.fail(429, kind="daemonsets", times=FOREVER)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(0.2)
        stage.edit({"spec": {"image": "x:2"}}, "more")
        stage.settle(0.7)
        self.assertEqual(len(stage.requests()), 1)
        stage.settle(0.6)
        self.assertIn("apply daemonsets/more", stage.requests())
        stage.settle(300)
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")
        fault.end()
        stage.settle(400)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")

    def test_lost_answers(self) -> None:
        """A request that was obeyed without an answer is made again, and changes nothing."""
        stage = running()
        stage.server.fault(ApiFault("apply", "daemonsets", times=3, lost=True))
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(60)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")
        self.assertEqual(daemon_set(stage)["metadata"]["generation"], 2)
        self.assertNotIn("DriftRepaired", stage.events())

    def test_away(self) -> None:
        """While the API server is away all wait together, and go on together."""
        stage = Stage()
        stage.start()
        for number in range(50):
            stage.plugin(f"p{number}", catalog=[{"name": "kvm"}], domain=DOMAIN)
        stage.api.away = True
        stage.settle(600)
        self.assertLess(stage.api.made, 8 * 30)
        stage.api.away = False
        stage.settle(60)
        self.assertEqual(len(stage.objects.list("daemonsets")), 50)

    def test_status_away(self) -> None:
        """A status that did not reach the API server is written when it is back."""
        stage = running()
        stage.api.away = True
        stage.node("n1", kvm=4)
        stage.settle(10)
        stage.api.away = False
        stage.settle(60)
        self.assertEqual(stage.status()["devices"], 4)

    def test_away_again(self) -> None:
        """After an outage the next one is not waited for longer than the first."""
        stage = running()
        for number in range(6):
            stage.api.away = True
            stage.edit({"spec": {"image": f"x:{number}"}})
            stage.settle(0.5)
            stage.api.away = False
            stage.settle(2)
            self.assertEqual(pod_spec(stage)["containers"][0]["image"], f"x:{number}")

    def test_fault(self) -> None:
        """A fault of the operator's own is logged, and what failed is tried again."""
        stage = running()
        apply = stage.api.apply
        self.patch(stage.api, "apply", lambda _: 1 / 0)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(30)
        self.patch(stage.api, "apply", apply)
        failures = self.flushLoggedErrors(ZeroDivisionError)
        self.assertGreater(len(failures), 1)
        self.assertLess(len(failures), 8)
        self.assertEqual(set(stage.results[-len(failures) :]), {"failed"})
        stage.settle(60)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")

    def test_restart_of_the_api(self) -> None:
        """An API server that restarts leads to new lists, and to no other request."""
        stage = running(config=CONFIG)
        stage.feed.cut()
        stage.api.away = True
        stage.settle(60)
        stage.api.away = False
        stage.server.compact()
        stage.feed.begin()
        stage.settle(60)
        self.assertEqual(stage.requests(), [])


class StatusTests(SynchronousTestCase):
    """How often the status is written."""

    def test_interval(self) -> None:
        """It is written at most once in the interval, and the last one always."""
        stage = running()
        for number in range(100):
            stage.node("n1", kvm=number + 1)
            stage.settle(0.2)
        self.assertLessEqual(len(stage.requests()), 6)
        self.assertGreaterEqual(len(stage.requests()), 4)
        stage.settle(5.1)
        self.assertEqual(stage.status()["devices"], 100)

    def test_one_change(self) -> None:
        """A single change is written at once."""
        stage = running()
        stage.node("n1", kvm=4)
        stage.settle(0.2)
        self.assertEqual(stage.status()["devices"], 4)

    def test_change_while_it_is_written(self) -> None:
        """What happens while a status is on its way is in the next one."""
        stage = running()
        stage.api.latency = 1.0
        stage.node("n1", kvm=4)
        stage.settle(0.5)
        stage.node("n1", kvm=5)
        stage.settle(10)
        self.assertEqual(stage.status()["devices"], 5)
        self.assertEqual(len(stage.requests()), 2)

    def test_somebody_elses(self) -> None:
        """A status that somebody else writes is put right."""
        stage = running()
        before = stage.status()
        stage.objects.patch(
            "deviceplugins", "gpus", {"status": {"devices": 77}}, subresource="status"
        )
        stage.settle()
        self.assertEqual(stage.status(), before)
        self.assertEqual(stage.requests(), [STATUS])

    def test_stalled(self) -> None:
        """A roll-out that stands still is reported after its time, with nothing else happening."""
        stage = running(catalog=[{"name": "kvm"}], domain=DOMAIN)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.count("gpus", 3, generation=2, updated=1)
        stage.settle(500)
        self.assertEqual(stage.condition("Progressing")[1], "RollingOut")
        stage.forget()
        stage.settle(200)
        self.assertEqual(stage.condition("Progressing")[1], "RolloutStalled")
        self.assertEqual(stage.requests(), [STATUS])
        self.assertEqual(stage.events(), ["RolledOut", "RolloutStalled"])
        stage.forget()
        stage.restart()
        self.assertNotIn(STATUS, stage.requests())

    def test_stalled_and_made_again(self) -> None:
        """A DaemonSet that is made again has all the time once more."""
        stage = Stage()
        stage.start()
        stage.plugin()
        stage.settle()
        stage.count("gpus", 3, generation=1, updated=1)
        stage.settle(700)
        self.assertEqual(stage.condition("Progressing")[1], "RolloutStalled")
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle()
        stage.count("gpus", 3, generation=1, updated=1)
        stage.settle()
        self.assertEqual(stage.condition("Progressing")[1], "RollingOut")

    def test_pod_that_fails_later(self) -> None:
        """A pod that fails after the roll-out is trouble, and no roll-out."""
        stage = running()
        counts = {"numberReady": 0, "numberAvailable": 0, "numberUnavailable": 1}
        stage.objects.patch(
            "daemonsets", "gpus", {"status": counts}, NAMESPACE, subresource="status"
        )
        ready = {"conditions": [{"type": "Ready", "status": "False"}]}
        stage.objects.patch("pods", "gpus-n1", {"status": ready}, NAMESPACE, subresource="status")
        stage.settle()
        self.assertEqual(stage.condition("Progressing")[:2], ("False", "Done"))
        self.assertEqual(stage.condition("Degraded")[1], "PodsNotReady")
        self.assertEqual(stage.events(), ["RolledOut", "PodsNotReady"])


class SurgeTests(SynchronousTestCase):
    """An update that surges, and fails after an old pod has ended."""

    def test_halt(self) -> None:
        """No other pod is replaced, until the new one is ready or the object changes."""
        stage = running(catalog=[{"name": "kvm"}], domain=DOMAIN, updateStrategy={"type": "Surge"})
        self.pod(stage, "old", "n2", "True")
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        template = daemon_set(stage)["spec"]["template"]
        stage.count("gpus", 2, generation=2, updated=1)
        self.pod(stage, "new", "n1", "False")
        stage.settle(10)
        self.assertEqual(daemon_set(stage)["spec"]["updateStrategy"]["type"], "RollingUpdate")
        stage.objects.delete("pods", "gpus-n1", NAMESPACE, gracePeriodSeconds=0)  # the old one
        stage.settle(10)
        halted = daemon_set(stage)["spec"]
        self.assertEqual(halted["updateStrategy"], {"type": "OnDelete"})
        self.assertEqual(halted["template"], template)
        self.assertEqual(stage.condition("Degraded")[1], "RolloutStalled")
        self.assertIn("new on n1", stage.condition("Degraded")[2])
        stage.forget()
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        self.ready(stage, "new", "True")
        stage.settle(10)
        going = daemon_set(stage)["spec"]["updateStrategy"]
        self.assertEqual(going["type"], "RollingUpdate")
        self.assertEqual(stage.condition("Progressing")[1], "RollingOut")

    def test_in_turn(self) -> None:
        """One in turn goes on: Kubernetes itself halts it."""
        stage = running(catalog=[{"name": "kvm"}], domain=DOMAIN)
        self.pod(stage, "old", "n2", "True")
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.count("gpus", 2, generation=2, updated=1)
        stage.objects.delete("pods", "gpus-n1", NAMESPACE, gracePeriodSeconds=0)
        self.pod(stage, "new", "n1", "False")
        stage.settle(10)
        strategy = daemon_set(stage)["spec"]["updateStrategy"]
        self.assertEqual(strategy["type"], "RollingUpdate")
        self.assertEqual(strategy["rollingUpdate"]["maxUnavailable"], 1)
        self.assertEqual(stage.condition("Progressing")[1], "RollingOut")

    def pod(self, stage: Stage, name: str, node: str, ready: str) -> None:
        """A pod of the newest template."""
        found = daemon_set(stage)["spec"]["template"]["metadata"]
        metadata = {"name": name, "namespace": NAMESPACE, **found}
        container = {"name": "p", "image": "i"}
        spec = {"nodeName": node, "containers": [container]}
        stage.objects.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        )
        self.ready(stage, name, ready)

    def ready(self, stage: Stage, name: str, ready: str) -> None:
        """Whether it serves."""
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
        stage.objects.patch("pods", name, {"status": status}, NAMESPACE, subresource="status")


class UpgradeTests(SynchronousTestCase):
    """A new operator, with another default image."""

    def test_image(self) -> None:
        """Plugins that name no image get the new one; the others stay."""
        stage = running()
        stage.plugin("own", image="mine:1", catalog=[{"name": "kvm"}], domain=DOMAIN)
        stage.settle()
        stage.forget()
        stage.restart(image=f"{IMAGE}2")
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], f"{IMAGE}2")
        self.assertEqual(daemon_set(stage, "own")["metadata"]["generation"], 1)
        self.assertEqual(stage.requests().count(STATUS), 1)

    def test_no_change(self) -> None:
        """An operator that starts again applies all once, which changes nothing."""
        stage = running(config=CONFIG)
        stage.node("n1", kvm=3)
        stage.settle()
        stage.forget()
        revision = stage.server.revision
        stage.restart()
        self.assertEqual(stage.requests(), [ACCOUNT, "apply configmaps/gpus-config", SET])
        self.assertEqual(stage.server.revision, revision)


def _unwritten(events: Sequence[LogEvent]) -> int:
    """How often it was logged that a status cannot be written."""
    return sum("a status cannot be" in formatEvent(event) for event in events)
