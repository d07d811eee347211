"""The person on call: what reaches the pager, the chat and the mailbox while real servers break, and what does not.

Real ESO, Vault, Prometheus and Alertmanager with the shipped rules and configuration; only times are scaled (tests/lab/watched.py).
The tests build on one stage and leave it healthy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.alerts.runbooks import blocks, pages
from tests.lab import objects
from tests.lab.watched import PAYROLL, SECRETS, SHOP, STORE, Watched, begin, minutes
from tests.lab.webhook import Notification

SOAK_MINUTES = float(os.environ.get("ESO_SOAK_MINUTES", "2"))
"""How long nothing may be heard of a healthy cluster, in real minutes; `make soak` says ten."""

pytestmark = pytest.mark.timeout(240 + 60 * SOAK_MINUTES)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with begin(tmp_path_factory.mktemp("alerts")) as stage:
        yield stage


def only(messages: list[Notification]) -> Notification:
    assert len(messages) == 1, f"one message was expected: {messages}"
    return messages[0]


def test_a_healthy_cluster_is_not_heard_of(watched: Watched) -> None:
    begun = time.time()
    time.sleep(60 * SOAK_MINUTES)
    ever = watched.prometheus.query_range('ALERTS{alertstate="firing"}', begun)
    assert [dict(series.labels) for series in ever] == []
    assert watched.webhook.received() == []
    judged = watched.prometheus.query('eso_exporter_judged_objects{kind="externalsecret"}')
    assert judged.value == 20, "and not because nobody looked"
    assert watched.prometheus.query("count(eso:externalsecret_owner)").value == 20, "or nobody evaluated the rules"


def test_one_broken_externalsecret_is_one_warning_to_its_team(watched: Watched) -> None:
    name = SECRETS[SHOP][3]
    broken = watched.external_secret(SHOP, name)
    watched.wait_quiet()
    watched.openbao.delete(f"secret/{SHOP}/{name}")
    since = watched.cluster.wait_ready(broken, "False")["status"]["conditions"][0]["lastTransitionTime"]

    heard = watched.webhook.wait_for("the warning", lambda one: one.status == "firing")

    [alert] = heard.alerts
    labels, annotations = alert["labels"], alert["annotations"]
    assert heard.receiver == "team-shop", "the namespace carries the label team=shop"
    assert labels["alertname"] == "EsoExternalSecretNotReady"
    assert labels["severity"] == "warning"
    assert (labels["namespace"], labels["name"], labels["owner"]) == (SHOP, name, "shop")
    assert (labels["store_kind"], labels["store"]) == ("ClusterSecretStore", STORE)
    assert f"{SHOP}/{name}" in annotations["summary"]
    assert since.removesuffix("Z").replace("T", " ") in annotations["description"], (
        "since when, by the object's own time"
    )
    assert "SecretSyncedError" in annotations["description"]
    assert "path_missing" in annotations["description"]
    assert f"kubectl -n {SHOP} describe externalsecret {name}" in annotations["description"]
    assert annotations["runbook_url"].endswith("/EsoExternalSecretNotReady.md")
    assert f"var-namespace={SHOP}&var-name={name}" in annotations["dashboard_url"]

    watched.openbao.put(f"secret/{SHOP}/{name}", {"password": "not-to-be-seen"})
    watched.try_again(broken)
    watched.webhook.wait_for("its end", lambda one: one.status == "resolved")
    assert [one.status for one in watched.webhook.received()] == ["firing", "resolved"]


def test_a_secret_made_by_hand_is_one_digest(watched: Watched) -> None:
    watched.wait_quiet()
    for namespace in (PAYROLL, "default"):
        literal = "--from-literal=password=not-to-be-seen"
        watched.cluster.kubectl("create", "secret", "generic", "by-hand", f"--namespace={namespace}", literal)

    digest = watched.webhook.wait_for("the digest", lambda one: one.status == "firing")
    time.sleep(minutes(20))

    assert only(watched.webhook.received()) == digest, "one message for both namespaces, and no second one"
    assert digest.receiver == "eso-digest"
    assert digest.names == {"EsoManualSecretAppeared"}
    assert sorted(alert["labels"]["namespace"] for alert in digest.alerts) == ["default", PAYROLL]
    assert all("by-hand" in alert["annotations"]["description"] for alert in digest.alerts), "each named"
    for namespace in (PAYROLL, "default"):
        watched.cluster.delete(objects.reference("v1", "Secret", "by-hand", namespace))


def test_a_sealed_vault_is_one_page_one_end_and_no_storm(watched: Watched) -> None:
    watched.wait_quiet()
    watched.openbao.seal()
    page = watched.webhook.wait_for("the page", lambda one: one.status == "firing")
    assert page.receiver == "eso-pager"
    assert [alert["labels"]["alertname"] for alert in page.alerts] == ["EsoVaultSealed"]
    assert page.alerts[0]["labels"]["severity"] == "critical"

    # Long enough for each of the twenty, for all of them and for the store to raise its own alert (15, 10 and 5 minutes).
    for one in watched.external_secrets():
        watched.cluster.wait_ready(one, "False")
    watched.cluster.wait_ready(watched.store(), "False")
    time.sleep(minutes(25))
    failing = "min_over_time(count(eso:externalsecret_not_ready)[15s:1s])"
    assert watched.prometheus.query(failing).value == 20, (
        "all have failed for longer than they may, and nobody is told of it"
    )
    assert watched.prometheus.query("min_over_time(eso_secretstore_ready[5s])").value == 0
    assert only(watched.webhook.received()) == page
    assert {labels["alertname"] for labels in watched.firing()} == {"EsoVaultSealed"}

    watched.openbao.unseal()
    time.sleep(minutes(7))
    watched.try_again(watched.store())
    watched.cluster.wait_ready(watched.store())
    time.sleep(minutes(7))
    watched.try_again(*watched.external_secrets())
    end = watched.webhook.wait_for("its end", lambda one: one.status == "resolved")
    assert end.receiver == "eso-pager"
    watched.prometheus.wait_for_value("sum(eso_externalsecret_ready)", 20)

    # What was held back would come after the ten minutes for which children stay silent and the fifteen of their own.
    time.sleep(minutes(30))
    assert watched.webhook.received() == [page, end]


def test_an_exporter_that_is_killed_is_missed(watched: Watched) -> None:
    watched.wait_quiet()
    watched.exporter.kill()
    page = watched.webhook.wait_for("the page", lambda one: one.status == "firing")
    assert page.receiver == "eso-pager"
    assert page.names == {"EsoExporterAbsent"}
    watched.exporter.start()
    watched.webhook.wait_for("its end", lambda one: one.status == "resolved")
    assert [one.names for one in watched.webhook.received()] == [{"EsoExporterAbsent"}] * 2


def test_prometheus_takes_every_query_of_the_runbooks(watched: Watched) -> None:
    queries = [one for page in pages() for block in blocks(page) if block.language == "promql" for one in block.queries]
    assert len(queries) > 30
    for query in queries:
        watched.prometheus.query(query)  # an error is an AssertionError that shows the query
