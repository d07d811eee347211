"""deploy/examples/keybuzz: the names, keys and paths are those of the system it is made for, and nothing in it holds a value."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab.build import path_of
from tests.lab.keybuzz import MIGRATION
from tests.repo.tracked import ROOT

EXAMPLE = ROOT / "deploy" / "examples" / "keybuzz"
FILES = sorted(file for file in EXAMPLE.rglob("*.yaml"))


def objects(file: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]


@pytest.mark.parametrize("migrated", MIGRATION, ids=lambda one: one.external_secret)
def test_the_three_manifests_are_those_of_the_migration(migrated) -> None:
    [one] = objects(EXAMPLE / "k8s" / "dev" / "external-secrets" / f"{migrated.external_secret}.yaml")
    assert one["metadata"] == {"name": migrated.external_secret, "namespace": migrated.namespace}
    assert one["spec"]["target"] == {"name": migrated.secret, "creationPolicy": "Owner"}
    assert one["spec"]["refreshInterval"] == "1h"
    asked = {
        (item["secretKey"], item["remoteRef"]["key"], item["remoteRef"]["property"]) for item in one["spec"]["data"]
    }
    assert asked == {(key, migrated.path, key) for key in migrated.keys}


def test_no_manifest_is_a_secret() -> None:
    kinds = [one.get("kind") for file in FILES for one in objects(file)]
    assert "ClusterSecretStore" in kinds
    assert "Secret" not in kinds


def test_every_manifest_is_in_a_kustomization_or_named_by_the_walkthrough() -> None:
    page = (ROOT / "docs" / "walkthrough-keybuzz.md").read_text()
    unused = []
    for file in (EXAMPLE / "k8s").rglob("*.yaml"):
        if file.name != "kustomization.yaml":
            listed = yaml.safe_load((file.parent / "kustomization.yaml").read_text())["resources"]
            if file.name not in listed and str(file.relative_to(EXAMPLE)) not in page:
                unused.append(file)
    assert unused == []


def test_the_operator_may_read_and_nothing_else() -> None:
    for environment in ("dev", "prod"):
        policy = (EXAMPLE / "vault" / "policies" / f"eso-keybuzz-{environment}.hcl").read_text()
        granted = set(re.findall(r"capabilities = \[(.*?)\]", policy))
        assert granted <= {'"read"', '"deny"'}
        assert '"read"' in granted
    assert re.search(
        r'prod/\*" \{\s+capabilities = \["deny"\]', (EXAMPLE / "vault/policies/eso-keybuzz-dev.hcl").read_text()
    )


def test_alertmanager_takes_the_routing() -> None:
    file = EXAMPLE / "alertmanager" / "alertmanager.yaml"
    program = shutil.which("amtool") or str(path_of("amtool"))
    if not Path(program).exists():
        pytest.skip("no amtool")
    checked = subprocess.run([program, "check-config", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout

    def receiver(*labels: str) -> str:
        asked = [program, "config", "routes", "test", f"--config.file={file}", *labels]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    assert receiver("severity=critical", "owner=api") == "pager"
    assert receiver("severity=warning", "owner=client", "namespace=keybuzz-client-prod") == "client"
    assert receiver("severity=warning", "namespace=keybuzz-api-prod") == "api"
    assert receiver("severity=info", "owner=api") == "platform"
    assert receiver("severity=warning", "namespace=observability") == "platform"


def test_the_same_configuration_for_helm_and_for_the_shell() -> None:
    [values], [config] = objects(EXAMPLE / "exporter" / "values.yaml"), objects(EXAMPLE / "exporter" / "config.yaml")
    assert values == {"config": config}
