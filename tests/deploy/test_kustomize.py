"""The kustomizations, as far as they can be read without Kustomize; `tests/lab/test_kustomize.py` builds and applies them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from tools.chart import RBAC, role_rules

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy" / "kustomize"
KUSTOMIZATIONS = sorted(KUSTOMIZE.rglob("kustomization.yaml"))


def documents(path: Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: str(path.parent.relative_to(KUSTOMIZE)))
def test_everything_that_it_names_is_there(path: Path) -> None:
    [found] = documents(path)
    named = [*found.get("resources", ()), *found.get("components", ())]
    named += [patch["path"] for patch in found.get("patches", ()) if "path" in patch]
    named += [file for made in found.get("configMapGenerator", ()) for file in made["files"]]

    assert named
    for one in named:
        target = path.parent / one
        assert target.is_file() or (target / "kustomization.yaml").is_file(), one


def test_the_base_may_what_the_manifest_may() -> None:
    assert documents(KUSTOMIZE / "base" / "rbac.yaml") == documents(RBAC)


def test_the_sidecar_adds_the_same_role() -> None:
    [role] = documents(KUSTOMIZE / "components" / "sidecar" / "clusterrole.yaml")

    assert role["rules"] == role_rules()


def test_the_image_is_of_this_version() -> None:
    for file in KUSTOMIZE.rglob("*.yaml"):
        for line in file.read_text().splitlines():
            if "image: vault-eso-exporter" in line or "newTag:" in line:
                assert line.endswith(__version__), f"{file}: {line}"
