"""Runs scanners, and turns their trees into updates of resources."""

from twistdp.scan.attributes import Attribute, check_join
from twistdp.scan.check import check_scanner
from twistdp.scan.discovery import Discovery
from twistdp.scan.prepare import Preparation
from twistdp.scan.runner import scan_service
from twistdp.scan.scanner import WatchingScanner
from twistdp.scan.sightings import Sightings, sightings_of
from twistdp.scan.vetting import Vetting

__all__ = [
    "Attribute",
    "Discovery",
    "Preparation",
    "Sightings",
    "Vetting",
    "WatchingScanner",
    "check_join",
    "check_scanner",
    "scan_service",
    "sightings_of",
]
