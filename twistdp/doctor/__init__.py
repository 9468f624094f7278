"""Finds out what keeps device plugins, or pods that ask for devices, from working on a host."""

from twistdp.doctor.examining import CHECKS, examine
from twistdp.doctor.findings import Finding, Severity
from twistdp.doctor.host import Host
from twistdp.doctor.programs import version_text

__all__ = ["CHECKS", "Finding", "Host", "Severity", "examine", "version_text"]
