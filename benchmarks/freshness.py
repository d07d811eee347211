"""From the API server's acknowledgement of a change to a scrape that shows it, under 500 changes a second."""

from __future__ import annotations

import math
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import cluster_objects
from benchmarks.cluster_objects import Sizes, name_of, namespace_of, refreshed_at
from benchmarks.contestants import AGE_OFF, Ours
from benchmarks.figures import Report, ms, shown
from benchmarks.filling import CONNECTIONS, Writer
from benchmarks.scraper import Scraper
from exporter.demo import objects
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import stamp

RATE, SECONDS = 500, 10.0
_SCRAPE_EVERY = 0.1
_FAMILY = "eso_externalsecret_last_sync_timestamp_seconds"
_PATIENCE = 10.0


class Changes:
    """Refreshes of ExternalSecrets, written at a steady rate, each object once; and when each was acknowledged."""

    def __init__(
        self, write: Callable[[str, str, int], None], sizes: Sizes, count: int, moment: int, workers: int = CONNECTIONS
    ) -> None:
        self._change = write
        self._sizes = sizes
        self._moment = moment
        self._workers = workers
        self._lock = threading.Lock()
        self._pending: dict[bytes, float] = {}
        self.count = count
        self.done = threading.Event()
        self.seconds = 0.0

    def run(self) -> None:
        """Writes them all."""
        begun = time.monotonic()
        with ThreadPoolExecutor(self._workers) as pool:
            for number in range(self.count):
                wait = begun + number / RATE - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                pool.submit(self._write, number)
        self.seconds = time.monotonic() - begun
        self.done.set()

    def _write(self, number: int) -> None:
        namespace, name = namespace_of(number, self._sizes), name_of(number)
        self._change(namespace, name, self._moment)
        at = time.monotonic()
        line = f'{_FAMILY}{{namespace="{namespace}",name="{name}"}} {self._moment}'.encode()
        with self._lock:
            self._pending[line] = at

    def taken(self) -> dict[bytes, float]:
        """What was acknowledged since the last call, and when by the machine's monotonic clock."""
        with self._lock:
            taken, self._pending = self._pending, {}
        return taken


def _count(sizes: Sizes) -> int:
    return min(int(RATE * SECONDS), sizes.externalsecrets)


def changes_on_server(writer: Writer, sizes: Sizes) -> Changes:
    """Refreshes as ESO writes them, to a real API server: patches of the status."""

    def write(namespace: str, name: str, moment: int) -> None:
        path = f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}/status"
        writer("PATCH", path, {"status": {"refreshTime": stamp(moment)}}, "external-secrets")

    return Changes(write, sizes, _count(sizes), int(time.time()))


def measure_events(report: Report, folder: Path, sizes: Sizes, *, full: bool) -> None:
    """The same from a double, where the machine cannot write 500 changes a second to a real API server."""
    folder.mkdir(parents=True, exist_ok=True)
    report.section(f"Events from the double: {sizes.externalsecrets:,} ExternalSecrets")
    kubeconfig = folder / "events.kubeconfig"
    orders, theirs = multiprocessing.Pipe()
    double = multiprocessing.get_context("spawn").Process(target=_double, args=(sizes, str(kubeconfig), theirs))
    double.start()
    try:
        orders.recv()
        ours = Ours("ours-events", folder, kubeconfig, AGE_OFF)
        ours.spawn()
        try:
            ours.wait_complete(Sizes(sizes.externalsecrets, 0, 0))
            measure_freshness(report, ours.port, _Remote(orders, _count(sizes)), "the double", full=full)
        finally:
            ours.stop()
    finally:
        double.terminate()
        double.join()


def _double(sizes: Sizes, kubeconfig: str, orders: Any) -> None:
    """A process: a simulated cluster, and changes in it once they are ordered; tells when each was made."""
    with SimulatedCluster() as cluster:
        for one in cluster_objects.namespaces(sizes):
            cluster.apply(one)
        cluster.apply(cluster_objects.store())

        def write(namespace: str, name: str, moment: int) -> None:
            cluster.apply(objects.external_secret(namespace, name, ready="True", refreshed=float(moment)))

        for number in range(sizes.externalsecrets):
            namespace, name = namespace_of(number, sizes), name_of(number)
            # With its target: ten thousand missing Secrets are found in one round, which is another test.
            cluster.apply(objects.secret(namespace, name))
            write(namespace, name, int(refreshed_at(number)))
        cluster.write_kubeconfig(Path(kubeconfig))
        orders.send("ready")
        moment = orders.recv()
        changes = Changes(write, sizes, _count(sizes), moment, workers=1)
        thread = threading.Thread(target=changes.run)
        thread.start()
        while not changes.done.wait(0.02):
            orders.send(changes.taken())
        orders.send(changes.taken())
        orders.send(changes.seconds)
        threading.Event().wait()


class _Remote:
    """The changes of the process `_double`."""

    def __init__(self, orders: Any, count: int) -> None:
        self._orders = orders
        self.count = count
        self.seconds = 0.0
        self.done = threading.Event()
        self._pending: dict[bytes, float] = {}

    def run(self) -> None:
        self._orders.send(int(time.time()))
        while not self.done.is_set():
            told = self._orders.recv()
            if isinstance(told, float):
                self.seconds = told
                self.done.set()
            else:
                self._pending.update(told)

    def taken(self) -> dict[bytes, float]:
        """What was acknowledged since the last call, and when by the machine's monotonic clock."""
        taken, self._pending = self._pending, {}
        return taken


def measure_freshness(report: Report, port: int, changes: Changes | _Remote, where: str, *, full: bool) -> None:
    """500 changes a second for ten seconds while scraping ten times a second."""
    thread = threading.Thread(target=changes.run)
    scraper = Scraper(port, gzip=True)
    begin = f"\n{_FAMILY}{{".encode()
    acknowledged: dict[bytes, float] = {}
    seen: dict[bytes, float] = {}
    before = set(_lines(scraper().text, begin))
    end = None
    thread.start()
    while end is None or (len(seen) < changes.count and time.monotonic() < end):
        began = time.monotonic()
        text = scraper().text
        at = time.monotonic()
        fresh = set(_lines(text, begin)) - before
        before |= fresh
        seen |= dict.fromkeys(fresh, at)
        acknowledged |= changes.taken()
        if end is None and changes.done.is_set():
            end = time.monotonic() + _PATIENCE
        time.sleep(max(0.0, _SCRAPE_EVERY - (time.monotonic() - began)))
    thread.join()
    acknowledged |= changes.taken()
    scraper.close()
    if len(acknowledged) != changes.count:
        raise RuntimeError(f"{len(acknowledged)} of {changes.count} changes were acknowledged")
    delays = [max(0.0, seen.get(line, math.inf) - at) for line, at in acknowledged.items()]
    delays.sort()
    rate = len(delays) / changes.seconds
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    report.say(
        f"Event → scrape: {len(delays):,} status changes at {shown(rate)} a second, scraped every "
        f"{_SCRAPE_EVERY * 1000:.0f} ms: p50 {ms(p50)} ms, p99 {ms(p99)} ms, longest {ms(delays[-1])} ms.\n"
    )
    told = f"{shown(p99)} s at {shown(rate)}/s"
    report.below(
        f"event → visible in a scrape, p99, {where}", p99, 1.0, told, " s", full_size=full and rate > 0.9 * RATE
    )


def _lines(text: bytes, begin: bytes) -> list[bytes]:
    """The lines of one family, which stand together."""
    first, last = text.find(begin), text.rfind(begin)
    return text[first + 1 : text.find(b"\n", last + 1)].split(b"\n") if first >= 0 else []
