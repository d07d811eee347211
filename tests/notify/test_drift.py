"""The table of the direct road says what `alerts/rules.yaml` says: names, severities, waiting times and labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from exporter.notify import externalsecrets, others, present, stores, timeline, vaults
from exporter.notify.table import ALERTS, HEARTBEAT, STAYS, Alert

RULES = Path(__file__).parents[2] / "alerts" / "rules.yaml"
DURATIONS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
EXTERNAL = {"cluster"}
"""Labels that Prometheus adds to everything, and `alertmanager.labels` here."""


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def seconds(text: str) -> float:
    return float(text[:-1]) * DURATIONS[text[-1]]


RECORDS = {rule["record"]: promql.parse(rule["expr"]) for rule in rules() if "record" in rule}
BY_KEY = {(rule["alert"], rule["labels"]["severity"]): rule for rule in rules() if "alert" in rule}


def labels_of(node: Any) -> set[str] | None:
    """The labels that a PromQL expression's result may have; None where they are not bounded by the expression."""
    match node:
        case promql.ParenExpr() | promql.UnaryExpr():
            return labels_of(node.expr)
        case promql.VectorSelector():
            return labels_of(RECORDS[node.name]) if node.name in RECORDS else None
        case promql.AggregateExpr():
            assert node.modifier is None or node.modifier.type == promql.AggModifierType.By
            return set(node.modifier.labels) if node.modifier is not None else set()
        case promql.BinaryExpr():
            return labels_of_binary(node)
        case promql.Call() if node.func.name == "label_replace":
            below = labels_of(node.args[0])
            return below | {node.args[1].val} if below is not None else None
        case promql.Call() if node.args:
            return labels_of(node.args[0])
        case promql.Call():
            return set()
    raise AssertionError(f"unknown node {type(node).__name__}")


def labels_of_binary(node: Any) -> set[str] | None:
    """Set operators and comparisons keep the left side; arithmetic joined one to one keeps the labels of `on`."""
    left, operator, modifier = labels_of(node.lhs), str(node.op), node.modifier
    if operator in ("unless", "and"):
        return left
    if operator == "or":
        right = labels_of(node.rhs)
        return left | right if left is not None and right is not None else None
    if modifier is None or modifier.matching is None:
        return left
    if str(modifier.card).endswith("ManyToOne"):
        return left | set(modifier.group_labels) if left is not None else None
    return set(modifier.matching.labels)


def inferred(rule: dict[str, Any]) -> set[str]:
    found = labels_of(promql.parse(rule["expr"]))
    assert found is not None, f"{rule['alert']}: the labels of its expression are not bounded"
    return found - EXTERNAL


def title(value: Any) -> str:
    """The same in every process: a set has no order."""
    return "/".join(value) if isinstance(value, tuple) else "as-in-the-rules"


def name_of(alert: Alert) -> str:
    return f"{alert.name}/{alert.severity}"


@pytest.mark.parametrize("alert", ALERTS, ids=name_of)
def test_an_alert_waits_and_lingers_as_its_rule_does(alert: Alert) -> None:
    rule = BY_KEY[alert.name, alert.severity]
    assert (alert.wait, alert.keep) == (seconds(rule["for"]), seconds(rule["keep_firing_for"]))
    assert set(rule["labels"]) == {"severity"}


@pytest.mark.parametrize("alert", ALERTS, ids=name_of)
def test_an_alert_has_the_labels_that_its_rule_gives(alert: Alert) -> None:
    assert set(alert.labels) == inferred(BY_KEY[alert.name, alert.severity])


def test_every_rule_is_sent_or_stays_and_nothing_else_is() -> None:
    sent = {(alert.name, alert.severity) for alert in ALERTS}
    assert len(sent) == len(ALERTS)
    assert sent == {key for key in BY_KEY if key[0] not in STAYS}
    assert set(STAYS) == {name for name, _ in BY_KEY} - {name for name, _ in sent}
    assert HEARTBEAT not in {name for name, _ in BY_KEY}


