"""Which dashboards the committed pictures show: a fingerprint of each, stored beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from dashboards.problems import silent_problems
from tests.dashboards.grafana import Json

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
FINGERPRINTS = FOLDER / "dashboards.json"
THEMES = ("light", "dark")
LIMIT = 300_000
"""Bytes a picture."""

SHOWN: dict[str, dict[str, list[str]]] = {
    "eso-overview": {},
    "eso-externalsecret": {"namespace": ["observability"], "name": ["alerting-pagerduty"]},
    "eso-migration": {},
    "eso-vault": {},
    "eso-exporter": {},
}
"""What is chosen on each, besides the cluster."""


def fingerprint(dashboard: Json) -> str:
    """Changes with everything that changes the picture, but for the wording of the catalogue of problems."""
    text = json.dumps(_without_words(dashboard), sort_keys=True).replace(json.dumps(silent_problems())[1:-1], "…")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("id") == "mappings":
            return "mappings"
        return {key: _without_words(each) for key, each in value.items()}
    return [_without_words(each) for each in value] if isinstance(value, list) else value
