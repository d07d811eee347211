"""After each fault what we hold equals what a fresh process holds, without a restart and without a dip in between.

Every test makes the fault happen, changes the cluster meanwhile, and compares. `removed` of the sink must never hold an
object that was there all the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import faults, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.kube.resource import Resource
from tests.kube.disturbances import (
    RESOURCES,
    SCENARIOS,
    Scenario,
    change_everything,
    drop,
    forget_history,
    on_next_watches,
    put,
    while_away,
)
from tests.kube.doubles import QUICK, Watched, eventually, thing_resource

#: What is refused or not found for a moment is so only for a moment, however slow the machine is.
LENIENT = dataclasses.replace(QUICK, denied_grace=60.0, absent_grace=60.0)


def things() -> tuple[Resource, ...]:
    """Secrets as a Table and ExternalSecrets as JSON, in records that tell what changed."""
    external = thing_resource("externalsecrets", group="external-secrets.io", form="json", optional=True)
    return (external, thing_resource("secrets"))


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(bookmark_every=0.5) as cluster:
        cluster.apply(workloads.namespace("shop"))
        for number in range(25):
            put(cluster, f"steady-{number}")
        put(cluster, "changes", "old")
        put(cluster, "leaves")
        yield cluster


@pytest.fixture
def watched(cluster: SimulatedCluster, tmp_path: Path) -> Iterator[Watched]:
    with Watched(cluster, tmp_path, things(), page_size=10, pace=LENIENT) as watched:
        watched.synced()
        cluster.wait_for_watches(*RESOURCES)
        yield watched


def assert_converges(
    watched: Watched, cluster: SimulatedCluster, tmp_path: Path, may_go: set[str] = frozenset()
) -> None:  # type: ignore[assignment]
    folder = tmp_path / "fresh"
    folder.mkdir(exist_ok=True)

    def fresh() -> dict[str, Any]:
        with Watched(cluster, folder, watched.resources, page_size=10) as other:
            other.synced()
            return other.records

    truth = fresh()
    eventually(lambda: watched.records == truth, "the same records as a fresh process")
    assert watched.records == fresh()
    for sink in watched.sinks.values():
        assert {name for _, name in sink.removed} <= {"leaves", *may_go}
    assert watched.watcher.alive()
    assert all(status.synced for status in watched.watcher.statuses())


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_after(scenario: Scenario, watched: Watched, cluster: SimulatedCluster, tmp_path: Path) -> None:
    injected = scenario(cluster)
    eventually(lambda: not any(fault.active for fault in injected), "every fault has hit")
    assert_converges(watched, cluster, tmp_path)


def test_after_a_restart_of_the_server(watched: Watched, cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.stop()
    change_everything(cluster)
    eventually(lambda: watched.status("secrets").last_error, "noticed")
    cluster.start()
    assert_converges(watched, cluster, tmp_path)


def test_after_deletions_that_a_replay_does_not_show(
    watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    on_next_watches(faults.Replay(), times=1)(cluster)
    eventually(lambda: watched.observer.restarts["secrets", "replay"] == 1, "noticed")
    assert_converges(watched, cluster, tmp_path)
    assert "leaves" not in watched.sinks["secrets"].names


def test_after_delete_and_create_with_the_same_name(
    watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    def replace(cluster: SimulatedCluster) -> None:
        drop(cluster, "changes")
        put(cluster, "changes", "another")

    while_away(cluster, replace)
    assert_converges(watched, cluster, tmp_path, {"changes"})
    marks = {sink.records["shop", "changes"].mark for sink in watched.sinks.values()}
    assert marks == {"another"}


def test_an_object_that_loses_our_interest_goes_and_returns(
    watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    put(cluster, "changes", boring="1")
    eventually(lambda: all("changes" not in sink.names for sink in watched.sinks.values()))
    put(cluster, "changes", "again")
    assert_converges(watched, cluster, tmp_path, {"changes"})


@pytest.mark.parametrize("how", ["label", "annotation"])
def test_after_an_object_with_a_lone_surrogate(
    how: str, watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    for resource in RESOURCES:
        cluster.spoil(resource, "shop", "changes", how)
    forget_history(cluster)
    assert_converges(watched, cluster, tmp_path)
    assert all("changes" in sink.names for sink in watched.sinks.values())
    assert all(watched.observer.decode_errors[resource, "text"] > 0 for resource in RESOURCES)


@pytest.mark.parametrize("relist", [False, True])
def test_an_object_that_cannot_be_decoded_keeps_its_last_record(
    relist: bool, watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    """Its key can be read, so it is not taken for deleted; the others go on; healed, all is as in a fresh process."""
    before = watched.sinks["secrets"].records["shop", "steady-3"]
    cluster.spoil("secrets", "shop", "steady-3", "body")
    if relist:
        forget_history(cluster)
        eventually(lambda: watched.sinks["secrets"].lists["finished"] >= 2, "listed again")
    else:
        change_everything(cluster)
    eventually(lambda: "comes" in watched.sinks["secrets"].names, "others go on")
    eventually(lambda: watched.observer.decode_errors["secrets", "type"] > 0, "counted")
    assert watched.sinks["secrets"].records["shop", "steady-3"] == before
    cluster.heal("secrets", "shop", "steady-3")
    assert_converges(watched, cluster, tmp_path)


def test_an_object_without_a_readable_key_does_not_stop_the_others(
    watched: Watched, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    for resource in RESOURCES:
        cluster.spoil(resource, "shop", "changes")
    put(cluster, "comes")
    eventually(lambda: all("comes" in sink.names for sink in watched.sinks.values()), "others go on")
    assert all(watched.observer.decode_errors[resource, "key"] > 0 for resource in RESOURCES)
    for resource in RESOURCES:
        cluster.heal(resource, "shop", "changes")
    assert_converges(watched, cluster, tmp_path)


def test_after_a_definition_that_vanishes_and_returns(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, things(), page_size=10) as watched:
        watched.synced()
        cluster.uninstall("externalsecrets", keep_objects=True)
        status = watched.status("externalsecrets")
        eventually(lambda: status.absent and not status.synced, "absent")
        assert watched.sinks["externalsecrets"].records == {}
        assert watched.status("secrets").synced
        cluster.install("externalsecrets")
        eventually(lambda: status.synced and not status.absent, "found again")
        everything = {f"steady-{number}" for number in range(25)} | {"changes", "leaves"}
        assert_converges(watched, cluster, tmp_path, everything)


def test_after_a_rotated_token(cluster: SimulatedCluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    cluster.tokens = {"first"}
    with Watched(cluster, tmp_path, things(), page_size=10, token_file=token) as watched:
        watched.synced()
        cluster.tokens = {"second"}
        token.write_text("second")
        for resource in RESOURCES:
            cluster.disrupt(resource, faults.Drop())
        change_everything(cluster)
        eventually(lambda: all("comes" in sink.names for sink in watched.sinks.values()), "let in again")
        assert all({name for _, name in sink.removed} <= {"leaves"} for sink in watched.sinks.values())


def test_after_another_version_took_over(cluster: SimulatedCluster, tmp_path: Path) -> None:
    external = thing_resource(
        "externalsecrets", group="external-secrets.io", form="json", optional=True, versions=("v1", "v1beta1")
    )
    cluster.served["externalsecrets"] = ("v1beta1",)
    with Watched(cluster, tmp_path, [external]) as watched:
        watched.synced()
        assert watched.status("externalsecrets").version == "v1beta1"
        cluster.served["externalsecrets"] = ("v1",)
        for watch in cluster.watches("externalsecrets"):
            watch.finish()
        put(cluster, "comes")
        eventually(lambda: watched.status("externalsecrets").version == "v1", "the other version")
        eventually(lambda: "comes" in watched.sinks["externalsecrets"].names)
        assert watched.sinks["externalsecrets"].removed == []


def test_after_tables_were_switched_off(watched: Watched, cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.NoTable())
    forget_history(cluster)
    assert_converges(watched, cluster, tmp_path)
    asked = [request.headers["accept"] for request in cluster.requests if request.path.endswith("secrets")]
    assert not any("," in accept for accept in asked)
    assert watched.sinks["secrets"].records["shop", "comes"].cells == (None, None)
