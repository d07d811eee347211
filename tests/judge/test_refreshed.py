"""An ExternalSecret of which only the last sync changed is not judged anew, and is told as if it had been."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exporter.inventory.changes import EXTERNALSECRET
from exporter.metrics.externalsecret import moved
from tests.world import NOW, World, external_secret, owned, store

NAMES = st.sampled_from(("plain", "often", "windows", "once"))
WINDOWS = {"syncWindows": {"kind": "allow", "windows": [{"schedule": "0 1 * * *", "duration": "1h"}]}}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "often": {"interval": "1m"},
    "windows": {"spec": WINDOWS},
    "once": {"refresh_policy": "CreatedOnce"},
}


class Refreshes(RuleBasedStateMachine):
    """After any sequence of syncs and changes, judging everything anew tells nothing else."""

    @initialize()
    def begin(self) -> None:
        self.world, self.anew = World(), World()
        self.given: dict[str, dict[str, Any]] = {name: dict(kind) for name, kind in KINDS.items()}
        for world in (self.world, self.anew):
            world.namespace("shop")
        self.add("clustersecretstores", store())
        for name in KINDS:
            self.put(name)
            self.add("secrets", owned(name, es=name))

    def add(self, resource: str, one: dict[str, Any]) -> None:
        for world in (self.world, self.anew):
            world.add(resource, one)

    def remove(self, resource: str, name: str, namespace: str = "") -> None:
        for world in (self.world, self.anew):
            world.remove(resource, name, namespace)

    def put(self, name: str, **given: Any) -> None:
        self.given[name] |= given
        self.add("externalsecrets", external_secret(name, **self.given[name]))

    @rule(name=NAMES, ago=st.sampled_from((0, 1, 100, 10_000, None)))
    def refresh(self, name: str, ago: int | None) -> None:
        self.put(name, synced=None if ago is None else self.world.now - ago)

    @rule(name=NAMES, ready=st.sampled_from(("True", "False", "")))
    def turn(self, name: str, ready: str) -> None:
        self.put(name, ready=ready, transition=self.world.now)

    @rule(name=NAMES, version=st.sampled_from(("0-old", None)))
    def edit(self, name: str, version: str | None) -> None:
        self.given[name].pop("version", None)
        self.put(name, **({} if version is None else {"version": version}))

    @rule(name=NAMES, there=st.booleans())
    def target(self, name: str, there: bool) -> None:
        if there:
            self.add("secrets", owned(name, es=name))
        else:
            self.remove("secrets", name, "shop")

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.remove("externalsecrets", name, "shop")

    @rule(ready=st.sampled_from(("True", "False", None)))
    def store(self, ready: str | None) -> None:
        if ready is None:
            self.remove("clustersecretstores", "vault-backend")
        else:
            self.add("clustersecretstores", store(ready=ready))

    @rule(seconds=st.sampled_from((1, 12, 1000, 4000)))
    def wait(self, seconds: int) -> None:
        for world in (self.world, self.anew):
            world.wait(seconds)

    @invariant()
    def all_is_told_as_if_judged_anew(self) -> None:
        if hasattr(self, "world"):
            self.anew.inventory.everything_changed()
            assert self.world.samples() == self.anew.samples()


TestRefreshes = Refreshes.TestCase
TestRefreshes.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.fixture
def world() -> World:
    """One ExternalSecret that was judged, without a problem."""
    made = World()
    made.add("clustersecretstores", store())
    made.add("externalsecrets", external_secret())
    made.add("secrets", owned())
    assert made.problems() == set()
    return made


def test_a_sync_is_no_judgement_and_an_overdue_one_is_found_at_its_moment(world: World) -> None:
    world.add("externalsecrets", external_secret(synced=NOW))
    assert world.engine.run(NOW) == 0
    (line,) = world.samples("eso_externalsecret_sync_deadline_timestamp_seconds")
    assert line.endswith(f" {NOW + 7200:.0f}")
    world.wait(7199)
    assert world.problems() == set()
    world.wait(2)
    assert world.problems() == {"overdue"}


def test_a_sync_whose_deadline_is_past_is_overdue_at_once(world: World) -> None:
    world.wait(7000)
    world.add("externalsecrets", external_secret(synced=NOW - 59, interval="1h0m0s"))
    assert world.problems() == set()
    world.now = NOW + 7200
    world.add("externalsecrets", external_secret(synced=NOW - 58))
    assert world.problems() == {"overdue"}


def test_a_sync_that_is_told_late_is_overdue_at_its_own_moment(world: World) -> None:
    """Its deadline is before the one that was waited for."""
    world.add("externalsecrets", external_secret(synced=NOW - 1000))
    assert world.problems() == set()
    world.wait(6201)
    assert world.problems() == {"overdue"}


def test_a_sync_after_which_the_spec_is_not_applied(world: World) -> None:
    world.add("externalsecrets", external_secret(synced=NOW, version="0-old"))
    assert world.problems() == set()
    world.wait(901)
    assert world.problems() == {"spec_not_applied"}


def test_facts_of_another_state_are_not_moved(world: World) -> None:
    """As those of an object that could not be judged since."""
    facts = world.groups.judgement(EXTERNALSECRET, "shop", "db")
    later = msgspec.structs.replace(facts.record, refreshed=NOW)
    assert moved(facts, later) == msgspec.structs.replace(facts, record=later)
    assert moved(facts, msgspec.structs.replace(later, status="False")) is None
    assert moved(None, later) is None


def test_what_was_seen_of_a_deleted_object_is_forgotten_though_everything_is_judged_anew() -> None:
    world = World()
    world.add("clustersecretstores", store())
    world.add("secrets", owned(es="gone"))
    world.samples()
    world.remove("secrets", "db", "shop")
    world.inventory.everything_changed()
    world.samples()
    world.wait(100)
    world.add("secrets", owned(es="gone"))
    assert world.problems("secret") == set()
    world.wait(12)
    assert world.problems("secret") == {"owner_dangling"}
