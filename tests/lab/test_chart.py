"""The Helm chart with the real helm: rendered with many values, refused with wrong ones, and installed on the lab's API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.generate import rules
from exporter.cli import main
from tests.docs.blocks import Block, blocks
from tests.lab.rendering import CHART, RefusedError, helm, holds, only, select, template
from tests.lab.schemas import Schemas
from tests.lab.servers import ROOT

HERE = Path(__file__).parent / "chart"
VALID = sorted((HERE / "valid").glob("*.yaml"))
INVALID = sorted((HERE / "invalid").glob("*.yaml"))


def stem(path: Path) -> str:
    return path.stem


def container(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The exporter's container."""
    found: dict[str, Any] = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


def test_lint_finds_nothing() -> None:
    said = helm("lint", CHART, "--strict", "--quiet")

    assert "ERROR" not in said
    assert "WARNING" not in said


@pytest.mark.parametrize("path", VALID, ids=stem)
def test_it_renders_what_the_values_ask_for(path: Path, schemas: Schemas, tmp_path: Path) -> None:
    values, expected = yaml.safe_load_all(path.read_text())

    objects = template(values)

    for one in expected["has"]:
        assert any(holds(found, one) for found in objects), one
    for what in expected.get("lacks", ()):
        assert select(objects, what) == [], what
    assert schemas.complaints(objects) == []
    if found := select(objects, "Deployment"):
        configuration = tmp_path / "config.yaml"
        maps = [one for one in select(objects, "ConfigMap config.yaml") if "config.yaml" in one["data"]]
        configuration.write_text(maps[0]["data"]["config.yaml"] if maps else "{}")
        accepted_by_the_exporter(container(found)["args"], configuration)


def accepted_by_the_exporter(arguments: list[str], configuration: Path) -> None:
    """The exporter itself takes these arguments and this file."""
    assert arguments[:2] == ["serve", "--config.file=/etc/vault-eso-exporter/config/config.yaml"]
    rest = [one for one in arguments[2:] if not one.startswith("--web.config.file=")]
    assert main(["config", "show", f"--config.file={configuration}", *rest]) == 0


@pytest.mark.parametrize("path", INVALID, ids=stem)
def test_wrong_values_are_refused_with_a_sentence_that_helps(path: Path) -> None:
    says = path.read_text().splitlines()[0].removeprefix("# says: ")

    with pytest.raises(RefusedError) as refused:
        template(yaml.safe_load(path.read_text()))

    assert says in str(refused.value)


@pytest.mark.parametrize(
    "block", [block for block in blocks("docs/install-helm.md") if block.language == "yaml"], ids=str
)
def test_the_values_on_the_page_render(block: Block, schemas: Schemas) -> None:
    assert schemas.complaints(template(yaml.safe_load(block.text))) == []


def test_there_are_as_many_value_sets_as_promised() -> None:
    assert len(VALID) >= 25
    assert len(INVALID) >= 10


def test_a_cluster_without_the_prometheus_operator_gets_none_of_its_objects() -> None:
    objects = template({}, apis=())

    assert {one["kind"] for one in objects} & {"ServiceMonitor", "PodMonitor", "PrometheusRule"} == set()
    assert only(objects, "Deployment")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"EsoManualExceptionExpired": "info", "EsoManualSecretsRemain": "none"},
        {"EsoOperatorDown.critical": "info", "EsoExporterBlind": "info", "EsoExternalSecretsOverdue": "info"},
        {"EsoVaultTLSExpiring.critical": "none", "EsoVaultTLSExpiring.warning": "critical"},
    ],
    ids=["as they are", "two", "parents", "one for the other"],
)
def test_alerts_are_changed_as_the_generator_of_the_rule_file_would(changed: dict[str, str]) -> None:
    alerts = {
        name: {"enabled": False} if severity == "none" else {"severity": severity} for name, severity in changed.items()
    }

    made = only(template({"prometheusRule": {"alerts": alerts}}), "PrometheusRule")

    assert made["spec"] == rules(severities={name.replace(".", "/"): severity for name, severity in changed.items()})


def test_dashboards_come_as_resources_of_the_grafana_operator_too() -> None:
    objects = template({"dashboards": {"grafanaOperator": {"enabled": True}}}, apis=["grafana.integreatly.org/v1beta1"])
    shipped = list(yaml.safe_load_all((ROOT / "dashboards/kubernetes/grafanadashboards.yaml").read_text()))

    made = select(objects, "GrafanaDashboard")

    assert len(made) == len(shipped)
    for one, wanted in zip(made, sorted(shipped, key=lambda one: one["spec"]["configMapRef"]["key"]), strict=True):
        reference = one["spec"]["configMapRef"]
        [found] = [one for one in select(objects, "ConfigMap") if one["metadata"]["name"] == reference["name"]]
        assert reference["key"] in found["data"]
        assert set(one["spec"]) <= set(wanted["spec"])
        assert one["spec"]["instanceSelector"] == wanted["spec"]["instanceSelector"]


def test_a_misspelt_field_would_be_found(schemas: Schemas) -> None:
    objects = template({})
    container(objects)["readinesProbe"] = {}
    only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["honorLabel"] = True

    found = schemas.complaints(objects)

    assert len(found) == 2
    assert "readinesProbe" in found[0] + found[1]
    assert "honorLabel" in found[0] + found[1]
