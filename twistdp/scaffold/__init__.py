"""A plugin project of one's own, and the checklist for any."""

from twistdp.scaffold.checklist import Verdict, verdicts
from twistdp.scaffold.project import Project, create
from twistdp.scaffold.running import TARGETS, outcome
from twistdp.scaffold.tree import read

__all__ = ["TARGETS", "Project", "Verdict", "create", "outcome", "read", "verdicts"]
