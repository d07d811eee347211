"""The table of the direct road says what `alerts/rules.yaml` says: names, severities, waiting times and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

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
