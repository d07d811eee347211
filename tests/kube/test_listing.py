"""Lists that grow old, pages that are too large, and how many are under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo import api, faults, objects
from exporter.demo.cluster import SimulatedCluster
from exporter.kube import listing, transport
from tests.kube.doubles import Watched, eventually, thing_resource


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as cluster:
        for number in range(40):
            cluster.apply(objects.secret("shop", f"s-{number:02}"))
        yield cluster


def limits(cluster: SimulatedCluster) -> list[int]:
    return [int(request.query["limit"]) for request in cluster.requests if "limit" in request.query]


def test_pages_follow_the_continue_token(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [thing_resource()], page_size=15) as watched:
        watched.synced()
        assert limits(cluster) == [15, 15, 15]
        assert len(watched.sinks["secrets"].names) == 40


def test_lists_are_compressed_and_watches_are_not(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [thing_resource()]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        encodings = {request.watch: request.headers["accept-encoding"] for request in cluster.requests}
        assert encodings == {False: "gzip", True: "identity"}


def test_nothing_is_asked_for_from_the_cache_or_in_plain_form(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [thing_resource()], page_size=30) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        for request in cluster.requests:
            assert request.method == "GET"
            assert request.query["includeObject"] == "Metadata"
            assert request.headers["accept"] == "application/json;as=Table;g=meta.k8s.io;v=v1"
            assert ("resourceVersion" in request.query) == request.watch


def test_a_list_too_slow_for_the_servers_memory_takes_larger_pages(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.ExpiredContinue(), "secrets", times=2)
    with Watched(cluster, tmp_path, [thing_resource()], page_size=10) as watched:
        watched.synced()
        # 10 and a lost token, 20 and a lost token, 40: complete.
        assert limits(cluster) == [10, 10, 20, 20, 40]
        assert watched.observer.lists == {("secrets", "gone"): 2, ("secrets", "ok"): 1}
        sink = watched.sinks["secrets"]
        assert (sink.lists, sink.removed, len(sink.names)) == ({"begun": 3, "abandoned": 2, "finished": 1}, [], 40)


def test_pages_do_not_grow_without_bound(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LARGEST_PAGE", 15)
    cluster.faults.inject(faults.ExpiredContinue(), "secrets", times=3)
    with Watched(cluster, tmp_path, [thing_resource()], page_size=10) as watched:
        watched.synced()
        assert set(limits(cluster)) == {10, 15}


def test_a_page_too_large_is_asked_for_in_parts(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAGE_LIMIT", 6000)
    with Watched(cluster, tmp_path, [thing_resource()], page_size=40) as watched:
        watched.synced()
        assert limits(cluster)[:2] == [40, 10]
        assert len(watched.sinks["secrets"].names) == 40


def test_an_object_too_large_for_any_page_is_told(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAGE_LIMIT", 100)
    with Watched(cluster, tmp_path, [thing_resource()]) as watched:
        eventually(lambda: "larger than we read" in watched.status("secrets").last_error)
        assert not watched.status("secrets").synced


def test_a_token_that_repeats_ends_the_list(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a broken server would be listed for ever."""
    token = api.encode_continue(cluster.versions.current, "shop/s-01\x00")
    monkeypatch.setattr(api, "encode_continue", lambda version, start: token)
    with Watched(cluster, tmp_path, [thing_resource()], page_size=10) as watched:
        eventually(lambda: "same continue token" in watched.status("secrets").last_error)


def test_only_some_pages_are_under_way_at_once(cluster: SimulatedCluster, tmp_path: Path) -> None:
    under_way = most = 0
    lock = threading.Lock()

    def convert(wire: object, cells: object) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.001)
        with lock:
            under_way -= 1

    namespaces = tuple(f"team-{number}" for number in range(30))
    for namespace in namespaces:
        cluster.apply(objects.secret(namespace, "one"))
        cluster.apply(objects.secret(namespace, "two"))
    with Watched(cluster, tmp_path, [thing_resource(convert=convert)], namespaces=namespaces) as watched:
        watched.synced()
    assert 1 <= most <= listing.LISTS_AT_ONCE
