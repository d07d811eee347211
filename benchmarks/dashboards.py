"""The part `dashboards` of `make bench`: how long each panel's queries take on a real Prometheus, at 5,000 ExternalSecrets.

Prometheus is filled with a bad day of that size (`tests/dashboards/day.py`): six hours, all families that the dashboards
use. Each query is asked as Grafana asks it; the figure of a panel is the slowest of its queries, the least of several
rounds (what else the machine does only adds). Bar: 1 s for each panel of the overview. Lab binaries are built when they are missing.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.figures import Report
from dashboards.files import all_dashboards
from tests.dashboards.day import SEAL, Day
from tests.dashboards.grafana import Asked, Moment, asked
from tests.lab.history import filled
from tests.lab.monitoring import Prometheus

BAR = 1.0
"""Seconds for a panel of the overview."""

OWN = 12
"""ExternalSecrets that a bad day has of its own, before any are added."""

UNUSED = (
    "eso_externalsecret_last_sync_age_seconds",
    "eso_externalsecret_ready_transition_timestamp_seconds",
    "eso_externalsecret_status_info",
)
"""Families of ExternalSecrets that no query of the overview reads; left out, since they only take time to write. (Prometheus
finds series by name, so what is not asked for costs a query nothing.)"""


def seconds(prometheus: Prometheus, query: Asked, moment: Moment) -> tuple[float, int]:
    """How long the answer to one query took, and how many series it had."""
    begun = time.perf_counter()
    if query.step is None:
        found = len(prometheus.query(query.expr, moment.end))
    else:
        found = len(prometheus.query_range(query.expr, moment.end - moment.span, moment.end, query.step))
    return time.perf_counter() - begun, found


def measured(prometheus: Prometheus, uid: str, moment: Moment, rounds: int) -> dict[str, tuple[float, int]]:
    """By panel: the slowest query's least time, and the most series that one of its queries gave."""
    dashboard = next(each for each in all_dashboards() if each.uid == uid).json()
    found: dict[str, tuple[float, int]] = {}
    for query in asked(dashboard, moment):
        times = [seconds(prometheus, query, moment) for _ in range(rounds)]
        title = query.panel["title"]
        slowest, most = found.get(title, (0.0, 0))
        found[title] = (max(slowest, min(each for each, _ in times)), max(most, times[0][1]))
    return found


def measure_dashboards(report: Report, folder: Path, size: int = 5000, rounds: int = 5, step: int = 60) -> None:
    """Fill a Prometheus and ask it everything; the bar is that of the overview, at 5,000 ExternalSecrets."""
    folder.mkdir(parents=True, exist_ok=True)
    end = float(int(time.time() - 60) // step * step)
    day = Day(end, True, "prod", extra=size - OWN, hours=6.0, step=step)
    begun = time.perf_counter()
    prometheus = filled(folder, "prometheus", [day.openmetrics(without=UNUSED)])
    prometheus.start()
    try:
        series = prometheus.query('count({cluster="prod"})', end).value
        report.section(f"Dashboards at {size:,} ExternalSecrets")
        report.say(
            f"Six hours scraped every {step} s, {series:,.0f} series, filled in {time.perf_counter() - begun:.0f} s. The slowest "
            "query of each panel in milliseconds, the least of several rounds; `sealed` is while Vault is sealed.\n"
        )
        for uid in ("eso-overview", "eso-migration", "eso-vault", "eso-exporter", "eso-externalsecret"):
            names = {"namespace": ["team-007"], "name": ["service-00007"]} if uid == "eso-externalsecret" else {}
            now, sealed = (
                measured(prometheus, uid, Moment(end - ago, scrape=step, chosen={"cluster": ["prod"], **names}), rounds)
                for ago in (0.0, (SEAL - 0.6) * 3600)
            )
            worst = {title: max(now[title][0], sealed[title][0]) for title in now}
            rows = [
                (title, *(f"{each[title][0] * 1000:.0f}" for each in (now, sealed)), str(now[title][1]))
                for title in sorted(worst, key=lambda each: -worst[each])
            ]
            report.table((uid, "now", "sealed", "series"), rows)
            if uid == "eso-overview":
                slowest = max(worst, key=lambda each: worst[each])
                report.below(
                    f"slowest panel of the overview: {slowest}", worst[slowest], BAR, unit=" s", full_size=size == 5000
                )
    finally:
        prometheus.stop()
