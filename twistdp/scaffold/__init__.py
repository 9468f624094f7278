"""Makes a plugin's project, and checks any plugin's project."""

from twistdp.scaffold.checklist import Finding, findings
from twistdp.scaffold.project import Project, create
from twistdp.scaffold.running import TARGETS, outcome
from twistdp.scaffold.tree import read

__all__ = ["TARGETS", "Finding", "Project", "create", "findings", "outcome", "read"]
