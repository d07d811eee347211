"""The one source of all alerts, `alerts/rules.yaml`, as Python sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).with_name("rules.yaml")
SEVERITIES = ("critical", "warning", "info")

Rule = dict[str, Any]
"""One rule of a Prometheus rule file: `alert` or `record`, `expr`, and for alerts `for`, `labels`, `annotations`."""


def load(path: Path = RULES) -> dict[str, list[dict[str, Any]]]:
    """The rule file: {"groups": [{"name": …, "rules": [Rule, …]}, …]}."""
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def alerts(path: Path = RULES) -> dict[str, list[Rule]]:
    """The alerts by name, in the order of the file; several severities of one trouble share a name."""
    found: dict[str, list[Rule]] = {}
    for group in load(path)["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found
