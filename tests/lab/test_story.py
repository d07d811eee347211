"""The main job, end to end: the keybuzz migration on real servers, seen by the real Prometheus that scrapes the exporter.

The exporter runs as the account of `deploy/rbac.yaml`. The nine steps build on each other and run in this order. What the
contract bounds in time is measured and shown at the end of the run; the tests' own limits are wide, for machines are noisy.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest

from tests.lab import keybuzz, objects
from tests.lab.cluster import condition
from tests.lab.exporter_process import USER, granted, granted_verbs
from tests.lab.keybuzz import MIGRATION, OLDER, PLANTED
from tests.lab.measured import Measured
from tests.lab.servers import Lab
from tests.lab.story import (
    JOB,
    Story,
    assert_step_down,
    assert_synced_as_the_objects_say,
    begin,
    steps_since,
    unix,
    wait_same_series,
)


@pytest.fixture(scope="module")
def story(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The cluster as it was before the migration, with the exporter in it and Prometheus scraping it."""
    with begin(lab, tmp_path_factory.mktemp("story")) as begun:
        yield begun


def test_step_1_before_there_are_exactly_three_manual_secrets(story: Story) -> None:
    prometheus = story.prometheus

    prometheus.wait_for_value("sum(eso_manual_secrets)", 3)
    manual = prometheus.query("eso_manual_secrets").by("namespace")
    known = prometheus.query("eso_manual_secret_info").by("namespace", "secret", "creator")
    ready = prometheus.query("eso_externalsecret_ready").by("namespace", "name")

    # A namespace without any is a 0, not a gap: of the scenario, and those that every cluster has.
    assert manual == manual | {"keybuzz-api-dev": 2, "keybuzz-client-dev": 1, "keybuzz-ai": 0, "observability": 0}
    assert manual["default"] == 0
    assert known == {(one.namespace, one.secret, "kubectl-create"): 1 for one in MIGRATION}
    assert ready == {(namespace, name): 1 for namespace, name, *_ in OLDER}
    assert prometheus.query("eso_vault_initialized").value == 1
    assert prometheus.query("eso_vault_sealed").value == 0
    assert prometheus.query("eso_vault_available").value == 1
    assert prometheus.query("eso_secretstore_ready").by("store") == {"vault-backend": 1, "vault-backend-database": 1}


def test_step_2_the_migration_leaves_no_manual_secret(story: Story) -> None:
    cluster, prometheus = story.cluster, story.prometheus
    begun = time.time()
    prometheus.wait_for_value("sum(eso_manual_secrets)", 3)

    keybuzz.migrate(cluster)  # creationPolicy Owner takes the Secrets made by hand over

    prometheus.wait_for_value("sum(eso_manual_secrets)", 0)
    prometheus.wait_for_value("sum(eso_externalsecret_ready)", len(OLDER) + len(MIGRATION))
    assert_synced_as_the_objects_say(story)
    assert_step_down(prometheus, begun)
    prometheus.wait_absent("eso_manual_secret_info")
    assert set(prometheus.query("eso_manual_secrets").values) == {0}


def test_step_2_the_migration_works_with_deleting_first(story: Story) -> None:
    cluster, prometheus = story.cluster, story.prometheus
    for one in MIGRATION:
        cluster.delete(one.manifest())
        cluster.wait_gone(one.secret_reference())
    for one in MIGRATION:
        keybuzz.create_by_hand(cluster, one)
    prometheus.wait_for_value("sum(eso_manual_secrets)", 3)
    begun = time.time()

    for one in MIGRATION:
        cluster.delete(one.secret_reference())
    keybuzz.migrate(cluster)

    prometheus.wait_for_value("sum(eso_manual_secrets)", 0)
    prometheus.wait_for_value("sum(eso_externalsecret_ready)", len(OLDER) + len(MIGRATION))
    assert_synced_as_the_objects_say(story)
    assert_step_down(prometheus, begun)


