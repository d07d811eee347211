"""Which labels a PromQL expression can give, from what the catalogue says of each family; every wrong use is an AssertionError."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import promql_parser as promql

from exporter.metrics.catalogue import FAMILIES

TARGET = frozenset({"cluster", "job", "instance"})
"""What Prometheus adds to every series of a scrape; `cluster` where several clusters are told apart."""

FOREIGN: dict[str, frozenset[str]] = {
    "ALERTS": frozenset({"alertname", "alertstate", "severity", "namespace", "name", "store", "vault"}),
    "process_start_time_seconds": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "process_cpu_seconds_total": frozenset(),
    "process_open_fds": frozenset(),
}
"""Families that are not of the catalogue: alerts that Prometheus keeps, and those of every process of prometheus_client."""

ABSENT = {"eso_problem_since_timestamp_seconds": {"store"}}
"""Matched on purpose though it is never there: `.*` (all stores) keeps such series, a chosen store hides them."""


@cache
def families() -> dict[str, frozenset[str]]:
    """Labels by name of series."""
    found = dict(FOREIGN)
    for spec in FAMILIES:
        names = [spec.name]
        if spec.type == "histogram":
            names = [f"{spec.name}_{part}" for part in ("bucket", "sum", "count")]
        for name in names:
            found[name] = frozenset({*spec.labels, *({"le"} if name.endswith("_bucket") else ())})
    return found


def parsed(expr: str) -> Any:
    """The syntax tree; Grafana's variables must have been replaced. Raises ValueError for what Prometheus would refuse."""
    return promql.parse(expr)


def labels(node: Any) -> frozenset[str]:
    """The labels that results of the expression may have."""
    kind = type(node).__name__
    if kind in ("ParenExpr", "SubqueryExpr", "UnaryExpr"):
        return labels(node.expr)
    if kind == "VectorSelector":
        return _selected(node)
    if kind == "MatrixSelector":
        return _selected(node.vector_selector)
    if kind in ("NumberLiteral", "StringLiteral"):
        return frozenset()
    return {"Call": _called, "AggregateExpr": _aggregated, "BinaryExpr": _joined}[kind](node)


def _selected(node: Any) -> frozenset[str]:
    matchers = node.matchers.matchers
    name = node.name or next(each.value for each in matchers if each.name == "__name__")
    names = name.split("|")
    unknown = [each for each in names if each not in families()]
    assert not unknown, f"not in the catalogue: {unknown}"
    own = frozenset().union(*(families()[each] for each in names)) | TARGET
    asked = {each.name for each in matchers} - {"__name__"}
    asked -= {"all_stores", *ABSENT.get(name, set())}
    assert asked <= own, f"{name} has no label {sorted(asked - own)}"
    return own


def _called(node: Any) -> frozenset[str]:
    vectors = [each for each in node.args if type(each).__name__ not in ("NumberLiteral", "StringLiteral")]
    inner = labels(vectors[0]) if vectors else frozenset()
    texts = [each.val for each in node.args if type(each).__name__ == "StringLiteral"]
    if node.func.name == "label_replace":
        target, _, source, pattern = texts
        re.compile(pattern)
        assert not source or source in inner, f"label_replace reads {source}, there are {sorted(inner)}"
        return inner | {target}
    if node.func.name == "label_join":
        return inner | {texts[0]}
    if node.func.name == "histogram_quantile":
        assert "le" in inner
        return inner - {"le"}
    return inner


def _aggregated(node: Any) -> frozenset[str]:
    inner = labels(node.expr)
    by = frozenset(node.modifier.labels) if node.modifier else frozenset()
    if node.modifier:
        assert node.modifier.type == promql.AggModifierType.By, (
            "labels are named, not left out: two replicas differ in instance"
        )
        assert by <= inner, f"{node.op} by {sorted(by - inner)}, there are {sorted(inner)}"
    if str(node.op) in ("topk", "bottomk"):
        return inner
    return by | ({node.param.val} if str(node.op) == "count_values" else frozenset())


def _joined(node: Any) -> frozenset[str]:
    left, right = labels(node.lhs), labels(node.rhs)
    matching = node.modifier.matching if node.modifier else None
    on = frozenset(matching.labels) if matching else None
    scalars = (
        "NumberLiteral" in (type(node.lhs).__name__, type(node.rhs).__name__) or _scalar(node.lhs) or _scalar(node.rhs)
    )
    if scalars:
        return left | right
    operator = str(node.op)
    if operator == "or":
        return left | right
    if on is not None:
        # `or` aside, both sides must have what they are joined on.
        assert on <= left, f"on {sorted(on - left)} of the left side, which has {sorted(left)}"
        assert on <= right, f"on {sorted(on - right)} of the right side, which has {sorted(right)}"
    if operator in ("and", "unless"):
        return left
    group = node.modifier.group_labels if node.modifier and node.modifier.card is not None else None
    if node.modifier and "ManyToOne" in str(node.modifier.card):
        more = frozenset(group.labels if hasattr(group, "labels") else (group or ()))
        assert more <= right, f"group_left {sorted(more - right)}, the right side has {sorted(right)}"
        return left | more
    return on if on is not None and not node.modifier.return_bool else left


def _scalar(node: Any) -> bool:
    if type(node).__name__ == "ParenExpr":
        return _scalar(node.expr)
    if type(node).__name__ == "BinaryExpr":
        return _scalar(node.lhs) and _scalar(node.rhs)
    return type(node).__name__ == "NumberLiteral" or (type(node).__name__ == "Call" and node.func.name == "time")


def selectors(node: Any) -> list[Any]:
    """Every selector of the expression."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        return [node]
    if kind == "MatrixSelector":
        return [node.vector_selector]
    inner = [getattr(node, part) for part in ("expr", "lhs", "rhs") if getattr(node, part, None) is not None]
    return [found for each in [*inner, *(getattr(node, "args", None) or ())] for found in selectors(each)]
