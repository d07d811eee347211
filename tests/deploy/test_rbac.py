"""The shipped role and the table of what is watched say the same; `tests/lab/test_rbac.py` tries it on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.settings import Settings
from exporter.kube.resources import resources

RBAC = Path(__file__).parents[2] / "deploy" / "rbac.yaml"


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    """The objects of the file by kind; there is one of each."""
    found = list(yaml.safe_load_all(RBAC.read_text()))
    by_kind = {one["kind"]: one for one in found}
    assert len(by_kind) == len(found)
    return by_kind


def test_it_grants_exactly_what_is_watched(objects: dict[str, Any]) -> None:
    rules = objects["ClusterRole"]["rules"]
    granted = {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}

    assert granted == {(resource.group, resource.name) for resource in resources(Settings())}


def test_it_grants_list_and_watch_and_no_other_verb(objects: dict[str, Any]) -> None:
    for rule in objects["ClusterRole"]["rules"]:
        assert rule["verbs"] == ["list", "watch"]
        assert set(rule) == {"apiGroups", "resources", "verbs"}


def test_every_line_says_why() -> None:
    lines = RBAC.read_text().splitlines()

    assert [line for line in lines if line.startswith("      - ") and " # " not in line] == []


def test_the_binding_joins_the_account_to_the_role(objects: dict[str, Any]) -> None:
    binding, account = objects["ClusterRoleBinding"], objects["ServiceAccount"]["metadata"]

    assert binding["roleRef"]["name"] == objects["ClusterRole"]["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    assert account["namespace"] == objects["Namespace"]["metadata"]["name"]
