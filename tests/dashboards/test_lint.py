"""The rules of Grafana's dashboard linter that apply, and ours, as tests."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

from dashboards.mappings import PLACES
from tests.dashboards.grafana import Json, Moment, asked, panels, variables

UNITS = {
    "none", "short", "percentunit", "s", "dtdurations", "dateTimeFromNow", "bytes", "locale", "d", "reqpm", "opm",
}  # fmt: skip
"""The ids in use; `dashboards/preview` looks each up in Grafana's own list (`getValueFormats`) when it draws."""

BUILT_IN = {
    "__rate_interval", "__range", "__url_time_range", "__data", "__value", "__field", "__interval",
}  # fmt: skip


def texts(value: Any) -> list[str]:
    """Every text inside a piece of JSON."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_uid_title_and_tag_are_fixed(dashboards: dict[str, Json]) -> None:
    assert list(dashboards) == ["eso-overview", "eso-externalsecret", "eso-migration", "eso-vault", "eso-exporter"]
    for uid, dashboard in dashboards.items():
        assert dashboard["uid"] == uid
        assert dashboard["title"].startswith("Secrets / ")
        assert dashboard["description"].endswith(".")
        assert dashboard["tags"] == ["vault-eso-exporter"]
    assert len({dashboard["title"] for dashboard in dashboards.values()}) == len(dashboards)


def test_schema_and_settings(dashboard: Json) -> None:
    assert dashboard["schemaVersion"] == 39
    assert dashboard["editable"] is False
    assert dashboard["id"] is None
    assert dashboard["graphTooltip"] == 1
    assert dashboard["refresh"] in ("1m", "5m")


def test_the_data_source_is_a_variable_and_nothing_is_hard_coded(dashboard: Json) -> None:
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    first = variables(dashboard)[0]
    assert (first["type"], first["name"], first["query"], first["label"]) == (
        "datasource", "datasource", "prometheus", "Data source",
    )  # fmt: skip
    for panel in panels(dashboard):
        assert panel["datasource"] == wanted
        assert all(target["datasource"] == wanted for target in panel["targets"])
    for spec in (*variables(dashboard), *dashboard["annotations"]["list"]):
        if "datasource" in spec:
            assert spec["datasource"] == wanted
    assert not [text for text in texts(dashboard) if re.search(r"localhost|127\.0\.0\.1|prom(etheus)?-default", text)]


def test_variables_are_chained_safe_and_up_to_date(dashboard: Json) -> None:
    known: set[str] = {"datasource"}
    for spec in variables(dashboard):
        if spec["type"] == "query":
            assert spec["multi"] is True  # so that Grafana escapes what is chosen
            assert spec["refresh"] == 2  # with the time range
            assert spec["skipUrlSync"] is False
            assert spec["label"]
            asked_for = set(re.findall(r"\$(\w+)", spec["query"]["query"]))
            assert asked_for <= known, f"{spec['name']} needs {asked_for - known} first"
            if spec["name"] != "cluster":
                assert "cluster" in asked_for
            if spec["includeAll"]:
                assert spec["allValue"] == ".*"
        known.add(spec["name"])


def test_alerts_link_to_what_is_there(dashboards: dict[str, Json]) -> None:
    rules = (Path(__file__).parents[2] / "alerts" / "rules.yaml").read_text()
    links = re.findall(r"/d/([\w-]+)(\?\S*)?", rules)
    assert len(links) > 20
    for uid, query in links:
        names = {spec["name"] for spec in variables(dashboards[uid])}
        assert set(re.findall(r"var-(\w+)=", query)) <= names, (uid, query)


def test_alerts_can_link_here(dashboards: dict[str, Json]) -> None:
    wanted = {
        "eso-overview": {"cluster", "namespace", "store"},
        "eso-externalsecret": {"cluster", "namespace", "name"},
        "eso-migration": {"cluster", "namespace"},
        "eso-vault": {"cluster", "vault"},
        "eso-exporter": {"cluster"},
    }
    for uid, names in wanted.items():
        assert names <= {spec["name"] for spec in variables(dashboards[uid])}


def test_every_panel_explains_itself(dashboard: Json) -> None:
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(titles) == len(set(titles)) <= 25
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"]
        assert panel["title"][0].isupper()
        assert panel["description"].endswith(".")
        assert len(panel["description"]) > 30
        assert defaults["unit"] in UNITS
        assert panel["targets"]
        assert re.search(r"[Nn]o data|NOBODY|No store|names no store|Never had|Not behind|^0$", defaults["noValue"])
        for override in panel["fieldConfig"]["overrides"]:
            for one in override["properties"]:
                assert one["id"] != "unit" or one["value"] in UNITS


def test_queries_keep_to_the_chosen_range(dashboard: Json) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            expr = target["expr"]
            for window in re.findall(r"rate\([^\[]*\[([^\]]*)\]", expr):
                assert window == "$__rate_interval", expr
            for function in re.findall(r"(i?rate|increase)\(", expr):
                assert function != "irate"
            if panel["type"] in ("stat", "bargauge", "table"):
                assert target["instant"] is True
                assert "$__rate_interval" not in expr
            else:
                assert target["range"] is True
            assert target["format"] == ("table" if panel["type"] == "table" else "time_series")
            assert target["legendFormat"]


def test_every_name_in_dollars_is_known(dashboard: Json) -> None:
    names = {spec["name"] for spec in variables(dashboard)}
    for text in texts([dashboard["panels"], dashboard["annotations"]]):
        for name in re.findall(r"\$\{?([a-z_]+)", text.replace("$VAULT_ADDR", "")):
            if "kubectl" not in text and "curl" not in text:
                assert name in names | BUILT_IN, text
    used = set(re.findall(r"\$\{?([a-z_]+)", " ".join(texts(dashboard))))
    assert names <= used, f"nothing uses {names - used}"


def test_panels_fill_the_grid_without_overlaps(dashboard: Json) -> None:
    rows = [
        list(dashboard["panels"]),
        *(row["panels"] for row in dashboard["panels"] if row["type"] == "row"),
    ]
    for row in rows:
        taken: dict[tuple[int, int], str] = {}
        for panel in row:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for cell in itertools.product(
                range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            ):
                assert cell not in taken, f"{panel['title']} lies on {taken.get(cell)}"
                taken[cell] = panel["title"]
        lines = {y for _, y in taken}
        for y in lines:
            assert {(x, y) for x in range(24)} <= set(taken), f"a hole in line {y}: {taken.get((0, y))}"
    ids = [panel["id"] for panel in panels(dashboard)] + [
        each["id"] for each in dashboard["panels"] if each["type"] == "row"
    ]
    assert len(ids) == len(set(ids))
    assert 0 not in ids


def test_thresholds_begin_at_nothing_and_rise(dashboard: Json) -> None:
    for panel in panels(dashboard):
        found = [panel["fieldConfig"]["defaults"]["thresholds"]]
        found += [
            one["value"]
            for override in panel["fieldConfig"]["overrides"]
            for one in override["properties"]
            if one["id"] == "thresholds"
        ]
        for thresholds in found:
            values = [step["value"] for step in thresholds["steps"]]
            assert values[0] is None
            assert None not in values[1:]
            assert values[1:] == sorted(values[1:])


def test_links_lead_to_dashboards_and_variables_that_are_there(dashboards: dict[str, Json]) -> None:
    found = list(PLACES.values())
    for dashboard in dashboards.values():
        found += [text for text in texts(dashboard["panels"]) if text.startswith("/d/")]
    assert len(found) > 20
    for link in found:
        path, _, query = link.removeprefix("/d/").partition("?")
        if path.startswith("${__data.fields.link}"):
            continue  # one of PLACES
        assert path in dashboards, link
        names = {spec["name"] for spec in variables(dashboards[path])}
        assert set(re.findall(r"var-(\w+)=", query)) <= names, link


def test_nothing_is_said_to_be_zero_where_nobody_looked(dashboard: Json) -> None:
    for query in asked(dashboard, Moment(end=1_780_000_000, chosen={"name": ["x"]})):
        assert "vector(" not in query.expr, f"{query} turns no data into a number"
