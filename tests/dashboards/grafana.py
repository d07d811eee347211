"""What Grafana does with a dashboard before it asks Prometheus: variables into queries, and the queries of panels and variables.

Rules of Grafana's Prometheus data source: several chosen values become `(a|b)` with each escaped twice, one chosen value is
escaped likewise, "All" becomes the variable's `allValue`; `$__rate_interval` is the larger of interval + scrape interval and
four scrape intervals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
ALL = "$__all"
SPECIAL = re.compile(r"[\\$^*{}\[\]'+?.()|]")
STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
NAME = re.compile(r"\$(?:\{([a-z_]\w*)(?::\w+)?\}|([a-z_]\w*))")
"""`$1` of label_replace is no variable: no name begins with a digit."""


@dataclass(frozen=True)
class Moment:
    """A chosen time range and what is chosen of the variables; `scrape` is the data source's scrape interval in seconds."""

    end: float
    span: float = 21600.0
    scrape: float = 30.0
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One query of a panel, ready to be sent. `step` is None for an instant query."""

    panel: Json
    target: Json
    expr: str
    step: float | None

    def __str__(self) -> str:
        return f"{self.panel['title']} {self.target['refId']}: {self.expr}"


def panels(dashboard: Json) -> Iterator[Json]:
    """Every panel but rows, those of closed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def variables(dashboard: Json) -> list[Json]:
    """Its variables, in order."""
    return list(dashboard["templating"]["list"])


def variable(dashboard: Json, name: str) -> Json:
    """One of them. Raises StopIteration for an unknown one."""
    return next(each for each in variables(dashboard) if each["name"] == name)


def escaped(value: str) -> str:
    """A value inside a regular expression inside a PromQL string."""
    return SPECIAL.sub(lambda found: "\\\\" + found[0].replace("\\", "\\\\\\"), value)


def value(dashboard: Json, name: str, moment: Moment) -> str:
    """What stands for `$name` in a query."""
    spec = variable(dashboard, name)
    chosen = list(moment.chosen.get(name, [ALL] if spec.get("includeAll") else []))
    if chosen == [ALL]:
        return str(spec["allValue"])
    values = [escaped(each) for each in chosen]
    return values[0] if len(values) == 1 else "(" + "|".join(values) + ")"


def interval(span: float, points: int) -> float:
    """The step of a range query: the span by the number of points, rounded up to a step of Grafana's."""
    return next((float(step) for step in STEPS if step >= span / points), float(STEPS[-1]))


def interpolated(dashboard: Json, expr: str, moment: Moment, step: float) -> str:
    """The query as it is sent. Raises KeyError for a name that is neither Grafana's nor a variable."""
    known = {each["name"] for each in variables(dashboard)}
    built_in = {
        "__rate_interval": f"{max(step + moment.scrape, 4 * moment.scrape):.0f}s",
        "__interval": f"{step:.0f}s",
        "__range": f"{moment.span:.0f}s",
    }

    def replaced(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name in built_in:
            return built_in[name]
        if name not in known:
            raise KeyError(f"${name} in {expr}")
        return value(dashboard, name, moment)

    return NAME.sub(replaced, expr)


def asked(dashboard: Json, moment: Moment) -> Iterator[Asked]:
    """Every query of every panel."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            step = max(interval(moment.span, panel.get("maxDataPoints", 600)), 15.0)
            expr = interpolated(dashboard, target["expr"], moment, step)
            yield Asked(panel, target, expr, None if target["instant"] else step)


LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")


def label_values(dashboard: Json, spec: Json, moment: Moment) -> tuple[str, str]:
    """(selector, label) of a variable's query."""
    found = LABEL_VALUES.fullmatch(spec["query"]["query"])
    assert found is not None, spec["query"]
    return interpolated(dashboard, found[1], moment, 60.0), found[2]
