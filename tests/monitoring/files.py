"""What is in `deploy/monitoring`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DIRECTORY = ROOT / "deploy" / "monitoring"
RULES = DIRECTORY / "rules.yaml"


def alerts() -> list[dict[str, Any]]:
    """The alerts."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def operator_groups() -> list[dict[str, Any]]:
    """The groups of alerts about the operator."""
    path = ROOT / "deploy" / "operator" / "monitoring" / "rules.yaml"
    groups: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["spec"]["groups"]
    return groups


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    found: dict[str, Any] = json.loads((DIRECTORY / "dashboard.json").read_text(encoding="utf-8"))
    return found


def queries() -> Iterator[str]:
    """The dashboard's queries, for all nodes and resources."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$instance", ".*").replace("$resource_name", ".*")
