"""From the API server's acknowledgement of a change to a scrape that shows it, under 500 changes a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


class _Changes:
    """Refreshes of ExternalSecrets, written at a steady rate, each object once; and when each was acknowledged."""

    def __init__(self, write: Callable[[str, str, int], None], sizes: Sizes, count: int) -> None:
        self._change = write
        self._sizes = sizes
        self._moment = int(time.time())
        self._count = count
        self._lock = threading.Lock()
        self.pending: dict[bytes, float] = {}
        self.done = threading.Event()
        self.seconds = 0.0

    def run(self) -> None:
        """Writes them all."""
        begun = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for number in range(self._count):
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
            self.pending[line] = at

    def seen(self, lines: set[bytes], at: float) -> list[float]:
        """What these lines show for the first time: seconds since each was acknowledged (0 when it was seen before)."""
        with self._lock:
            found = lines & self.pending.keys()
            return [max(0.0, at - self.pending.pop(line)) for line in found]


def on_real_server(writer: Writer) -> Callable[[str, str, int], None]:
    """Writes a refresh as ESO does: a patch of the status."""

    def write(namespace: str, name: str, moment: int) -> None:
        path = f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}/status"
        writer("PATCH", path, {"status": {"refreshTime": stamp(moment)}}, "external-secrets")

    return write


def on_double(cluster: SimulatedCluster) -> Callable[[str, str, int], None]:
    """Writes a refresh into a simulated cluster of this process."""

    def write(namespace: str, name: str, moment: int) -> None:
        cluster.apply(objects.external_secret(namespace, name, ready="True", refreshed=float(moment)))

    return write


def measure_events(report: Report, folder: Path, sizes: Sizes, *, full: bool) -> None:
    """The same from a double, where the machine cannot write 500 changes a second to a real API server."""
    folder.mkdir(parents=True, exist_ok=True)
    report.section(f"Events from the double: {sizes.externalsecrets:,} ExternalSecrets")
    with SimulatedCluster() as cluster:
        for one in cluster_objects.namespaces(sizes):
            cluster.apply(one)
        cluster.apply(cluster_objects.store())
        write = on_double(cluster)
        for number in range(sizes.externalsecrets):
            write(namespace_of(number, sizes), name_of(number), int(refreshed_at(number)))
        kubeconfig = cluster.write_kubeconfig(folder / "events.kubeconfig")
        ours = Ours("ours-events", folder, kubeconfig, AGE_OFF)
        ours.spawn()
        try:
            ours.wait_complete(Sizes(sizes.externalsecrets, 0, 0))
            measure_freshness(report, ours.port, write, sizes, "the double", full=full)
        finally:
            ours.stop()


def measure_freshness(
    report: Report, port: int, write: Callable[[str, str, int], None], sizes: Sizes, where: str, *, full: bool
) -> None:
    """Writes 500 changes a second for ten seconds while scraping ten times a second."""
    changes = _Changes(write, sizes, min(int(RATE * SECONDS), sizes.externalsecrets))
    thread = threading.Thread(target=changes.run)
    scraper = Scraper(port, gzip=True)
    begin = f"\n{_FAMILY}{{".encode()
    delays: list[float] = []
    end = None
    thread.start()
    while end is None or (changes.pending and time.monotonic() < end):
        began = time.monotonic()
        text = scraper().text
        at = time.monotonic()
        lines = (
            text[text.find(begin) + 1 : text.rfind(begin)].split(b"\n")
            + text[text.rfind(begin) + 1 :].split(b"\n", 1)[:1]
        )
        delays += changes.seen(set(lines), at)
        if end is None and changes.done.is_set():
            end = time.monotonic() + _PATIENCE
        time.sleep(max(0.0, _SCRAPE_EVERY - (time.monotonic() - began)))
    thread.join()
    scraper.close()
    delays += [float("inf")] * len(changes.pending)
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
