"""What a dashboard is made of, and its place in the grid. Classic JSON (schema 39), which Grafana 10 to 13 load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39
COLUMNS = 24
TAG = "vault-eso-exporter"


@dataclass(frozen=True, kw_only=True)
class Query:
    """One PromQL query. `table` asks for one row a series instead of one frame a series; tables are always instant."""

    expr: str
    legend: str = ""
    instant: bool = False
    table: bool = False

    def json(self, index: int) -> Json:
        """The target; `index` gives its letter."""
        instant = self.instant or self.table
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "exemplar": False,
            "expr": self.expr,
            "format": "table" if self.table else "time_series",
            "instant": instant,
            "legendFormat": self.legend or "__auto",
            "range": not instant,
            "refId": chr(ord("A") + index),
        }


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link of a cell or of a value. `url` may hold Grafana's own variables, such as `${__data.fields.name}`."""

    title: str
    url: str
    new_tab: bool = False

    def json(self) -> Json:
        """As it stands in a field's configuration."""
        return {"targetBlank": self.new_tab, "title": self.title, "url": self.url}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What all panels share. `no_value` is what stands there without any data, and must say so: a healthy panel is never
    empty, it shows zeros or a row that tells what was looked at."""

    title: str
    description: str
    queries: Sequence[Query]
    width: int
    height: int
    unit: str = "none"
    no_value: str = "No data: no exporter has reported this"
    mappings: Sequence[Json] = ()
    thresholds: Sequence[tuple[float | None, str]] = ()
    max_data_points: int | None = None
    decimals: int | None = None

    type = ""

    def options(self) -> Json:
        """The panel's own options."""
        raise NotImplementedError

    def defaults(self) -> Json:
        """The field configuration of everything that no override names."""
        found: Json = {
            "color": {"mode": "thresholds"},
            "mappings": list(self.mappings),
            "noValue": self.no_value,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": colour, "value": value} for value, colour in self.thresholds or [(None, "text")]],
            },
            "unit": self.unit,
        }
        if self.decimals is not None:
            found["decimals"] = self.decimals
        return found

    def overrides(self) -> list[Json]:
        """Field configuration of single fields."""
        return []

    def transformations(self) -> list[Json]:
        """What is done to the answers before they are shown."""
        return []

    def json(self, id_: int, x: int, y: int) -> Json:
        """The panel at its place."""
        found: Json = {
            "datasource": DATASOURCE,
            "description": self.description,
            "fieldConfig": {"defaults": self.defaults(), "overrides": self.overrides()},
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "id": id_,
            "options": self.options(),
            "targets": [query.json(index) for index, query in enumerate(self.queries)],
            "title": self.title,
            "type": self.type,
        }
        if self.max_data_points is not None:
            found["maxDataPoints"] = self.max_data_points
        if transformations := self.transformations():
            found["transformations"] = transformations
        return found


@dataclass(frozen=True)
class Row:
    """A heading and the panels under it, which flow left to right. A collapsed row runs its queries when it is opened."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A whole dashboard. Panel ids are their place in the file: a link to a panel outlives changes of its text."""

    uid: str
    title: str
    description: str
    variables: Sequence[Json]
    rows: Sequence[Row]
    annotations: Sequence[Json] = ()
    links: Sequence[Json] = ()
    tags: Sequence[str] = field(default=(TAG,))
    since: str = "now-6h"
    refresh: str = "1m"

    def json(self) -> Json:
        """The classic model, as Grafana's own export writes it."""
        return {
            "annotations": {"list": list(self.annotations)},
            "description": self.description,
            "editable": False,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": None,
            "links": list(self.links),
            "panels": _placed(self.rows),
            "refresh": self.refresh,
            "schemaVersion": SCHEMA_VERSION,
            "tags": list(self.tags),
            "templating": {"list": list(self.variables)},
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "",
        }


def _placed(rows: Iterable[Row]) -> list[Json]:
    """All panels with their ids and places: rows from top to bottom, a collapsed row takes one line of the grid."""
    found: list[Json] = []
    id_, y = 0, 0
    for row in rows:
        id_ += 1
        heading: Json = {
            "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "id": id_,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        found.append(heading)
        y += 1
        into = heading["panels"] if row.collapsed else found
        x, top, height = 0, y, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, top, height = 0, top + height, 0
            id_ += 1
            into.append(panel.json(id_, x, top))
            x, height = x + panel.width, max(height, panel.height)
        if not row.collapsed:
            y = top + height
    return found