def test_step_3_a_secret_made_by_hand_is_seen_and_forgotten(story: Story, measured: Measured) -> None:
    cluster, prometheus, exporter = story.cluster, story.prometheus, story.exporter
    prometheus.wait_for_value("sum(eso_manual_secrets)", 0)
    literal = f"--from-literal=key={PLANTED}"
    cluster.kubectl("create", "secret", "generic", "smuggled", "--namespace=keybuzz-ai", literal)
    with measured("manual Secret created → in /metrics", contract=2):
        [info] = exporter.wait_lines("eso_manual_secret_info", namespace="keybuzz-ai", secret="smuggled")

    assert info.labels["creator"] == "kubectl-create"
    assert info.labels["type"] == "Opaque"
    prometheus.wait_for_value('eso_manual_secrets{namespace="keybuzz-ai"}', 1)
    assert prometheus.query("sum(eso_manual_secrets)").value == 1
    assert prometheus.query('eso_secret_problem{secret="smuggled"}').by("namespace", "problem") == {
        ("keybuzz-ai", "manual"): 1
    }
    made = cluster.get(objects.reference("v1", "Secret", "smuggled", "keybuzz-ai"))
    assert made is not None
    created = prometheus.query('eso_manual_secret_created_timestamp_seconds{secret="smuggled"}').value
    assert created == unix(made["metadata"]["creationTimestamp"])

    cluster.delete(objects.reference("v1", "Secret", "smuggled", "keybuzz-ai"))
    with measured("manual Secret deleted → gone from /metrics", contract=2):
        exporter.wait_gone("eso_manual_secret_info", namespace="keybuzz-ai", secret="smuggled")

    prometheus.wait_for_value('eso_manual_secrets{namespace="keybuzz-ai"}', 0)
    prometheus.wait_absent('{__name__=~"eso_.+",secret="smuggled"}')
    prometheus.wait_absent('eso_problem_since_timestamp_seconds{name="smuggled"}')


def test_step_4_a_path_that_does_not_exist_is_a_failure_with_its_reason(story: Story) -> None:
    cluster, prometheus = story.cluster, story.prometheus
    one = objects.external_secret("keybuzz-api-dev", "no-such-path", path="keybuzz/nowhere", keys=["key"])
    where = '{namespace="keybuzz-api-dev",name="no-such-path"}'
    cluster.apply(one)
    failed = cluster.wait_ready(one, "False")

    prometheus.wait_for_value(f"eso_externalsecret_ready{where}", 0)
    said = prometheus.wait_for(f"eso_externalsecret_status_info{where}").by("status", "reason")
    problems = prometheus.wait_for(f"eso_externalsecret_problem{where}").by("problem", "store")

    assert said == {("False", "SecretSyncedError"): 1}
    assert problems == {("not_ready", "vault-backend"): 1}
    [since] = prometheus.query('eso_problem_since_timestamp_seconds{name="no-such-path",problem="not_ready"}')
    assert since.labels["basis"] == "object"
    assert since.value == unix(condition(failed)["lastTransitionTime"])
    # It was never synced, so there is no time of a sync and no age: nothing, not a zero.
    assert not prometheus.query(f"eso_externalsecret_last_sync_timestamp_seconds{where}")
    assert not prometheus.query(f"eso_externalsecret_last_sync_age_seconds{where}")

    story.openbao.put("secret/keybuzz/nowhere", {"key": PLANTED})
    cluster.patch(one, {"metadata": {"annotations": {"force-sync": "1"}}})
    cluster.wait_ready(one)

    prometheus.wait_for_value(f"eso_externalsecret_ready{where}", 1)
    prometheus.wait_absent(f"eso_externalsecret_problem{where}")
    cluster.delete(one)
    prometheus.wait_absent(f"eso_externalsecret_ready{where}")


def test_step_5_a_sealed_vault_is_seen_long_before_eso_says_so(story: Story, measured: Measured) -> None:
    cluster, openbao, prometheus = story.cluster, story.openbao, story.prometheus
    begun = time.time()

    openbao.seal()
    try:
        with measured("Vault sealed → eso_vault_sealed 1 in Prometheus", contract=15):
            prometheus.wait_for_value("eso_vault_sealed", 1)
        prometheus.wait_for_value("eso_vault_available", 0)
        problem = prometheus.wait_for('eso_vault_problem{problem="unavailable"}')
        # Nobody else in the cluster has noticed: every object still says that all is well.
        still = [condition(one)["status"] for one in cluster.list(objects.ESO_GROUP, "ExternalSecret")]
    finally:
        openbao.unseal()

    assert problem.by("error") == {"sealed": 1}
    assert still == ["True"] * (len(OLDER) + len(MIGRATION))
    with measured("Vault unsealed → eso_vault_sealed 0 in Prometheus", contract=15):
        prometheus.wait_for_value("eso_vault_sealed", 0)
    prometheus.wait_for_value("eso_vault_available", 1)
    prometheus.wait_absent("eso_vault_problem")
    assert steps_since(prometheus, "eso_vault_sealed", begun, 0) == [0, 1, 0]  # one step up and one down, no flutter


