"""Interleaved rounds: everyone is scraped in turn, again and again, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import usage
from benchmarks.scraper import Scrape, Scraper

_BLOCK_SECONDS = 0.5
"""A block of one contestant's scrapes in a round takes about so long."""

_MOST = 60

_APART = 4
"""Scrapes in a block of those that are scraped once a second."""


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


def scrape_in_turn(
    targets: Mapping[str, tuple[int, int]],
    rounds: int,
    *,
    gzip: bool,
    apart: Collection[str] = (),
    before_each: Callable[[], None] = lambda: None,
) -> dict[str, Series]:
    """Scrapes each target (name → pid, port) in blocks, `rounds` times over.

    Those in `apart` are scraped at most once in each second of the clock: what they render when scraped is good for a
    second, so that scrapes close together would measure it once and share it.
    """
    scrapers = {name: Scraper(port, gzip=gzip) for name, (_, port) in targets.items()}
    series = {name: Series() for name in targets}
    counts = {}
    for name, scraper in scrapers.items():
        first = _warm(scraper)
        series[name].body = len(first.body)
        counts[name] = _APART if name in apart else max(1, min(_MOST, int(_BLOCK_SECONDS / first.seconds)))
    for _ in range(rounds):
        before_each()
        for name, (pid, _) in targets.items():
            measure = block_apart if name in apart else block
            wall, cpu = measure(pid, scrapers[name], counts[name])
            series[name].walls.append(wall)
            series[name].cpus.append(cpu)
    for scraper in scrapers.values():
        scraper.close()
    return series


def block(pid: int, scraper: Scraper, count: int) -> tuple[list[float], float]:
    """`count` scrapes: seconds of each, and the process's CPU seconds per scrape (what it does besides included)."""
    if count > 3:
        scraper()  # the first finds caches that others have used
    before = usage.cpu_of_threads(pid)
    wall = [scraper().seconds for _ in range(count)]
    return wall, (usage.cpu_of_threads(pid) - before) / count


def block_apart(pid: int, scraper: Scraper, count: int) -> tuple[list[float], float]:
    """The same, each scrape in a second of its own; CPU is counted during the scrapes alone."""
    wall: list[float] = []
    spent = 0.0
    for _ in range(count):
        time.sleep(1.01 - time.time() % 1.0)
        before = usage.cpu_of_threads(pid)
        wall.append(scraper().seconds)
        spent += usage.cpu_of_threads(pid) - before
    return wall, spent / count


def _warm(scraper: Scraper) -> Scrape:
    scraper()
    return scraper()
