"""What happens to an API server and the network before it, and how the cluster changes meanwhile.

`put`, `drop` and `change_everything` act on an ExternalSecret and a Secret of the same name in the namespace shop; a
Scenario makes its fault happen, changes the cluster, and returns the faults that must hit before anything is compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from exporter.demo import faults, objects
from exporter.demo.cluster import SimulatedCluster
from tests.kube.doubles import eventually

REFRESHED = float(int(time.time()))
RESOURCES = ("externalsecrets", "secrets")


def put(cluster: SimulatedCluster, name: str, mark: str = "", store: str = "vault-backend", **labels: str) -> None:
    """Both of them; what is marked `new` is an ExternalSecret that fails."""
    labels = {**labels, **({"mark": mark} if mark else {})}
    ready = "False" if mark == "new" else "True"
    external = objects.external_secret("shop", name, store=store, ready=ready, refreshed=REFRESHED, labels=labels)
    cluster.apply(external)
    cluster.apply(objects.manual_secret("shop", name, labels=labels))


def drop(cluster: SimulatedCluster, name: str) -> None:
    for resource in RESOURCES:
        cluster.delete(resource, "shop", name)


def change_everything(cluster: SimulatedCluster) -> None:
    """One object comes, one changes, one goes, one is replaced by another of its name."""
    put(cluster, "comes")
    put(cluster, "changes", "new")
    drop(cluster, "leaves")


Scenario = Callable[[SimulatedCluster], list[faults.Injected]]


def on_open_watches(fault: faults.Fault) -> Scenario:
    def run(cluster: SimulatedCluster) -> list[faults.Injected]:
        for resource in RESOURCES:
            assert cluster.disrupt(resource, fault) == 1
        change_everything(cluster)
        return []

    return run


def while_away(cluster: SimulatedCluster, change: Callable[[SimulatedCluster], None]) -> None:
    """Cut the watches, keep them from returning, and change the cluster meanwhile."""
    hold = [cluster.faults.inject(faults.Status(500), resource, verb="watch") for resource in RESOURCES]
    for resource in RESOURCES:
        cluster.disrupt(resource, faults.Drop())
    eventually(lambda: all(fault.hits for fault in hold), "watches kept away")
    change(cluster)
    for fault in hold:
        fault.clear()


def on_next_watches(fault: faults.Fault, times: int = 2) -> Scenario:
    """The cluster changes while the watches are away; the fault hits those that follow."""

    def run(cluster: SimulatedCluster) -> list[faults.Injected]:
        while_away(cluster, change_everything)
        return [cluster.faults.inject(fault, resource, verb="watch", times=times) for resource in RESOURCES]

    return run


def on_lists(fault: faults.Fault, times: int = 2) -> Scenario:
    """History is forgotten while the watches are away, so it must be listed again; the fault hits these lists."""

    def run(cluster: SimulatedCluster) -> list[faults.Injected]:
        injected = [cluster.faults.inject(fault, resource, verb="list", times=times) for resource in RESOURCES]
        forget_history(cluster)
        return injected

    return run


def forget_history(cluster: SimulatedCluster) -> list[faults.Injected]:
    """A real 410: what the watches ask for is no longer there."""

    def change(cluster: SimulatedCluster) -> None:
        change_everything(cluster)
        cluster.compact(*RESOURCES)

    while_away(cluster, change)
    return []


def nothing(cluster: SimulatedCluster) -> list[faults.Injected]:
    change_everything(cluster)
    return []


SCENARIOS: dict[str, Scenario] = {
    "nothing at all": nothing,
    "410 event": on_open_watches(faults.GoneEvent()),
    "HTTP 410 on the watch": on_next_watches(faults.Status(410)),
    "history forgotten": forget_history,
    "410 on a continue token": on_lists(faults.ExpiredContinue()),
    "stream cut mid-chunk": on_open_watches(faults.CloseMidChunk()),
    "list cut mid-chunk": on_lists(faults.CloseMidChunk()),
    "silence on an open watch": on_open_watches(faults.Silence()),
    "silence after the head of the next": on_next_watches(faults.Silence(headers=True), times=1),
    "silence instead of an answer": on_next_watches(faults.Silence(), times=1),
    "silence instead of a list": on_lists(faults.Silence(), times=1),
    "connection closed": on_open_watches(faults.Drop()),
    "requests dropped": on_next_watches(faults.Drop(), times=3),
    "events twice": on_next_watches(faults.Duplicate(), times=2),
    "last event once more": on_open_watches(faults.Duplicate()),
    "an unknown object deleted": on_open_watches(faults.UnknownDelete()),
    "whole state replayed": on_next_watches(faults.Replay()),
    "429 with Retry-After on the watch": on_next_watches(faults.Status(429, retry_after=1), times=1),
    "429 with Retry-After on the list": on_lists(faults.Status(429, retry_after=1), times=1),
    "500 on watches for a while": on_next_watches(faults.Status(500), times=8),
    "500 on lists for a while": on_lists(faults.Status(500), times=8),
    "503 from a proxy, as HTML": on_next_watches(faults.Status(503, html=True)),
    "403 for a moment on the watch": on_next_watches(faults.Status(403)),
    "403 for a moment on the list": on_lists(faults.Status(403)),
    "404 for a moment on the list": on_lists(faults.Status(404)),
    "chunks merged": on_next_watches(faults.MergedChunks(), times=1),
    "chunks cut to bytes": on_next_watches(faults.CutChunks(), times=1),
    "slow answers": on_next_watches(faults.Slow(0.3), times=1),
}
