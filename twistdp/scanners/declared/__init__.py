"""The scanner of a configuration file: from its resources to devices, without code."""

from twistdp.scanners.declared.found import Found, LeftOut, Listed
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.survey import Survey

__all__ = ["DeclaredScanner", "Found", "LeftOut", "Listed", "Rule", "Survey"]
