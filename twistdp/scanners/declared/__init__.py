"""The scanner of a configuration file: from its resources to devices, without code."""

from twistdp.scanners.declared.explanation import (
    Explanation,
    Step,
    Verdict,
    explained,
    of_device,
)
from twistdp.scanners.declared.found import Cause, LeftOut, Listed
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.survey import Survey
from twistdp.scanners.declared.words import NUMBER

__all__ = [
    "NUMBER",
    "Cause",
    "DeclaredScanner",
    "Explanation",
    "LeftOut",
    "Listed",
    "Rule",
    "Step",
    "Survey",
    "Verdict",
    "explained",
    "of_device",
]
