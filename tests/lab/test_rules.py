"""The alert rules under the newest Prometheus: they load without a warning, and every unit test passes. (Debian's is in `make test`.)"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alerts.rules import RULES
from tests.alerts import scenarios
from tests.alerts.promtool import failures
from tests.alerts.rulefile import load
from tests.lab.build import ensure


def test_the_rules_load_without_a_warning() -> None:
    done = subprocess.run(
        [ensure("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("alert", "part"), scenarios.parts())
def test_alert(alert: str, part: int, tmp_path: Path) -> None:
    said = failures(ensure("promtool"), scenarios.part(alert, part), alert, load(), tmp_path)
    assert not said, said[:6000]
