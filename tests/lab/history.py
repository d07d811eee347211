"""Prometheus that holds what was scraped before it was started: simulated days, loaded by `promtool tsdb create-blocks-from`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lab.build import ensure
from tests.lab.monitoring import Prometheus


def filled(folder: Path, name: str, days: Iterable[Iterable[str]]) -> Prometheus:
    """A Prometheus, not yet started, with the samples of `days`, each lines of OpenMetrics with times."""
    prometheus = Prometheus(folder, name)
    data = folder / prometheus.name
    for number, day in enumerate(days):
        text = folder / f"{name}-{number}.om"
        with text.open("w") as file:
            file.writelines(day)
            file.write("# EOF\n")
        command = [ensure("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, data]
        subprocess.run(command, check=True, capture_output=True, text=True)
        text.unlink()
    return prometheus
