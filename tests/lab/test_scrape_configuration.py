"""deploy/prometheus/scrape.yaml is taken by the real promtool (Debian's knows nothing of Kubernetes)."""

from __future__ import annotations

import subprocess

from tests.lab.build import ensure
from tests.lab.servers import ROOT


def test_prometheus_takes_the_scrape_configuration() -> None:
    file = ROOT / "deploy" / "prometheus" / "scrape.yaml"
    checked = subprocess.run([ensure("promtool"), "check", "config", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout
