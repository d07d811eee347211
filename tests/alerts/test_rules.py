"""Every alert does what its file under alerts/tests says, by the promtool on the PATH (Debian's is the oldest supported)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.alerts import scenarios
from tests.alerts.promtool import failures
from tests.alerts.rulefile import load


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on the PATH: install Debian's package prometheus")
    return found


@pytest.mark.parametrize(("alert", "part"), scenarios.parts())
def test_alert(alert: str, part: int, promtool: str, tmp_path: Path) -> None:
    said = failures(promtool, scenarios.part(alert, part), alert, load(), tmp_path)
    assert not said, said[:6000]
