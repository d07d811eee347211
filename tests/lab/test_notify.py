"""The direct road on real servers: what reaches pager, chat and mailbox with the shipped Alertmanager configuration, without Prometheus.

A minute is a second here, as in test_alerts_end_to_end.py. The tests build on one stage and leave it healthy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import generate
from tests.alerts.alertmanager import configuration
from tests.lab import objects
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.monitoring import Alertmanager
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until
from tests.lab.watched import (
    JOB,
    PAYROLL,
    SCALE,
    SECRETS,
    SETTINGS,
    SHOP,
    STORE,
    PatientPrometheus,
    Watched,
    fill,
    for_the_lab,
    minutes,
)
from tests.lab.webhook import Notification, Webhook

pytestmark = pytest.mark.timeout(300)

HEARTBEAT = "EsoExporterHeartbeat"
CLUSTER = {"cluster": "lab"}


class Direct(Watched):
    """The stage without rules: the exporter speaks to both Alertmanagers itself."""

    def __init__(self, lab: Lab, exporter: Exporter, webhook: Webhook, second: Alertmanager) -> None:
        super().__init__(lab, exporter, webhook)
        self.alertmanager = lab.alertmanager
        self.second = second

    def heard(self) -> list[Notification]:
        """What came, but for the heartbeat."""
        return [one for one in self.webhook.received() if one.names != {HEARTBEAT}]

    def wait_heard(self, what: str, status: str, count: int, timeout: float = 90.0) -> Notification:
        """Waits for the message number `count`, which must have this status."""

        def look() -> Notification | None:
            came = self.heard()
            assert len(came) <= count, f"what came: {came}"
            return came[count - 1] if len(came) == count else None

        found = wait_until(f"the webhook gets {what}", look, timeout, every=0.1)
        assert found.status == status, f"what came: {self.heard()}"
        return found

    def held(self, alertmanager: Alertmanager | None = None) -> list[dict[str, Any]]:
        """What an Alertmanager holds, but for the heartbeat."""
        return [one for one in (alertmanager or self.alertmanager).alerts() if one["labels"]["alertname"] != HEARTBEAT]

    def wait_quiet(self, timeout: float = 120.0) -> None:
        """Waits until nothing but the heartbeat is left, then forgets the messages."""

        def quiet() -> bool:
            left = [one["labels"] for one in self.held()]
            assert not left, f"in Alertmanager: {left}"
            return True

        wait_until("all is quiet", quiet, timeout, every=0.5)
        self.webhook.clear()


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    folder = tmp_path_factory.mktemp("direct")
    lab = Lab(folder / "lab")
    lab.prometheus = PatientPrometheus(folder / "lab")
    second = Alertmanager(folder / "lab", "alertmanager-2")
    webhook = Webhook()
    exporter: Exporter | None = None
    try:
        lab.start()
        second.start()
        webhook.start()
        install_rbac(lab.cluster)
        kubeconfig = lab.cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
        road = {
            "urls": [lab.alertmanager.address, second.address],
            "labels": CLUSTER,
            "interval": "1s",
            "resolve_timeout": "15s",
            "time_scale": SCALE,
        }
        exporter = Exporter(folder, kubeconfig, settings={**SETTINGS, "alertmanager": road})
        stage = Direct(lab, exporter, webhook, second)
        fill(stage)
        lab.alertmanager.configure(for_the_lab(configuration(), webhook))
        exporter.start()
        exporter.wait_lines("eso_exporter_notify_up", alertmanager=lab.alertmanager.target)
        yield stage
    finally:
        if exporter is not None:
            exporter.kill()
        second.kill()
        lab.stop()
        webhook.stop()


def test_a_healthy_cluster_sends_its_heartbeat_and_nothing_else(direct: Direct) -> None:
    beat = direct.webhook.wait_for("the heartbeat", lambda one: one.names == {HEARTBEAT})
    assert beat.receiver == "eso-heartbeat"
    assert beat.alerts[0]["labels"] == {"alertname": HEARTBEAT, "severity": "none", **CLUSTER}
    direct.wait_quiet()
    time.sleep(minutes(5))
    assert direct.heard() == []
    assert [line.value for line in direct.exporter.lines("eso_exporter_notify_heartbeat")] == [1]


def test_one_broken_externalsecret_is_one_warning_to_its_team(direct: Direct) -> None:
    name = SECRETS[SHOP][3]
    broken = direct.external_secret(SHOP, name)
    direct.wait_quiet()
    direct.openbao.delete(f"secret/{SHOP}/{name}")
    since = direct.cluster.wait_ready(broken, "False")["status"]["conditions"][0]["lastTransitionTime"]

    [alert] = direct.wait_heard("the warning", "firing", 1).alerts

    assert direct.heard()[0].receiver == "team-shop", "the namespace carries the label team=shop"
    assert alert["labels"] == {
        "alertname": "EsoExternalSecretNotReady",
        "severity": "warning",
        "namespace": SHOP,
        "name": name,
        "owner": "shop",
        "store_kind": "ClusterSecretStore",
        "store": STORE,
        "vault": f"127.0.0.1:{direct.openbao.port}",
        **CLUSTER,
    }
    description = alert["annotations"]["description"]
    assert f"{SHOP}/{name}" in alert["annotations"]["summary"]
    assert since.removesuffix("Z").replace("T", " ") in description, "since when, by the object's own time"
    assert "reason SecretSyncedError, class path_missing" in description
    assert f"kubectl -n {SHOP} describe externalsecret {name}" in description
    assert [one["labels"] for one in direct.held(direct.second)] == [alert["labels"]], "both get everything"

    direct.openbao.put(f"secret/{SHOP}/{name}", {"password": "not-to-be-seen"})
    direct.try_again(broken)
    direct.wait_heard("its end", "resolved", 2)


def test_a_secret_made_by_hand_is_one_digest(direct: Direct) -> None:
    direct.wait_quiet()
    for namespace in (PAYROLL, "default"):
        literal = "--from-literal=password=not-to-be-seen"
        direct.cluster.kubectl("create", "secret", "generic", "by-hand", f"--namespace={namespace}", literal)

    digest = direct.wait_heard("the digest", "firing", 1)
    time.sleep(minutes(8))

    assert direct.heard() == [digest], "one message for both namespaces, and no second one"
    assert digest.receiver == "eso-digest"
    assert digest.names == {"EsoManualSecretAppeared"}
    assert sorted(alert["labels"]["namespace"] for alert in digest.alerts) == ["default", PAYROLL]
    assert all("by-hand" in alert["annotations"]["description"] for alert in digest.alerts), "each named"
    assert "not-to-be-seen" not in str(digest.body)
    for namespace in (PAYROLL, "default"):
        direct.cluster.delete(objects.reference("v1", "Secret", "by-hand", namespace))


def test_a_sealed_vault_is_one_page_one_end_and_no_storm_whoever_is_started_anew(direct: Direct) -> None:
    direct.wait_quiet()
    direct.openbao.seal()
    page = direct.wait_heard("the page", "firing", 1)
    assert page.receiver == "eso-pager"
    [alert] = page.alerts
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("EsoVaultSealed", "critical")
    for one in direct.external_secrets():
        direct.cluster.wait_ready(one, "False")

    # Longer than any of the twenty waits, and each of the two is started anew in between.
    direct.exporter.stop()
    direct.exporter.start()
    wait_until("it goes on with the page", lambda: direct.exporter.lines("eso_exporter_notify_alerts", state="firing"))
    direct.alertmanager.stop()
    direct.alertmanager.start()
    wait_until("Alertmanager knows again", lambda: direct.held() or None)
    time.sleep(minutes(15))
    assert direct.heard() == [page]
    [held] = direct.held()
    assert held["labels"] == alert["labels"]
    # As moments: the webhook's JSON leaves out the last zero of a fraction.
    began = [datetime.fromisoformat(one["startsAt"]) for one in (held, alert)]
    assert began[0] == began[1], "the same alert, not one that began anew"

    direct.openbao.unseal()
    time.sleep(minutes(3))
    direct.try_again(direct.store())
    direct.cluster.wait_ready(direct.store())
    direct.try_again(*direct.external_secrets())
    direct.wait_heard("its end", "resolved", 2)
    for one in direct.external_secrets():
        direct.cluster.wait_ready(one)
    # What was held back would come after the ten minutes for which children stay silent and the fifteen of their own.
    time.sleep(minutes(27))
    assert [one.names for one in direct.heard()] == [{"EsoVaultSealed"}] * 2


def test_beside_prometheus_it_is_one_message_and_one_end(direct: Direct, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(generate.rules(scale=SCALE)))
    prometheus, target = direct.prometheus, direct.alertmanager.target
    prometheus.configure({JOB: direct.exporter.target}, [rules], [target], external_labels=CLUSTER)
    prometheus.wait_for_value("sum(eso_externalsecret_ready)", 20)
    name = SECRETS[PAYROLL][2]
    broken = direct.external_secret(PAYROLL, name)
    direct.wait_quiet()
    direct.openbao.delete(f"secret/{PAYROLL}/{name}")

    direct.wait_heard("the warning", "firing", 1)
    senders: set[bool] = set()

    def both() -> bool:
        [held] = direct.held()
        assert held["labels"]["alertname"] == "EsoExternalSecretNotReady"
        senders.add("/graph" in held.get("generatorURL", ""))  # Prometheus leaves its address, the exporter none
        return senders == {True, False}

    wait_until("both send it, and it is one alert", both, 60.0, every=0.2)

    direct.openbao.put(f"secret/{PAYROLL}/{name}", {"password": "not-to-be-seen"})
    direct.try_again(broken)
    direct.wait_heard("its end", "resolved", 2)
    time.sleep(minutes(10))
    assert len(direct.heard()) == 2
    prometheus.configure({})


def test_an_exporter_that_is_killed_is_missed(direct: Direct) -> None:
    direct.wait_quiet()
    direct.exporter.kill()
    end = direct.webhook.wait_for("the end of the heartbeat", lambda one: one.status == "resolved")
    assert end.names == {HEARTBEAT}
    assert end.receiver == "eso-heartbeat"
    direct.exporter.start()
    direct.webhook.wait_for("the heartbeat again", lambda one: one.status == "firing")
    assert direct.heard() == []
