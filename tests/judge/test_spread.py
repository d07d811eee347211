"""Each problem of a ClusterExternalSecret and a ClusterPushSecret, which are judged alike."""

from __future__ import annotations

import pytest

from tests.kinds import spread
from tests.world import NOW, World, lines

KINDS = ("clusterexternalsecret", "clusterpushsecret")


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("kind", KINDS)
def test_a_healthy_one_tells_everything_and_has_no_problem(world: World, kind: str) -> None:
    world.add(f"{kind}s", spread())
    assert [line for line in world.samples() if line.startswith(f"eso_{kind}")] == lines(f"""
        eso_{kind}_ready{{namespace="",name="everywhere"}} 1
        eso_{kind}_namespaces{{namespace="",name="everywhere",state="provisioned"}} 2
        eso_{kind}_namespaces{{namespace="",name="everywhere",state="failed"}} 0
    """)
    world.wait(1000)
    assert world.problems(kind) == set()


@pytest.mark.parametrize("kind", KINDS)
class TestNamespacesFailed:
    def test_appears_with_not_ready_and_names_them(self, world: World, kind: str) -> None:
        world.add(f"{kind}s", spread(failed=("blue", "black")))
        assert world.samples(f"eso_{kind}_namespaces", f"eso_{kind}_problem") == lines(f"""
            eso_{kind}_namespaces{{namespace="",name="everywhere",state="provisioned"}} 2
            eso_{kind}_namespaces{{namespace="",name="everywhere",state="failed"}} 2
            eso_{kind}_problem{{namespace="",name="everywhere",problem="namespaces_failed"}} 1
            eso_{kind}_problem{{namespace="",name="everywhere",problem="not_ready"}} 1
        """)
        failed = world.groups.problems[kind, "", "everywhere"][0]
        assert failed.evidence == ("black", "blue")
        assert (failed.basis, failed.since) == ("observed", NOW)

    def test_goes_when_they_are_reached(self, world: World, kind: str) -> None:
        world.add(f"{kind}s", spread(failed=("blue",)))
        assert world.problems(kind) == {"namespaces_failed", "not_ready"}
        world.add(f"{kind}s", spread(provisioned=("red", "green", "blue")))
        assert world.problems(kind) == set()

    def test_no_more_than_twenty_are_named(self, world: World, kind: str) -> None:
        world.add(f"{kind}s", spread(failed=[f"n{index}" for index in range(300)]))
        samples = world.samples(f"eso_{kind}_namespaces")
        assert samples[1].endswith(" 300")
        assert len(world.groups.problems[kind, "", "everywhere"][0].evidence) == 20


@pytest.mark.parametrize("kind", KINDS)
class TestNotReady:
    def test_appears_without_a_status_after_ten_minutes(self, world: World, kind: str) -> None:
        world.add(f"{kind}s", spread(ready="", created=NOW - 590))
        assert world.problems(kind) == set()
        assert world.samples(f"eso_{kind}_ready")[0].endswith(" 0")
        world.wait(12)
        assert world.problems(kind) == {"not_ready"}

    def test_stays_away_without_any_matching_namespace(self, world: World, kind: str) -> None:
        world.add(f"{kind}s", spread(provisioned=()))
        assert world.problems(kind) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_one_leaves_no_series(world: World, kind: str) -> None:
    world.add(f"{kind}s", spread(failed=("blue",)))
    assert [line for line in world.samples() if 'name="everywhere"' in line]
    world.remove(f"{kind}s", "everywhere")
    assert [line for line in world.samples() if 'name="everywhere"' in line] == []


def test_reasons_of_failed_namespaces_are_not_kept(world: World) -> None:
    world.add("clusterexternalsecrets", spread(failed=("blue",)))
    assert "already exists" not in repr(world.inventory.clusterexternalsecrets.get("", "everywhere"))
