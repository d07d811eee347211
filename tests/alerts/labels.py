"""Which labels an expression can carry, by the catalogue of metrics and the rules themselves."""

from __future__ import annotations

from typing import Any

import promql_parser as promql

from exporter.metrics.catalogue import FAMILIES
from tests.alerts.rulefile import Rule

# What Prometheus or whoever runs it adds to each of our series.
ADDED = frozenset({"cluster", "job", "instance"})
CATALOGUE = {family.name: frozenset(family.labels) for family in FAMILIES}


class UnknownError(AssertionError):
    """A metric, rule or label that does not exist."""


class Labels:
    """Infers the labels of expressions; a rule may read records of the same file."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._asked: list[str] = []
        self._known: dict[str, frozenset[str]] = {}

    def of(self, node: Any) -> frozenset[str]:
        """The labels that the result can carry. Raises UnknownError for what does not exist, at any depth."""
        match node:
            case promql.BinaryExpr():
                return self._binary(node)
            case promql.AggregateExpr():
                return self._aggregation(node)
            case promql.Call():
                return self._call(node)
            case promql.MatrixSelector():
                return self.of(node.vector_selector)
            case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
                return self.of(node.expr)
            case promql.VectorSelector():
                return self._selector(node)
            case promql.NumberLiteral() | promql.StringLiteral():
                return frozenset()
        raise TypeError(f"labels of {node!r} are not known")

    def alert(self, name: str) -> frozenset[str]:
        """The labels that ALERTS carries for an alert, whatever its severity."""
        if name in self._known:
            return self._known[name]
        found = [rule for rule in self._rules if rule.is_alert and rule.name == name]
        if not found:
            raise UnknownError(f"no alert {name}")
        if name in self._asked:  # alerts may look at each other: take what is not known yet as right
            return frozenset({"alertname", "alertstate"}).union(ADDED, *CATALOGUE.values())
        self._asked.append(name)
        try:
            inferred = frozenset().union(*(self.of(rule.expression) for rule in found))
        finally:
            self._asked.pop()
        self._known[name] = inferred | {"alertname", "alertstate", "severity"}
        return self._known[name]

    def _selector(self, node: Any) -> frozenset[str]:
        matchers = {one.name: one.value for one in node.matchers.matchers}
        names = [node.name] if node.name else matchers.pop("__name__").split("|")
        labels = frozenset[str]()
        for name in names:
            if name == "ALERTS":
                pattern = matchers["alertname"].replace("EsoVault(", "(")
                options = pattern.strip("()").split("|")
                prefix = "EsoVault" if pattern.startswith("(") else ""
                labels |= frozenset().union(*(self.alert(prefix + option) for option in options))
            elif name.startswith("eso:"):
                labels |= self._record(name)
            elif name in CATALOGUE:
                labels |= CATALOGUE[name] | ADDED
            else:
                raise UnknownError(f"no metric {name}")
        # What honor_labels off does to ours.
        unknown = set(matchers) - labels - {"exported_namespace"}
        if unknown:
            raise UnknownError(f"{'|'.join(names)} has no label {', '.join(sorted(unknown))}")
        return labels

    def _record(self, name: str) -> frozenset[str]:
        if name not in self._known:
            records = [rule for rule in self._rules if not rule.is_alert and rule.name == name]
            if len(records) != 1:
                raise UnknownError(f"{len(records)} rules record {name}")
            self._known[name] = self.of(records[0].expression)
        return self._known[name]

    def _aggregation(self, node: Any) -> frozenset[str]:
        inner = self.of(node.expr)
        by = frozenset(node.modifier.labels) if node.modifier else frozenset()
        if by - inner:
            raise UnknownError(f"by {', '.join(sorted(by - inner))}: not in {node.expr}")
        return inner if str(node.op) in ("topk", "bottomk") else by

    def _call(self, node: Any) -> frozenset[str]:
        vectors = [self.of(argument) for argument in node.args]
        labels = frozenset[str]().union(*vectors)
        if node.func.name == "label_replace":
            if node.args[3].val not in labels:
                raise UnknownError(f"label_replace of {node.args[3].val}: not there")
            labels |= {node.args[1].val}
        return labels if node.func.name != "absent" else frozenset()

    def _binary(self, node: Any) -> frozenset[str]:
        left, right = self.of(node.lhs), self.of(node.rhs)
        modifier = node.modifier
        on = frozenset(modifier.matching.labels) if modifier and modifier.matching else frozenset()
        for side in (left, right):
            if on - side:
                raise UnknownError(f"{node.op} on {', '.join(sorted(on - side))}: not on both sides of {node}")
        match str(node.op):
            case "and" | "unless":
                return left
            case "or":
                return left | right
        if modifier and modifier.group_labels is not None:
            extra = frozenset(modifier.group_labels)
            if extra - right:
                raise UnknownError(f"group_left {', '.join(sorted(extra - right))}: not in {node.rhs}")
            return left | extra
        return on if on else (left or right)
