"""However an API server misbehaves, it is not asked more than ten times in five seconds.

Time is the test's own: waits move the clock and take none, so what is counted is what the waits allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo import faults, objects
from exporter.demo.cluster import SimulatedCluster
from tests.kube.doubles import FakeTime, Watched, eventually, thing_resource

SECONDS = 5.0
AT_MOST = 10

REFUSED = faults.Status(403)
CASES: dict[str, tuple[str, faults.Fault]] = {
    "watch 403": ("watch", faults.Status(403)),
    "watch 401": ("watch", faults.Status(401)),
    "watch 404": ("watch", faults.Status(404)),
    "watch 500": ("watch", faults.Status(500)),
    "watch 400": ("watch", faults.Status(400)),
    "watch 410": ("watch", faults.Status(410)),
    "watch 406": ("watch", faults.Status(406)),
    "watch 302": ("watch", faults.Status(302)),
    "watch closed at once": ("watch", faults.Drop()),
    "watch cut mid-chunk": ("watch", faults.CloseMidChunk()),
    "watch says gone": ("watch", faults.GoneEvent()),
    "watch replays": ("watch", faults.Replay()),
    "list 403": ("list", faults.Status(403)),
    "list 401": ("list", faults.Status(401)),
    "list 404": ("list", faults.Status(404)),
    "list 500": ("list", faults.Status(500)),
    "list 410": ("list", faults.Status(410)),
    "list 406": ("list", faults.Status(406)),
    "list 429": ("list", faults.Status(429, retry_after=0)),
    "list 503 as HTML": ("list", faults.Status(503, html=True)),
    "list closed at once": ("list", faults.Drop()),
    "list cut mid-chunk": ("list", faults.CloseMidChunk()),
}


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as cluster:
        for number in range(3):
            cluster.apply(objects.secret("shop", f"s-{number}"))
        yield cluster


def asked(cluster: SimulatedCluster, *, watch: bool) -> int:
    return sum(request.watch == watch for request in cluster.requests if request.path.endswith("/secrets"))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_at_most_ten_requests(
    case: tuple[str, faults.Fault], seed: int, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    verb, fault = case
    cluster.faults.inject(fault, "secrets", verb=verb)
    time = FakeTime(SECONDS, seed)
    with Watched(cluster, tmp_path, [thing_resource()], pace=time.pace()) as watched:
        assert time.over.wait(30)
        assert 1 <= asked(cluster, watch=verb == "watch") <= AT_MOST
        assert len(cluster.requests) <= 2 * AT_MOST  # where each watch needs a list before it
        assert watched.watcher.alive()


def test_streams_that_end_at_once(cluster: SimulatedCluster, tmp_path: Path) -> None:
    time = FakeTime(SECONDS, 1)
    with Watched(cluster, tmp_path, [thing_resource()], pace=time.pace()) as watched:
        while not time.over.wait(0.005):
            for watch in cluster.watches("secrets"):
                watch.finish()
        assert 2 <= asked(cluster, watch=True) <= AT_MOST
        assert watched.observer.restarts["secrets", "short"] >= 2
        assert asked(cluster, watch=False) == 1


def test_retry_after_is_honoured(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.Status(429, retry_after=4), "secrets", verb="list")
    time = FakeTime(SECONDS, 1)
    with Watched(cluster, tmp_path, [thing_resource()], pace=time.pace()):
        assert time.over.wait(30)
        assert asked(cluster, watch=False) == 2


def test_an_absent_resource_is_looked_for_every_half_minute(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.uninstall()
    time = FakeTime(300.0, 1)
    external = thing_resource("externalsecrets", group="external-secrets.io", form="json", optional=True)
    with Watched(cluster, tmp_path, [external], pace=time.pace()) as watched:
        assert time.over.wait(30)
        looked = watched.observer.lists["externalsecrets", "absent"]
        assert 300 / 36 <= looked <= 300 / 24 + 2
        assert watched.status("externalsecrets").absent


def test_a_refused_resource_is_asked_for_about_twice_a_minute(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(REFUSED, "secrets")
    time = FakeTime(3600.0, 1)
    with Watched(cluster, tmp_path, [thing_resource()], pace=time.pace()) as watched:
        assert time.over.wait(60)
        assert watched.observer.lists["secrets", "denied"] < 200


def test_where_only_list_is_allowed_it_is_not_listed_more_than_once_a_minute(
    cluster: SimulatedCluster, tmp_path: Path
) -> None:
    cluster.faults.inject(REFUSED, "secrets", verb="watch")
    time = FakeTime(600.0, 1)
    with Watched(cluster, tmp_path, [thing_resource()], pace=time.pace()) as watched:
        assert time.over.wait(60)
        assert 3 <= watched.observer.lists["secrets", "ok"] <= 11
        status = watched.status("secrets")
        assert (status.synced, status.denied) == (True, True)
        assert "403" in status.last_error


def test_many_reflectors_of_a_missing_group_ask_for_it_once(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.uninstall()
    names = ("externalsecrets", "secretstores", "pushsecrets", "clustersecretstores")
    missing = [thing_resource(name, group="external-secrets.io", form="json", optional=True) for name in names]
    with Watched(cluster, tmp_path, missing) as watched:
        eventually(lambda: all(status.absent for status in watched.watcher.statuses()))
        discovery = [request for request in cluster.requests if request.path == "/apis/external-secrets.io"]
        assert len(discovery) == 1
