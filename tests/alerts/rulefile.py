"""The shipped rule file as Python sees it: its rules, what each reads, and which alerts hang on which rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "alerts" / "rules.yaml"
TESTS = ROOT / "alerts" / "tests"


@dataclass(frozen=True)
class Rule:
    """One rule, with the group it stands in; `name` is the alert's or the record's."""

    group: str
    index: int
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body.get("alert") or self.body["record"])

    @property
    def is_alert(self) -> bool:
        return "alert" in self.body

    @property
    def severity(self) -> str:
        return str(self.body.get("labels", {}).get("severity", ""))

    @property
    def title(self) -> str:
        """How reports call it: an alert's name with its severity, since several severities share a name."""
        return f"{self.name}/{self.severity}" if self.is_alert else self.name

    @property
    def expression(self) -> Any:
        return promql.parse(self.body["expr"])


def load(path: Path = RULES) -> list[Rule]:
    """All rules of a rule file, in their order."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return [Rule(group["name"], index, body) for group in groups for index, body in enumerate(group["rules"])]


def nodes(node: Any) -> Iterator[Any]:
    """A PromQL node and everything below it."""
    yield node
    match node:
        case promql.BinaryExpr():
            below = [node.lhs, node.rhs]
        case promql.AggregateExpr():
            below = [node.expr, *([node.param] if node.param is not None else [])]
        case promql.Call():
            below = list(node.args)
        case promql.MatrixSelector():
            below = [node.vector_selector]
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            below = [node.expr]
        case _:
            below = []
    for one in below:
        yield from nodes(one)


def selectors(expression: Any) -> list[tuple[str, dict[str, str]]]:
    """(metric, {label: value or pattern}) of every selector; one that names several metrics gives one entry for each."""
    found = []
    for node in nodes(expression):
        if isinstance(node, promql.VectorSelector):
            matchers = {one.name: one.value for one in node.matchers.matchers if one.name != "__name__"}
            names = [one.value for one in node.matchers.matchers if one.name == "__name__"]
            metrics = [node.name] if node.name else names[0].split("|")
            found += [(metric, matchers) for metric in metrics]
    return found


def reads(rule: Rule, rules: list[Rule]) -> set[str]:
    """Names of the rules (records, and alerts through ALERTS) that a rule reads."""
    found = set()
    for metric, matchers in selectors(rule.expression):
        if metric == "ALERTS":
            pattern = matchers["alertname"]
            found |= {other.name for other in rules if other.is_alert and re.fullmatch(pattern, other.name)}
        elif metric.startswith("eso:"):
            found.add(metric)
    return found


def touched_alerts(rule: Rule, rules: list[Rule]) -> list[str]:
    """Names of the alerts whose outcome a rule can change, the nearest first."""
    readers: dict[str, set[str]] = {}
    for other in rules:
        for name in reads(other, rules):
            readers.setdefault(name, set()).add(other.name)
    alerts = {one.name for one in rules if one.is_alert}
    order, queue = [rule.name], [rule.name]
    while queue:
        for reader in sorted(readers.get(queue.pop(0), ())):
            if reader not in order:
                order.append(reader)
                queue.append(reader)
    return [name for name in order if name in alerts]
