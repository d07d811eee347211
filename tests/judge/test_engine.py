"""What the engine does around the judges: an object that breaks its judge must not blind it to the others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exporter.judge import engine, externalsecret
from tests.world import NOW, World, external_secret, owned, secret, store

FAMILY = "eso_externalsecret_ready"


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of ExternalSecrets whose judge raises."""
    names: set[str] = set()

    def rule(record: Any, *around: Any) -> Any:
        if record.name in names:
            raise LookupError("a defect")
        return externalsecret.KIND.rule(record, *around)

    broken = msgspec.structs.replace(externalsecret.KIND, rule=rule)
    monkeypatch.setattr(engine, "KINDS", tuple(broken if one is externalsecret.KIND else one for one in engine.KINDS))
    return names


def ready(world: World) -> dict[str, str]:
    """Value of the family by ExternalSecret, after a run; what broke is left to the test."""
    world.engine.run(world.now)
    world.exposition.refresh()
    text = world.exposition.body(openmetrics=False, gzip=False, now=world.now).read().decode()
    lines = [line for line in text.splitlines() if line.startswith(FAMILY + "{")]
    return {line.split('name="')[1].split('"')[0]: line.rsplit(" ", 1)[1] for line in lines}


def test_the_others_of_a_round_are_judged(breaking: set[str]) -> None:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    breaking.add("b")
    world.add("externalsecrets", *(external_secret(name) for name in ("a", "b", "c")))

    assert ready(world) == {"a": "1", "c": "1"}
    assert {key: str(error) for key, error in world.engine.broken.items()} == {
        ("externalsecret", "shop", "b"): "a defect"
    }


def test_it_keeps_the_judgement_it_had_and_heals(breaking: set[str]) -> None:
    world = World()
    world.add("clustersecretstores", store())
    world.add("externalsecrets", external_secret("b"))
    assert ready(world) == {"b": "1"}

    breaking.add("b")
    world.add("externalsecrets", external_secret("b", ready="False"))
    assert ready(world) == {"b": "1"}

    breaking.clear()
    world.wait(61)
    assert ready(world) == {"b": "0"}
    assert world.engine.broken == {}


def test_all_are_judged_when_everything_changed(breaking: set[str]) -> None:
    world = World()
    world.add("clustersecretstores", store())
    breaking.add("a")
    world.add("externalsecrets", *(external_secret(name) for name in ("a", "b", "c")))
    world.inventory.everything_changed()

    assert ready(world) == {"b": "1", "c": "1"}
    assert set(world.engine.broken) == {("externalsecret", "shop", "a")}


def test_one_that_is_gone_is_not_broken_any_more(breaking: set[str]) -> None:
    world = World()
    breaking.add("a")
    world.add("externalsecrets", external_secret("a"))
    assert ready(world) == {}
    assert world.engine.broken

    world.remove("externalsecrets", "a", "shop")

    assert ready(world) == {}
    assert world.engine.broken == {}


def judged(world: World, *objects: dict[str, Any], **cells: Any) -> int:
    """How many judgements a change of these Secrets causes."""
    world.add("secrets", *objects, **cells)
    return world.engine.run(world.now)


def test_the_number_of_keys_of_a_secret_concerns_only_whom_it_is_counted_for() -> None:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    world.add("externalsecrets", external_secret("db"))
    by_hand = secret("other")
    judged(world, owned("db"), by_hand)

    assert judged(world, by_hand, keys=9) == 0
    assert judged(world, owned("db"), keys=9) == 0
    # Written in full by somebody who left no names of keys behind: what it holds is known by their number alone.
    nameless = owned("db", keys=())
    assert judged(world, nameless, keys=1) == 2
    assert judged(world, nameless, keys=0) == 1
    kept = world.inventory.secrets.get("shop", "db")
    assert kept is not None
    assert kept.facts.keys == 0
    assert judged(world, secret("other", entries=(("curl", NOW, ("password",)),)), keys=9) >= 1
