"""What a scrape costs: `python -m benchmarks.exposition [--quick]` prints Markdown tables.

CPU is that of the serving process (refresher, web server, kernel work on its behalf), measured around real HTTP requests
over loopback from a client in another process. Each case has a process of its own; figures of one table belong together.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks.population import START, Plain, Population
from exporter.config.settings import WebSettings
from exporter.web.server import WebServer

Row = dict[str, Any]
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def _client(port: Any, orders: Any) -> None:
    """The other process: does as many GETs as ordered over one connection, and tells how long each took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    buffer = bytearray(1 << 20)
    while (order := orders.recv()) is not None:
        count, coding = order
        took = []
        for _ in range(count):
            start = time.perf_counter()
            connection.request("GET", "/metrics", headers={"Accept": PROMETHEUS_3, "Accept-Encoding": coding})
            response = connection.getresponse()
            size = 0
            while got := response.readinto(buffer):
                size += got
            took.append(time.perf_counter() - start)
        orders.send((took, size))


class Bench:
    """A population that is served, and a client for it."""

    def __init__(self, population: Population) -> None:
        self.population = population
        now = [float(START + 7200)]

        def clock() -> float:
            # Each scrape is in another second: nothing that is good for a second is used twice.
            now[0] += 1
            return now[0]

        start = time.process_time()
        population.exposition.refresh()
        self.first_refresh = time.process_time() - start
        self._server = WebServer(WebSettings(listen_address="127.0.0.1:0"), {}, population.exposition, clock=clock)
        self._server.start()
        self._orders, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_client, args=(self._server.address[1], theirs)
        )
        self._process.start()
        self.scrape(2)

    def scrape(self, count: int, coding: str = "gzip") -> tuple[float, float, int]:
        """(CPU of this process per scrape, median latency, bytes)."""
        before = time.process_time()
        self._orders.send((count, coding))
        took, size = self._orders.recv()
        return (time.process_time() - before) / count, statistics.median(took), size

    def clean(self, rounds: int = 5, coding: str = "gzip") -> Row:
        """Nothing has changed: median CPU over rounds of five scrapes, in ms."""
        found = [self.scrape(5, coding) for _ in range(rounds)]
        return {
            "cpu": _ms(statistics.median(each[0] for each in found)),
            "p50": _ms(statistics.median(each[1] for each in found)),
            "bytes": found[0][2],
        }

    def dirty(self, *, by_chance: bool, rounds: int = 7) -> Row:
        """One in a hundred objects was synced since the last scrape; CPU of taking that over, and of the scrape after it."""
        population = self.population
        refreshes, scrapes = [], []
        for _ in range(rounds):
            changed = population.synced(max(1, len(population.group) // 100), by_chance=by_chance)
            start = time.process_time()
            for key, facts in changed:
                population.group.put(key, facts)
            population.exposition.refresh()
            refreshes.append(time.process_time() - start)
            scrapes.append(self.scrape(1)[0])
        return {"refresh": _ms(statistics.median(refreshes)), "scrape": _ms(statistics.median(scrapes))}

    def close(self) -> None:
        """End the client."""
        self._orders.send(None)
        self._process.join()
        self._server.shutdown()


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 2)


def _case_size(count: int, manual: int, **options: Any) -> Row:
    bench = Bench(Population(count, manual, **options))
    row = {
        "objects": count + manual,
        "first_refresh": _ms(bench.first_refresh),
        "clean": bench.clean(),
        "plain": bench.clean(3, "identity"),
        "schedule": bench.dirty(by_chance=False),
        "chance": bench.dirty(by_chance=True),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }
    bench.close()
    return row


def _case_against(count: int) -> Row:
    """Ours beside prometheus_client's own rendering of the same samples, turn by turn in one process."""
    population = Population(count, 0)
    bench = Bench(population)
    plain = Plain(facts for key in population.group.keys() if (facts := population.group.get(key)) is not None)  # noqa: SIM118
    ways: dict[str, Callable[[], Any]] = {
        "text": lambda: generate_latest(plain),
        "openmetrics": lambda: generate_openmetrics(plain),  # type: ignore[no-untyped-call]
        "openmetrics, gzip as its server does": lambda: gzip.compress(generate_openmetrics(plain)),  # type: ignore[no-untyped-call]
    }
    theirs: dict[str, list[float]] = {name: [] for name in ways}
    ours: list[float] = []
    for _ in range(3):
        ours.append(bench.scrape(5)[0])
        for name, way in ways.items():
            start = time.process_time()
            way()
            theirs[name].append(time.process_time() - start)
    bench.close()
    mine = statistics.median(ours)
    return {
        "ours": _ms(mine),
        **{
            name: [_ms(statistics.median(times)), round(statistics.median(times) / mine)]
            for name, times in theirs.items()
        },
    }


CASES: dict[str, Callable[[bool], Row]] = {
    "small": lambda _: _case_size(10_000, 2_000),
    "small-age": lambda _: _case_size(10_000, 2_000, age=True),
    "small-zlib": lambda _: _case_size(10_000, 2_000, age=True, codec="zlib"),
    "medium": lambda quick: _case_size(30_000 if quick else 100_000, 0),
    "large": lambda quick: _case_size(*((30_000, 30_000) if quick else (100_000, 100_000))),
    "against": lambda quick: _case_against(2_000 if quick else 10_000),
}


def _run(case: str, quick: bool) -> Row:
    command = [sys.executable, "-m", "benchmarks.exposition", "--case", case, *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout)
    return row


def report(quick: bool) -> str:
    """All cases as Markdown."""
    rows = {case: _run(case, quick) for case in CASES}
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("prometheus_client", "isal", "msgspec")
    )
    lines = [
        f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {versions}. Milliseconds of CPU.",
        "",
        "| case | objects with lines | gzip scrape | p50 | body | plain scrape | body | 1 % by schedule: refresh + scrape "
        "| against clean | 1 % by chance | against clean | first refresh | peak RSS |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case, row in rows.items():
        if case != "against":
            lines.append(_line(case, row))
    small = rows["small"]["clean"]["cpu"]
    lines += ["", "| a clean gzip scrape of | costs so many of `small` |", "|---|---|"]
    lines += [f"| {case} | {rows[case]['clean']['cpu'] / small:.1f} |" for case in ("medium", "large")]
    against = rows["against"]
    lines += [
        "",
        "| eight families, same samples | CPU | ratio |",
        "|---|---|---|",
        f"| ours, gzip | {against.pop('ours')} | 1 |",
    ]
    lines += [f"| prometheus_client, {name} | {cpu} | {ratio} |" for name, (cpu, ratio) in against.items()]
    return "\n".join(lines) + "\n"


def _line(case: str, row: Row) -> str:
    clean, plain = row["clean"], row["plain"]
    cells = [case, row["objects"], clean["cpu"], clean["p50"], _mb(clean), plain["cpu"], _mb(plain)]
    for order in ("schedule", "chance"):
        each = row[order]
        total = each["refresh"] + each["scrape"]
        cells += [f"{each['refresh']} + {each['scrape']}", f"{total / clean['cpu']:.1f}×"]
    cells += [row["first_refresh"], f"{row['rss_mb']} MB"]
    return "| " + " | ".join(map(str, cells)) + " |"


def _mb(row: Row) -> str:
    return f"{row['bytes'] / 1e6:.2f} MB"


def main() -> None:
    """One case as JSON, or all of them as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    arguments = parser.parse_args()
    text = json.dumps(CASES[arguments.case](arguments.quick)) if arguments.case else report(arguments.quick)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
