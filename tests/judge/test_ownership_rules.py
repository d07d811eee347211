"""A user's own rules of ownership: every condition, all of them together, before the built-in table and behind ESO."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.settings import OwnershipRule, OwnershipSettings, Settings
from exporter.eso.ownership import (
    MARK_CREATED_BY,
    MARK_MANAGER,
    OWNED,
    Neighbours,
    Rule,
    Target,
    classify,
    decided_alone,
)
from tests.world import NOW, World, external_secret, owned, secret, store


def judged(rule: OwnershipRule | tuple[OwnershipRule, ...], *objects: dict[str, Any], type_: str = "Opaque") -> World:
    rules = rule if isinstance(rule, tuple) else (rule,)
    world = World(settings=Settings(ownership=OwnershipSettings(rules=rules)))
    world.namespace("shop")
    world.add("clustersecretstores", store())
    world.add("secrets", *objects, type_=type_)
    world.samples()
    return world


def told(world: World, name: str = "db") -> tuple[str, str]:
    """(class, rule of the table) of a Secret."""
    record = world.inventory.secrets.get("shop", name)
    assert record is not None
    return record.ownership, record.facts.rule


def by(manager: str) -> dict[str, Any]:
    return secret(entries=((manager, NOW - 100, ("k",)),))


OWNER = {"kind": "Widget", "apiVersion": "vendor.example/v1", "name": "w", "uid": "u"}


@pytest.mark.parametrize(
    ("condition", "fits", "misses"),
    [
        ({"secret": "d?"}, secret(), secret("other")),
        ({"secret": "db"}, secret(), secret("dbx")),
        ({"namespace": "sh*"}, secret(), None),
        ({"namespace": "elsewhere"}, None, secret()),
        ({"label": "made-by"}, secret(labels={"made-by": "x"}), secret(labels={"made-by-x": ""})),
        ({"label": "made-by=x*"}, secret(labels={"made-by": "xy"}), secret(labels={"made-by": "y"})),
        ({"label": "*.vendor.example/*"}, secret(labels={"a.vendor.example/b": ""}), secret(labels={"vendor": ""})),
        ({"annotation": "vendor/id"}, secret(annotations={"vendor/id": "1"}), secret(annotations={"vendor": "1"})),
        ({"manager": "my-operator*"}, by("my-operator-7"), by("an-operator")),
        ({"owner_kind": "Widget"}, secret(owners=[OWNER]), secret(owners=[{**OWNER, "kind": "Pod"}])),
        (
            {"owner_kind": "Widget.vendor.example"},
            secret(owners=[OWNER]),
            secret(owners=[{**OWNER, "apiVersion": "a/b"}]),
        ),
    ],
)
def test_each_condition(condition: dict[str, str], fits: dict[str, Any] | None, misses: dict[str, Any] | None) -> None:
    rule = OwnershipRule("ours", "system", **condition)
    if fits is not None:
        assert told(judged(rule, fits)) == ("system", "ours")
    if misses is not None:
        world = judged(rule, misses)
        assert told(world, misses["metadata"]["name"])[1] != "ours"


def test_by_type() -> None:
    rule = OwnershipRule("ours", "controller", type="vendor.example/*")
    assert told(judged(rule, secret(), type_="vendor.example/token")) == ("controller", "ours")
    assert told(judged(rule, secret())) == ("manual", "")


def test_every_given_condition_must_hold() -> None:
    rule = OwnershipRule("ours", "gitops", secret="db", label="app=shop", manager="kubectl-*")
    assert told(judged(rule, secret(labels={"app": "shop"}))) == ("gitops", "ours")
    assert told(judged(rule, secret(labels={"app": "mail"}))) == ("manual", "")
    assert told(judged(rule, secret("dc", labels={"app": "shop"})), "dc") == ("manual", "")


@pytest.mark.parametrize("result", ["system", "controller", "bootstrap", "helm", "gitops", "manual", "unknown"])
def test_a_rule_gives_any_class_that_is_not_esos(result: Any) -> None:
    world = judged(OwnershipRule("ours", result, secret="*"), secret())
    assert told(world) == (result, "ours")
    surviving = 1 if result == "manual" else 0
    assert world.samples("eso_manual_secrets") == [f'eso_manual_secrets{{namespace="shop"}} {surviving}']


def test_the_rule_that_decided_is_told_of_a_manual_secret() -> None:
    world = judged(OwnershipRule("bot-made", "manual", manager="my-bot"), by("my-bot"))
    [line] = world.samples("eso_manual_secret_info")
    assert 'rule="bot-made"' in line


def test_the_first_rule_wins_and_stands_over_the_built_in_table() -> None:
    certificate = secret(annotations={"cert-manager.io/certificate-name": "web"}, owners=[OWNER])
    first = OwnershipRule("first", "manual", annotation="cert-manager.io/certificate-name")
    second = OwnershipRule("second", "unknown", secret="*")
    assert told(judged((first, second), certificate)) == ("manual", "first")
    assert told(judged((second, first), certificate)) == ("unknown", "second")


def test_no_rule_takes_a_secret_from_eso() -> None:
    rule = OwnershipRule("ours", "manual", secret="*")
    world = judged(rule)
    world.add("externalsecrets", external_secret())
    world.add("secrets", owned())
    world.samples()
    assert told(world)[0] == "eso_owned"


@settings(max_examples=60)
@given(
    st.booleans(),
    st.integers(0, 31),
    st.sampled_from(
        [Rule("", ""), Rule("a", "helm"), Rule("b", "gitops"), Rule("c", "system"), Rule("d", "controller")]
    ),
    st.lists(
        st.builds(Target, st.just("db"), st.sampled_from(["Owner", "Orphan", "Merge", "CreateOrMerge", "None"])),
        max_size=2,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "none", "curl"]),
)
def test_what_is_decided_alone_is_decided_so_beside_any_neighbours(owned, marks, rule, targets, named, living, creator):
    """A living ExternalSecret that made it can only be told by a label, which is a mark."""
    alone = decided_alone(owned=owned, marks=marks, ownership=rule.ownership)
    neighbours = Neighbours(targets, living and bool(marks & MARK_CREATED_BY), named)
    told = classify(
        owned=owned,
        marks=marks,
        es_manager=bool(marks & MARK_MANAGER),
        creator=creator,
        rule=rule,
        neighbours=neighbours,
    )
    assert not alone or told == (OWNED if owned else rule)
