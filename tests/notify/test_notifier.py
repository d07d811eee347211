"""The direct road as a whole, between a state and doubles of Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from exporter.config.settings import AlertmanagerSettings
from exporter.errors import ConfigError
from tests.notify.alertmanager import AlertmanagerDouble
from tests.notify.road import SEALED
from tests.notify.stage import Stage, stopping


@pytest.fixture
def doubles() -> Iterator[list[AlertmanagerDouble]]:
    made = [AlertmanagerDouble(), AlertmanagerDouble()]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    with stopping() as made:
        yield made


def name(double: AlertmanagerDouble) -> str:
    return double.url.removeprefix("http://")


def test_it_is_off_without_an_alertmanager(stages: list[Stage]) -> None:
    stages.append(Stage())
    stages[0].broken = True
    stages[0].notifier.look(time.time())
    assert stages[0].notifier.alive()
    assert stages[0].notifier.state() is None
    assert stages[0].value("eso_exporter_notify_heartbeat") is None
    assert stages[0].value("eso_exporter_notify_evaluation_failures_total") == 0


def test_every_alertmanager_gets_every_alert_and_metrics_tell(
    doubles: list[AlertmanagerDouble], stages: list[Stage]
) -> None:
    stages.append(Stage(*doubles))
    [stage] = stages
    stage.road.vault(SEALED)
    for double in doubles:
        stage.until(lambda double=double: double.active() == {"EsoVaultSealed", "EsoExporterHeartbeat"})
        labels = {"alertmanager": name(double)}
        stage.until(lambda labels=labels: (stage.value("eso_exporter_notify_sent_alerts_total", **labels) or 0) >= 2)
        stage.until(lambda labels=labels: stage.value("eso_exporter_notify_up", **labels) == 1)
        assert stage.value("eso_exporter_notify_failures_total", alertmanager=name(double), reason="timeout") == 0
        success = stage.value("eso_exporter_notify_last_success_timestamp_seconds", alertmanager=name(double))
        assert abs((success or 0.0) - time.time()) < 60
    assert stage.value("eso_exporter_notify_alerts", state="firing") == 1
    assert stage.value("eso_exporter_notify_alerts", state="pending") == 0
    assert stage.value("eso_exporter_notify_alerts", state="dropped") == 0
    assert stage.value("eso_exporter_notify_heartbeat") == 1
    assert abs((stage.value("eso_exporter_notify_last_evaluation_timestamp_seconds") or 0.0) - time.time()) < 60


def test_a_blind_exporter_withholds_the_heartbeat(doubles: list[AlertmanagerDouble], stages: list[Stage]) -> None:
    stages.append(Stage(doubles[0]))
    [stage] = stages
    stage.sees = False
    stage.road.vault(SEALED)
    stage.until(lambda: doubles[0].active() == {"EsoVaultSealed"})
    assert stage.value("eso_exporter_notify_heartbeat") == 0


def test_a_look_that_breaks_is_counted_and_keeps_what_was_known(
    doubles: list[AlertmanagerDouble], stages: list[Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    stages.append(Stage(doubles[0]))
    [stage] = stages
    stage.road.vault(SEALED)
    stage.until(lambda: "EsoVaultSealed" in doubles[0].active())
    stage.broken = True
    stage.until(lambda: (stage.value("eso_exporter_notify_evaluation_failures_total") or 0) >= 2)
    assert stage.value("eso_exporter_notify_alerts", state="firing") == 1
    assert "".join(capsys.readouterr()).count("working out the alerts failed") == 1


def test_who_comes_after_goes_on_with_what_fired(doubles: list[AlertmanagerDouble], stages: list[Stage]) -> None:
    stages.append(Stage(doubles[0]))
    stages[0].road.vault(SEALED)
    stages[0].until(lambda: "EsoVaultSealed" in doubles[0].active())
    begun = doubles[0].sent("EsoVaultSealed")[0]["startsAt"]
    stages[0].notifier.stop(5.0)
    before = len(doubles[0].posts)

    stages.append(Stage(doubles[0], runbook_url=""))
    stages[1].road.vault(SEALED)
    stages[1].until(lambda: len(doubles[0].posts) > before)

    [again] = stages[1].until(lambda: doubles[0].sent("EsoVaultSealed")[1:])
    assert again["startsAt"] == begun


def test_a_reload_takes_another_alertmanager_and_other_labels(
    doubles: list[AlertmanagerDouble], stages: list[Stage]
) -> None:
    stages.append(Stage(doubles[0]))
    [stage] = stages
    stage.road.vault(SEALED)
    stage.until(lambda: "EsoVaultSealed" in doubles[0].active())
    changed = AlertmanagerSettings(
        urls=(doubles[1].url,), labels={"cluster": "prod"}, interval=0.05, time_scale=0.01, timeout=5.0
    )
    stage.notifier.reload(changed)
    stage.until(lambda: "EsoVaultSealed" in doubles[1].active())
    [sent] = doubles[1].sent("EsoVaultSealed")
    assert sent["labels"]["cluster"] == "prod"
    before = len(doubles[0].requests)
    stage.until(lambda: len(doubles[1].requests) > 20)
    assert len(doubles[0].requests) <= before + 3
    assert stage.value("eso_exporter_notify_up", alertmanager=name(doubles[0])) is None

    stage.notifier.reload(AlertmanagerSettings())
    assert stage.notifier.state() is None
    assert stage.notifier.alive()


def test_a_dead_lane_is_not_healthy(doubles: list[AlertmanagerDouble], stages: list[Stage]) -> None:
    stages.append(Stage(doubles[0]))
    [stage] = stages
    assert stage.notifier.alive()
    stage.notifier._lanes[0].stop(5.0)
    assert not stage.notifier.alive()


def test_settings_that_cannot_work_are_told_at_once() -> None:
    with pytest.raises(ConfigError):
        Stage(ca_file="/nowhere")
