"""The files: small enough for kubectl, and the same dashboards in every form. That they are current is tests/repo/test_generated.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.grafana import Json

FOLDER = Path(__file__).parents[2] / "dashboards"
LIMIT = 250_000
"""Bytes; kubectl apply keeps a copy in an annotation, of which 262,144 are allowed."""


def configmaps() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kubernetes" / "configmaps.yaml").read_text()))


def test_there_is_one_json_file_a_dashboard(dashboards: dict[str, Json]) -> None:
    files = {file.stem: file for file in (FOLDER / "json").iterdir()}
    assert set(files) == set(dashboards)
    for uid, file in files.items():
        assert file.stat().st_size < LIMIT, f"{file.name}: {file.stat().st_size}"
        assert json.loads(file.read_text()) == dashboards[uid]


def test_configmaps_are_found_by_the_sidecar_and_can_be_applied(dashboards: dict[str, Json]) -> None:
    found = configmaps()
    assert len(found) == len(dashboards)
    names = set()
    for each in found:
        assert (each["apiVersion"], each["kind"]) == ("v1", "ConfigMap")
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Secrets"}
        assert "namespace" not in each["metadata"]
        [(key, text)] = each["data"].items()
        assert json.loads(text) == dashboards[key.removesuffix(".json")]
        assert len(json.dumps(each)) < 262_144
        names.add(each["metadata"]["name"])
    assert len(names) == len(dashboards)


def test_grafana_dashboards_take_their_json_from_the_configmaps() -> None:
    keys = {each["metadata"]["name"]: next(iter(each["data"])) for each in configmaps()}
    found = list(yaml.safe_load_all((FOLDER / "kubernetes" / "grafanadashboards.yaml").read_text()))
    assert {each["spec"]["configMapRef"]["name"]: each["spec"]["configMapRef"]["key"] for each in found} == keys
    for each in found:
        assert (each["apiVersion"], each["kind"]) == ("grafana.integreatly.org/v1beta1", "GrafanaDashboard")
        assert each["spec"]["folder"] == "Secrets"
        assert each["spec"]["instanceSelector"]
