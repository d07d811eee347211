"""The Helm chart, as far as it can be read without Helm; `tests/lab/test_chart.py` renders and installs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from tools import chart

VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
DEFINITION = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
TEMPLATES = sorted((chart.CHART / "templates").rglob("*.*"))


def leaves(value: dict[str, Any], known: set[str], path: str = "") -> Iterator[str]:
    """The paths of values, down to what the schema's lines describe as one."""
    for key, below in value.items():
        here = f"{path}.{key}".removeprefix(".")
        if here in known or not isinstance(below, dict):
            yield here
        else:
            yield from leaves(below, known, here)


def closed(schema: Any) -> Iterator[bool]:
    """For each object of the schema with named properties: whether it refuses other ones."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema.get("additionalProperties") is False
        for part in schema.values():
            yield from closed(part)


def test_every_value_is_described_and_has_a_default() -> None:
    described = chart.lines()

    assert set(leaves(VALUES, set(described))) == set(described)
    assert all(meaning and not meaning.endswith(".") for _, meaning in described.values())


def test_no_object_of_the_schema_takes_an_unknown_key() -> None:
    found = list(closed(SCHEMA))

    assert len(found) > 30
    assert all(found)


def test_every_setting_of_the_exporter_is_a_value() -> None:
    config = SCHEMA["properties"]["config"]["properties"]

    assert "listen_address" in config["web"]["properties"]
    assert config["vault"]["properties"]["servers"]["items"]["required"] == ["name"]
    assert config["kubernetes"]["properties"]["page_size"] == {"type": "integer", "minimum": 1, "maximum": 10000}


@pytest.mark.parametrize("path", chart.lines())
def test_every_value_is_used(path: str) -> None:
    text = "\n".join(file.read_text() for file in TEMPLATES)
    last = path.rpartition(".")[2]

    assert f".{last}" in text or f'"{last}"' in text


def test_the_chart_is_of_this_version() -> None:
    assert DEFINITION["appVersion"] == DEFINITION["version"] == __version__


def test_the_role_of_the_chart_is_that_of_the_manifest() -> None:
    halves = yaml.safe_load((chart.CHART / "files" / "rbac.yaml").read_text())

    def pairs(rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {
            (group, name, verb)
            for rule in rules
            for group in rule["apiGroups"]
            for name in rule["resources"]
            for verb in rule["verbs"]
        }

    assert pairs(halves["cluster"]) | pairs(halves["namespaced"]) == pairs(chart.role_rules())
    assert not pairs(halves["cluster"]) & pairs(halves["namespaced"])
    assert ("", "secrets", "list") in pairs(halves["namespaced"])
    assert ("", "namespaces", "list") in pairs(halves["cluster"])


def test_the_chart_holds_every_dashboard() -> None:
    copies = {file.name: json.loads(file.read_text()) for file in (chart.CHART / "files" / "dashboards").glob("*.json")}

    assert copies == {file.name: json.loads(file.read_text()) for file in chart.DASHBOARDS.glob("*.json")}


def test_a_line_of_the_schema_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = tmp_path / "values.schema.yaml"
    lines.write_text("mode standalone\n")
    monkeypatch.setattr(chart, "LINES", lines)

    with pytest.raises(ValueError, match="cannot read 'mode standalone'"):
        chart.lines()
