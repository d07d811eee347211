"""The committed pictures show the dashboards as they are (`make dashboards-preview` makes them anew)."""

from __future__ import annotations

import copy
import json
import struct

import pytest

from tests.dashboards.grafana import Json
from tests.dashboards.pictures import FINGERPRINTS, FOLDER, LIMIT, SHOWN, THEMES, fingerprint


def test_they_are_current(dashboards: dict[str, Json]) -> None:
    shown = json.loads(FINGERPRINTS.read_text())
    stale = [uid for uid, dashboard in dashboards.items() if shown.get(uid) != fingerprint(dashboard)]
    assert stale == [], "run `make dashboards-preview`, look at the pictures, and commit them"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("uid", SHOWN)
def test_each_is_there_and_small(uid: str, theme: str) -> None:
    content = (FOLDER / f"{uid}-{theme}.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", content[16:20]) == (1600,)
    assert 20_000 < len(content) <= LIMIT


def test_there_are_no_others() -> None:
    wanted = {f"{uid}-{theme}.png" for uid in SHOWN for theme in THEMES} | {FINGERPRINTS.name}
    assert {file.name for file in FOLDER.iterdir()} == wanted


def test_a_change_is_noticed(dashboards: dict[str, Json]) -> None:
    changed = copy.deepcopy(dashboards["eso-vault"])
    changed["panels"][1]["gridPos"]["h"] += 1
    assert fingerprint(changed) != fingerprint(dashboards["eso-vault"])
    reworded = copy.deepcopy(dashboards["eso-vault"])
    [words] = [
        one
        for panel in reworded["panels"]
        if panel["title"].startswith("Needs action")
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == "what"
        for one in override["properties"]
        if one["id"] == "mappings"
    ]
    words["value"] = []
    assert fingerprint(reworded) == fingerprint(dashboards["eso-vault"])
