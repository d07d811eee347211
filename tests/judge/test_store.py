"""Each problem of a store: one test that makes it appear and one that keeps it away."""

from __future__ import annotations

import pytest

from tests.kinds import account, push_secret
from tests.world import EVERYTHING, NOW, World, external_secret, lines, secret, store

TOKEN = {"name": "vault-token", "namespace": "external-secrets"}


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop", "external-secrets")
    world.add("secrets", secret("vault-token", "external-secrets", keys=1))
    return world


def used(world: World, **given: object) -> None:
    world.add("clustersecretstores", store(**given))
    world.add("externalsecrets", external_secret())


def test_a_healthy_store_tells_everything(world: World) -> None:
    used(world)
    s = 'namespace="",store_kind="ClusterSecretStore",store_namespace="",store="vault-backend",vault="main"'
    assert [line for line in world.samples() if line.startswith("eso_secretstore")] == lines(f"""
        eso_secretstore_info{{{s},provider="vault",mount="secret",kv_version="2",auth="token",owner=""}} 1
        eso_secretstore_ready{{{s}}} 1
        eso_secretstore_ready_transition_timestamp_seconds{{{s}}} 1779995000
        eso_secretstore_externalsecrets{{{s},state="ready"}} 1
        eso_secretstore_externalsecrets{{{s},state="not_ready"}} 0
        eso_secretstore_externalsecrets{{{s},state="unknown"}} 0
    """)
    assert world.problems("store") == set()


def test_not_ready(world: World) -> None:
    used(world, ready="False", transition=NOW - 30)
    assert world.problems("store") == {"not_ready"}
    assert world.samples("eso_secretstore_ready")[0].endswith(" 0")


class TestNeverValidated:
    def test_appears_ten_minutes_after_creation(self, world: World) -> None:
        used(world, ready="", created=NOW - 590)
        assert world.problems("store") == set()
        world.wait(12)
        assert world.problems("store") == {"never_validated"}
        assert world.samples("eso_secretstore_ready")[0].endswith(" 0")

    def test_stays_away_for_a_foreign_controller(self, world: World) -> None:
        used(world, ready="", controller="elsewhere")
        assert world.problems("store") == set()
        assert world.samples("eso_secretstore_ready") == []


class TestUnchecked:
    def test_referent_authentication(self, world: World) -> None:
        auth = {"kubernetes": {"mountPath": "k", "role": "r", "serviceAccountRef": {"name": "app"}}}
        used(world, provider={"vault": {"server": "https://vault:8200", "auth": auth}})
        assert world.problems("store") == {"unchecked"}

    def test_what_eso_itself_says(self, world: World) -> None:
        used(world, reason="ValidationUnknown")
        assert world.problems("store") == {"unchecked"}


class TestCredentialsMissing:
    def test_appears_ten_seconds_after_it_was_missed(self, world: World) -> None:
        used(world)
        assert world.problems("store") == set()
        world.remove("secrets", "vault-token", "external-secrets")
        assert world.problems("store") == set()
        world.wait(12)
        assert world.problems("store") == {"credentials_missing"}
        world.add("secrets", secret("vault-token", "external-secrets"))
        assert world.problems("store") == set()

    def test_is_not_judged_while_secrets_are_unknown(self) -> None:
        world = World(known=("externalsecrets", "secretstores", "clustersecretstores"))
        used(world)
        world.samples()
        world.wait(12)
        assert world.problems("store") == set()


