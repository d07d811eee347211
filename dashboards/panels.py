"""The kinds of panels that the dashboards use: Stat, BarGauge, TimeSeries, StateTimeline and Table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.colours import SERIES, UNKNOWN
from dashboards.model import Json, Link, Panel

Layout = Literal["auto", "horizontal", "vertical"]
Text = Literal["auto", "value", "value_and_name", "name"]

_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _by_name(name: str, **properties: Any) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [_property(i, v) for i, v in properties.items()],
    }


def _property(id_: str, value: Any) -> Json:
    return {"id": id_, "value": value}


@dataclass(frozen=True, kw_only=True)
class Stat(Panel):
    """A number or a word, its colour as background. `text` tells whether the legend stands beside it."""

    text: Text = "auto"
    layout: Layout = "auto"
    links: Sequence[Link] = ()
    plain: Sequence[str] = ()
    """Legends of queries that have no good or bad: shown without a colour."""
    counts: Sequence[str] = ()
    """Legends of queries that count, where the others have a unit."""
    type = "stat"

    def defaults(self) -> Json:
        """Beside the common ones, the links of the value."""
        return super().defaults() | ({"links": [link.json() for link in self.links]} if self.links else {})

    def options(self) -> Json:
        """One value for each series, without a sparkline: what counts is now."""
        return {
            "colorMode": "background_solid",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": self.layout,
            "percentChangeColorMode": "standard",
            "reduceOptions": _LAST,
            "showPercentChange": False,
            "textMode": self.text,
            "wideLayout": False,
        }

    def overrides(self) -> list[Json]:
        """Values without good or bad lose their colour."""
        plain = [_by_name(name, thresholds=_steps([(None, "text")]), mappings=[]) for name in self.plain]
        return plain + [_by_name(name, unit="short", decimals=0) for name in self.counts]


def _steps(thresholds: Sequence[tuple[float | None, str]]) -> Json:
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for value, colour in thresholds]}


@dataclass(frozen=True, kw_only=True)
class BarGauge(Panel):
    """Horizontal bars, one for each series."""

    minimum: float | None = 0
    maximum: float | None = None
    type = "bargauge"

    def defaults(self) -> Json:
        """Beside the common ones, the ends of the bars."""
        ends = {"min": self.minimum, "max": self.maximum}
        return super().defaults() | {name: value for name, value in ends.items() if value is not None}

    def options(self) -> Json:
        """Names above the bars, where they have room."""
        return {
            "displayMode": "basic",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "maxVizHeight": 40,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "top",
            "orientation": "horizontal",
            "reduceOptions": _LAST,
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "text",
        }


@dataclass(frozen=True, kw_only=True)
class TimeSeries(Panel):
    """Lines over time, or stacked areas. `colours` gives single legends a colour; a threshold is drawn as a line."""

    stacked: bool = False
    colours: Mapping[str, str] | None = None
    alone: Sequence[str] = ()
    """Legends that a stack leaves out, drawn as a line (a total)."""
    minimum: float | None = 0
    maximum: float | None = None
    at_least: float | None = None
    """How far the axis reaches even when all is zero."""
    steps: bool = False
    shades: str = ""
    """Series are shades of this colour, for what is bad by its nature; else each has a colour of Grafana's palette."""
    type = "timeseries"

    def defaults(self) -> Json:
        """Lines; a gap of the data is a gap of the line."""
        found = super().defaults()
        found["color"] = {"fixedColor": self.shades, "mode": "shades"} if self.shades else {"mode": "palette-classic"}
        found["custom"] = {
            "axisPlacement": "auto",
            "drawStyle": "line",
            "fillOpacity": 35 if self.stacked else 0,
            "lineInterpolation": "stepAfter" if self.stacked or self.steps else "linear",
            "lineWidth": 1 if self.stacked else 2,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if self.stacked else "none"},
            "thresholdsStyle": {"mode": "line" if len(self.thresholds) > 1 else "off"},
        }
        if self.at_least is not None:
            found["custom"]["axisSoftMax"] = self.at_least
        ends = {"min": self.minimum, "max": self.maximum}
        return found | {name: value for name, value in ends.items() if value is not None}

    def options(self) -> Json:
        """The legend is a table of the last and the largest value where there is room; the tooltip shows all series,
        largest first."""
        wide = self.width >= 12
        return {
            "legend": {
                "calcs": ["lastNotNull", "max"] if wide else [],
                "displayMode": "table" if wide else "list",
                "placement": "right" if wide else "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }

    def overrides(self) -> list[Json]:
        """Colours, each query's from the palette unless given, and lines that stand alone."""
        found = [
            {
                "matcher": {"id": "byFrameRefID", "options": chr(ord("A") + index)},
                "properties": [_property("color", {"fixedColor": SERIES[index], "mode": "fixed"})],
            }
            for index, query in enumerate(self.queries)
            if "{{" not in query.legend and query.legend not in (self.colours or {})
        ]
        found += [
            _by_name(name, color={"fixedColor": colour, "mode": "fixed"})
            for name, colour in (self.colours or {}).items()
        ]
        for name in self.alone:
            alone = {"custom.fillOpacity": 0, "custom.lineWidth": 2, "custom.stacking": {"group": "B", "mode": "none"}}
            found.append(_by_name(name, color={"fixedColor": UNKNOWN, "mode": "fixed"}, **alone))
        return found


@dataclass(frozen=True, kw_only=True)
class StateTimeline(Panel):
    """One line of coloured spans for each series; the mappings give each state its word and colour."""

    per_page: int = 30
    type = "state-timeline"

    def defaults(self) -> Json:
        """A gap of the data is a gap of the line."""
        return super().defaults() | {
            "custom": {"fillOpacity": 85, "insertNulls": False, "lineWidth": 0, "spanNulls": False}
        }

    def options(self) -> Json:
        """Equal neighbours are one span, with its word in it where there is room."""
        return {
            "alignValue": "left",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "perPage": self.per_page,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        }


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table. `field` is the label, or `Value` (`Value #B` with several queries)."""

    field: str
    title: str = ""
    width: int | None = None
    unit: str = ""
    mappings: Sequence[Json] = ()
    thresholds: Sequence[tuple[float | None, str]] = ()
    gauge: bool = False
    coloured: bool = False
    wrapped: bool = False
    """Long text goes on in the next line instead of being cut."""
    hidden: bool = False
    decimals: int | None = None
    link: Link | None = None
    empty: str = "–"

    def override(self) -> Json:
        """What this column changes of the defaults."""
        found: dict[str, Any] = {"noValue": self.empty}
        if self.hidden:
            hidden = {"custom.hidden": True, "custom.hideFrom": {"legend": False, "tooltip": False, "viz": True}}
            return _by_name(self.field, mappings=list(self.mappings), **hidden)
        found["displayName"] = self.title
        if self.width:
            found["custom.width"] = self.width
        if self.unit:
            found["unit"] = self.unit
        if self.decimals is not None:
            found["decimals"] = self.decimals
        if self.mappings:
            found["mappings"] = list(self.mappings)
        if self.thresholds:
            found["thresholds"] = _steps(self.thresholds)
        if self.gauge:
            found |= {
                "custom.cellOptions": {"mode": "basic", "type": "gauge", "valueDisplayMode": "text"},
                "min": 0,
                "max": 1,
            }
        elif self.thresholds:
            found["custom.cellOptions"] = {"type": "color-text"}
        if self.coloured:
            found["custom.cellOptions"] = {"mode": "basic", "type": "color-background"}
        if self.wrapped:
            found["custom.cellOptions"] = {"type": "auto", "wrapText": True}
        if self.link:
            found["links"] = [self.link.json()]
        return _by_name(self.field, **found)


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """One row for each series of the queries; rows of several queries that agree in all labels are joined.

    Columns stand in the order given; labels that no column names are left out.
    """

    columns: Sequence[Column]
    tall: bool = False
    """Rows of two lines: Grafana measures what it wraps before words stand for codes, and so makes rows too low."""
    left_out: Sequence[str] = ()
    """Fields of the answers that are not shown at all."""
    sort: Sequence[tuple[str, bool]] = ()
    """(column title, descending) in order."""
    type = "table"

    def defaults(self) -> Json:
        """Left aligned text that is cut at the cell's end; the whole of it appears under the mouse."""
        return super().defaults() | {
            "custom": {"align": "left", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False}
        }

    def options(self) -> Json:
        """No footer."""
        return {
            "cellHeight": "lg" if self.tall else "sm",
            "footer": {"countRows": False, "fields": "", "reducer": [], "show": False},
            "frameIndex": 0,
            "showHeader": True,
            "sortBy": [{"desc": desc, "displayName": name} for name, desc in self.sort],
        }

    def overrides(self) -> list[Json]:
        """One for each column."""
        return [column.override() for column in self.columns]

    def transformations(self) -> list[Json]:
        """Joins the queries' rows and puts the columns in order."""
        order = {column.field: index for index, column in enumerate(self.columns)}
        organize: Json = {
            "excludeByName": dict.fromkeys(("Time", *self.left_out), True),
            "includeByName": {},
            "indexByName": order,
            "renameByName": {},
        }
        merge: list[Json] = [{"id": "merge", "options": {}}] if len(self.queries) > 1 else []
        return [*merge, {"id": "organize", "options": organize}]
