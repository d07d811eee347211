"""The AlertmanagerConfig of one team, turned into a plain configuration as Prometheus Operator does by default, and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.alertmanager import RESOURCE, TEMPLATES, Amtool
from tests.alerts.test_alertmanager import amtool

__all__ = ["amtool"]  # the fixture

NOBODY = "nobody"


def matchers(given: list[dict[str, str]], namespace: str) -> list[str]:
    told = [f'{one["name"]}{one.get("matchType", "=")}"{one["value"]}"' for one in given]
    return [f'namespace="{namespace}"', *told] if namespace else told


def route(given: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    """A route of the resource as one of Alertmanager; the top one is held to the resource's namespace."""
    fields = {
        "receiver": "receiver",
        "groupBy": "group_by",
        "groupWait": "group_wait",
        "groupInterval": "group_interval",
        "repeatInterval": "repeat_interval",
        "activeTimeIntervals": "active_time_intervals",
    }
    assert set(given) <= {*fields, "matchers", "routes"}, "this translation knows every field that is used"
    made = {fields[key]: value for key, value in given.items() if key in fields}
    made["matchers"] = matchers(given.get("matchers", []), namespace)
    made["routes"] = [route(one) for one in given.get("routes", [])]
    return made


def translated(resource: dict[str, Any], strategy: str = "OnNamespace") -> dict[str, Any]:
    """What Prometheus Operator makes of it (alertmanagerConfigMatcherStrategy OnNamespace or None)."""
    spec = resource["spec"]
    namespace = resource["metadata"]["namespace"] if strategy == "OnNamespace" else ""
    intervals = [
        {
            "name": one["name"],
            "time_intervals": [
                {
                    "weekdays": part["weekdays"],
                    "times": [{"start_time": t["startTime"], "end_time": t["endTime"]} for t in part["times"]],
                }
                for part in one["timeIntervals"]
            ],
        }
        for one in spec["muteTimeIntervals"]
    ]
    inhibits = [
        {
            "source_matchers": matchers(one["sourceMatch"], namespace),
            "target_matchers": matchers(one["targetMatch"], namespace),
            "equal": one["equal"],
        }
        for one in spec["inhibitRules"]
    ]
    return {
        "route": {"receiver": NOBODY, "routes": [route(spec["route"], namespace) | {"continue": True}]},
        "receivers": [{"name": NOBODY}, *({"name": one["name"]} for one in spec["receivers"])],
        "inhibit_rules": inhibits,
        "time_intervals": intervals,
        "templates": [str(TEMPLATES / "*.tmpl")],
    }


@pytest.fixture
def resource() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(RESOURCE.read_text())
    return loaded


@pytest.fixture
def file(resource: dict[str, Any], tmp_path: Path) -> Path:
    written = tmp_path / "alertmanager.yaml"
    written.write_text(yaml.safe_dump(translated(resource)))
    return written


def test_it_is_valid(amtool: Amtool, file: Path) -> None:
    assert "SUCCESS" in amtool.check_config(file)


def test_the_team_gets_what_is_in_its_namespace(amtool: Amtool, file: Path) -> None:
    def receivers(name: str, severity: str, namespace: str = "shop") -> list[str]:
        return amtool.receivers(file, {"alertname": name, "severity": severity, "namespace": namespace})

    assert receivers("EsoExternalSecretNotReady", "warning") == ["team-shop"]
    assert receivers("EsoExternalSecretNotReady", "critical") == ["team-shop-pager"]
    assert receivers("EsoSecretStoreNotReady", "critical") == ["team-shop-pager"]
    assert receivers("EsoManualSecretAppeared", "warning") == ["team-shop"]
    assert receivers("EsoExternalSecretNotReady", "critical", "payroll") == [NOBODY]
    assert receivers("KubePodCrashLooping", "critical") == [NOBODY]


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "EsoVaultSealed", "vault": "main"},
        {"alertname": "EsoExporterAbsent"},
        {"alertname": "EsoOperatorDown", "namespace": "external-secrets"},
        {"alertname": "EsoExternalSecretsNotReady", "store": "vault-backend", "store_kind": "ClusterSecretStore"},
    ],
    ids=lambda labels: labels["alertname"],
)
def test_what_belongs_to_no_team_reaches_no_such_resource(
    amtool: Amtool, resource: dict[str, Any], tmp_path: Path, labels: dict[str, str]
) -> None:
    for strategy, wanted in (("OnNamespace", [NOBODY]), ("None", ["team-shop-pager"])):
        written = tmp_path / f"{strategy}.yaml"
        written.write_text(yaml.safe_dump(translated(resource, strategy)))
        assert amtool.receivers(written, labels | {"severity": "critical"}) == wanted, strategy


def test_its_inhibition_ends_at_its_namespace(resource: dict[str, Any]) -> None:
    for rule in translated(resource)["inhibit_rules"]:
        assert 'namespace="shop"' in rule["source_matchers"]
        assert 'namespace="shop"' in rule["target_matchers"]