class TestAccountsMissing:
    @staticmethod
    def by_account(world: World, **ref: str) -> None:
        auth = {"kubernetes": {"mountPath": "k", "role": "r", "serviceAccountRef": {"name": "vault-auth", **ref}}}
        used(world, provider={"vault": {"server": "https://vault:8200", "auth": auth}})

    def test_appears_ten_seconds_after_it_was_missed(self, world: World) -> None:
        world.add("serviceaccounts", account())
        self.by_account(world, namespace="external-secrets")
        assert world.problems("store") == set()
        world.remove("serviceaccounts", "vault-auth", "external-secrets")
        assert world.problems("store") == set()
        world.wait(12)
        assert world.problems("store") == {"credentials_missing"}
        [problem] = world.groups.problems["store", "", "vault-backend"]
        assert problem.evidence == ("serviceaccount external-secrets/vault-auth",)
        world.add("serviceaccounts", account())
        assert world.problems("store") == set()

    def test_of_a_namespaced_store_is_looked_for_beside_it(self, world: World) -> None:
        auth = {"kubernetes": {"serviceAccountRef": {"name": "app", "namespace": "ignored"}}}
        world.add("secretstores", store("own", "shop", provider={"vault": {"server": "https://v", "auth": auth}}))
        world.add("externalsecrets", external_secret(spec={"secretStoreRef": {"name": "own"}}))
        world.samples()
        world.wait(12)
        assert world.problems("store") == {"credentials_missing"}
        world.add("serviceaccounts", account("app", "shop"))
        assert world.problems("store") == set()

    def test_without_a_namespace_there_is_no_place_to_look(self, world: World) -> None:
        self.by_account(world)
        world.samples()
        world.wait(12)
        assert world.problems("store") == {"unchecked"}

    def test_is_not_judged_while_accounts_are_unknown(self) -> None:
        world = World(known=tuple(name for name in EVERYTHING if name != "serviceaccounts"))
        self.by_account(world, namespace="external-secrets")
        world.samples()
        world.wait(12)
        assert world.problems("store") == set()


class TestUnused:
    def test_appears_after_ten_minutes_without_users(self, world: World) -> None:
        world.add("clustersecretstores", store())
        assert world.problems("store") == set()
        world.wait(602)
        assert world.problems("store") == {"unused"}

    def test_stays_away_while_somebody_reads_from_it(self, world: World) -> None:
        used(world)
        world.samples()
        world.wait(602)
        assert world.problems("store") == set()

    def test_stays_away_while_somebody_pushes_to_it(self, world: World) -> None:
        world.add("clustersecretstores", store())
        world.add("pushsecrets", push_secret())
        world.samples()
        world.wait(602)
        assert world.problems("store") == set()
        world.remove("pushsecrets", "out", "shop")
        world.samples()
        world.wait(602)
        assert world.problems("store") == {"unused"}

    @pytest.mark.parametrize("unknown", ["externalsecrets", "pushsecrets"])
    def test_is_not_judged_while_its_users_are_unknown(self, unknown: str) -> None:
        world = World(known=tuple(name for name in EVERYTHING if name != unknown))
        world.add("secrets", secret("vault-token", "external-secrets"))
        world.add("clustersecretstores", store())
        world.samples()
        world.wait(602)
        assert world.problems("store") == set()


def test_users_are_counted_by_state(world: World) -> None:
    used(world)
    world.add("externalsecrets", external_secret("two", ready="False"), external_secret("three", ready=""))
    counts = [line.rsplit(" ", 1)[1] for line in world.samples("eso_secretstore_externalsecrets")]
    assert counts == ["1", "1", "1"]
    world.add("externalsecrets", external_secret("two"))
    world.remove("externalsecrets", "three", "shop")
    counts = [line.rsplit(" ", 1)[1] for line in world.samples("eso_secretstore_externalsecrets")]
    assert counts == ["2", "0", "0"]


def test_an_externalsecret_that_moves_between_stores_is_counted_once(world: World) -> None:
    used(world)
    world.add("clustersecretstores", store("other"))
    world.samples()
    moved = {"secretStoreRef": {"name": "other", "kind": "ClusterSecretStore"}}
    world.add("externalsecrets", external_secret(spec=moved))
    counts = {line for line in world.samples("eso_secretstore_externalsecrets") if 'state="ready"' in line}
    assert {line.split('store="')[1].split('"')[0]: line[-1] for line in counts} == {"vault-backend": "0", "other": "1"}


def test_a_namespaced_store_carries_its_namespace(world: World) -> None:
    world.add("secretstores", store("own", "shop"))
    (line,) = world.samples("eso_secretstore_ready")
    assert line.startswith(
        'eso_secretstore_ready{namespace="shop",store_kind="SecretStore",store_namespace="shop",store="own"'
    )


def test_inline_values_of_the_fake_provider_are_not_looked_into(world: World) -> None:
    fake = {"fake": {"data": [{"key": "a", "value": "planted-value", "name": "x"}]}}
    world.add("clustersecretstores", store("fake", provider=fake))
    record = world.inventory.clustersecretstores.get("", "fake")
    assert record is not None
    assert record.provider == "fake"
    assert "planted" not in repr(record)
