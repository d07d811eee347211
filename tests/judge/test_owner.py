"""The `owner` label: the first configured key on the object, then on its Namespace; never longer than allowed."""

from __future__ import annotations

import pytest

from exporter.config.settings import OwnerSettings, Settings
from tests.world import World, external_secret, secret, store


@pytest.fixture
def world() -> World:
    return World(settings=Settings(owner=OwnerSettings(keys=("team", "example.com/owner"), max_length=10)))


def owner(world: World, family: str) -> str:
    [line] = world.samples(family)
    return line.split('owner="')[1].split('"')[0]


def test_nobody_is_named(world: World) -> None:
    world.namespace("shop")
    world.add("externalsecrets", external_secret())
    assert owner(world, "eso_externalsecret_info") == ""
    assert world.samples("eso_namespace_owner_info") == []


def test_a_label_of_the_object(world: World) -> None:
    world.namespace("shop", labels={"team": "platform"})
    world.add("externalsecrets", external_secret(labels={"team": "pay"}))
    assert owner(world, "eso_externalsecret_info") == "pay"


def test_an_annotation_of_the_object(world: World) -> None:
    world.namespace("shop")
    world.add("secrets", secret(annotations={"example.com/owner": "pay"}))
    assert owner(world, "eso_manual_secret_info") == "pay"


def test_the_order_of_the_keys_decides_not_that_of_the_object(world: World) -> None:
    world.namespace("shop")
    world.add("externalsecrets", external_secret(labels={"example.com/owner": "second", "team": "first"}))
    assert owner(world, "eso_externalsecret_info") == "first"


def test_the_namespace_stands_in(world: World) -> None:
    world.namespace("shop", labels={"team": "pay"})
    world.add("externalsecrets", external_secret())
    world.add("secrets", secret("by-hand"))
    world.add("secretstores", store("own", "shop"))
    for family in ("eso_externalsecret_info", "eso_manual_secret_info", "eso_secretstore_info"):
        assert owner(world, family) == "pay"
    assert world.samples("eso_namespace_owner_info") == ['eso_namespace_owner_info{namespace="shop",owner="pay"} 1']


def test_everything_follows_when_the_namespace_changes_hands(world: World) -> None:
    world.namespace("shop", labels={"team": "pay"})
    world.add("externalsecrets", external_secret())
    world.add("secrets", secret("by-hand"))
    assert owner(world, "eso_externalsecret_info") == "pay"
    world.namespace("shop", labels={"team": "mail"})
    for family in ("eso_externalsecret_info", "eso_manual_secret_info"):
        assert owner(world, family) == "mail"


def test_a_store_of_the_cluster_has_no_namespace_to_ask(world: World) -> None:
    world.namespace("shop", labels={"team": "pay"})
    world.add("clustersecretstores", store())
    assert owner(world, "eso_secretstore_info") == ""


def test_a_long_value_is_cut(world: World) -> None:
    world.namespace("shop")
    world.add("externalsecrets", external_secret(annotations={"example.com/owner": "x" * 5000}))
    assert owner(world, "eso_externalsecret_info") == "x" * 10


def test_a_value_cannot_break_out_of_its_label(world: World) -> None:
    world.namespace("shop")
    world.add("externalsecrets", external_secret(annotations={"team": 'a"}\n\\'}))
    [line] = world.samples("eso_externalsecret_info")
    assert line.endswith('owner="a\\"}\\n\\\\"} 1')
