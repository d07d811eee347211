"""Queries use nothing that the catalogue does not have; legends, columns and links name only labels that their queries give."""

from __future__ import annotations

import re

import pytest

from tests.dashboards.grafana import Json, Moment, asked, interpolated, label_values, panels, variables
from tests.dashboards.labels import families, labels, parsed, selectors

MOMENT = Moment(end=1_780_000_000, chosen={"name": ["checkout.payments"]})
TARGET = {"cluster", "job", "instance"}


def field_names(dashboard: Json, panel: Json) -> set[str]:
    """The fields of a table panel."""
    exprs = [each.expr for each in asked(dashboard, MOMENT) if each.panel["id"] == panel["id"]]
    values = {"Value"} if len(exprs) == 1 else {f"Value #{chr(ord('A') + index)}" for index in range(len(exprs))}
    return values | {"Time"} | {label for expr in exprs for label in labels(parsed(expr))}


def test_every_query_uses_families_and_labels_of_the_catalogue(dashboard: Json) -> None:
    queries = list(asked(dashboard, MOMENT))
    assert len(queries) > 15
    for query in queries:
        try:
            labels(parsed(query.expr))
        except (AssertionError, ValueError) as error:
            pytest.fail(f"{query}\n{error}")


def test_variables_and_annotations_do_too(dashboard: Json) -> None:
    for spec in variables(dashboard):
        if spec["type"] == "query":
            selector, label = label_values(dashboard, spec, MOMENT)
            assert label in labels(parsed(selector)), spec["name"]
    for annotation in dashboard["annotations"]["list"]:
        known = labels(parsed(interpolated(dashboard, annotation["expr"], MOMENT, 60)))
        named = re.findall(r"\{\{(\w+)\}\}", annotation["titleFormat"] + annotation["textFormat"])
        assert set(named) | {annotation["tagKeys"]} <= known, annotation["name"]


def test_legends_name_labels_that_the_query_gives(dashboard: Json) -> None:
    for query in asked(dashboard, MOMENT):
        named = set(re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"]))
        assert named <= labels(parsed(query.expr)), f"{query}: {named}"


def test_columns_and_links_name_fields_that_the_queries_give(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] != "table":
            continue
        fields = field_names(dashboard, panel)
        [organize] = [each["options"] for each in panel["transformations"] if each["id"] == "organize"]
        assert set(organize["indexByName"]) <= fields, (panel["title"], set(organize["indexByName"]) - fields)
        assert set(organize["excludeByName"]) <= fields, (panel["title"], set(organize["excludeByName"]) - fields)
        shown = set(organize["indexByName"]) | set(organize["excludeByName"])
        assert fields <= shown, f"{panel['title']}: neither shown nor left out: {sorted(fields - shown)}"
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in fields
            for one in override["properties"]:
                for link in one["value"] if one["id"] == "links" else ():
                    assert set(re.findall(r"__data\.fields\.(\w+)", link["url"])) <= fields, link


def test_links_of_values_name_labels_that_the_query_gives(dashboard: Json) -> None:
    for panel in panels(dashboard):
        for link in panel["fieldConfig"]["defaults"].get("links", ()):
            named = set(re.findall(r"__field\.labels\.(\w+)", link["url"]))
            exprs = [each.expr for each in asked(dashboard, MOMENT) if each.panel["id"] == panel["id"]]
            assert all(named <= labels(parsed(expr)) for expr in exprs), (panel["title"], named)


def test_every_series_is_read_through_the_chosen_cluster(dashboard: Json) -> None:
    """And gauges through an aggregation: two replicas say everything twice."""
    for query in asked(dashboard, MOMENT):
        for selector in selectors(parsed(query.expr)):
            own = {each.name for each in selector.matchers.matchers}
            foreign = selector.name in families() and str(selector.name).startswith("process_")
            assert "cluster" in own or foreign, f"{query}: {selector}"


def test_what_must_be_seen_is_seen(dashboards: dict[str, Json]) -> None:
    used = set()
    for dashboard in dashboards.values():
        for query in asked(dashboard, MOMENT):
            for selector in selectors(parsed(query.expr)):
                used |= {selector.name} if selector.name else set()
    assert used >= SEEN, sorted(SEEN - used)


SEEN = {
    *(f"eso_externalsecret_{fact}" for fact in ("info", "store_info", "ready", "status_info", "problem")),
    *(
        f"eso_externalsecret_{moment}_timestamp_seconds"
        for moment in ("created", "ready_transition", "last_sync", "next_sync", "sync_deadline")
    ),
    *(f"eso_secretstore_{fact}" for fact in ("info", "ready", "externalsecrets")),
    *("eso_operator_replicas", "eso_problem_since_timestamp_seconds", "eso_problem_info", "eso_error_info"),
    *("eso_secrets", "eso_manual_secrets", "eso_manual_secret_info", "eso_manual_secret_created_timestamp_seconds"),
    *(
        f"eso_vault_{fact}"
        for fact in ("available", "up", "initialized", "sealed", "standby", "active", "info", "problem")
    ),
    *(f"eso_vault_{fact}" for fact in ("probe_error", "probe_duration_seconds", "unseal_progress", "unseal_threshold")),
    *(f"eso_exporter_{fact}" for fact in ("build_info", "judged_objects", "unmatched_exceptions", "vault_servers")),
    *(f"eso_exporter_resource_{fact}" for fact in ("synced", "denied", "absent", "objects")),
}
