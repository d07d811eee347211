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


def test_most_of_the_catalogue_is_to_be_seen(dashboards: dict[str, Json]) -> None:
    used = set()
    for dashboard in dashboards.values():
        for query in asked(dashboard, MOMENT):
            for selector in selectors(parsed(query.expr)):
                used |= set(str(selector.name).split("|")) if selector.name else set()
    left = {name for name in families() if name.startswith("eso_") and not name.endswith(("_sum", "_count"))} - used
    # Told by eso_problem_since_timestamp_seconds for all kinds, or by another family of the same fact.
    assert {each for each in left if not each.endswith("_problem")} <= SHOWN_OTHERWISE, sorted(left)


SHOWN_OTHERWISE = {
    "eso_externalsecret_last_sync_age_seconds",  # time() less the last sync: works where the family is switched off
    "eso_secretstore_ready_transition_timestamp_seconds",  # the since of its problem
    "eso_operator_info",
    "eso_clusterexternalsecret_ready",
    "eso_clusterexternalsecret_namespaces",
    "eso_clusterpushsecret_ready",
    "eso_clusterpushsecret_namespaces",
    "eso_pushsecret_ready",
    "eso_pushsecret_last_sync_timestamp_seconds",
    "eso_pushsecret_store_info",
    "eso_vault_tls_verified",
    "eso_exporter_config_last_reload_timestamp_seconds",
}
"""No panel of their own: their problems stand in the table of what needs action."""
