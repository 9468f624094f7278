"""A black-box suite for device plugins of any kind: it plays the kubelet and checks them."""

from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Check, Result, Verdict
from twistdp.conformance.plan import Plan
from twistdp.conformance.report import TextReport, as_json, as_junit, explained
from twistdp.conformance.suite import look, run

__all__ = [
    "CHECKS",
    "Check",
    "Plan",
    "Result",
    "TextReport",
    "Verdict",
    "as_json",
    "as_junit",
    "explained",
    "look",
    "run",
]
