"""Why an ExternalSecret is not ready: conditions first, then the newest Event of the present outage, then its stores."""

from __future__ import annotations

import json

import msgspec
import pytest

from exporter.kube.resource import NO_CELLS
from tests.kinds import event
from tests.world import EVERYTHING, NOW, World, external_secret, owned, store

SEALED = "error processing spec.data[0] (key: x), err: cannot read secret data from Vault: Code: 503. Errors:\n\n* Vault is sealed"
PLANTED = "planted-value-in-an-event"


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    world.add("secrets", owned())
    world.add("externalsecrets", external_secret())
    return world


def fail(world: World, **given: object) -> None:
    world.add(
        "externalsecrets",
        external_secret(
            ready="False", message="could not get secret data from provider", **{"transition": NOW - 60, **given}
        ),
    )


def error(world: World) -> str:
    """The class that is told; fails when not_ready is not there exactly once."""
    lines = [line for line in world.samples("eso_externalsecret_problem") if 'problem="not_ready"' in line]
    assert len(lines) == 1
    return lines[0].split('error="')[1].split('"')[0]


def test_the_event_tells_whichever_comes_first(world: World) -> None:
    fail(world)
    assert error(world) == "unknown"
    world.add("events", event(message=SEALED))
    assert error(world) == "vault_sealed"


def test_an_event_that_comes_before_the_status_is_kept(world: World) -> None:
    world.add("events", event(message=SEALED, when=NOW - 61))
    assert world.problems() == set()
    fail(world, transition=NOW - 60)
    assert error(world) == "vault_sealed"


def test_only_the_newest_counts(world: World) -> None:
    fail(world)
    world.add("events", event(message=SEALED, when=NOW - 10))
    world.add("events", event(event="db.other", message="Secret does not exist", when=NOW - 50))
    assert error(world) == "vault_sealed"
    world.add("events", event(event="db.other", message="Secret does not exist", when=NOW - 5))
    assert error(world) == "path_missing"


def test_an_event_of_an_earlier_outage_does_not_count(world: World) -> None:
    world.add("events", event(message=SEALED, when=NOW - 1800))
    fail(world, transition=NOW - 60)
    assert error(world) == "unknown"


def test_an_event_of_another_object_of_that_name_does_not_count(world: World) -> None:
    fail(world)
    world.add("events", event(message=SEALED, uid="the-one-before"))
    assert error(world) == "unknown"


def test_it_outlives_its_event_and_ends_with_the_outage(world: World) -> None:
    fail(world)
    world.add("events", event(message=SEALED))
    assert error(world) == "vault_sealed"
    world.remove("events", "db.17f3a0", "shop")
    world.wait(7200)
    assert error(world) == "vault_sealed"
    world.add("externalsecrets", external_secret(synced=world.now))
    assert world.problems() == set()
    assert len(world.inventory.failures) == 0
    fail(world, transition=world.now)
    assert error(world) == "unknown"


def test_it_goes_with_its_externalsecret(world: World) -> None:
    fail(world)
    world.add("events", event(message=SEALED))
    world.remove("externalsecrets", "db", "shop")
    assert len(world.inventory.failures) == 0


def test_what_eso_never_retries_stays_first(world: World) -> None:
    fail(world)
    world.add("externalsecrets", external_secret(ready="False", message="target is owned by another ExternalSecret"))
    world.add("events", event(message=SEALED))
    assert error(world) == "owned_by_other"


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "ParameterDeprecated"},
        {"type": "Normal"},
        {"kind": "PushSecret"},
        {"api_version": "kubernetes-client.io/v1"},
    ],
)
def test_other_events_are_of_no_interest(world: World, given: dict[str, str]) -> None:
    spec = world.resources["events"]
    wire = msgspec.json.decode(json.dumps(event(**given)), type=spec.item)
    assert spec.convert(wire, NO_CELLS) is None


def test_events_of_the_newer_api_are_read_alike(world: World) -> None:
    fail(world)
    times = {
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": "2026-05-28T20:25:00.123456Z",
        "series": {"count": 2, "lastObservedTime": "2026-05-28T20:26:00.123456Z"},
    }
    world.add("events", event(message=SEALED, times=times))
    failure = world.inventory.failures.get("shop", "db")
    assert failure is not None
    assert failure.time == pytest.approx(NOW - 40, abs=1e5)
    assert failure.time % 60 == pytest.approx(0.123456)


def test_no_text_of_a_message_is_kept(world: World) -> None:
    message = f"could not apply template: error calling fail: {PLANTED}"
    fail(world)
    world.add("events", event(message=message))
    assert error(world) == "template_error"
    assert PLANTED not in repr(world.inventory.failures.get("shop", "db"))
    assert PLANTED not in "\n".join(world.samples())


class TestWithoutAnEvent:
    def test_a_missing_store_tells(self, world: World) -> None:
        world.remove("clustersecretstores", "vault-backend")
        fail(world)
        assert error(world) == "store_missing"

    def test_a_store_that_is_not_ready_tells(self, world: World) -> None:
        world.add("clustersecretstores", store(ready="False"))
        fail(world)
        assert error(world) == "store_not_ready"

    @pytest.mark.parametrize("given", [{"ready": "True"}, {"ready": ""}, {"ready": "False", "controller": "elsewhere"}])
    def test_a_store_that_is_no_cause_tells_nothing(self, world: World, given: dict[str, str]) -> None:
        world.add("clustersecretstores", store(**given))
        fail(world)
        assert error(world) == "unknown"

    def test_one_of_several_stores_may_be_missing(self, world: World) -> None:
        own = {"secretKey": "a", "remoteRef": {"key": "x"}, "sourceRef": {"storeRef": {"name": "own"}}}
        there = {"secretKey": "b", "remoteRef": {"key": "x"}}
        world.add("clustersecretstores", store(ready="False"))
        fail(world, spec={"data": [own, there]})
        assert error(world) == "store_missing"

    def test_an_event_says_more(self, world: World) -> None:
        world.add("clustersecretstores", store(ready="False"))
        fail(world)
        world.add("events", event(message="Secret does not exist"))
        assert error(world) == "path_missing"

    def test_a_store_that_cannot_be_read_tells_nothing(self) -> None:
        world = World(known=tuple(name for name in EVERYTHING if name not in ("clustersecretstores", "events")))
        fail(world)
        assert error(world) == "unknown"


def test_events_that_cannot_be_read_any_more_are_forgotten(world: World) -> None:
    fail(world)
    world.add("events", event(message=SEALED))
    assert error(world) == "vault_sealed"
    world.inventory.failures.forget("")
    assert error(world) == "unknown"
