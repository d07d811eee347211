"""Every fault does on the wire what its name says."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from exporter.demo import objects
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.faults import (
    CloseMidChunk,
    CutChunks,
    Drop,
    Duplicate,
    ExpiredContinue,
    GoneEvent,
    MergedChunks,
    Replay,
    Silence,
    Slow,
    Status,
    UnknownDelete,
)
from tests.demo.client import METADATA, METADATA_LIST, TABLE, Stream, connect, get

SECRETS = "/api/v1/secrets"


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as started:
        for name in ("a", "b", "c"):
            started.apply(objects.secret("shop", name))
        yield started


def watch(cluster: SimulatedCluster, query: str = "", timeout: float = 10.0) -> Stream:
    path = f"{SECRETS}?watch=1&resourceVersion={cluster.versions.current}&timeoutSeconds=5{query}"
    return Stream(cluster.url, path, METADATA, timeout)


def test_a_status_is_counted_and_ends(cluster: SimulatedCluster) -> None:
    fault = cluster.faults.inject(Status(429, retry_after=7), "secrets", times=2)
    answers = [get(cluster.url, SECRETS) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json["details"]["retryAfterSeconds"] == 7
    assert (fault.hits, fault.active) == (2, False)


@pytest.mark.parametrize("code", [401, 403, 404, 410, 500, 503, 504])
def test_a_status_is_told_as_one(cluster: SimulatedCluster, code: int) -> None:
    fault = cluster.faults.inject(Status(code))
    answer = get(cluster.url, SECRETS)
    assert (answer.status, answer.json["kind"], answer.json["code"]) == (code, "Status", code)
    fault.clear()
    assert get(cluster.url, SECRETS).status == 200


def test_a_403_says_who_may_not_do_what(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Status(403), "externalsecrets")
    message = get(cluster.url, "/apis/external-secrets.io/v1/namespaces/shop/externalsecrets").json["message"]
    assert message == (
        'externalsecrets.external-secrets.io is forbidden: User "system:serviceaccount:monitoring:vault-eso-exporter" '
        'cannot list resource "externalsecrets" in API group "external-secrets.io" in the namespace "shop"'
    )


def test_a_proxy_answers_html(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Status(502, html=True))
    answer = get(cluster.url, SECRETS)
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")


def test_verb_and_namespace_narrow_a_fault(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Status(403), "secrets", verb="watch")
    cluster.faults.inject(Status(403), "secrets", namespace="dark")
    cluster.faults.inject(Status(500), "discovery")
    assert get(cluster.url, SECRETS).status == 200
    assert get(cluster.url, f"{SECRETS}?watch=1").status == 403
    assert get(cluster.url, "/api/v1/namespaces/dark/secrets").status == 403
    assert get(cluster.url, "/api/v1/namespaces/shop/secrets").status == 200
    assert get(cluster.url, "/version").status == 500
    cluster.faults.clear()
    assert get(cluster.url, "/version").status == 200


def test_dropped_at_once(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Drop(), "secrets", times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(cluster.url, SECRETS)
    assert get(cluster.url, SECRETS).status == 200


def test_a_list_cut_in_the_middle(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(CloseMidChunk(), "secrets", times=1)
    with pytest.raises(http.client.IncompleteRead):
        get(cluster.url, SECRETS)


def test_a_watch_cut_in_the_middle_of_an_event(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(CloseMidChunk(), "secrets", verb="watch", times=1)
    with watch(cluster) as stream:
        assert not whole_event(stream)


def whole_event(stream: Stream) -> bool:
    """Whether a whole event arrives before the stream breaks."""
    with contextlib.suppress(http.client.IncompleteRead, ConnectionError, json.JSONDecodeError):
        return stream.next() is not None
    return False


@pytest.mark.parametrize("headers", [False, True])
def test_silence_keeps_the_socket(cluster: SimulatedCluster, headers: bool) -> None:
    fault = cluster.faults.inject(Silence(headers=headers), "secrets", times=1)
    connection = connect(cluster.url, timeout=0.4)
    connection.request("GET", f"{SECRETS}?watch=1")
    with pytest.raises(TimeoutError):
        connection.getresponse().read()
    assert cluster.connections == 1
    fault.clear()
    connection.close()
    assert get(cluster.url, SECRETS).status == 200


def test_an_open_watch_falls_silent(cluster: SimulatedCluster) -> None:
    with watch(cluster, timeout=0.5) as stream:
        cluster.wait_for_watches("secrets")
        assert cluster.disrupt("secrets", Silence()) == 1
        cluster.apply(objects.secret("shop", "d"))
        with pytest.raises(socket.timeout):
            stream.next()


def test_410_events(cluster: SimulatedCluster) -> None:
    fault = cluster.faults.inject(GoneEvent(), "secrets", times=1)
    with watch(cluster) as stream:
        (event,) = stream.rest()
    assert (event["type"], event["object"]["code"], fault.hits) == ("ERROR", 410, 1)
    with watch(cluster) as stream:
        cluster.wait_for_watches("secrets")
        cluster.disrupt("secrets", GoneEvent())
        assert stream.rest()[0]["object"]["reason"] == "Expired"


def test_http_410_on_a_watch(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Status(410), "secrets", verb="watch", times=1)
    with watch(cluster) as stream:
        assert stream.status == 410


def test_a_continue_token_expires_in_the_middle(cluster: SimulatedCluster) -> None:
    fault = cluster.faults.inject(ExpiredContinue(), "secrets", times=1)
    first = get(cluster.url, f"{SECRETS}?limit=1", TABLE)
    assert (first.status, fault.hits) == (200, 0)
    path = f"{SECRETS}?limit=1&continue={first.json['metadata']['continue']}"
    answer = get(cluster.url, path, TABLE)
    assert (answer.status, answer.json["reason"]) == (410, "Expired")
    assert get(cluster.url, path, TABLE).status == 200


def test_duplicates(cluster: SimulatedCluster) -> None:
    fault = cluster.faults.inject(Duplicate(), "secrets", times=1)
    with watch(cluster) as stream:
        cluster.wait_for_watches("secrets")
        cluster.apply(objects.secret("shop", "d"))
        assert stream.next() == stream.next()
    fault.clear()
    with watch(cluster) as stream:
        cluster.wait_for_watches("secrets")
        cluster.apply(objects.secret("shop", "e"))
        first = stream.next()
        cluster.disrupt("secrets", Duplicate())
        assert stream.next() == first


def test_deleted_for_an_unknown_object(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(UnknownDelete("x", "y"), "secrets", times=1)
    with watch(cluster) as stream:
        event = stream.next()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "y")


def test_a_full_replay_instead_of_410(cluster: SimulatedCluster) -> None:
    old = cluster.versions.current
    cluster.apply(objects.secret("shop", "d"))
    cluster.compact()
    cluster.faults.inject(Replay(), "secrets")
    with Stream(cluster.url, f"{SECRETS}?watch=1&resourceVersion={old - 1}&timeoutSeconds=1", METADATA) as stream:
        assert [event["object"]["metadata"]["name"] for event in stream.rest()] == ["a", "b", "c", "d"]


def test_cut_and_merged_chunks(cluster: SimulatedCluster) -> None:
    fault = cluster.faults.inject(CutChunks(size=1), "secrets")
    assert chunks(cluster, b'"d"')[:3] == [b"{", b'"', b"t"]
    fault.clear()
    cluster.faults.inject(MergedChunks(seconds=0.3), "secrets")
    merged = chunks(cluster, b'"h"')
    assert merged[0].count(b'"type":"ADDED"') == 4


def chunks(cluster: SimulatedCluster, until: bytes) -> list[bytes]:
    """The chunks of a watch during which four Secrets appear, up to the one in which `until` has been seen."""
    names = {b'"d"': "defg"[:1], b'"h"': "efgh"}[until]
    raw = socket.create_connection(("127.0.0.1", int(cluster.url.rpartition(":")[2])), timeout=10)
    with raw, raw.makefile("rb") as reader:
        path = f"{SECRETS}?watch=1&resourceVersion={cluster.versions.current}"
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {METADATA}\r\n\r\n".encode())
        while reader.readline() != b"\r\n":
            pass
        cluster.wait_for_watches("secrets")
        for name in names:
            cluster.apply(objects.secret("shop", name))
        found: list[bytes] = []
        while until not in b"".join(found):
            size = int(reader.readline(), 16)
            found.append(reader.read(size))
            reader.readline()
    return found


@pytest.mark.parametrize("how", ["object", "body", "label", "annotation"])
def test_spoiled_objects_are_served_in_lists_and_watches_until_healed(cluster: SimulatedCluster, how: str) -> None:
    with watch(cluster) as stream:
        cluster.spoil("secrets", "shop", "b", how)
        line = stream.response.readline()
        listed = get(cluster.url, SECRETS, METADATA_LIST).body
        if how in ("label", "annotation"):
            assert b"\\ud800" in line
            assert b"\\ud800" in listed
            json.loads(listed)
        else:
            assert json.loads(line)["type"] == "MODIFIED"
        table = get(cluster.url, f"{SECRETS}?includeObject=Metadata", TABLE).json["rows"][1]
        if how == "object":
            assert table["object"]["metadata"] == [1, 2]
        if how in ("object", "body"):
            assert table["cells"][2] == "three"
            assert get(cluster.url, SECRETS).json["items"][1]["data"] == 7
        cluster.heal("secrets", "shop", "b")
        assert stream.next()["object"]["metadata"]["name"] == "b"
    assert get(cluster.url, SECRETS, TABLE).json["rows"][1]["cells"][0] == "b"


def test_a_surrogate_may_also_be_in_an_ordinary_object(cluster: SimulatedCluster) -> None:
    cluster.apply(objects.secret("shop", "odd", labels={"x": "\ud800"}))
    assert b'"x":"\\ud800"' in get(cluster.url, SECRETS, METADATA_LIST).body


def test_slow(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(Slow(30), "secrets", times=1)
    with pytest.raises(TimeoutError):
        get(cluster.url, SECRETS, timeout=0.3)


def test_an_open_watch_refuses_what_only_a_request_can_suffer(cluster: SimulatedCluster) -> None:
    with watch(cluster):
        cluster.wait_for_watches("secrets")
        with pytest.raises(TypeError, match="an open watch can be hit by Drop"):
            cluster.disrupt("secrets", Status(500))
