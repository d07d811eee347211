"""Secrets that stores and generators log in by: they cannot come from Vault, and count as such wherever they are named."""

from __future__ import annotations

import pytest

from tests.kinds import cluster_generator, generator, push_secret
from tests.world import World, external_secret, secret, store


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop", "elsewhere")
    for namespace in ("shop", "elsewhere"):
        world.add("secrets", secret("vault-login", namespace))
    return world


def classes(world: World, namespace: str = "shop") -> dict[str, str]:
    """How many Secrets of each class a namespace holds."""
    found = [line for line in world.samples("eso_secrets") if f'namespace="{namespace}"' in line]
    return {line.split('class="')[1].split('"')[0]: line.rsplit(" ", 1)[1] for line in found}


def using(kind: str, name: str = "database") -> dict[str, object]:
    """The spec of an ExternalSecret that reads from a generator."""
    ref = {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": kind, "name": name}
    return {"secretStoreRef": None, "data": [], "dataFrom": [{"sourceRef": {"generatorRef": ref}}]}


def test_what_a_generator_names_is_bootstrap_in_its_own_namespace(world: World) -> None:
    assert classes(world) == {"manual": "1"}
    world.add("vaultdynamicsecrets", generator())
    # The namespace in its reference means nothing: a generator reads where it is used.
    assert classes(world) == {"bootstrap": "1", "manual": "0"}
    assert classes(world, "elsewhere") == {"manual": "1"}
    world.add("vaultdynamicsecrets", generator(secret="another"))
    assert classes(world) == {"manual": "1"}
    world.add("vaultdynamicsecrets", generator())
    world.remove("vaultdynamicsecrets", "database", "shop")
    assert classes(world) == {"manual": "1"}


def test_what_a_cluster_generator_names_is_bootstrap_where_it_is_used(world: World) -> None:
    world.add("clustergenerators", cluster_generator())
    assert classes(world) == {"manual": "1"}
    world.add("externalsecrets", external_secret(spec=using("ClusterGenerator"), target="made"))
    assert classes(world) == {"bootstrap": "1", "manual": "0"}
    assert classes(world, "elsewhere") == {"manual": "1"}
    world.remove("externalsecrets", "db", "shop")
    assert classes(world) == {"manual": "1"}


def test_a_cluster_generator_that_comes_after_its_user(world: World) -> None:
    world.add("externalsecrets", external_secret(spec=using("ClusterGenerator"), target="made"))
    assert classes(world) == {"manual": "1"}
    world.add("clustergenerators", cluster_generator())
    assert classes(world) == {"bootstrap": "1", "manual": "0"}


def test_what_a_pushed_to_store_names_is_bootstrap_where_it_is_used(world: World) -> None:
    auth = {"tokenSecretRef": {"name": "vault-login", "key": "token"}}
    world.add("clustersecretstores", store(provider={"vault": {"server": "https://vault:8200", "auth": auth}}))
    assert classes(world) == {"manual": "1"}
    world.add("pushsecrets", push_secret())
    assert classes(world) == {"bootstrap": "1", "manual": "0"}
    world.remove("pushsecrets", "out", "shop")
    assert classes(world) == {"manual": "1"}


def test_values_of_the_fake_generator_are_not_looked_into(world: World) -> None:
    spec = {"kind": "Fake", "generator": {"fakeSpec": {"data": {"name": "vault-login", "key": "planted-value"}}}}
    world.add("clustergenerators", {"metadata": {"name": "fake"}, "spec": spec})
    record = world.inventory.clustergenerators.get("", "fake")
    assert record is not None
    assert record.secrets == ()
    assert "planted" not in repr(record)


def test_generators_without_secrets_of_their_own_are_of_no_interest(world: World) -> None:
    world.add("externalsecrets", external_secret(spec=using("Password"), target="made"))
    record = world.inventory.externalsecrets.get("shop", "db")
    assert record is not None
    assert (record.plan.generators, record.plan.stores) == ((), ())
