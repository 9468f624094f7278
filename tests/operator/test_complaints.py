"""What is logged about the API server's answers."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import observe
from twistdp.operator.asked import Asked
from twistdp.operator.complaints import Complaints

NODES, PODS = Asked("list", "nodes"), Asked("watch", "pods")


class ComplaintTests(SynchronousTestCase):
    """Answers, and the lines that follow."""

    def setUp(self) -> None:
        """Follow the log."""
        self.lines: list[str] = []
        self.reasons: list[str | None] = []
        self.complaints = Complaints()
        observe(self, self.logged)

    def logged(self, event: dict[str, Any]) -> None:
        """Keep a line, with what was asked."""
        self.lines.append(f"{event['log_text']}: {event.get('resource', '')}")
        self.reasons.append(event.get("err"))

    def take(self, *answers: tuple[Asked, int]) -> list[str]:
        """The lines after these answers."""
        self.lines.clear()
        for asked, status in answers:
            self.complaints.seen(asked, status, "" if status else "away")
        return list(self.lines)

    def test_forbidden(self) -> None:
        """Each request once, until it is allowed."""
        text = (
            "the API server forbids a request; give the operator's service account the permission"
        )
        self.assertEqual(
            self.take((NODES, 403), (PODS, 403), (NODES, 403)), [f"{text}: nodes", f"{text}: pods"]
        )
        self.assertEqual(self.take((NODES, 200), (NODES, 403), (PODS, 403)), [f"{text}: nodes"])

    def test_trouble(self) -> None:
        """An outage has a line at its begin and one at its end, however often it is tried."""
        begins = "the API server does not answer as it should; trying again"
        self.assertEqual(self.take((PODS, 0), (NODES, 0), (PODS, 503)), [f"{begins}: pods"])
        self.assertEqual(self.take((NODES, 404), (NODES, 200)), ["the API server answers again: "])
        self.assertEqual(self.take((PODS, 500)), [f"{begins}: pods"])
        self.assertEqual(self.reasons, ["away", None, "status 500"])
        self.take((PODS, 200))
        self.assertEqual(self.take((Asked("get", ""), 0)), [f"{begins}: /"])

    def test_refusals(self) -> None:
        """What is wrong with an object is not the API server's trouble."""
        self.assertEqual(self.take((PODS, 422), (PODS, 409), (PODS, 429), (PODS, 410)), [])
