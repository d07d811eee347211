"""State → alerts: what fires, when, under which labels, what it says, and what keeps silent for its parent."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.notify.table import ALERTS, Alert
from tests.kinds import deployment, event, push_secret, spread
from tests.notify.road import ACTIVE, GONE, SEALED, STANDBY, STEP, UNINITIALIZED, Road
from tests.world import NOW, World, external_secret, owned, secret, store

S = "store=vault-backend store_kind=ClusterSecretStore vault=main"
FAILING = {"ready": "False", "reason": "SecretSyncedError", "message": "error processing spec.data[0]"}
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@pytest.fixture
def road() -> Road:
    """A healthy shop: a namespace with an owner, a store, a Vault that serves, one ExternalSecret and its Secret."""
    world = World(excluded=("external-secrets",))
    world.namespace("shop", labels={"team": "red"})
    world.namespace("external-secrets")
    world.add("clustersecretstores", store())
    world.add("externalsecrets", external_secret("db"))
    world.add("secrets", owned("db"))
    world.add("secrets", secret("vault-token", "external-secrets"))
    road = Road(world)
    road.vault(ACTIVE)
    return road


def fail(road: Road, *names: str, namespace: str = "shop", **given: Any) -> None:
    given = {"transition": road.world.now, "interval": "1000h0m0s", **FAILING, **given}
    road.world.add("externalsecrets", *(external_secret(name, namespace, **given) for name in names))


def heal(road: Road, *names: str) -> None:
    for name in names:
        given = {"transition": road.world.now, "synced": road.world.now, "interval": "1000h0m0s"}
        road.world.add("externalsecrets", external_secret(name, **given))
        road.world.add("secrets", owned(name, es=name))


def begins(road: Road, alert: Alert, title: str) -> None:
    """It fires at the end of its wait, and not one step before."""
    assert title not in road.look()
    assert title not in road.wait(alert.wait - STEP)
    assert title in road.wait(STEP)


def ends(road: Road, alert: Alert, title: str) -> None:
    """Its condition is over: it lingers, and is gone right after."""
    road.look()
    assert title in road.wait(alert.keep - 2 * STEP)
    assert title not in road.wait(2 * STEP)


def of(name: str, severity: str) -> Alert:
    [alert] = [alert for alert in ALERTS if (alert.name, alert.severity) == (name, severity)]
    return alert


def test_a_healthy_world_says_nothing_for_a_day(road: Road) -> None:
    heal(road, "db")
    assert [road.wait(HOUR, step=60.0) for _ in range(24)] == [[]] * 24


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (SEALED, "EsoVaultSealed"),
        (UNINITIALIZED, "EsoVaultUninitialized"),
        (GONE, "EsoVaultUnreachable"),
        ({**STANDBY, "leader_known": False}, "EsoVaultNoActiveNode"),
    ],
)
def test_a_vault_that_cannot_serve_is_one_page(road: Road, state: dict[str, Any], name: str) -> None:
    road.look()
    road.vault(state)
    alert = of(name, "critical")
    title = f"{name}/critical vault=main"

    begins(road, alert, title)
    assert [one for one in road.look() if "/critical" in one] == [title]
    words = road.firing(name).words
    assert "main" in words["summary"]
    assert "First" in words["description"]
    assert words["runbook_url"] == f"https://docs/runbooks/{name}.md"
    assert words["dashboard_url"] == "https://grafana/d/eso-vault?var-cluster=prod&var-vault=main"

    road.vault(ACTIVE)
    ends(road, alert, title)


def test_a_vault_that_wavers_between_causes_keeps_its_name(road: Road) -> None:
    heard = set()
    for _ in range(20):
        for state in (SEALED, GONE):
            road.vault(state)
            heard |= set(road.wait(MINUTE))
    assert {one for one in heard if "/critical" in one} == {"EsoVaultSealed/critical vault=main"}


def test_an_unreachable_vault_that_never_answered_is_a_warning_unless_a_store_suffers() -> None:
    world = World(excluded=("external-secrets",))
    world.add("clustersecretstores", store())
    world.add("externalsecrets", external_secret("db", interval="1000h0m0s"))
    world.add("secrets", owned("db"), secret("vault-token", "external-secrets"))
    road = Road(world)
    road.vault(GONE)
    assert road.wait(HOUR) == ["EsoVaultUnreachable/warning vault=main"]
    assert "admits ESO but not the exporter" in road.firing("EsoVaultUnreachable").words["description"]

    world.add("clustersecretstores", store(ready="False", transition=world.now))
    assert "EsoVaultUnreachable/critical vault=main" in road.wait(3 * MINUTE + STEP)


@pytest.mark.parametrize(
    ("state", "name"),
    [(SEALED, "EsoVaultSealed"), (UNINITIALIZED, "EsoVaultUninitialized"), (GONE, "EsoVaultUnreachable")],
)
def test_one_node_while_another_serves_is_a_warning(road: Road, state: dict[str, Any], name: str) -> None:
    road.vault(a=ACTIVE, b=STANDBY, c=state)
    begins(road, of(name, "warning"), f"{name}/warning node=c vault=main")
    assert not [one for one in road.look() if "/critical" in one]
    # The last one goes too: the nodes keep silent.
    road.vault(a=state, b=state, c=state)
    road.wait(HOUR)
    assert road.look()[0] == f"{name}/critical vault=main"
    assert not [one for one in road.look() if "node=" in one]


def test_certificates_that_end(road: Road) -> None:
    end = road.world.now + 14 * DAY + HOUR - 1
    road.vault(a={**ACTIVE, "tls_not_after": end})
    assert road.wait(HOUR) == []
    begins(road, of("EsoVaultTLSExpiring", "warning"), "EsoVaultTLSExpiring/warning node=a vault=main")
    road.world.now = end - 3 * DAY + 1
    begins(road, of("EsoVaultTLSExpiring", "critical"), "EsoVaultTLSExpiring/critical node=a vault=main")


def test_a_sealed_vault_with_twenty_externalsecrets_is_one_page_and_no_storm_after(road: Road) -> None:
    names = [f"app-{number}" for number in range(20)]
    heal(road, "db", *names)
    road.look()
    road.vault(SEALED)
    road.wait(2 * MINUTE)
    fail(road, *names, message="Vault is sealed")
    for minutes in range(240):
        assert road.wait(MINUTE) == ["EsoVaultSealed/critical vault=main"], f"after {minutes} minutes"
    assert "It is read by 21 ExternalSecrets" in road.firing("EsoVaultSealed").words["description"]

    road.vault(ACTIVE)
    assert road.wait(4 * MINUTE) == ["EsoVaultSealed/critical vault=main"]
    # ESO comes back to them one by one, within a quarter of an hour.
    for position, name in enumerate(names):
        assert not [one for one in road.wait(45) if "ExternalSecret" in one], f"storm at {position}"
        heal(road, name)
    assert road.wait(2 * HOUR) == []


def test_the_one_that_stays_broken_after_the_vault_is_told_then(road: Road) -> None:
    road.look()
    road.vault(SEALED)
    road.wait(2 * MINUTE)
    fail(road, "db")
    road.wait(30 * MINUTE)
    road.vault(ACTIVE)
    # 5 minutes of lingering, 10 of silence, 15 of its own.
    assert "EsoExternalSecretNotReady" not in " ".join(road.wait(29 * MINUTE))
    assert road.wait(2 * MINUTE) == [f"EsoExternalSecretNotReady/warning name=db namespace=shop owner=red {S}"]


def test_one_broken_externalsecret_is_one_warning_that_names_object_reason_and_since(road: Road) -> None:
    road.world.add("events", event(message="could not get secret data: Secret does not exist", when=NOW))
    fail(road, "db")
    title = f"EsoExternalSecretNotReady/warning name=db namespace=shop owner=red {S}"
    begins(road, of("EsoExternalSecretNotReady", "warning"), title)
    assert road.look() == [title]
    words = road.firing("EsoExternalSecretNotReady").words
    assert words["summary"] == "ExternalSecret shop/db is not ready."
    assert "since 2026-05-28 20:26:40 UTC" in words["description"]
    assert "reason SecretSyncedError" in words["description"]
    assert "class path_missing" in words["description"]
    assert words["description"].endswith("First: kubectl -n shop describe externalsecret db")
    assert words["dashboard_url"].endswith("/d/eso-externalsecret?var-cluster=prod&var-namespace=shop&var-name=db")
    heal(road, "db")
    ends(road, of("EsoExternalSecretNotReady", "warning"), title)


def test_two_hours_make_it_critical_if_it_once_worked(road: Road) -> None:
    fail(road, "db")
    fail(road, "never", synced=None)
    critical = f"EsoExternalSecretNotReady/critical name=db namespace=shop owner=red {S}"
    road.world.add("externalsecrets", *(external_secret(f"fine-{number}") for number in range(3)))
    road.world.add("secrets", *(owned(f"fine-{number}", es=f"fine-{number}") for number in range(3)))
    assert critical not in road.wait(2 * HOUR - 2 * STEP)
    assert [one for one in road.wait(3 * STEP) if "/critical" in one] == [critical]
    # What is older than a week pages nobody.
    road.world.now += 7 * DAY
    road.look()
    assert critical not in road.wait(HOUR)


def test_what_does_not_heal_says_so_instead(road: Road) -> None:
    fail(road, "db", message="target is owned by another ExternalSecret", reason="SecretSyncedError")
    road.world.add("events", event(message="target is owned by another ExternalSecret"))
    road.world.judge()
    terminal = {problem.error for found in road.world.groups.problems.values() for problem in found}
    assert "owned_by_other" in terminal
    assert road.wait(HOUR) == [f"EsoExternalSecretWillNotHeal/warning name=db namespace=shop owner=red {S}"]


@pytest.mark.parametrize(("failing", "healthy", "many"), [(3, 20, True), (2, 2, True), (2, 3, False), (1, 0, False)])
def test_many_of_one_store_are_one_page(failing: int, healthy: int, many: bool) -> None:
    road = Road(World(excluded=("external-secrets",)))
    road.world.add("clustersecretstores", store())
    road.world.add("secrets", secret("vault-token", "external-secrets"))
    road.vault(ACTIVE)
    heal(road, *(f"fine-{number}" for number in range(healthy)))
    road.look()
    fail(road, *(f"bad-{number}" for number in range(failing)))
    found = road.wait(HOUR)
    if many:
        assert found == [f"EsoExternalSecretsNotReady/critical {S}"]
        description = road.firing("EsoExternalSecretsNotReady").words["description"]
        assert "shop/bad-0" in description
        assert "First: kubectl describe clustersecretstore vault-backend" in description
    else:
        assert [one.split("/")[0] for one in found] == ["EsoExternalSecretNotReady"] * failing


def test_many_dead_are_a_warning_that_does_not_hide_one_that_stops_today(road: Road) -> None:
    fail(road, "a", "b", "c", transition=NOW - 30 * DAY, synced=NOW - 31 * DAY)
    road.wait(2 * HOUR)
    assert [one for one in road.look() if "NotReady" in one] == [f"EsoExternalSecretsNotReady/warning {S}"]
    fail(road, "db")
    found = road.wait(20 * MINUTE)
    assert f"EsoExternalSecretNotReady/warning name=db namespace=shop owner=red {S}" in found
    assert len([one for one in found if "EsoExternalSecretNotReady/" in one]) == 1


def test_a_store_that_is_not_ready_speaks_for_its_externalsecrets(road: Road) -> None:
    names = [f"app-{number}" for number in range(5)]
    heal(road, *names)
    road.world.add("clustersecretstores", store(ready="False", transition=road.world.now))
    fail(road, *names)
    title = f"EsoSecretStoreNotReady/critical {S}"
    begins(road, of("EsoSecretStoreNotReady", "critical"), title)
    assert road.wait(2 * HOUR) == [title]
    assert "describe clustersecretstore vault-backend" in road.firing("EsoSecretStoreNotReady").words["description"]
    road.world.add("clustersecretstores", store(transition=road.world.now))
    heal(road, *names)
    ends(road, of("EsoSecretStoreNotReady", "critical"), title)


def test_a_store_of_a_namespace_has_that_namespace_and_its_owner(road: Road) -> None:
    road.world.add("secretstores", store("own", "shop", ready="False", transition=NOW))
    title = "EsoSecretStoreNotReady/warning namespace=shop owner=red store=own store_kind=SecretStore store_namespace=shop vault=main"
    begins(road, of("EsoSecretStoreNotReady", "warning"), title)


def test_a_store_that_does_not_exist(road: Road) -> None:
    road.world.add(
        "externalsecrets",
        external_secret("lost", spec={"secretStoreRef": {"name": "gone", "kind": "ClusterSecretStore"}}, **FAILING),
    )
    found = road.wait(HOUR)
    assert "EsoSecretStoreNotReady/critical store=gone store_kind=ClusterSecretStore" in found
    assert not [one for one in found if "name=lost" in one]


def test_missing_credentials_speak_for_the_store(road: Road) -> None:
    road.world.remove("secrets", "vault-token", "external-secrets")
    road.world.add("clustersecretstores", store(ready="False", transition=NOW))
    road.look()
    road.world.wait(11)
    title = f"EsoStoreCredentialsMissing/critical {S}"
    begins(road, of("EsoStoreCredentialsMissing", "critical"), title)
    assert road.wait(HOUR) == [title]
    assert "external-secrets/vault-token" in road.firing("EsoStoreCredentialsMissing").words["description"]


def test_stores_unchecked_or_unused_are_one_digest(road: Road) -> None:
    road.world.add("secretstores", store("a", "shop"), store("b", "shop"))
    found = road.wait(2 * HOUR)
    assert [one for one in found if "Unchecked" in one] == ["EsoSecretStoreUnchecked/info namespace=shop owner=red"]
    assert "a, b" in road.firing("EsoSecretStoreUnchecked").words["description"]


def test_the_operator_is_down_and_speaks_for_what_lacks_a_sync(road: Road) -> None:
    heal(road, "db")
    road.world.add("externalsecrets", external_secret("soon", interval="1m0s", synced=NOW))
    road.world.add("secrets", owned("soon", es="soon"))
    road.world.add("deployments", deployment(ready=0))
    title = "EsoOperatorDown/critical component=controller namespace=external-secrets"
    begins(road, of("EsoOperatorDown", "critical"), title)
    assert road.wait(2 * HOUR) == [title]


def test_a_webhook_that_is_down_is_a_warning(road: Road) -> None:
    road.world.add("deployments", deployment(), deployment("external-secrets-webhook", ready=0))
    title = "EsoOperatorDown/warning component=webhook namespace=external-secrets"
    begins(road, of("EsoOperatorDown", "warning"), title)


def test_one_overdue_is_a_warning_and_a_fifth_of_all_is_a_page(road: Road) -> None:
    heal(road, "db", *(f"fine-{number}" for number in range(10)))
    road.world.add("externalsecrets", external_secret("late", interval="1m0s", synced=NOW))
    road.world.add("secrets", owned("late", es="late"))
    road.world.now += 16 * MINUTE
    title = f"EsoExternalSecretOverdue/warning name=late namespace=shop owner=red {S}"
    begins(road, of("EsoExternalSecretOverdue", "warning"), title)
    assert "its last sync was 2026-05-28 20:26:40 UTC" in road.firing("EsoExternalSecretOverdue").words["description"]
    for number in range(2):
        road.world.add("externalsecrets", external_secret(f"late-{number}", interval="1m0s", synced=NOW))
        road.world.add("secrets", owned(f"late-{number}", es=f"late-{number}"))
    assert "EsoExternalSecretsOverdue/critical" in road.wait(5 * MINUTE + STEP)
    assert road.wait(2 * HOUR) == ["EsoExternalSecretsOverdue/critical"]


def test_never_synced(road: Road) -> None:
    road.world.add("externalsecrets", external_secret("new", ready="", synced=None, created=NOW))
    road.wait(5 * MINUTE + STEP)
    title = f"EsoExternalSecretNeverSynced/warning name=new namespace=shop owner=red {S}"
    assert title not in road.wait(10 * MINUTE - 2 * STEP)
    assert title in road.wait(2 * STEP)


def test_ready_but_broken_and_what_can_never_change(road: Road) -> None:
    road.world.remove("secrets", "db", "shop")
    road.world.add("externalsecrets", external_secret("nothing", policy="None", target="nothing"))
    found = road.wait(2 * HOUR)
    assert f"EsoExternalSecretReadyButBroken/warning name=db namespace=shop owner=red {S}" in found
    assert "EsoExternalSecretReadyButBroken/info namespace=shop owner=red" in found
    [warning] = [one for one in road.outcome.firing if one.alert.severity == "warning" and "Broken" in one.alert.name]
    assert "target_missing" in warning.words["description"]


def test_other_kinds(road: Road) -> None:
    road.world.add("pushsecrets", push_secret(ready="False", transition=NOW))
    road.world.add("clusterexternalsecrets", spread("spread", failed=("red",)))
    road.world.add("clusterpushsecrets", spread("pushes", failed=("red",)))
    found = road.wait(20 * MINUTE)
    assert "EsoPushSecretNotReady/warning name=out namespace=shop owner=red" in found
    assert "EsoClusterExternalSecretFailed/warning name=spread" in found
    assert "EsoClusterPushSecretFailed/warning name=pushes" in found
    assert "namespaces that failed: 1 (red)" in road.firing("EsoClusterPushSecretFailed").words["description"]


def test_a_pushsecret_keeps_silent_for_its_vault(road: Road) -> None:
    road.look()
    road.vault(SEALED)
    road.world.add("pushsecrets", push_secret(ready="False", transition=NOW))
    assert road.wait(2 * HOUR) == ["EsoVaultSealed/critical vault=main"]


def test_manual_secrets_are_one_digest_for_a_day(road: Road) -> None:
    road.world.add("secrets", *(secret(f"by-hand-{number:02}", created=NOW) for number in range(12)))
    title = "EsoManualSecretAppeared/warning namespace=shop owner=red"
    begins(road, of("EsoManualSecretAppeared", "warning"), title)
    words = road.firing("EsoManualSecretAppeared").words
    assert words["summary"] == "12 Secrets made by hand in shop within a day."
    assert "by-hand-00, " in words["description"]
    assert "by-hand-09 and 2 more in namespace shop" in words["description"]
    assert "EsoManualSecretsRemain/info namespace=shop owner=red" in road.wait(HOUR)
    road.world.now = NOW + DAY
    road.look()
    found = road.wait(16 * MINUTE)
    assert title not in found
    assert "EsoManualSecretsRemain/info namespace=shop owner=red" in found


def test_hand_edited_and_shown_values(road: Road) -> None:
    edited = owned("db", entries=[("kubectl-patch", NOW, ("password",))], written=NOW - 900)
    road.world.add("secrets", edited)
    found = road.wait(20 * MINUTE)
    assert "EsoSecretHandEdited/warning namespace=shop owner=red secret=db" in found
    assert "kubectl-patch" in road.firing("EsoSecretHandEdited").words["description"]


def test_excluded_namespaces_are_as_if_they_were_not_there(road: Road) -> None:
    road.excluded = ("sh*",)
    fail(road, "a", "b", "c", "db")
    road.world.add("secrets", secret("by-hand", created=NOW))
    assert road.wait(2 * HOUR) == []


def test_what_cannot_be_read_neither_ends_nor_begins(road: Road) -> None:
    fail(road, "db")
    title = f"EsoExternalSecretNotReady/warning name=db namespace=shop owner=red {S}"
    assert title in road.wait(20 * MINUTE)
    road.unreadable = {"externalsecrets"}
    road.world.known.discard("externalsecrets")
    road.world.inventory.everything_changed()
    assert title in road.wait(2 * HOUR)
    road.unreadable = set()
    assert title not in road.wait(20 * MINUTE)


def test_no_text_holds_a_message_or_a_value(road: Road) -> None:
    road.world.add(
        "events", event(message="cannot get https://vault:8200/v1/secret/data/hush: Secret does not exist", when=NOW)
    )
    fail(road, "db", message="hush value")
    road.world.add("secrets", secret("by-hand", created=NOW))
    road.wait(HOUR)
    for one in road.outcome.firing:
        assert "hush" not in " ".join(one.words.values())
        assert len(one.words["summary"]) < 120


def test_the_most_severe_come_first_when_there_are_too_many(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.notify.evaluation.AT_MOST", 2)
    road.look()
    road.vault(SEALED)
    road.world.namespace("a", "b", "c")
    road.world.add("secrets", *(secret("by-hand", namespace, created=NOW) for namespace in "abc"))
    road.wait(10 * MINUTE)
    assert len(road.outcome.firing) == 2
    assert road.outcome.firing[0].alert.name == "EsoVaultSealed"
    assert road.outcome.dropped == 2
