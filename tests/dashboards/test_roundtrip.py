"""Grafana's own schema: what its SDK reads and writes again has lost no key, so no field is misspelt."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboards.grafana import Json

EMPTY: tuple[Any, ...] = (None, "", [], {}, False, 0)
ALLOWED = {
    # Keys of the classic schema that the SDK's types do not have; each is read by Grafana.
    "exemplar",
    "useValueForTime",
    "step",
    "expr",
    "tagKeys",
    "textFormat",
    "titleFormat",
}


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    plugins.register_default_plugins()


def written(dashboard: Json) -> Json:
    read = Dashboard.from_json(copy.deepcopy(dashboard))
    answer: Json = json.loads(JSONEncoder(sort_keys=True).encode(read))
    return answer


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Paths of keys that are there before and not after; those without a value may be left out."""
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [] if before in EMPTY else [path]
        found = []
        for key, value in before.items():
            if key in after:
                found += lost(value, after[key], f"{path}.{key}")
            elif (value not in EMPTY and not isinstance(value, bool)) or (isinstance(value, bool) and value):
                found.append(f"{path}.{key}")
        return found
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [path]
        return [
            each
            for index, pair in enumerate(zip(before, after, strict=True))
            for each in lost(*pair, f"{path}[{index}]")
        ]
    return []


def test_no_key_is_lost(dashboard: Json) -> None:
    missing = lost(dashboard, written(dashboard))
    assert missing == []


@pytest.mark.parametrize(
    ("where", "key"),
    [
        (("panels", 1, "options"), "colourMode"),
        (("panels", 1, "targets", 0), "legendFormatt"),
        (("panels", 1, "fieldConfig", "defaults"), "noValu"),
        (("templating", "list", 1), "allvalue"),
        ((), "scemaVersion"),
    ],
)
def test_a_misspelt_key_is_lost(dashboards: dict[str, Json], where: tuple[Any, ...], key: str) -> None:
    dashboard = copy.deepcopy(dashboards["eso-overview"])
    place: Any = dashboard
    for step in where:
        place = place[step]
    place[key] = "x"
    assert [each.rpartition(".")[2] for each in lost(dashboard, written(dashboard))] == [key]
