"""Each problem of a PushSecret: one test that makes it appear and one that keeps it away; object in, text out."""

from __future__ import annotations

import pytest

from tests.kinds import push_secret
from tests.world import EVERYTHING, NOW, World, lines, store


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    return world


def test_a_healthy_one_tells_everything_and_has_no_problem(world: World) -> None:
    world.add("pushsecrets", push_secret())
    assert [line for line in world.samples() if line.startswith("eso_pushsecret")] == lines("""
        eso_pushsecret_ready{namespace="shop",name="out"} 1
        eso_pushsecret_last_sync_timestamp_seconds{namespace="shop",name="out"} 1779999940
        eso_pushsecret_store_info{namespace="shop",name="out",store_kind="ClusterSecretStore",store_namespace="",store="vault-backend",vault="main"} 1
    """)
    world.wait(60)
    assert world.problems("pushsecret") == set()


class TestNotReady:
    def test_appears_with_the_condition(self, world: World) -> None:
        message = 'set secret failed: could not get secrets client for store vault-backend: ClusterSecretStore "x" is not ready'
        world.add("pushsecrets", push_secret(ready="False", message=message, transition=NOW - 30))
        assert world.samples("eso_pushsecret_ready", "eso_pushsecret_problem") == lines("""
            eso_pushsecret_ready{namespace="shop",name="out"} 0
            eso_pushsecret_problem{namespace="shop",name="out",problem="not_ready"} 1
        """)
        assert world.samples("eso_problem_since_timestamp_seconds") == lines("""
            eso_problem_since_timestamp_seconds{kind="pushsecret",namespace="shop",name="out",node="",problem="not_ready",basis="object"} 1779999970
        """)
        [problem] = world.groups.problems["pushsecret", "shop", "out"]
        assert problem.error == "store_not_ready"

    def test_appears_without_a_status_after_ten_minutes(self, world: World) -> None:
        world.add("pushsecrets", push_secret(ready="", synced=None, created=NOW - 590))
        assert world.problems("pushsecret") == set()
        assert world.samples("eso_pushsecret_ready")[0].endswith(" 0")
        assert not world.samples("eso_pushsecret_last_sync_timestamp_seconds")
        world.wait(12)
        assert world.problems("pushsecret") == {"not_ready"}

    def test_stays_away_when_its_stores_belong_to_another_controller(self, world: World) -> None:
        world.add("clustersecretstores", store(controller="elsewhere", ready=""))
        world.add("pushsecrets", push_secret(ready="", synced=None))
        assert world.problems("pushsecret") == set()
        world.add("clustersecretstores", store())
        assert world.problems("pushsecret") == {"not_ready"}

    def test_no_text_of_the_message_is_kept(self, world: World) -> None:
        world.add("pushsecrets", push_secret(ready="False", message="planted-value"))
        record = world.inventory.pushsecrets.get("shop", "out")
        assert "planted" not in repr(record)
        assert "planted" not in "\n".join(world.samples())


class TestOverdue:
    def test_appears_when_its_deadline_passes(self, world: World) -> None:
        world.add("pushsecrets", push_secret())
        world.wait(7139)
        assert world.problems("pushsecret") == set()
        world.wait(3)
        assert world.problems("pushsecret") == {"overdue"}

    def test_a_push_takes_it_back(self, world: World) -> None:
        world.add("pushsecrets", push_secret())
        world.wait(8000)
        assert world.problems("pushsecret") == {"overdue"}
        world.add("pushsecrets", push_secret(synced=world.now))
        assert world.problems("pushsecret") == set()

    def test_stays_away_where_nothing_is_due(self, world: World) -> None:
        world.add("pushsecrets", push_secret(interval="0s"))
        world.wait(1_000_000)
        assert world.problems("pushsecret") == set()


class TestSourceDeleted:
    def test_appears_instead_of_not_ready(self, world: World) -> None:
        world.add("pushsecrets", push_secret(ready="False", reason="SourceDeleted"))
        assert world.problems("pushsecret") == {"source_deleted"}

    def test_stays_away_for_any_other_failure(self, world: World) -> None:
        world.add("pushsecrets", push_secret(ready="False"))
        assert world.problems("pushsecret") == {"not_ready"}


def test_a_selector_shows_its_stores_once_it_has_pushed(world: World) -> None:
    world.add("secretstores", store("own", "shop"))
    selected = [{"kind": "SecretStore", "labelSelector": {"matchLabels": {"push": "yes"}}}]
    world.add("pushsecrets", push_secret(stores=selected))
    assert world.samples("eso_pushsecret_store_info") == []
    world.add("pushsecrets", push_secret(stores=selected, pushed={"SecretStore/own": {"path": {}}, "nonsense": {}}))
    [line] = world.samples("eso_pushsecret_store_info")
    assert 'store_kind="SecretStore",store_namespace="shop",store="own",vault="main"' in line


def test_a_deleted_one_leaves_no_series(world: World) -> None:
    world.add("pushsecrets", push_secret(ready="False"))
    assert [line for line in world.samples() if 'name="out"' in line]
    world.remove("pushsecrets", "out", "shop")
    assert [line for line in world.samples() if 'name="out"' in line] == []


def test_nothing_is_told_while_they_cannot_be_read() -> None:
    world = World(known=tuple(name for name in EVERYTHING if name != "pushsecrets"))
    world.add("pushsecrets", push_secret())
    assert [line for line in world.samples() if "pushsecret" in line and "problem_info" not in line] == []
