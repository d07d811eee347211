"""Both roads tell the same: one exposition through the shipped rules in promtool, the state it is made from through the direct road."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition.families import Exposition
from exporter.metrics.vault import VaultGroups
from exporter.notify.table import STAYS
from exporter.vault.configured import Target
from exporter.vault.servers import Selection
from tests.lab.build import ensure
from tests.lab.servers import ROOT
from tests.notify.road import Road
from tests.notify.scenarios import SCENARIOS, healthy
from tests.world import NOW

HOURS = 3
STEP = 2
"""Minutes between two evaluations, by either road."""
RULES = ROOT / "alerts" / "rules.yaml"


def through_the_direct_road(road: Road) -> set[frozenset[tuple[str, str]]]:
    """Label sets of what fires at the end."""
    road.look()
    road.wait(HOURS * 3600.0, step=STEP * 60.0)
    assert road.outcome is not None
    return {
        frozenset({("alertname", one.alert.name), ("severity", one.alert.severity), *one.labels})
        for one in road.outcome.firing
    }


def exposition(road: Road) -> str:
    """What the exporter would print of that state, Vaults included."""
    targets = [Target(vault, node, "") for vault, nodes in road.nodes.items() for node in nodes]
    vaults = VaultGroups()
    vaults.update(Selection(targets=tuple(targets)), road.observations(), road.world.now, road.world.groups.since)
    whole = Exposition([*road.world.groups.groups, *vaults.groups])
    whole.refresh()
    return whole.body(openmetrics=False, gzip=False, now=road.world.now).read().decode()


def series(text: str) -> list[dict[str, str]]:
    """promtool's input: every sample, all the time; its clock begins at 0, so times are told from NOW on."""
    found = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sample.labels.items())
            value = sample.value - NOW if sample.name.endswith("_timestamp_seconds") else sample.value
            found.append({"series": f"{sample.name}{{{labels}}}", "values": f"{value!r}x{HOURS * 60 // STEP}"})
    return found


def through_the_rules(name: str, road: Road, expected: set[frozenset[tuple[str, str]]]) -> dict[str, Any]:
    """A test of promtool: at the end exactly these fire."""
    stays = "|".join(STAYS)
    samples = [
        {
            "labels": 'ALERTS{alertstate="firing",' + ",".join(f"{k}={json.dumps(v)}" for k, v in sorted(one)) + "}",
            "value": 1,
        }
        for one in expected
    ]
    expression = f'ALERTS{{alertstate="firing",alertname!~"{stays}"}}'
    return {
        "name": name,
        "interval": f"{STEP}m",
        "input_series": series(exposition(road)),
        "promql_expr_test": [{"expr": expression, "eval_time": f"{HOURS}h", "exp_samples": samples}],
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_roads_tell_the_same(name: str, tmp_path: Path) -> None:
    road = healthy()
    SCENARIOS[name](road)
    told = through_the_direct_road(road)
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP}m",
        "tests": [through_the_rules(name, road, told)],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))

    result = subprocess.run(
        [ensure("promtool"), "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert bool(told) is (name != "nothing_wrong")
