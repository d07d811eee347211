"""What the tests of kube/ stand on: a sink that remembers everything, an observer that counts, a pace that hurries."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from exporter.config.settings import KubernetesSettings, Settings
from exporter.demo.cluster import SimulatedCluster
from exporter.kube.backoff import Pace
from exporter.kube.client import KubeClient
from exporter.kube.resource import Cells, Resource
from exporter.kube.resources import resources
from exporter.kube.watcher import Watcher

Key = tuple[str, str]

QUICK = Pace(
    first=0.02,
    ceiling=0.2,
    short_stream=0.05,
    settled_stream=0.3,
    absent_every=0.1,
    absent_grace=0.2,
    denied_grace=0.3,
    denied_list_every=0.2,
    list_read_timeout=2.0,
    watch_read_slack=0.5,
)


class DictSink:
    """Records by scope and key, and every key that was ever taken out, in order."""

    def __init__(self) -> None:
        self.scopes: dict[str, dict[Key, Any]] = {}
        self.removed: list[Key] = []
        self.applied = 0
        self.lists = Counter[str]()
        self.lock = threading.Lock()

    @property
    def records(self) -> dict[Key, Any]:
        with self.lock:
            return {key: record for records in self.scopes.values() for key, record in records.items()}

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.records}

    def begin_list(self, scope: str) -> DictListing:
        self.lists["begun"] += 1
        return DictListing(self, scope)

    def apply(self, scope: str, record: Any) -> None:
        with self.lock:
            self.applied += 1
            self.scopes.setdefault(scope, {})[record.namespace, record.name] = record

    def remove(self, scope: str, namespace: str, name: str) -> None:
        with self.lock:
            if self.scopes.get(scope, {}).pop((namespace, name), None) is not None:
                self.removed.append((namespace, name))

    def forget(self, scope: str) -> None:
        with self.lock:
            self.removed.extend(self.scopes.pop(scope, {}))


class DictListing:
    def __init__(self, sink: DictSink, scope: str) -> None:
        self.sink = sink
        self.scope = scope
        self.seen: set[Key] = set()

    def add(self, records: Sequence[Any]) -> None:
        with self.sink.lock:
            held = self.sink.scopes.setdefault(self.scope, {})
            for record in records:
                held[record.namespace, record.name] = record
                self.seen.add((record.namespace, record.name))

    def keep(self, namespace: str, name: str) -> None:
        self.seen.add((namespace, name))

    def finish(self) -> None:
        self.sink.lists["finished"] += 1
        with self.sink.lock:
            held = self.sink.scopes.setdefault(self.scope, {})
            for key in [key for key in held if key not in self.seen]:
                del held[key]
                self.sink.removed.append(key)

    def abandon(self) -> None:
        self.sink.lists["abandoned"] += 1


class CountingObserver:
    def __init__(self) -> None:
        self.lists = Counter[tuple[str, str]]()
        self.events = Counter[tuple[str, str]]()
        self.restarts = Counter[tuple[str, str]]()
        self.decode_errors = Counter[tuple[str, str]]()

    def listed(self, resource: str, result: str) -> None:
        self.lists[resource, result] += 1

    def event(self, resource: str, type_: str) -> None:
        self.events[resource, type_] += 1

    def restarted(self, resource: str, reason: str) -> None:
        self.restarts[resource, reason] += 1

    def decode_error(self, resource: str, reason: str) -> None:
        self.decode_errors[resource, reason] += 1


def eventually(condition: Callable[[], object], what: str = "", timeout: float = 20.0) -> None:
    """Returns once `condition` holds; fails the test if it never does."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"never came true: {what or condition}"
        time.sleep(0.01)


class Watched:
    """A watcher over a simulated cluster (or what a kubeconfig names), with a dict sink per resource."""

    def __init__(
        self,
        cluster: SimulatedCluster | Path,
        folder: Path,
        watched: Sequence[Resource] | None = None,
        *,
        pace: Pace = QUICK,
        token_file: Path | None = None,
        token: str = "",
        namespace_record: Callable[[str], Any] | None = None,
        **settings: Any,
    ) -> None:
        kubeconfig = cluster
        if isinstance(cluster, SimulatedCluster):
            kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig", token=token, token_file=token_file)
        self.settings = KubernetesSettings(kubeconfig=str(kubeconfig), **{"watch_timeout": 1.0, **settings})
        self.resources = tuple(watched if watched is not None else resources(Settings()))
        self.sinks = {resource.name: DictSink() for resource in self.resources}
        self.observer = CountingObserver()
        self.changes = 0
        self.watcher = Watcher(
            KubeClient(self.settings),
            self.resources,
            self.sinks,
            self.settings,
            self.observer,
            self._changed,
            namespace_record,
            pace=pace,
        )

    def _changed(self) -> None:
        self.changes += 1

    def __enter__(self) -> Watched:
        self.watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.watcher.stop(10)

    def status(self, resource: str, scope: str = "") -> Any:
        return next(one for one in self.watcher.statuses() if (one.resource, one.scope) == (resource, scope))

    def synced(self) -> None:
        eventually(lambda: all(one.synced for one in self.watcher.statuses()), "synced")

    @property
    def records(self) -> dict[str, dict[Key, Any]]:
        return {name: sink.records for name, sink in self.sinks.items()}


class Thing(msgspec.Struct, frozen=True):
    """A record of the tests' own."""

    namespace: str
    name: str
    mark: str = ""
    cells: Cells = Cells(None, None)


class ThingMeta(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class ThingWire(msgspec.Struct, frozen=True):
    metadata: ThingMeta


def to_thing(wire: ThingWire, cells: Cells) -> Thing | None:
    labels = wire.metadata.labels or {}
    if "raise" in labels:
        raise RuntimeError("a converter that fails")
    if "boring" in labels:
        return None
    return Thing(wire.metadata.namespace, wire.metadata.name, labels.get("mark", ""), cells)


def thing_resource(name: str = "secrets", **changes: Any) -> Resource:
    """Secrets in Table form by default, as Things."""
    fields: dict[str, Any] = {
        "name": name,
        "group": "",
        "versions": ("v1",),
        "namespaced": True,
        "form": "table",
        "item": ThingWire,
        "convert": to_thing,
    }
    return Resource(**{**fields, **changes})


class FakeTime:
    """A clock that only waiting moves, up to `until`; then waits block for real until the reflector is stopped."""

    def __init__(self, until: float, seed: int) -> None:
        self.now = 1000.0
        self.end = self.now + until
        self.over = threading.Event()
        self._random = random.Random(seed)

    def pace(self) -> Pace:
        return Pace(monotonic=lambda: self.now, random=self._random.random, wait=self.wait)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if self.now + seconds > self.end:
            self.over.set()
            return event.wait()
        self.now += seconds
        return event.is_set()
