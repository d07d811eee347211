"""The seven answers: what, which store, since when, why, who is hit, whose it is, what to do now."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboards import mappings
from exporter.judge.problems import CATALOGUE, ERRORS
from tests.dashboards.grafana import Json, panels

ANSWERS = {
    "what": "Problem",
    "which store": "Store",
    "since when": "Since",
    "why": "Why",
    "who is hit": "Who is hit",
    "whose it is": "Owner",
    "what to do now": "What now",
}


def mapped(found: list[Json], value: str) -> str | None:
    """What Grafana shows for a value: its value mappings in order (`getValueMappingResult` of @grafana/data)."""
    for mapping in found:
        options: Any = mapping["options"]
        if mapping["type"] == "value" and value in options:
            return str(options[value]["text"])
        if mapping["type"] == "regex" and (match := re.search(options["pattern"], value)):
            text = re.sub(r"\$(\d)", lambda group: match[int(group[1])], options["result"]["text"].replace("$$", "\0"))
            return text.replace("\0", "$")
        if mapping["type"] == "special" and options["match"] == "empty" and not value:
            return str(options["result"]["text"])
    return None


def columns(panel: Json) -> dict[str, str]:
    """Title → field of a table."""
    return {
        one["value"]: override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "displayName"
    }


def action(dashboard: Json) -> Json | None:
    return next((panel for panel in panels(dashboard) if panel["title"].startswith("Needs action")), None)


def test_they_stand_in_one_table_on_each_dashboard_that_alerts_about_objects_lead_to(
    dashboards: dict[str, Json],
) -> None:
    for uid in ("eso-overview", "eso-externalsecret", "eso-vault"):
        panel = action(dashboards[uid])
        assert panel is not None
        assert set(ANSWERS.values()) <= set(columns(panel)), uid
        assert "Object" in columns(panel)  # with its namespace
        assert "Runbook" in columns(panel)


def test_a_manual_secret_has_no_store_and_no_error(dashboards: dict[str, Json]) -> None:
    panel = action(dashboards["eso-migration"])
    assert panel is not None
    assert set(ANSWERS.values()) - set(columns(panel)) == {"Store", "Why", "Who is hit"}


def test_every_other_dashboard_is_one_click_away(dashboard: Json) -> None:
    [link] = dashboard["links"]
    assert (link["type"], link["tags"]) == ("dashboards", ["vault-eso-exporter"])
    assert link["includeVars"]
    assert link["keepTime"]


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: f"{entry.kind}/{entry.id}")
def test_every_problem_has_words_a_place_and_a_runbook(entry: Any) -> None:
    what = f"{entry.kind}/{entry.id}"
    namespace = "" if entry.kind in ("vault", "clusterexternalsecret", "clusterpushsecret") else "shop"
    assert mapped(mappings.problems(), what) == entry.meaning
    assert mapped(mappings.runbooks(), what) == entry.runbook
    assert mapped([mappings.KINDS], entry.kind)
    place = mapped(mappings.places(), f"{entry.kind} {namespace} db.main")
    assert place is not None
    assert re.fullmatch(r"eso-[a-z]+\?(var-[a-z]+=[a-z.]+(&var-[a-z]+=[a-z.]+)*)?", place), place
    now = mapped(mappings.advice(), f"{what}  {namespace} db.main vault-backend")
    wide, either, namespaced = entry.advice.partition(" (or: ")
    assert now == (namespaced.removesuffix(")") or wide).format(namespace=namespace, name="db.main")
    if either:  # a ClusterSecretStore
        assert mapped(mappings.advice(), f"{what}   db.main db.main") == wide.format(name="db.main")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.id)
def test_every_error_has_words_and_better_advice_than_its_problem(error: Any) -> None:
    assert mapped(mappings.causes(), error.id) == error.meaning
    assert mapped([mappings.SIDES], error.side)
    assert mapped([mappings.HEALS], error.heals)
    now = mapped(mappings.advice(), f"externalsecret/not_ready {error.id} shop db vault-backend")
    name = "vault-backend" if "secretstore" in error.advice else "db"
    assert now == error.advice.format(namespace="shop", name=name)


def test_what_is_healthy_says_how_much_was_looked_at(dashboards: dict[str, Json]) -> None:
    panel = action(dashboards["eso-overview"])
    assert panel is not None
    [what] = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == "what"]
    [words] = [each["value"] for each in what["properties"] if each["id"] == "mappings"]
    assert mapped(words, "none/externalsecret/12") == "Nothing needs action (12 ExternalSecrets looked at)"
    assert mapped(words, "none/vault/1") == "Nothing needs action (1 Vaults looked at)"
