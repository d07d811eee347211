"""What a careless hand could do to a rule, as a list of changed copies of it.

Each mutant is one change: a clause dropped, a comparison flipped or moved by its edge, max for min, a window or threshold or
time changed, a label left out of an aggregation or a match, a matcher left out, `instance` kept, another severity.
"""

from __future__ import annotations

import copy
import datetime
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser as promql

from tests.alerts.labels import Labels
from tests.alerts.rulefile import Rule, load

FLIPPED = {"==": "!=", "!=": "==", ">": "<=", "<=": ">", "<": ">=", ">=": "<"}
EDGE = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
ARITHMETIC = {"-": "+", "+": "-", "/": "*", "*": "/"}
AGGREGATIONS = {"max": "min", "min": "max", "sum": "max", "count": "group"}
FUNCTIONS = {"max_over_time": "min_over_time", "min_over_time": "max_over_time", "changes": "count_over_time"}
OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
LABELS = Labels(load())
Change = tuple[str, str]
"""(what was done, the new text)"""


@dataclass(frozen=True)
class Mutant:
    """A changed copy of one rule."""

    rule: Rule
    what: str
    body: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.rule.title}: {self.what}"


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Every mutant of a rule, each once."""
    seen, named = {text(rule.expression)}, Counter[str]()
    for what, changed in expression_changes(rule.expression):
        if changed not in seen:
            seen.add(changed)
            named[what] += 1
            again = f" ({named[what]})" if named[what] > 1 else ""
            yield Mutant(rule, what + again, rule.body | {"expr": changed})
    for key in ("for", "keep_firing_for"):
        if key in rule.body:
            minutes = int(promql.parse_duration(rule.body[key]).total_seconds() // 60)
            for factor in (0, 0.5, 1.5):
                # Tests evaluate once a minute.
                changed_to = math.ceil(minutes * factor)
                if changed_to != minutes:
                    yield Mutant(rule, f"{key} × {factor:g}", rule.body | {key: f"{changed_to}m"})
    if rule.is_alert:
        body = copy.deepcopy(rule.body)
        body["labels"]["severity"] = "warning" if rule.severity != "warning" else "critical"
        yield Mutant(rule, "severity changed", body)
        for label in set(rule.body["labels"]) - {"severity"}:
            kept = {name: value for name, value in rule.body["labels"].items() if name != label}
            yield Mutant(rule, f"label {label} left out", rule.body | {"labels": kept})


def text(node: Any) -> str:
    """A node as PromQL, in brackets wherever it could matter."""
    match node:
        case promql.BinaryExpr():
            return f"({text(node.lhs)} {node.op}{_matching(node)} {text(node.rhs)})"
        case promql.AggregateExpr():
            return _aggregation(node, str(node.op), _labels(node), text(node.expr))
        case promql.Call():
            return f"{node.func.name}({', '.join(text(argument) for argument in node.args)})"
        case promql.MatrixSelector():
            return _ranged(text(node.vector_selector), node.range)
        case promql.SubqueryExpr():
            return f"{text(node.expr)}[{_duration(node.range)}:{_duration(node.step)}]"
        case promql.VectorSelector():
            return _selector(node, list(node.matchers.matchers))
        case promql.ParenExpr():
            return text(node.expr)
        case promql.NumberLiteral():
            return f"{node.val:.10g}"
        case promql.StringLiteral():
            return f'"{node.val}"'
        case _:
            raise TypeError(f"no printer for {node!r}")


def expression_changes(node: Any) -> Iterator[Change]:
    """Every change of one place in an expression, as (what, the whole expression's text)."""
    yield from _here(node)
    match node:
        case promql.BinaryExpr():
            for what, new in expression_changes(node.lhs):
                yield what, f"({new} {node.op}{_matching(node)} {text(node.rhs)})"
            for what, new in expression_changes(node.rhs):
                yield what, f"({text(node.lhs)} {node.op}{_matching(node)} {new})"
        case promql.AggregateExpr():
            for what, new in expression_changes(node.expr):
                yield what, _aggregation(node, str(node.op), _labels(node), new)
        case promql.Call():
            arguments = [text(argument) for argument in node.args]
            for index, argument in enumerate(node.args):
                for what, new in expression_changes(argument):
                    yield what, f"{node.func.name}({', '.join([*arguments[:index], new, *arguments[index + 1 :]])})"
        case promql.MatrixSelector():
            for what, new in expression_changes(node.vector_selector):
                yield what, _ranged(new, node.range)
        case promql.SubqueryExpr():
            for what, new in expression_changes(node.expr):
                yield what, f"{new}[{_duration(node.range)}:{_duration(node.step)}]"
        case promql.ParenExpr():
            yield from expression_changes(node.expr)


def _here(node: Any) -> Iterator[Change]:
    match node:
        case promql.BinaryExpr():
            yield from _binary(node)
        case promql.AggregateExpr():
            name, labels = str(node.op), _labels(node)
            if name in AGGREGATIONS:
                yield (
                    f"{name} → {AGGREGATIONS[name]} in {_short(node)}",
                    _aggregation(node, AGGREGATIONS[name], labels, text(node.expr)),
                )
            for label in labels:
                rest = [one for one in labels if one != label]
                yield f"without {label} in {_short(node)}", _aggregation(node, name, rest, text(node.expr))
            if "instance" not in labels and "instance" in LABELS.of(node.expr):
                yield (
                    f"instance kept in {_short(node)}",
                    _aggregation(node, name, [*labels, "instance"], text(node.expr)),
                )
        case promql.Call():
            yield from _call(node)
        case promql.VectorSelector():
            matchers = list(node.matchers.matchers)
            for matcher in matchers:
                if matcher.name != "__name__":
                    rest = [one for one in matchers if one is not matcher]
                    yield f"any {matcher.name} in {_short(node)}", _selector(node, rest)
            if node.offset:
                yield f"no offset in {_short(node)}", _selector(node, matchers, offset=False)
        case promql.NumberLiteral():
            others = (node.val * 0.5, node.val * 1.5) if node.val else (1.0,)
            for other in others:
                yield f"{node.val:.10g} → {other:.10g}", f"{other:.10g}"


def _binary(node: Any) -> Iterator[Change]:
    operator, left, right = str(node.op), text(node.lhs), text(node.rhs)
    match operator:
        case "unless" | "and":
            yield f"{operator} dropped: {_short(node.rhs)}", left
        case "or":
            yield f"or: only {_short(node.lhs)}", left
            yield f"or: only {_short(node.rhs)}", right
    for table, what in ((FLIPPED, "flipped"), (EDGE, "edge"), (ARITHMETIC, "arithmetic")):
        # A join multiplies by 1: dividing is the same.
        join = node.modifier and node.modifier.group_labels is not None
        if operator in table and not (join and table is ARITHMETIC):
            yield (
                f"{what}: {operator} → {table[operator]} {_short(node)}",
                f"({left} {table[operator]}{_matching(node)} {right})",
            )
    if node.modifier and node.modifier.matching:
        for label in node.modifier.matching.labels:
            yield (
                f"{operator} not on {label}: {_short(node.rhs)}",
                f"({left} {operator}{_matching(node, label)} {right})",
            )
        for label in node.modifier.group_labels or ():
            yield (
                f"{operator} without its {label}: {_short(node.rhs)}",
                f"({left} {operator}{_matching(node, label)} {right})",
            )


def _call(node: Any) -> Iterator[Change]:
    name, arguments = node.func.name, list(node.args)
    if name in FUNCTIONS:
        yield f"{name} → {FUNCTIONS[name]} {_short(node)}", f"{FUNCTIONS[name]}({text(arguments[0])})"
    if not arguments or not hasattr(arguments[0], "range"):
        return
    argument = arguments[0]
    inner = text(argument.vector_selector if isinstance(argument, promql.MatrixSelector) else argument.expr)
    step = f":{_duration(argument.step)}" if isinstance(argument, promql.SubqueryExpr) else ""
    short = argument.range / 5
    yield f"window ÷ 5 {_short(node)}", f"{name}({_ranged(inner, short, step)})"
    if name.endswith("_over_time"):
        yield f"no window {_short(node)}", inner


def _selector(node: Any, matchers: list[Any], offset: bool = True) -> str:
    inside = ",".join(f'{one.name}{OPERATORS[str(one.op).rpartition(".")[2]]}"{one.value}"' for one in matchers)
    moved = f" offset {_duration(node.offset)}" if node.offset and offset else ""
    return f"{node.name or ''}{{{inside}}}{moved}"


def _aggregation(node: Any, name: str, labels: list[str], inner: str) -> str:
    parameter = f"{text(node.param)}, " if node.param is not None else ""
    return f"{name} by ({', '.join(labels)}) ({parameter}{inner})"


def _labels(node: Any) -> list[str]:
    return list(node.modifier.labels) if node.modifier else []


def _matching(node: Any, without: str = "") -> str:
    """`on (…) group_left (…)`, perhaps without one label of either."""
    modifier = node.modifier
    if not modifier or modifier.matching is None:
        return ""
    on = ", ".join(one for one in modifier.matching.labels if one != without)
    left = ", ".join(one for one in modifier.group_labels or () if one != without)
    return f" on ({on}) group_left ({left})" if modifier.group_labels is not None else f" on ({on})"


def _ranged(inner: str, length: datetime.timedelta, step: str = "") -> str:
    """A range of a selector or subquery: an offset stands behind it."""
    selector, offset, moved = inner.partition(" offset ")
    if moved and not moved.isalnum():  # the offset is deeper inside
        selector, offset, moved = inner, "", ""
    return f"{selector}[{_duration(length)}{step}]{offset}{moved}"


def _duration(length: datetime.timedelta) -> str:
    return f"{int(length.total_seconds())}s"


def _short(node: Any) -> str:
    """A node in a report: enough of it to find the place."""
    whole = text(node)
    return whole if len(whole) <= 90 else f"{whole[:60]}…{whole[-25:]}"
