"""How often an API server is asked whose watches fail, by the whole exporter, in real time."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from benchmarks.cluster_objects import Sizes
from benchmarks.contestants import AGE_OFF, Ours
from benchmarks.figures import Report, shown
from exporter.demo import faults, objects, workloads
from exporter.demo.cluster import SimulatedCluster

SECONDS, AT_MOST = 5.0, 10
_SETTLED = 6.0
"""Seconds after which a watch counts as healthy again: each fault finds waits that begin anew, so the most requests."""

_RESOURCES = ("externalsecrets", "secrets")
_FAULTS: dict[str, faults.Fault] = {
    "403": faults.Status(403),
    "closed at once": faults.Drop(),
    "500": faults.Status(500),
}


def measure_failing(report: Report, folder: Path) -> None:
    """Every watch of two resources fails from now on; requests for each of them are counted for five seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    report.section("Watches that fail")
    rows = []
    worst = 0
    with SimulatedCluster() as cluster:
        cluster.apply(workloads.namespace("shop"))
        cluster.apply(objects.external_secret("shop", "database"))
        cluster.apply(objects.manual_secret("shop", "by-hand"))
        ours = Ours("ours-failing", folder, cluster.write_kubeconfig(folder / "failing.kubeconfig"), AGE_OFF)
        ours.spawn()
        try:
            ours.wait_complete(Sizes(1, 0, 1))
            for name, fault in _FAULTS.items():
                counts, met = _asked(cluster, fault)
                worst = max(worst, *counts.values())
                if not met:
                    raise RuntimeError(f"no watch met the fault {name!r}: nothing was measured")
                rows.append((name, *(shown(counts[resource]) for resource in _RESOURCES)))
        finally:
            ours.stop()
    report.table((f"requests in {SECONDS:.0f} s, every watch answers", *_RESOURCES), rows)
    report.below(f"requests of one resource in {SECONDS:.0f} s while its watch fails, worst", worst, AT_MOST)


def _asked(cluster: SimulatedCluster, fault: faults.Fault) -> tuple[Counter[str], bool]:
    """Requests by resource, and whether each resource met the fault."""
    cluster.wait_for_watches(*_RESOURCES, timeout=90.0)
    time.sleep(_SETTLED)
    injected = [cluster.faults.inject(fault, resource, verb="watch") for resource in _RESOURCES]
    since = len(cluster.requests)
    for resource in _RESOURCES:
        cluster.disrupt(resource, faults.Drop())
    time.sleep(SECONDS)
    counts = Counter(request.path.rpartition("/")[2] for request in cluster.requests[since:])
    for one in injected:
        one.clear()
    return counts, all(one.hits for one in injected)
