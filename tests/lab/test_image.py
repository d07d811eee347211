"""The Dockerfile: its steps are executed in clean folders (no container engine runs here), and what they make is started."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from exporter import __version__
from exporter.kube import residue
from tests.lab import dockerfile
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.servers import ROOT
from tests.lab.waiting import wait_until
from tools import sbom


@pytest.fixture(scope="module")
def stages() -> list[dockerfile.Stage]:
    return dockerfile.read(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def root(stages: list[dockerfile.Stage], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the last stage, as far as its own steps fill it."""
    roots = dockerfile.build(stages, ROOT, tmp_path_factory.mktemp("image"))
    return roots[stages[-1].name]


class Image(Exporter):
    """The exporter as the image starts it."""

    image: Path
    stage: dockerfile.Stage

    def command(self) -> list[str]:
        [python, *entry] = [dockerfile.moved(word, self.image) for word in self.stage.list_form("ENTRYPOINT")]
        return [python, *entry, *self.stage.list_form("CMD"), f"--kubeconfig={self._kubeconfig}"]

    def environment(self) -> dict[str, str]:
        found = {name: dockerfile.moved(value, self.image) for name, value in self.stage.variables.items()}
        return {**found, "VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS": self.target}


def test_what_runs_needs_neither_root_nor_a_shell(stages: list[dockerfile.Stage]) -> None:
    last = stages[-1]
    assert last.all("USER") == ["65532:65532"]
    assert last.all("RUN") == []
    for instruction in ("ENTRYPOINT", "HEALTHCHECK"):
        assert last.list_form(instruction)[0] == "/app/bin/python"
    assert last.list_form("CMD") == ["serve"]
    assert last.all("EXPOSE") == ["10820"]
    assert last.variables.items() >= residue.ENVIRONMENT.items()


def test_every_stage_starts_from_the_same_base_by_name_and_tag(stages: list[dockerfile.Stage]) -> None:
    assert {stage.base for stage in stages} == {"python:3.13-slim"}
    assert stages[-1].variables["VERSION"] == __version__
    assert 'licenses="Apache-2.0"' in stages[-1].all("LABEL")[0]


def test_the_packages_of_the_image_are_those_of_the_bill_of_materials(root: Path) -> None:
    done = subprocess.run(
        [root / "app/bin/python", "-c", _PACKAGES], capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    installed = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in json.loads(done.stdout)}
    bill = json.loads((root / "app/share/vault-eso-exporter/sbom.cdx.json").read_text())

    assert installed == {one["name"]: one["version"] for one in bill["components"]}
    assert {"isal", "cffi"} <= set(installed)
    assert "pip" not in installed
    assert bill["components"] == sbom.components((ROOT / "requirements/runtime.txt").read_text())


def test_the_exporter_of_the_image_serves_and_its_health_check_says_so(
    stages: list[dockerfile.Stage], root: Path, cluster: Cluster, tmp_path: Path
) -> None:
    install_rbac(cluster)
    account = cluster.service_account_kubeconfig(tmp_path / "account", NAMESPACE, ACCOUNT)
    exporter = Image(tmp_path, account, name="image")
    exporter.image, exporter.stage = root, stages[-1]
    check = [dockerfile.moved(word, root) for word in stages[-1].list_form("HEALTHCHECK")]
    before = {path for path in root.rglob("*") if not path.is_symlink()}
    asked = {**os.environ, "VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS": exporter.target, "HTTP_PROXY": "http://127.0.0.1:9"}

    exporter.start()
    try:
        [info] = exporter.lines("eso_exporter_build_info")
        assert info.labels["version"] == __version__
        assert subprocess.run(check, env=asked, check=False).returncode == 0
    finally:
        exporter.stop()
    silent = wait_until("it is down", lambda: subprocess.run(check, env=asked, capture_output=True, check=False))

    assert silent.returncode == 1
    assert b"is not healthy: " in silent.stderr
    # As with a read-only root: nothing was written where the image lies.
    assert {path for path in root.rglob("*") if not path.is_symlink()} == before


def test_the_command_in_the_image_is_the_exporters_own(root: Path) -> None:
    launcher = root / "app/bin/vault-eso-exporter"
    assert launcher.read_text().startswith("#!/app/bin/python\n")
    assert os.access(launcher, os.X_OK)
    done = subprocess.run(
        [root / "app/bin/python", launcher, "version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root / "app/src")},
    )
    assert __version__ in done.stdout


_PACKAGES = """
import json
from importlib.metadata import distributions
print(json.dumps([[one.metadata["Name"], one.version] for one in distributions()]))
"""
