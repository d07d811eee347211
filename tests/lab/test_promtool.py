"""What Prometheus' own checker says of our expositions: nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.lab.build import ensure
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.servers import ROOT


def check_metrics(exposition: str) -> tuple[int, str]:
    """Exit code and words of `promtool check metrics`."""
    command = [str(ensure("promtool")), "check", "metrics", "--extended"]
    done = subprocess.run(command, input=exposition, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


def test_the_demo_is_accepted() -> None:
    command = [sys.executable, "-m", "exporter", "demo", "--once"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert "eso_externalsecret_ready{" in done.stdout
    assert check_metrics(done.stdout) == (0, "")


def test_the_checker_would_complain() -> None:
    code, words = check_metrics("# TYPE eso_things counter\neso_things 1\n")
    assert code != 0
    assert "eso_things" in words


def test_what_comes_of_real_servers_is_accepted(cluster: Cluster, store: str, tmp_path: Path) -> None:
    install_rbac(cluster)
    exporter = Exporter(tmp_path, cluster.service_account_kubeconfig(tmp_path / "kubeconfig", NAMESPACE, ACCOUNT))
    exporter.start()
    try:
        exporter.wait_lines("eso_secretstore_ready", store=store)
        exporter.wait_lines("eso_vault_up")
        text = exporter.get("/metrics")
        open_metrics = exporter.get("/metrics", "application/openmetrics-text; version=1.0.0")
    finally:
        exporter.stop()
    assert check_metrics(text) == (0, "")
    families = {family.name for family in text_string_to_metric_families(open_metrics)}
    assert {"eso_secretstore_ready", "eso_vault_up", "eso_exporter_vault_requests"} <= families
