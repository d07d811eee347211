"""The way to one Alertmanager, against a double that fails in every way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.config.settings import AlertmanagerSettings
from exporter.kube.backoff import Pace
from exporter.notify.evaluation import Outcome
from exporter.notify.lane import BATCH_ALERTS, Lane, Outbox
from exporter.notify.table import NOT_READY, SEALED, Alert
from exporter.notify.timeline import Firing, Labels, labels
from exporter.notify.wire import REASONS, Api
from tests.notify.alertmanager import AlertmanagerDouble, eventually

FAST = Pace(first=0.02, ceiling=0.05)
MAIN = labels(vault="main")


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self.taken = 0
        self.failures: list[str] = []

    def sent(self, alertmanager: str, alerts: int) -> None:
        assert alertmanager.startswith("127.0.0.1:")
        self.taken += alerts

    def failed(self, alertmanager: str, reason: str) -> None:
        assert reason in REASONS
        self.failures.append(reason)


class Stage:
    """One lane before a double; `say` is what the exporter would have it say."""

    def __init__(self, double: AlertmanagerDouble, **settings: Any) -> None:
        given = {"interval": 0.05, "resolve_timeout": 300.0, "timeout": 5.0, "labels": {"cluster": "prod"}, **settings}
        self.double = double
        self.settings = AlertmanagerSettings(urls=(double.url,), **given)
        self.counts = Counts()
        self.box: Outbox | None = None
        self.lane = Lane(Api(double.url, self.settings), self.settings, lambda: self.box, self.counts, pace=FAST)
        self.lane.start()

    def say(self, *firing: Firing, ended: tuple[Firing, ...] = (), heartbeat: bool = False) -> None:
        self.box = Outbox(Outcome(time.time(), firing, ended, 0, 0), heartbeat)
        self.lane.wake()


@pytest.fixture
def double() -> Iterator[AlertmanagerDouble]:
    made = AlertmanagerDouble()
    yield made
    made.close()


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.double._go_on.set()
        stage.lane.stop(5.0)
        assert not stage.lane.alive()


@pytest.fixture
def stage(double: AlertmanagerDouble, stages: list[Stage]) -> Stage:
    stages.append(Stage(double))
    return stages[-1]


def one(alert: Alert = SEALED, where: Labels = MAIN, starts: float = 1000.0, until: float | None = None) -> Firing:
    return Firing(alert, where, {"summary": "s", "description": "d"}, starts, until)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_alert_as_it_is_sent(stage: Stage) -> None:
    stage.say(one())
    [sent] = eventually(lambda: stage.double.sent("EsoVaultSealed"))
    assert sent["labels"] == {"alertname": "EsoVaultSealed", "severity": "critical", "vault": "main", "cluster": "prod"}
    assert sent["annotations"] == {"summary": "s", "description": "d"}
    assert unix(sent["startsAt"]) == 1000.0
    assert abs(unix(sent["endsAt"]) - time.time() - 300) < 30
    assert eventually(lambda: stage.lane.up) is True
    assert stage.counts.taken == 1
    assert stage.counts.failures == []


def test_what_did_not_change_is_sent_again_only_in_time(stage: Stage) -> None:
    stage.say(one())
    eventually(lambda: stage.double.sent("EsoVaultSealed"))
    looks = len(stage.double.requests)
    eventually(lambda: len(stage.double.requests) > looks + 5)
    assert len(stage.double.sent("EsoVaultSealed")) == 1


def test_it_is_sent_again_before_it_would_end(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    stages.append(Stage(double, resolve_timeout=0.8))
    stages[0].say(one())
    eventually(lambda: len(double.sent("EsoVaultSealed")) >= 4)
    ends = [unix(sent["endsAt"]) for sent in double.sent("EsoVaultSealed")]
    assert ends == sorted(set(ends))


def test_an_end_in_sight_is_told_at_once_and_no_other_end_after(stage: Stage) -> None:
    stage.say(one())
    eventually(lambda: stage.double.sent("EsoVaultSealed"))
    until = round(time.time()) + 5.0
    stage.say(one(until=until))
    sent = eventually(lambda: stage.double.sent("EsoVaultSealed")[1:])
    assert unix(sent[0]["endsAt"]) == until
    stage.say()
    looks = len(stage.double.requests)
    eventually(lambda: len(stage.double.requests) > looks + 3)
    assert len(stage.double.sent("EsoVaultSealed")) == 2


def test_errors_are_tried_again_with_the_newest_state(stage: Stage) -> None:
    stage.double.status = 500
    stage.say(one())
    eventually(lambda: stage.counts.failures.count("http_status") >= 3)
    assert stage.lane.up is False
    stage.say(one(NOT_READY, labels(name="db")))
    stage.double.status = 200
    eventually(lambda: stage.double.sent("EsoExternalSecretNotReady"))
    assert stage.double.sent("EsoVaultSealed") == []
    assert eventually(lambda: stage.lane.up)


def test_what_it_refuses_is_not_sent_again_at_once(stage: Stage) -> None:
    stage.double.status = 400
    stage.say(one())
    eventually(lambda: stage.counts.failures)
    looks = len(stage.double.requests)
    eventually(lambda: len(stage.double.requests) > looks + 5)
    assert stage.counts.failures == ["refused"]
    assert stage.counts.taken == 0


def test_one_that_does_not_know_us_is_down(stage: Stage) -> None:
    eventually(lambda: stage.lane.up)
    stage.double.status_of_status = stage.double.status = 401
    stage.say(one())
    eventually(lambda: stage.counts.failures.count("refused") >= 2)
    assert stage.lane.up is False
    stage.double.status = 200
    eventually(lambda: stage.double.sent("EsoVaultSealed"))


def test_one_that_is_down_is_found_again(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    double.close()
    stages.append(Stage(double))
    stages[0].say(one())
    eventually(lambda: stages[0].counts.failures.count("connect") >= 3)
    assert stages[0].lane.up is False
    assert stages[0].lane.last_success is None


def test_one_that_hangs_ends_by_its_time_limit(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    double.hanging.set()
    stages.append(Stage(double, timeout=0.1))
    stages[0].say(one())
    eventually(lambda: "timeout" in stages[0].counts.failures)
    double.hanging.clear()
    eventually(lambda: double.sent("EsoVaultSealed"))


def test_one_that_drips_ends_by_its_time_limit(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    double.dripping = True
    stages.append(Stage(double, timeout=0.2))
    eventually(lambda: "timeout" in stages[0].counts.failures)


def test_one_down_does_not_delay_the_other(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    frozen = AlertmanagerDouble()
    frozen.hanging.set()
    stages += [Stage(frozen, timeout=30.0), Stage(double)]
    for stage in stages:
        stage.say(one())
    eventually(lambda: double.sent("EsoVaultSealed"))
    assert frozen.posts == []
    frozen.close()


def test_one_that_was_started_anew_is_told_everything_also_what_ended_meanwhile(stage: Stage) -> None:
    over = one(NOT_READY, labels(name="db"), until=round(time.time()) - 10.0)
    stage.say(one(), ended=(over,))
    eventually(lambda: stage.double.active() == {"EsoVaultSealed"})
    assert stage.double.sent("EsoExternalSecretNotReady") == []

    stage.double.restart()

    eventually(lambda: stage.double.active() == {"EsoVaultSealed"})
    [resolved] = eventually(lambda: stage.double.sent("EsoExternalSecretNotReady"))
    assert unix(resolved["endsAt"]) == over.until
    looks = len(stage.double.requests)
    eventually(lambda: len(stage.double.requests) > looks + 3)
    assert len(stage.double.sent("EsoExternalSecretNotReady")) == 1


def test_an_old_one_that_tells_no_start_is_told_everything_after_each_failure(stage: Stage) -> None:
    stage.double.status_of_status = 404
    stage.say(one())
    eventually(lambda: stage.double.sent("EsoVaultSealed"))
    stage.double.status = 503
    stage.say(one(), one(NOT_READY, labels(name="db")))
    eventually(lambda: "http_status" in stage.counts.failures)
    stage.double.status = 200
    eventually(lambda: len(stage.double.sent("EsoVaultSealed")) == 2)


def test_large_outcomes_go_in_bounded_requests(stage: Stage) -> None:
    count = 5 * BATCH_ALERTS + 3
    stage.say(*(one(NOT_READY, labels(name=f"db-{number}")) for number in range(count)))
    eventually(lambda: len(stage.double.alerts) == count)
    assert max(map(len, stage.double.posts)) == BATCH_ALERTS


def test_requests_are_bounded_in_bytes(stage: Stage) -> None:
    words = {"summary": "s", "description": "x" * 100_000}
    stage.say(*(Firing(NOT_READY, labels(name=f"db-{number}"), words, 1.0) for number in range(9)))
    eventually(lambda: len(stage.double.alerts) == 9)
    assert max(len(json.dumps(post)) for post in stage.double.posts) < 300_000


def test_the_heartbeat_is_sent_while_the_exporter_sees(stage: Stage) -> None:
    stage.say(heartbeat=False)
    eventually(lambda: stage.lane.up)
    assert stage.double.posts == []
    stage.say(heartbeat=True)
    [sent] = eventually(lambda: stage.double.sent("EsoExporterHeartbeat"))
    assert sent["labels"] == {"alertname": "EsoExporterHeartbeat", "severity": "none", "cluster": "prod"}
    assert abs(unix(sent["startsAt"]) - time.time()) < 30
    assert abs(unix(sent["endsAt"]) - time.time() - 300) < 30


def test_what_fired_before_is_asked_for_first_and_only_once(double: AlertmanagerDouble, stages: list[Stage]) -> None:
    ends = round(time.time()) + 100
    for cluster in ("prod", "other"):
        given = {"alertname": "EsoVaultSealed", "severity": "critical", "vault": "main", "cluster": cluster}
        double.alerts[tuple(sorted(given.items()))] = {
            "labels": given,
            "startsAt": "2026-11-25T10:00:00.000Z",
            "endsAt": datetime.fromtimestamp(ends).astimezone().isoformat(),
        }
    stages.append(Stage(double))
    lane = stages[0].lane
    eventually(lambda: lane.asked)
    [adopted] = lane.adopted or []
    assert (adopted.name, adopted.severity, adopted.labels) == ("EsoVaultSealed", "critical", MAIN)
    assert (adopted.starts, adopted.ends) == (unix("2026-11-25T10:00:00Z"), ends)
    looks = len(double.requests)
    eventually(lambda: len(double.requests) > looks + 3)
    assert len([path for _, path, _ in double.requests if "/api/v2/alerts?" in path]) == 1


def test_a_redirect_is_not_followed(stage: Stage) -> None:
    stage.double.headers = {"Location": "http://127.0.0.1:1/"}
    stage.double.status = 302
    stage.say(one())
    eventually(lambda: "http_status" in stage.counts.failures)
    assert "connect" not in stage.counts.failures


def test_credentials_come_from_a_file_that_is_read_each_time(
    double: AlertmanagerDouble, stages: list[Stage], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    stages.append(Stage(double, bearer_token_file=str(token)))
    eventually(lambda: double.requests)
    assert double.requests[0][2]["Authorization"] == "Bearer first"
    token.write_text("second")
    eventually(lambda: double.requests[-1][2]["Authorization"] == "Bearer second")
    token.unlink()
    eventually(lambda: "credentials" in stages[0].counts.failures)


def test_basic_authentication(double: AlertmanagerDouble, stages: list[Stage], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("word")
    stages.append(Stage(double, username="us", password_file=str(tmp_path / "password")))
    eventually(lambda: double.requests)
    assert double.requests[0][2]["Authorization"] == "Basic dXM6d29yZA=="


def test_failures_are_told_once_without_secrets(
    double: AlertmanagerDouble, stages: list[Stage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("hush")
    double.status = 500
    stages.append(Stage(double, bearer_token_file=str(tmp_path / "token")))
    stages[0].say(one())
    eventually(lambda: len(stages[0].counts.failures) >= 3)
    written = "".join(capsys.readouterr())
    assert written.count("an Alertmanager does not take alerts") == 1
    assert "hush" not in written
