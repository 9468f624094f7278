"""Runs a scanner: the class to derive from, its loop and thread, what is done to its trees."""

from twistdp.scan.attributes import Attribute, check_join
from twistdp.scan.faults import report_faults
from twistdp.scan.handover import Handover
from twistdp.scan.prepare import Preparation
from twistdp.scan.runner import check_scanner, scan_service
from twistdp.scan.sightings import Sightings, sightings_of
from twistdp.scan.vetting import Vetting
from twistdp.scan.watching import WatchingScanner

__all__ = [
    "Attribute",
    "Handover",
    "Preparation",
    "Sightings",
    "Vetting",
    "WatchingScanner",
    "check_join",
    "check_scanner",
    "report_faults",
    "scan_service",
    "sightings_of",
]
