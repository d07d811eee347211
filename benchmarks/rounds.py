"""Interleaved rounds: everyone is scraped in turn, again and again, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import usage
from benchmarks.scraper import Scraper

_BLOCK = 4
"""Scrapes of one contestant in a round."""


@dataclass
class Series:
    """What one contestant's scrapes of one coding cost: seconds of each, CPU seconds per scrape of each round."""

    walls: list[list[float]] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    body: int = 0

    @property
    def p50(self) -> float:
        """The median of all scrapes, seconds."""
        return statistics.median(second for wall in self.walls for second in wall)

    @property
    def best(self) -> float:
        """The shortest, seconds."""
        return min(second for wall in self.walls for second in wall)

    @property
    def cpu(self) -> float:
        """The median over the rounds of the CPU seconds per scrape."""
        return statistics.median(self.cpus)

    @property
    def round_p50s(self) -> list[float]:
        """The median of each round."""
        return [statistics.median(wall) for wall in self.walls]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of ours : theirs."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def scrape_in_turn(targets: Mapping[str, tuple[int, int]], rounds: int, *, gzip: bool) -> dict[str, Series]:
    """Scrapes each target (name → pid, port) in blocks, `rounds` times over."""
    scrapers = {name: Scraper(port, gzip=gzip) for name, (_, port) in targets.items()}
    series = {name: Series() for name in targets}
    for name, scraper in scrapers.items():
        scraper()
        series[name].body = len(scraper().body)
    for _ in range(rounds):
        for name, (pid, _) in targets.items():
            wall, cpu = block(pid, scrapers[name])
            series[name].walls.append(wall)
            series[name].cpus.append(cpu)
    for scraper in scrapers.values():
        scraper.close()
    return series


def block(pid: int, scraper: Scraper) -> tuple[list[float], float]:
    """A block of scrapes: seconds of each, and the process's CPU seconds per scrape.

    Each begins in a second of its own, as Prometheus's do: caches are cold, and what is rendered when scraped (ages, good for
    a second) is rendered for each. CPU is counted during the scrapes alone.
    """
    wall: list[float] = []
    spent = 0.0
    for _ in range(_BLOCK):
        time.sleep(1.01 - time.time() % 1.0)
        before = usage.cpu_seconds(pid)
        wall.append(scraper().seconds)
        spent += usage.cpu_seconds(pid) - before
    return wall, spent / _BLOCK
