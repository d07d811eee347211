"""Watches of the simulated API server: backlog, live events, bookmarks, selections and ends."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from tests.demo.client import METADATA, METADATA_LIST, TABLE, Stream, get

SECRETS = "/api/v1/secrets?watch=1&includeObject=Metadata"


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(bookmark_every=0.1) as started:
        started.apply(objects.secret("shop", "first"))
        yield started


def version(cluster: SimulatedCluster) -> str:
    found = get(cluster.url, "/api/v1/secrets?limit=1", TABLE).json["metadata"]["resourceVersion"]
    assert isinstance(found, str)
    return found


def watch(cluster: SimulatedCluster, query: str, accept: str = TABLE) -> Stream:
    return Stream(cluster.url, f"{SECRETS}&{query}", accept)


def test_without_a_version_the_backlog_comes_first(cluster: SimulatedCluster) -> None:
    with watch(cluster, "") as stream:
        event = stream.next()
        assert (event["type"], event["object"]["rows"][0]["cells"][0]) == ("ADDED", "first")


def test_events_are_tables_of_one_row_and_only_the_first_names_columns(cluster: SimulatedCluster) -> None:
    with watch(cluster, f"resourceVersion={version(cluster)}&timeoutSeconds=5") as stream:
        cluster.apply(objects.secret("shop", "second", ["a", "b"]))
        cluster.apply(objects.secret("shop", "second", ["a", "b", "c"]))
        cluster.delete("secrets", "shop", "second")
        events = [stream.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event["object"]["columnDefinitions"] is None for event in events] == [False, True, True]
    assert [event["object"]["rows"][0]["cells"][2] for event in events] == [2, 3, 3]
    versions = [int(event["object"]["rows"][0]["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_a_bookmark_is_an_empty_row_with_a_version(cluster: SimulatedCluster) -> None:
    cluster.apply(workloads.namespace("elsewhere"))
    with watch(cluster, f"resourceVersion={version(cluster)}&allowWatchBookmarks=true&timeoutSeconds=5") as stream:
        event = stream.next()
    assert event["type"] == "BOOKMARK"
    table = event["object"]
    assert table["kind"] == "Table"
    (row,) = table["rows"]
    assert row["cells"] == ["", "", 0, "<unknown>"]
    assert row["object"]["metadata"] == {"resourceVersion": str(cluster.versions.current)}


def test_no_bookmark_unasked(cluster: SimulatedCluster) -> None:
    with watch(cluster, f"resourceVersion={version(cluster)}&timeoutSeconds=1") as stream:
        assert stream.rest() == []


def test_other_forms(cluster: SimulatedCluster) -> None:
    with watch(cluster, "timeoutSeconds=5&allowWatchBookmarks=1", METADATA) as stream:
        added, bookmark = stream.next(), stream.next()
    assert added["object"]["kind"] == bookmark["object"]["kind"] == "PartialObjectMetadata"
    assert set(bookmark["object"]["metadata"]) == {"resourceVersion", "annotations"}
    with watch(cluster, "timeoutSeconds=5&allowWatchBookmarks=1", "") as stream:
        added, bookmark = stream.next(), stream.next()
    assert (added["object"]["kind"], bookmark["object"]["kind"]) == ("Secret", "Secret")
    with watch(cluster, "timeoutSeconds=5", METADATA_LIST) as stream:
        assert (stream.status, stream.rest()) == (200, [])


def test_a_streamed_initial_list_ends_with_an_annotated_bookmark(cluster: SimulatedCluster) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=5"
    with watch(cluster, query) as stream:
        added, end = stream.next(), stream.next()
    assert (added["type"], end["type"]) == ("ADDED", "BOOKMARK")
    annotations = end["object"]["rows"][0]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}
    assert get(cluster.url, f"{SECRETS}&sendInitialEvents=true", TABLE).status == 422


def test_a_compacted_version_is_told_in_the_stream(cluster: SimulatedCluster) -> None:
    old = version(cluster)
    cluster.apply(objects.secret("shop", "second"))
    cluster.compact("secrets")
    with watch(cluster, f"resourceVersion={old}") as stream:
        assert stream.status == 200
        (event,) = stream.rest()
    assert (event["type"], event["object"]["kind"]) == ("ERROR", "Status")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_history_is_bounded() -> None:
    with SimulatedCluster(history=5) as cluster:
        old = version(cluster)
        for index in range(30):
            cluster.apply(objects.secret("shop", f"s{index}"))
        with watch(cluster, f"resourceVersion={old}") as stream:
            assert stream.rest()[0]["object"]["code"] == 410


def test_a_version_of_the_future_is_met_with_silence(cluster: SimulatedCluster) -> None:
    future = cluster.versions.current + 3
    with watch(cluster, f"resourceVersion={future}&allowWatchBookmarks=true&timeoutSeconds=5") as stream:
        cluster.wait_for_watches("secrets")
        for index in range(4):
            cluster.apply(objects.secret("shop", f"s{index}"))
        event = stream.next()
        while event["type"] == "BOOKMARK":
            event = stream.next()
    assert event["object"]["metadata"]["resourceVersion"] == str(future + 1)
    answer = get(cluster.url, "/api/v1/secrets?resourceVersion=99999999", TABLE)
    assert (answer.status, answer.json["reason"], answer.headers["retry-after"]) == (504, "Timeout", "1")


def test_a_streamed_list_is_gzipped_member_by_member_for_those_who_accept_it(cluster: SimulatedCluster) -> None:
    path = f"{SECRETS}&allowWatchBookmarks=true&timeoutSeconds=1"
    packed = get(cluster.url, path, TABLE, Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    first = zlib.decompressobj(31)
    lines = first.decompress(packed.body).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["ADDED"]
    assert first.unused_data
    everything = [json.loads(line)["type"] for line in gzip.decompress(packed.body).splitlines()]
    assert everything[:2] == ["ADDED", "BOOKMARK"]
    ordinary = get(cluster.url, f"{path}&resourceVersion={version(cluster)}", TABLE, Accept_Encoding="gzip")
    assert "content-encoding" not in ordinary.headers


def test_compaction_does_not_hurt_open_watches(cluster: SimulatedCluster) -> None:
    with watch(cluster, f"resourceVersion={version(cluster)}&timeoutSeconds=5") as stream:
        cluster.wait_for_watches("secrets")
        cluster.apply(workloads.namespace("elsewhere"))
        cluster.compact()
        cluster.apply(objects.secret("shop", "later"))
        event = stream.next()
    assert (event["type"], event["object"]["rows"][0]["cells"][0]) == ("ADDED", "later")


def test_a_selection_sees_objects_come_and_go(cluster: SimulatedCluster) -> None:
    query = f"resourceVersion={version(cluster)}&labelSelector=watched&timeoutSeconds=5"
    with watch(cluster, query) as stream:
        cluster.apply(objects.secret("shop", "x"))
        cluster.apply(objects.secret("shop", "x", ["a"], labels={"watched": "1"}))
        cluster.apply(objects.secret("shop", "x", ["a", "b"]))
        cluster.apply(objects.secret("shop", "x", ["a", "b", "c"]))
        cluster.apply(objects.secret("shop", "x", labels={"watched": "2"}))
        cluster.delete("secrets", "shop", "x")
        events = [stream.next() for _ in range(4)]
    told = [(event["type"], event["object"]["rows"][0]["cells"][2]) for event in events]
    assert told == [("ADDED", 1), ("DELETED", 1), ("ADDED", 1), ("DELETED", 1)]


def test_a_namespace_sees_only_itself(cluster: SimulatedCluster) -> None:
    path = f"/api/v1/namespaces/a/secrets?watch=true&resourceVersion={version(cluster)}&timeoutSeconds=5"
    with Stream(cluster.url, path, METADATA) as stream:
        for namespace in ("b", "ab", "a"):
            cluster.apply(objects.secret(namespace, "x"))
        assert stream.next()["object"]["metadata"]["namespace"] == "a"


def test_nothing_changed_means_no_event(cluster: SimulatedCluster) -> None:
    with watch(cluster, f"resourceVersion={version(cluster)}&timeoutSeconds=5", METADATA) as stream:
        before = cluster.versions.current
        cluster.apply(objects.secret("shop", "first"))
        assert cluster.versions.current == before
        cluster.apply(objects.secret("shop", "first"), force=True)
        event = stream.next()
    assert (event["type"], event["object"]["metadata"]["resourceVersion"]) == ("MODIFIED", str(before + 1))


def test_a_recreated_object_is_another_one(cluster: SimulatedCluster) -> None:
    first = cluster.get("secrets", "shop", "first")
    assert first
    cluster.delete("secrets", "shop", "first")
    again = cluster.apply(objects.secret("shop", "first"))
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


def test_the_generation_counts_changes_of_the_spec_only(cluster: SimulatedCluster) -> None:
    def generation(**spec: Any) -> int:
        made = cluster.apply(objects.external_secret("shop", "db", **spec) | {"status": {}})
        found = made["metadata"]["generation"]
        assert isinstance(found, int)
        return found

    def bare(obj: dict[str, Any]) -> dict[str, Any]:
        obj["metadata"].pop("generation")
        return obj

    assert cluster.apply(bare(objects.external_secret("shop", "db")))["metadata"]["generation"] == 1
    assert cluster.apply(bare(objects.external_secret("shop", "db", ready="False")))["metadata"]["generation"] == 1
    assert cluster.apply(bare(objects.external_secret("shop", "db", interval="5m")))["metadata"]["generation"] == 2


def test_a_stopped_server_cuts_watches_and_starts_again_on_its_port(cluster: SimulatedCluster) -> None:
    with watch(cluster, f"resourceVersion={version(cluster)}") as stream:
        cluster.wait_for_watches("secrets")
        url = cluster.url
        cluster.stop()
        with pytest.raises((OSError, ValueError, EOFError)) as caught:
            raise EOFError if stream.next() is None else AssertionError
        assert caught.type is not AssertionError
    with pytest.raises(ConnectionRefusedError):
        get(url, "/version")
    cluster.start()
    assert cluster.url == url
    assert get(url, "/api/v1/secrets", TABLE).json["rows"][0]["cells"][0] == "first"


def test_a_client_that_leaves_frees_its_watch(cluster: SimulatedCluster) -> None:
    with watch(cluster, ""):
        cluster.wait_for_watches("secrets")
        (open_watch,) = cluster.watches("secrets")
    assert open_watch.ended.wait(10)


def test_uninstalling_deletes_and_ends_the_watch(cluster: SimulatedCluster) -> None:
    cluster.apply(objects.external_secret("shop", "db"))
    path = f"/apis/external-secrets.io/v1/externalsecrets?watch=1&resourceVersion={cluster.versions.current}"
    with Stream(cluster.url, path) as stream:
        cluster.wait_for_watches("externalsecrets")
        cluster.uninstall()
        events = stream.rest()
    assert [event["type"] for event in events] == ["DELETED"]
    assert get(cluster.url, path).status == 404
    cluster.install()
    assert get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").json["items"] == []


def test_an_uninstalled_definition_can_keep_its_objects(cluster: SimulatedCluster) -> None:
    cluster.apply(objects.external_secret("shop", "db"))
    cluster.uninstall("externalsecrets", keep_objects=True)
    assert get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").status == 404
    assert get(cluster.url, "/apis/external-secrets.io/v1/secretstores").status == 200
    with pytest.raises(LookupError, match="not installed"):
        cluster.apply(objects.external_secret("shop", "other"))
    cluster.install("externalsecrets")
    assert len(get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").json["items"]) == 1
