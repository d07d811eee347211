"""What a reflector says of itself, and what it does when others misbehave: sinks, proxies, servers that speak nonsense."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import CapturingLogger

from exporter.demo import faults, objects
from exporter.demo.cluster import SimulatedCluster
from exporter.kube import client, reflector, stream
from exporter.kube.resource import LIST_RESULTS, RESTART_REASONS
from tests.kube.doubles import QUICK, DictSink, Watched, eventually, thing_resource

SECRETS = thing_resource()
EXTERNAL = thing_resource("externalsecrets", group="external-secrets.io", form="json", optional=True)
LONG = 3600.0


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(bookmark_every=0.3) as cluster:
        for number in range(5):
            cluster.apply(objects.secret("shop", f"s-{number}"))
        yield cluster


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    logger = CapturingLogger()
    monkeypatch.setattr(reflector, "log", structlog.wrap_logger(logger, processors=[lambda _, __, event: event]))
    return logger


def told(logged: CapturingLogger) -> list[str]:
    return [str(call.kwargs["event"]) for call in logged.calls]


# Refusals


def test_a_resource_refused_from_the_start_is_dark_at_once(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.Status(403))
    pace = dataclasses.replace(QUICK, denied_grace=LONG)
    with Watched(cluster, tmp_path, [SECRETS], pace=pace) as watched:
        status = watched.status("secrets")
        eventually(lambda: status.denied)
        assert not status.synced
        assert "deploy/rbac.yaml" in status.last_error


@pytest.mark.parametrize("code", [403, 404])
def test_a_resource_refused_for_a_moment_stays_in_sight(code: int, cluster: SimulatedCluster, tmp_path: Path) -> None:
    """A starting API server answers 403 and 404 before it knows its roles and definitions."""
    pace = dataclasses.replace(QUICK, denied_grace=LONG, absent_grace=LONG)
    with Watched(cluster, tmp_path, [SECRETS], pace=pace) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        refused = cluster.faults.inject(faults.Status(code))
        cluster.disrupt("secrets", faults.GoneEvent())
        eventually(lambda: refused.hits >= 3)
        status = watched.status("secrets")
        assert status.synced
        assert watched.sinks["secrets"].removed == []
        refused.clear()
        cluster.wait_for_watches("secrets")
        assert watched.sinks["secrets"].removed == []


def test_a_resource_refused_for_good_is_forgotten(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        refused = cluster.faults.inject(faults.Status(403))
        cluster.disrupt("secrets", faults.Drop())
        status = watched.status("secrets")
        eventually(lambda: not status.synced)
        assert status.denied
        assert watched.sinks["secrets"].records == {}
        refused.clear()
        eventually(lambda: status.synced and not status.denied)
        assert len(watched.sinks["secrets"].names) == 5


def test_where_only_list_is_allowed_lists_keep_it_true(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.Status(403), "secrets", verb="watch")
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        status = watched.status("secrets")
        eventually(lambda: status.synced and status.denied)
        cluster.apply(objects.secret("shop", "comes"))
        cluster.delete("secrets", "shop", "s-1")
        eventually(lambda: watched.sinks["secrets"].names == {"s-0", "s-2", "s-3", "s-4", "comes"})
        assert watched.changes <= 4  # its state is told when it changes, not with every try


def test_a_version_from_the_future_is_given_up(cluster: SimulatedCluster, tmp_path: Path) -> None:
    """etcd restored from a backup: the server knows no version as new as ours and answers 504."""
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        cluster.faults.inject(faults.Status(504), "secrets", verb="watch", times=reflector.PATIENCE)
        cluster.disrupt("secrets", faults.Drop())
        eventually(lambda: watched.observer.lists["secrets", "ok"] == 2)


# Definitions


def test_a_definition_that_is_not_there_is_normal(
    cluster: SimulatedCluster, tmp_path: Path, logged: CapturingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "DISCOVERY_HOLDS", 0.0)
    cluster.uninstall()
    with Watched(cluster, tmp_path, [EXTERNAL]) as watched:
        status = watched.status("externalsecrets")
        eventually(lambda: status.absent)
        assert not status.synced
        assert [(call.method_name, call.kwargs["event"]) for call in logged.calls] == [
            ("info", "not served by the API server")
        ]
        cluster.install()
        cluster.apply(objects.external_secret("shop", "db"))
        eventually(lambda: watched.sinks["externalsecrets"].names == {"db"})
        eventually(lambda: status.synced and not status.absent)
        assert told(logged) == ["not served by the API server", "in sync"]


def test_the_preferred_of_the_served_versions_is_used(tmp_path: Path) -> None:
    resource = thing_resource(
        "externalsecrets", group="external-secrets.io", form="json", versions=("v2", "v1", "v1beta1"), optional=True
    )
    with SimulatedCluster(eso_versions=("v1beta1", "v1")) as cluster, Watched(cluster, tmp_path, [resource]) as watched:
        watched.synced()
        assert watched.status("externalsecrets").version == "v1"
        lists = {request.path for request in cluster.requests if "limit" in request.query}
        assert lists == {"/apis/external-secrets.io/v1/externalsecrets"}


def test_without_discovery_every_version_is_tried(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(faults.Status(403), "discovery", times=1)
    resource = thing_resource(
        "externalsecrets", group="external-secrets.io", form="json", versions=("v2", "v1"), optional=True
    )
    with Watched(cluster, tmp_path, [resource]) as watched:
        watched.synced()
        assert watched.status("externalsecrets").version == "v1"


# What is told


def test_a_state_is_told_once_and_without_a_secret(
    cluster: SimulatedCluster, tmp_path: Path, logged: CapturingLogger
) -> None:
    cluster.tokens = {"hunter2"}
    with Watched(cluster, tmp_path, [SECRETS], token="hunter2") as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        assert told(logged) == ["in sync"]
        broken = cluster.faults.inject(faults.Status(500), "secrets")
        cluster.disrupt("secrets", faults.Drop())
        eventually(lambda: broken.hits >= 6)
        assert told(logged) == ["in sync", "watch fails, tried again"]
        broken.clear()
        eventually(lambda: "watched again" in told(logged))
        assert "hunter2" not in repr(logged.calls)
        assert all(call.kwargs["resource"] == "secrets" for call in logged.calls)


def test_one_cut_stream_is_not_worth_a_word(cluster: SimulatedCluster, tmp_path: Path, logged: CapturingLogger) -> None:
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        cluster.disrupt("secrets", faults.Drop())
        eventually(lambda: watched.observer.restarts["secrets", "network"] == 1)
        cluster.wait_for_watches("secrets")
        assert told(logged) == ["in sync"]


def test_an_unreachable_server_is_told_in_a_sentence(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.stop()
        status = watched.status("secrets")
        eventually(lambda: "connection refused" in status.last_error)
        assert status.synced
        assert len(watched.sinks["secrets"].names) == 5
        cluster.start()
        eventually(lambda: not status.last_error)


def test_counters_use_only_their_closed_sets(cluster: SimulatedCluster, tmp_path: Path) -> None:
    everything = [faults.Status(code) for code in (400, 401, 403, 404, 406, 408, 409, 410, 429, 500, 503, 504)] + [
        faults.Drop(),
        faults.CloseMidChunk(),
        faults.Replay(),
        faults.GoneEvent(),
    ]
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        for verb in ("list", "watch"):
            for fault in everything:
                injected = cluster.faults.inject(fault, "secrets", verb=verb, times=1)
                while injected.active:
                    cluster.disrupt("secrets", faults.GoneEvent())
                    time.sleep(0.01)
        assert {reason for _, reason in watched.observer.restarts} <= set(RESTART_REASONS)
        assert {result for _, result in watched.observer.lists} <= set(LIST_RESULTS)


# Sinks


def test_a_sink_that_raises_does_not_end_the_thread(
    cluster: SimulatedCluster, tmp_path: Path, logged: CapturingLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, failing = DictSink.apply, [True]

    def fragile(self: DictSink, scope: str, record: Any) -> None:
        if failing:
            raise KeyError("hunter2")
        apply(self, scope, record)

    monkeypatch.setattr(DictSink, "apply", fragile)
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        cluster.apply(objects.secret("shop", "comes"))
        eventually(lambda: "comes" in watched.sinks["secrets"].names, "by another list")
        assert watched.watcher.alive()
        assert "internal error, listed again" in told(logged)
        assert "hunter2" not in repr(logged.calls)
        failing.clear()
        cluster.wait_for_watches("secrets")
        cluster.apply(objects.secret("shop", "comes too"))
        eventually(lambda: "comes too" in watched.sinks["secrets"].names)


def test_a_sink_that_raises_in_a_list(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, failures = DictSink.begin_list, [1, 2]

    def fragile(self: DictSink, scope: str) -> Any:
        if failures:
            failures.pop()
            raise RuntimeError
        return begin(self, scope)

    monkeypatch.setattr(DictSink, "begin_list", fragile)
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        assert watched.observer.lists == {("secrets", "error"): 2, ("secrets", "ok"): 1}


# Versions


def test_a_watch_goes_on_where_the_last_one_ended(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        new = cluster.apply(objects.secret("shop", "comes"))
        eventually(lambda: "comes" in watched.sinks["secrets"].names)
        asked = len(cluster.requests)
        cluster.disrupt("secrets", faults.Drop())
        eventually(lambda: len(cluster.requests) > asked)
        since = cluster.requests[asked].query["resourceVersion"]
        assert int(since) >= int(new["metadata"]["resourceVersion"])
        assert watched.observer.lists["secrets", "ok"] == 1


def test_a_bookmark_moves_the_version(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS, EXTERNAL]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        foreign = cluster.apply(objects.external_secret("shop", "elsewhere"))  # moves the version, and is no Secret
        marks = watched.observer.events["secrets", "BOOKMARK"]
        eventually(lambda: watched.observer.events["secrets", "BOOKMARK"] > marks + 1)
        asked = len(cluster.requests)
        cluster.disrupt("secrets", faults.Drop())
        eventually(lambda: any(request.path.endswith("/secrets") for request in cluster.requests[asked:]))
        again = next(request for request in cluster.requests[asked:] if request.path.endswith("/secrets"))
        assert int(again.query["resourceVersion"]) >= int(foreign["metadata"]["resourceVersion"])


def test_watches_are_of_different_length(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS], watch_timeout=180.0) as watched:
        watched.synced()
        for expected in range(2, 8):
            cluster.wait_for_watches("secrets")
            cluster.disrupt("secrets", faults.Drop())
            eventually(lambda: sum(request.watch for request in cluster.requests) >= expected)  # noqa: B023
        asked = [int(request.query["timeoutSeconds"]) for request in cluster.requests if request.watch]
        assert all(144 <= seconds <= 216 for seconds in asked)
        assert len(set(asked)) > 1
        assert all(request.query["allowWatchBookmarks"] == "true" for request in cluster.requests if request.watch)


# Nonsense on the wire


def speaking(cluster: SimulatedCluster, *lines: bytes) -> None:
    """The next watches of widgets get these lines; lists of them are empty."""
    versions = {"kind": "APIGroup", "apiVersion": "v1", "name": "example.com", "versions": [{"version": "v1"}]}
    empty = {"kind": "WidgetList", "apiVersion": "example.com/v1", "metadata": {"resourceVersion": "100"}, "items": []}

    def answer(exchange: Any) -> None:
        if not exchange.request.watch:
            exchange.reply(200, json.dumps(empty).encode())
            return
        exchange.begin_stream()
        for line in lines:
            exchange.chunk(line)
        exchange.hold()

    cluster.extra_paths["/apis/example.com"] = lambda exchange: exchange.reply(200, json.dumps(versions).encode())
    cluster.extra_paths["/apis/example.com/v1/widgets"] = answer


WIDGETS = thing_resource("widgets", group="example.com", form="json")


def widget(name: str, version: str, type_: str = "ADDED", **meta: Any) -> bytes:
    metadata = {"namespace": "shop", "name": name, "resourceVersion": version, **meta}
    obj = {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": metadata}
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def test_nonsense_between_events_is_skipped(cluster: SimulatedCluster, tmp_path: Path) -> None:
    speaking(cluster, widget("a", "101"), b"nonsense\n", b"\n\n", b'{"type":"ADDED"}\n', widget("b", "102"))
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: watched.sinks["widgets"].names == {"a", "b"})
        assert watched.observer.decode_errors == {("widgets", "key"): 2}


def test_a_stream_of_nonsense_is_given_up(cluster: SimulatedCluster, tmp_path: Path) -> None:
    speaking(cluster, b"nonsense\n" * (stream.BAD_LINES_AT_MOST + 5))
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: "sends no events" in watched.status("widgets").last_error)
        eventually(lambda: watched.observer.lists["widgets", "ok"] >= 2)


def test_an_endless_line_is_given_up(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LINE_LIMIT", 10_000)
    speaking(cluster, widget("a", "101"), b"x" * 20_000)
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: "longer than any object" in watched.status("widgets").last_error)
        eventually(lambda: watched.observer.lists["widgets", "ok"] >= 2)


def test_a_watch_that_is_not_json(cluster: SimulatedCluster, tmp_path: Path) -> None:
    speaking(cluster)
    lists = cluster.extra_paths["/apis/example.com/v1/widgets"]

    def answer(exchange: Any) -> None:
        if exchange.request.watch:
            exchange.reply(200, b"<html>", "text/html")
        else:
            lists(exchange)

    cluster.extra_paths["/apis/example.com/v1/widgets"] = answer
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: "not JSON" in watched.status("widgets").last_error)


@pytest.mark.parametrize("code", [0, 500, 504])
def test_an_error_event_that_is_not_gone(code: int, cluster: SimulatedCluster, tmp_path: Path) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": "InternalError", "message": "hunter2"}
    speaking(cluster, widget("a", "101"), json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: watched.observer.events["widgets", "ERROR"] >= 2, "tried again")
        assert "hunter2" not in watched.status("widgets").last_error


def test_versions_that_are_no_numbers_are_followed_as_they_come(cluster: SimulatedCluster, tmp_path: Path) -> None:
    speaking(cluster, widget("a", "abc"), widget("b", "abb"))
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: watched.sinks["widgets"].names == {"a", "b"})
        assert watched.observer.restarts["widgets", "replay"] == 0


def test_a_version_never_goes_back(cluster: SimulatedCluster, tmp_path: Path) -> None:
    speaking(cluster, widget("a", "110"), widget("a", "105", "MODIFIED"))
    with Watched(cluster, tmp_path, [WIDGETS]) as watched:
        eventually(lambda: watched.observer.events["widgets", "MODIFIED"] == 1)
        eventually(lambda: sum(request.watch for request in cluster.requests) >= 2)
        assert [request.query["resourceVersion"] for request in cluster.requests if request.watch][1] == "110"


def test_what_is_asked_for_can_be_narrowed(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [thing_resource(field_selector="type!=helm.sh/release.v1")]) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        assert {request.query["fieldSelector"] for request in cluster.requests} == {"type!=helm.sh/release.v1"}


# Whoever looks on


@pytest.mark.parametrize("name", ["listed", "event", "restarted", "decode_error"])
def test_an_observer_that_raises_does_not_end_the_thread(
    name: str, cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: str) -> None:
        raise RuntimeError

    cluster.spoil("secrets", "shop", "s-1", "body")
    watched = Watched(cluster, tmp_path, [SECRETS])
    monkeypatch.setattr(watched.observer, name, broken)
    with watched:
        eventually(lambda: len(cluster.requests) >= 4)
        assert watched.watcher.alive()
        monkeypatch.undo()
        cluster.apply(objects.secret("shop", "comes"))
        eventually(lambda: "comes" in watched.sinks["secrets"].names)


def test_a_listener_that_raises_does_not_end_the_thread(
    cluster: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Watched) -> None:
        raise RuntimeError

    monkeypatch.setattr(Watched, "_changed", broken)
    with Watched(cluster, tmp_path, [SECRETS]) as watched:
        cluster.faults.inject(faults.Status(403), "secrets", times=3)
        eventually(lambda: watched.status("secrets").synced)
        cluster.apply(objects.secret("shop", "comes"))
        eventually(lambda: "comes" in watched.sinks["secrets"].names)
        assert watched.watcher.alive()