def test_parents_stand_before_their_children_as_in_the_rules() -> None:
    """Within a group Prometheus goes through the rules in their order, so an ALERTS of a later rule is one round old."""
    order = list(BY_KEY)
    sent = [(alert.name, alert.severity) for alert in ALERTS]
    parents = ("EsoVaultSealed", "EsoStoreCredentialsMissing", "EsoSecretStoreNotReady", "EsoExternalSecretsNotReady")
    for parent in parents:
        for child in ("EsoExternalSecretNotReady", "EsoExternalSecretOverdue", "EsoExternalSecretNeverSynced"):
            assert sent.index((parent, "critical")) < sent.index((child, "warning"))
            assert order.index((parent, "critical")) < order.index((child, "warning"))


def nodes(node: Any) -> Iterator[Any]:
    """A PromQL node and everything below it."""
    yield node
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        below = getattr(node, name, None)
        if below is not None and not isinstance(below, str):
            yield from nodes(below)
    for argument in getattr(node, "args", None) or ():
        yield from nodes(argument)


def expression(name: str, severity: str = "") -> Any:
    return promql.parse(BY_KEY[name, severity]["expr"]) if severity else RECORDS[name]


def numbers(name: str, severity: str = "") -> set[float]:
    return {node.val for node in nodes(expression(name, severity)) if isinstance(node, promql.NumberLiteral)}


def windows(metric: str, where: Any) -> set[float]:
    """Seconds of the ranges in which a metric is read."""
    return {
        node.range.total_seconds()
        for node in nodes(where)
        if isinstance(node, promql.MatrixSelector) and node.vector_selector.name == metric
    }


def problems(name: str, severity: str = "") -> set[str]:
    """The problems that an expression selects."""
    found = set()
    for node in nodes(expression(name, severity)):
        if isinstance(node, promql.VectorSelector):
            for matcher in node.matchers.matchers:
                if matcher.name == "problem":
                    found |= set(matcher.value.split("|"))
    return found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("EsoVaultTLSExpiring", "critical"), {vaults.TLS_CRITICAL}),
        (("EsoVaultTLSExpiring", "warning"), {vaults.TLS_WARNING}),
        (("eso:secretstore_in_use",), {present.WEEK}),
        (("eso:externalsecret_lost",), {present.WEEK}),
        (("EsoExternalSecretsNotReady", "critical"), {stores.MANY, stores.FEW, stores.SHARE}),
        (("EsoExternalSecretsNotReady", "warning"), {stores.MANY, stores.FEW, stores.SHARE}),
        (("EsoExternalSecretNotReady", "critical"), {externalsecrets.LONG}),
        (("EsoExternalSecretsOverdue", "critical"), {externalsecrets.OVERDUE_AT_LEAST, externalsecrets.OVERDUE_SHARE}),
        (("EsoManualSecretAppeared", "warning"), {others.DAY}),
    ],
    ids=title,
)
def test_thresholds_are_those_of_the_rules(rule: tuple[str, ...], expected: set[float]) -> None:
    assert numbers(*rule) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("EsoExternalSecretReadyButBroken", "warning"), externalsecrets.BROKEN),
        (("EsoExternalSecretReadyButBroken", "info"), externalsecrets.CANNOT_CHANGE),
        (("EsoExternalSecretOverdue", "warning"), externalsecrets.OVERDUE),
        (("EsoManualSecretsRemain", "info"), set(others.SURVIVING)),
        (("EsoSecretHandEdited", "warning"), set(others.EDITED)),
        (("EsoSecretStoreUnchecked", "info"), set(stores.UNCHECKED)),
    ],
    ids=title,
)
def test_problems_are_those_of_the_rules(rule: tuple[str, ...], expected: set[str]) -> None:
    assert problems(*rule) == set(expected)


def test_windows_are_those_of_the_rules() -> None:
    sent = [promql.parse(rule["expr"]) for key, rule in BY_KEY.items() if key[0] not in STAYS]
    assert {window for one in (*sent, *RECORDS.values()) for window in windows("ALERTS", one)} == {timeline.SILENCE}
    assert windows("eso_vault_problem", RECORDS["eso:vault_unavailable"]) == {vaults.WAVERS}
    assert windows("eso_vault_up", RECORDS["eso:vault_missed"]) == {present.WEEK}
