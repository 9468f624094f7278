"""The scanner of a configuration file: from its resources to devices, without code."""

from twistdp.scanners.declared.explanation import explained, of_device
from twistdp.scanners.declared.found import LeftOut, Listed
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import SILENT, DeclaredScanner
from twistdp.scanners.declared.survey import Survey
from twistdp.scanners.declared.warnings import belong_to, shared
from twistdp.scanners.declared.words import NUMBER

__all__ = [
    "NUMBER",
    "SILENT",
    "DeclaredScanner",
    "LeftOut",
    "Listed",
    "Rule",
    "Survey",
    "belong_to",
    "explained",
    "of_device",
    "shared",
]
