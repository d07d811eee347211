"""The direct road to a real Alertmanager, the oldest supported and the newest: what it holds, its restart, and ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.lab.monitoring import Alertmanager
from tests.notify.road import ACTIVE, SEALED
from tests.notify.stage import Stage, stopping

LABELS = {"cluster": 'north "1"'}


class Oldest(Alertmanager):
    """Debian's 0.25."""

    def command(self) -> Sequence[str | Path]:
        found = shutil.which("prometheus-alertmanager")
        assert found is not None, "install the Debian package prometheus-alertmanager"
        return [found, *super().command()[1:]]


class Held(Alertmanager):
    """With the address by which `Stage` knows a double."""

    @property
    def url(self) -> str:
        return self.address


class OldestHeld(Oldest, Held):
    """Both."""


@pytest.fixture(params=[Held, OldestHeld])
def alertmanager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = request.param(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    with stopping() as made:
        yield made


def held(alertmanager: Alertmanager) -> dict[str, dict[str, Any]]:
    return {one["labels"]["alertname"]: one for one in alertmanager.alerts()}


def test_what_it_holds_its_restart_and_ours(alertmanager: Any, stages: list[Stage]) -> None:
    both = {"EsoVaultSealed", "EsoExporterHeartbeat"}
    stages.append(Stage(alertmanager, labels=LABELS))
    stages[0].road.vault(SEALED)
    stages[0].until(lambda: held(alertmanager).keys() == both)
    sealed = held(alertmanager)["EsoVaultSealed"]
    assert sealed["labels"] == {"alertname": "EsoVaultSealed", "severity": "critical", "vault": "main", **LABELS}
    for one in held(alertmanager).values():
        lasts = datetime.fromisoformat(one["endsAt"]) - datetime.fromisoformat(one["startsAt"])
        assert abs(lasts.total_seconds() - 300) < 60

    alertmanager.stop()
    alertmanager.start()
    stages[0].until(lambda: held(alertmanager).keys() == both)
    assert held(alertmanager)["EsoVaultSealed"]["startsAt"] == sealed["startsAt"]

    # Another process takes over: the same alert goes on, with its beginning, and ends by itself when Vault serves again.
    stages[0].notifier.stop(5.0)
    stages.append(Stage(alertmanager, labels=LABELS, resolve_timeout=4.0))
    stages[1].road.vault(SEALED)
    [alert] = stages[1].until(lambda: stages[1].outcome().firing if stages[1].outcome() else ())
    assert abs(alert.starts - datetime.fromisoformat(sealed["startsAt"]).timestamp()) < 0.01
    stages[1].road.vault(ACTIVE)
    assert stages[1].until(lambda: not stages[1].outcome().firing)
