"""The demo's ESO leaves the reasons, messages and Secrets that ESO leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.demo import objects
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.operator import Operator, kv_path, seconds
from exporter.demo.vault import SimulatedVault

Object = dict[str, Any]


@dataclass
class World:
    """A cluster with one store, a Vault with one path, an operator, and a clock to turn by hand. Nothing listens."""

    cluster: SimulatedCluster
    vault: SimulatedVault
    operator: Operator
    now: list[float]

    def reconcile(self, after: float = 0.0) -> None:
        self.now[0] += after
        self.operator.reconcile()

    def ready(self, name: str = "db") -> tuple[str, str, str]:
        es = self.cluster.get("externalsecrets", "shop", name)
        assert es
        (told,) = es["status"]["conditions"]
        return told["status"], told["reason"], told["message"]

    def event(self) -> str:
        """The text of the newest Warning."""
        warnings = [event for event in self.cluster.objects("events") if event["type"] == "Warning"]
        newest = max(warnings, key=lambda event: int(event["metadata"]["resourceVersion"]))
        message = newest["message"]
        assert isinstance(message, str)
        return message


@pytest.fixture
def world() -> Iterator[World]:
    now = [1_790_000_000.0]
    cluster = SimulatedCluster(clock=lambda: now[0])
    with SimulatedVault(clock=lambda: now[0]) as vault:
        vault.table.put("secret/shop/db", ("password", "user"))
        provider = objects.vault_provider(vault.url, "secret")
        cluster.apply(objects.cluster_secret_store("vault-backend", provider))
        yield World(cluster, vault, Operator(cluster, [vault]), now)


def external_secret(**options: Any) -> Object:
    return objects.external_secret("shop", "db", created=None, **{"extract": "shop/db", **options})


def test_a_new_external_secret_is_synced_and_owns_its_secret(world: World) -> None:
    made = world.cluster.apply(external_secret(target="login"))
    world.reconcile()
    assert world.ready() == ("True", "SecretSynced", "secret synced")
    es = world.cluster.get("externalsecrets", "shop", "db")
    secret = world.cluster.get("secrets", "shop", "login")
    assert es
    assert secret
    assert es["status"]["refreshTime"] == "2026-09-21T14:13:20Z"
    assert es["status"]["binding"] == {"name": "login"}
    assert secret["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert set(secret["data"]) == {"password", "user"}


def test_nothing_happens_before_the_interval_is_over(world: World) -> None:
    world.cluster.apply(external_secret(interval="10m"))
    world.reconcile()
    before = world.cluster.versions.current
    world.reconcile(after=299)
    assert world.cluster.versions.current == before
    world.reconcile(after=302)
    es = world.cluster.get("externalsecrets", "shop", "db")
    assert es
    assert es["status"]["refreshTime"] == objects.stamp(world.now[0])
    assert es["status"]["conditions"][0]["lastTransitionTime"] == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize(
    ("options", "event"),
    [
        ({"extract": "shop/none"}, "error processing spec.dataFrom[0].extract, err: Secret does not exist"),
        (
            {"extract": None, "data": {"a": ("shop/db", "user"), "b": ("shop/db", "nope")}},
            'error processing spec.data[1] (key: shop/db), err: cannot find secret data for key: "nope"',
        ),
        (
            {"store": "gone"},
            'error processing spec.dataFrom[0].extract, err: could not get ClusterSecretStore "gone", '
            'ClusterSecretStore.external-secrets.io "gone" not found',
        ),
    ],
)
def test_failures(world: World, options: Object, event: str) -> None:
    world.cluster.apply(external_secret(**options))
    world.reconcile()
    assert world.ready() == ("False", "SecretSyncedError", "could not get secret data from provider")
    assert world.event() == event
    assert world.cluster.objects("secrets") == []


def test_a_sealed_vault_is_seen_at_the_next_refresh_and_healed_by_the_backoff(world: World) -> None:
    world.cluster.apply(external_secret(interval="1m"))
    world.reconcile()
    world.vault.seal()
    world.reconcile(after=30)
    assert world.ready()[0] == "True"
    world.reconcile(after=31)
    assert world.ready()[0] == "False"
    assert "Code: 503. Errors:\n\n* Vault is sealed" in world.event()
    store = world.cluster.get("clustersecretstores", "", "vault-backend")
    assert store
    assert store["status"]["conditions"][0]["reason"] == "Valid"
    world.vault.unseal()
    world.reconcile(after=0.5)
    assert world.ready()[0] == "False"
    world.reconcile(after=0.6)
    assert world.ready()[0] == "True"


def test_stores_are_validated_every_five_minutes(world: World) -> None:
    world.vault.seal()
    world.reconcile(after=301)
    store = world.cluster.get("clustersecretstores", "", "vault-backend")
    assert store
    assert (store["status"]["conditions"][0]["status"], store["status"]["conditions"][0]["reason"]) == (
        "False",
        "InvalidProviderConfig",
    )
    world.cluster.apply(external_secret())
    world.reconcile()
    assert world.event().endswith('ClusterSecretStore "vault-backend" is not ready')


def test_a_deleted_target_comes_back_and_a_deleted_external_secret_takes_it_along(world: World) -> None:
    world.cluster.apply(external_secret())
    world.reconcile()
    world.cluster.delete("secrets", "shop", "db")
    world.reconcile(after=1)
    assert world.cluster.get("secrets", "shop", "db")
    world.cluster.delete("externalsecrets", "shop", "db")
    world.reconcile(after=1)
    assert world.cluster.objects("secrets") == []


def test_an_edited_target_is_written_again(world: World) -> None:
    world.cluster.apply(external_secret())
    world.reconcile()
    world.cluster.change("secrets", "shop", "db", lambda secret: secret["data"].update({"extra": ""}))
    world.reconcile(after=1)
    secret = world.cluster.get("secrets", "shop", "db")
    assert secret
    assert set(secret["data"]) == {"password", "user"}


def test_a_manual_secret_is_taken_over_in_place(world: World) -> None:
    before = world.cluster.apply(objects.manual_secret("shop", "db", ["password", "user", "old"]))
    world.cluster.apply(external_secret())
    world.reconcile()
    secret = world.cluster.get("secrets", "shop", "db")
    assert secret
    assert secret["metadata"]["uid"] == before["metadata"]["uid"]
    assert [entry["manager"] for entry in secret["metadata"]["managedFields"]] == [
        "kubectl-create",
        "externalsecrets.external-secrets.io/db",
    ]
    assert set(secret["data"]) == {"password", "user"}


@pytest.mark.parametrize(("policy", "again"), [("CreatedOnce", False), ("OnChange", False), ("Periodic", True)])
def test_refresh_policies(world: World, policy: str, again: bool) -> None:
    world.cluster.apply(external_secret(refresh_policy=policy, interval="1m"))
    world.reconcile()
    before = world.cluster.versions.current
    world.reconcile(after=3600)
    es = world.cluster.get("externalsecrets", "shop", "db")
    assert es
    assert (int(es["metadata"]["resourceVersion"]) > before) is again


def test_a_policy_that_writes_nothing_writes_nothing(world: World) -> None:
    world.cluster.apply(external_secret(creation_policy="None"))
    world.reconcile()
    assert world.ready()[0] == "True"
    assert world.cluster.objects("secrets") == []


@pytest.mark.parametrize(
    ("provider", "key", "expected"),
    [
        ({"path": "secret"}, "keybuzz/stripe", ("secret", "keybuzz/stripe")),
        ({"path": "secret"}, "secret/data/keybuzz/stripe", ("secret", "keybuzz/stripe")),
        ({}, "secret/keybuzz/stripe", ("secret", "keybuzz/stripe")),
        ({}, "kv/app/data/x", ("kv/app", "x")),
        ({"path": "database", "version": "v1"}, "data/x", ("database", "data/x")),
    ],
)
def test_paths(provider: Object, key: str, expected: tuple[str, str]) -> None:
    assert kv_path(provider, key) == expected


def test_durations() -> None:
    assert [seconds(text) for text in ("1h0m0s", "90m", "1.5h", "300ms", "0")] == [3600, 5400, 5400, 0.3, 0]