def test_step_5_a_vault_that_is_gone_is_down_and_neither_sealed_nor_unsealed(story: Story, measured: Measured) -> None:
    openbao, prometheus = story.openbao, story.prometheus

    openbao.kill()
    try:
        with measured("Vault's process gone → eso_vault_up 0 in Prometheus", contract=15):
            prometheus.wait_for_value("eso_vault_up", 0)
        prometheus.wait_for_value("eso_vault_available", 0)
        error = prometheus.query("eso_vault_probe_error").by("error")
        claims = prometheus.query('{__name__=~"eso_vault_(sealed|initialized|standby)"}')
        problem = prometheus.query('eso_vault_problem{problem="unavailable"}').by("error")
    finally:
        openbao.start()

    assert error == {"connect": 1}
    assert len(claims) == 0
    assert problem == {"unreachable": 1}
    prometheus.wait_for_value("eso_vault_up", 1)
    prometheus.wait_for_value("eso_vault_available", 1)
    prometheus.wait_for_value("eso_vault_sealed", 0)
    prometheus.wait_absent("eso_vault_probe_error")


def test_step_6_a_deleted_external_secret_leaves_no_series(story: Story, measured: Measured) -> None:
    cluster, prometheus, exporter = story.cluster, story.prometheus, story.exporter
    space = "observability"
    one = objects.external_secret(space, "short-lived", "short-lived-target", path="keybuzz/redis", keys=["host"])
    cluster.apply(one)
    cluster.wait_ready(one)
    prometheus.wait_for_value('eso_externalsecret_ready{name="short-lived"}', 1)
    owned = f'sum(eso_secrets{{namespace="{space}"}})'
    before = len([name for namespace, name, *_ in OLDER if namespace == space])
    prometheus.wait_for_value(owned, before + 1)

    cluster.delete(one)
    with measured("ExternalSecret deleted → gone from /metrics", contract=2):
        exporter.wait_gone("eso_externalsecret_ready", name="short-lived")

    text = exporter.get("/metrics")
    assert 'name="short-lived"' not in text
    cluster.wait_gone(objects.reference("v1", "Secret", "short-lived-target", space))  # the garbage collector's work
    prometheus.wait_for_value(owned, before)
    prometheus.wait_absent('{__name__=~"eso_.+",name="short-lived"}')
    assert "short-lived" not in exporter.get("/metrics")


def test_step_7_an_external_secret_that_eso_neglects_is_overdue(story: Story) -> None:
    cluster, prometheus, eso = story.cluster, story.prometheus, story.lab.eso
    one = objects.external_secret("keybuzz-ai", "often", path="keybuzz/redis", keys=["host"], interval="10s")
    where = '{namespace="keybuzz-ai",name="often"}'
    deadline = f"eso_externalsecret_sync_deadline_timestamp_seconds{where}"
    overdue = 'eso_externalsecret_problem{name="often",problem="overdue"}'
    cluster.apply(one)
    cluster.wait_ready(one)
    prometheus.wait_for(deadline)

    eso.pause()
    try:
        synced = unix(cluster.wait_ready(one)["status"]["refreshTime"])
        prometheus.wait_for_value(deadline, synced + 10 + 3)
        frozen = time.time()
        assert not prometheus.query(overdue) or frozen > synced + 13
        seen = prometheus.wait_for(overdue)
        [since] = prometheus.wait_for('eso_problem_since_timestamp_seconds{name="often",problem="overdue"}')
        [constant] = prometheus.query_range(deadline, frozen)
    finally:
        eso.resume()

    assert next(iter(seen)).at >= synced + 13
    assert since.value == synced + 13
    assert {value for _, value in constant.points} == {synced + 13}
    prometheus.wait_absent(overdue)
    prometheus.wait_for(deadline, lambda found: found.value > synced + 13)
    cluster.delete(one)
    prometheus.wait_absent(f"eso_externalsecret_ready{where}")


def test_step_8_after_its_restart_the_exporter_says_the_same(story: Story, measured: Measured) -> None:
    prometheus, exporter = story.prometheus, story.exporter
    before = story.series()
    assert len(before) > 50

    with measured("SIGTERM → the exporter has ended", contract=5):
        code = exporter.stop()
    assert code == 0
    prometheus.wait_for_value(f'up{{job="{JOB}"}}', 0)
    exporter.start()
    prometheus.wait_for_value(f'up{{job="{JOB}"}}', 1)

    wait_same_series(story, before)


