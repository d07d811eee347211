"""From the API server's acknowledgement of a change to a scrape that shows it, under 500 changes a second."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.cluster_objects import Sizes, name_of, namespace_of
from benchmarks.figures import Report, ms, shown
from benchmarks.filling import CONNECTIONS, Writer
from benchmarks.scraper import Scraper
from exporter.demo.fields import stamp

RATE, SECONDS = 500, 10.0
_SCRAPE_EVERY = 0.1
_FAMILY = "eso_externalsecret_last_sync_timestamp_seconds"
_PATIENCE = 10.0


class _Changes:
    """Refreshes of ExternalSecrets, written at a steady rate, each object once; and when each was acknowledged."""

    def __init__(self, writer: Writer, sizes: Sizes, count: int) -> None:
        self._writer = writer
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
        path = f"/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}/status"
        self._writer("PATCH", path, {"status": {"refreshTime": stamp(self._moment)}}, "external-secrets")
        at = time.monotonic()
        line = f'{_FAMILY}{{namespace="{namespace}",name="{name}"}} {self._moment}'.encode()
        with self._lock:
            self.pending[line] = at

    def seen(self, lines: set[bytes], at: float) -> list[float]:
        """What these lines show for the first time: seconds since each was acknowledged (0 when it was seen before)."""
        with self._lock:
            found = lines & self.pending.keys()
            return [max(0.0, at - self.pending.pop(line)) for line in found]


def measure_freshness(report: Report, port: int, writer: Writer, sizes: Sizes, *, full: bool) -> None:
    """Writes 500 changes a second for ten seconds while scraping ten times a second."""
    changes = _Changes(writer, sizes, min(int(RATE * SECONDS), sizes.externalsecrets))
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
    report.below("event → visible in a scrape, p99", p99, 1.0, told, " s", full_size=full and rate > 0.9 * RATE)
