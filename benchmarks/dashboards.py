"""`python -m benchmarks.dashboards`: how long each panel's queries take on a real Prometheus, at 5,000 ExternalSecrets.

Prometheus is filled with a bad day of that size (`tests/dashboards/day.py`): six hours, all families that the dashboards
use. Each query is asked as Grafana asks it; the figure of a panel is the slowest of its queries, the median of several
rounds. Bar: 1 s for each panel of the overview. Lab binaries are built when they are missing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dashboards.files import all_dashboards
from tests.dashboards.day import SEAL, Day
from tests.dashboards.grafana import Asked, Moment, asked
from tests.lab.history import filled
from tests.lab.monitoring import Prometheus
from tests.lab.servers import ROOT

BAR = 1.0
"""Seconds for a panel of the overview."""

UNUSED = (
    "eso_externalsecret_last_sync_age_seconds",
    "eso_externalsecret_created_timestamp_seconds",
    "eso_externalsecret_ready_transition_timestamp_seconds",
    "eso_externalsecret_status_info",
)
"""Families of ExternalSecrets that no query of the overview reads; left out, since they only take time to write."""


def lines(day: Day) -> Iterator[str]:
    """The day without the families that nothing reads."""
    return (line for line in day.openmetrics() if not line.startswith(UNUSED))


def seconds(prometheus: Prometheus, query: Asked, moment: Moment) -> tuple[float, int]:
    """How long the answer to one query took, and how many series it had."""
    begun = time.perf_counter()
    if query.step is None:
        found = len(prometheus.query(query.expr, moment.end))
    else:
        found = len(prometheus.query_range(query.expr, moment.end - moment.span, moment.end, query.step))
    return time.perf_counter() - begun, found


def measured(prometheus: Prometheus, uid: str, moment: Moment, rounds: int) -> dict[str, tuple[float, int]]:
    """By panel: the slowest query's median, and the most series that one of its queries gave."""
    dashboard = next(each for each in all_dashboards() if each.uid == uid).json()
    found: dict[str, tuple[float, int]] = {}
    for query in asked(dashboard, moment):
        times = [seconds(prometheus, query, moment) for _ in range(rounds)]
        title = query.panel["title"]
        slowest, most = found.get(title, (0.0, 0))
        found[title] = (max(slowest, statistics.median(each for each, _ in times)), max(most, times[0][1]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 1 when the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__)
    parser.add_argument("--externalsecrets", type=int, default=5000)
    parser.add_argument("--step", type=int, default=60, help="seconds between two scrapes")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    folder = ROOT / ".lab" / f"dashboards-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    try:
        return _measure(folder, chosen.externalsecrets, chosen.step, chosen.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path, size: int, step: int, rounds: int) -> int:
    end = float(int(time.time() - 60) // step * step)
    day = Day(end, True, "prod", extra=size - 12, hours=6.0, step=step)
    begun = time.perf_counter()
    prometheus = filled(folder, "prometheus", [lines(day)])
    prometheus.start()
    try:
        series = prometheus.query('count({cluster="prod"})', end).value
        print(
            f"{size:,} ExternalSecrets, six hours scraped every {step} s, {series:,.0f} series; filled in {time.perf_counter() - begun:.0f} s."
        )
        print(
            "Medians of the slowest query of each panel, in milliseconds; `now`: the end of the day, `sealed`: while Vault is sealed.\n"
        )
        kept = True
        for uid in ("eso-overview", "eso-migration", "eso-vault", "eso-exporter", "eso-externalsecret"):
            names = {"namespace": ["team-007"], "name": ["service-00007"]} if uid == "eso-externalsecret" else {}
            now, sealed = (
                measured(
                    prometheus,
                    uid,
                    Moment(end - ago * 3600, scrape=step, chosen={"cluster": ["prod"], **names}),
                    rounds,
                )
                for ago in (0.0, SEAL - 0.6)
            )
            print(f"| {uid} | now | sealed | series |\n|---|---:|---:|---:|")
            for title in sorted(now, key=lambda each: -now[each][0]):
                print(f"| {title} | {now[title][0] * 1000:.0f} | {sealed[title][0] * 1000:.0f} | {now[title][1]} |")
            print()
            if uid == "eso-overview":
                worst = max(max(now[title][0], sealed[title][0]) for title in now)
                kept = worst <= BAR
                print(f"Slowest panel of the overview: {worst:.2f} s (bar {BAR:.0f} s): {'pass' if kept else 'FAIL'}\n")
    finally:
        prometheus.stop()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