def test_step_8_a_restart_of_the_api_server_leaves_no_gap(story: Story) -> None:
    cluster, prometheus, apiserver = story.cluster, story.prometheus, story.lab.apiserver
    before = story.series()
    begun = time.time()

    apiserver.kill()
    time.sleep(5)  # the length of the outage: several scrapes fall into it
    apiserver.start()
    story.api_outages.append((begun, time.time()))
    wait_same_series(story, before)

    # It goes on with what comes after: the watches are open again, without the exporter having been restarted.
    cluster.create(objects.secret("keybuzz-ai", "after-the-outage", {"key": PLANTED}), manager="kubectl-create")
    prometheus.wait_for('eso_manual_secret_info{secret="after-the-outage"}', timeout=90)
    cluster.delete(objects.reference("v1", "Secret", "after-the-outage", "keybuzz-ai"))
    prometheus.wait_absent('eso_manual_secret_info{secret="after-the-outage"}')

    window = f"{int(time.time() - begun)}s"
    scrapes = prometheus.query(f'sum_over_time(up{{job="{JOB}"}}[{window}])').value
    ready = prometheus.query(f'count_over_time(eso_externalsecret_ready{{job="{JOB}"}}[{window}])')
    assert len(ready) == len(OLDER) + len(MIGRATION)
    assert min(ready.values) >= scrapes - 1  # the first of the window may fall between two evaluations


def test_step_9_the_audit_log_holds_only_lists_and_watches_of_what_the_role_grants(story: Story) -> None:
    # Since the story began: other tests try what this account may not do.
    events = [one for one in story.lab.apiserver.audit_events(USER) if one.at >= story.begun]
    asked = {(event.group, event.resource) for event in events if event.resource}
    other = [event for event in events if not event.resource]

    assert granted_verbs() == {"list", "watch"}
    assert {event.verb for event in events if event.resource} == {"list", "watch"}
    assert asked <= granted()
    assert {("", "secrets"), ("", "namespaces"), ("external-secrets.io", "externalsecrets")} <= asked
    assert {event.verb for event in other} <= {"get"}
    assert all(event.uri.startswith(("/version", "/api")) for event in other), {event.uri for event in other}
    # Nothing was asked in vain, but of an API server that was just starting: its authorizer knows no role at first.
    steady = [one for one in events if not any(begun <= one.at <= ended for begun, ended in story.api_outages)]
    # (429: a CRD's storage that is still being made ready asks to come again, and says when.)
    assert {event.code for event in steady} <= {200, 410, 429}


def test_step_9_secrets_are_asked_for_in_no_form_that_holds_values(story: Story) -> None:
    to_secrets = [one for one in story.to_kubernetes.requests() if one.path.rstrip("/").endswith("/secrets")]

    assert to_secrets
    for request in to_secrets:
        forms = [form.strip() for form in request.accept.split(",")]
        assert all("as=Table" in form or "as=PartialObjectMetadata" in form for form in forms), request
        assert request.query.get("includeObject", ["Metadata"]) == ["Metadata"], request
    # Nothing below the collection either, as /api/v1/namespaces/x/secrets/name would be.
    assert not [one for one in story.to_kubernetes.requests() if "/secrets/" in one.path]


def test_step_9_vault_saw_only_health_requests_without_a_token(story: Story) -> None:
    requests = story.to_vault.requests()

    assert {one.method for one in requests} == {"GET"}
    assert {one.path for one in requests} <= {"/v1/sys/health", "/v1/sys/seal-status", "/v1/sys/leader"}
    assert "/v1/sys/health" in {one.path for one in requests}
    assert not [one for one in requests if one.carried_token]
    assert not [one for one in requests if "x-vault-namespace" in one.headers or one.body_size]


def test_step_9_no_planted_value_is_in_anything_that_the_exporter_says(story: Story) -> None:
    exporter, witness = story.exporter, story.witness
    # As it was planted, and as the API carries it: base64 of the part that fills whole groups of three bytes.
    marks = [PLANTED, base64.b64encode(PLANTED[: len(PLANTED) // 3 * 3].encode()).decode()]
    stored = story.cluster.get(MIGRATION[0].secret_reference())
    assert stored is not None
    assert all(value.startswith(marks[1]) for value in stored["data"].values())  # else this test would look for nothing
    open_metrics = "application/openmetrics-text; version=1.0.0"
    said = {
        "log": exporter.log_text(),
        "the witness's log": witness.log_text(),
        "/metrics": exporter.get("/metrics"),
        "/metrics as OpenMetrics": exporter.get("/metrics", open_metrics),
        "the landing page": exporter.get("/"),
        "a page that is not there": exporter.get("/no/such/page"),
        "what Prometheus holds": str(story.prometheus.query('{__name__=~".+"}').samples),
    }

    assert all("in sync" in said[name] for name in ("log", "the witness's log"))  # or nothing is proven
    assert "eso_externalsecret_ready" in said["/metrics"]
    assert [name for name, text in said.items() for mark in marks if mark in text] == []
    for name in ("log", "the witness's log"):
        assert "Traceback" not in said[name]
