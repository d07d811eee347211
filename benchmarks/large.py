"""Above what the real API server can be filled with in a coffee break: the double on loopback, with 600,000 objects."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from benchmarks.cluster_objects import Sizes
from benchmarks.contestants import AGE_OFF, Contestant, Ours, Plain
from benchmarks.figures import Report, mb, ms, shown
from benchmarks.rounds import scrape_in_turn
from benchmarks.scraper import Scraper
from tests.lab.loopback import LOOPBACK, free_port
from tests.lab.process import Process
from tests.lab.servers import ROOT
from tests.lab.waiting import wait_until

REFRESHER = "refresher"
_PAUSE = 0.8  # seconds before a scrape: three rounds of the refresher
_SMALL = Sizes(externalsecrets=10_000, targets=8_000, manual=2_000)
_MIXED = Sizes(externalsecrets=20_000, targets=20_000, manual=4_000)
_LARGE = Sizes(externalsecrets=100_000, targets=100_000, manual=20_000)


@dataclass(frozen=True)
class LargeSizes:
    """What the double is filled with: `large` is the size of the bars; the plain exporter still runs at those of `small` and
    `mixed`, which has the kinds of `large` in the same proportion."""

    large: Sizes = _LARGE
    others: int = 380_000
    small: Sizes = _SMALL
    mixed: Sizes = _MIXED
    mixed_others: int = 76_000
    full: bool = True

    @classmethod
    def quick(cls) -> LargeSizes:
        """A tenth."""
        return cls(
            large=Sizes(externalsecrets=10_000, targets=10_000, manual=2_000),
            others=38_000,
            small=Sizes(externalsecrets=1_000, targets=800, manual=200),
            mixed=Sizes(externalsecrets=2_000, targets=2_000, manual=400),
            mixed_others=7_600,
            full=False,
        )

    @property
    def objects(self) -> int:
        """Of the large double."""
        return self.large.objects + self.others


class Double(Process):
    """`python -m exporter.demo.bulk` in a process of its own."""

    ready_timeout = 300.0

    def __init__(self, name: str, folder: Path, sizes: Sizes, others: int = 0, *arguments: str) -> None:
        super().__init__(name, folder)
        self._arguments = arguments
        self.sizes = sizes
        self._others = others
        self._port = free_port()
        self.kubeconfig = folder / f"{name}.kubeconfig"

    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            "exporter.demo.bulk",
            f"--externalsecrets={self.sizes.externalsecrets}",
            f"--secrets={self.sizes.secrets + self._others}",
            f"--targets={self.sizes.targets}",
            f"--manual={self.sizes.manual}",
            f"--namespaces={self.sizes.namespaces}",
            f"--port={self._port}",
            f"--kubeconfig={self.kubeconfig}",
            *self._arguments,
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def is_ready(self) -> bool:
        return "http" in self.log_text()

    def change(self, resource: str, count: int, order: str = "chance") -> None:
        """Changes so many objects, chosen by chance or those that are due (see exporter.demo.bulk)."""
        url = f"http://{LOOPBACK}:{self._port}/-/change?resource={resource}&count={count}&order={order}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
            json.load(answer)


@contextlib.contextmanager
def _started(*processes: Process) -> Iterator[None]:
    try:
        for process in processes:
            process.start() if isinstance(process, Double) else process.spawn()
        yield
    finally:
        for process in reversed(processes):
            process.stop()


def measure_large(report: Report, folder: Path, sizes: LargeSizes, rounds: int) -> None:
    """RSS, clean scrapes, scrapes after changes, and the CPU of the initial sync."""
    report.section(
        f"Double on loopback: {sizes.large.externalsecrets:,} ExternalSecrets, "
        f"{sizes.large.secrets + sizes.others:,} Secrets, age family off"
    )
    empty, small = Double("double-empty", folder, Sizes(0, 0, 0)), Double("double-small", folder, sizes.small)
    large = Double("double-large", folder, sizes.large, sizes.others)
    idle = {}
    with _started(empty):
        for one in (_ours("ours-empty", folder, empty), Plain("plain-empty", folder, empty.kubeconfig)):
            with _started(one):
                one.wait_complete(empty.sizes)
                idle[type(one)] = one.sync_cpu
    beside, at_large = _ours("ours-small", folder, small), _ours("ours-large", folder, large)
    per_object: dict[str, float] = {}
    for name, sizes_, others in (("plain", sizes.small, 0), ("plain, same mix", sizes.mixed, sizes.mixed_others)):
        double = Double(f"double-{len(per_object)}", folder, sizes_, others)
        plain = Plain(f"plain-{len(per_object)}", folder, double.kubeconfig)
        with _started(double), _started(plain):
            plain.wait_complete(sizes_)
            per_object[name] = (plain.sync_cpu - idle[Plain]) / (sizes_.objects + others)
    with _started(small), _started(beside):
        beside.wait_complete(small.sizes)
        per_object["small"] = (beside.sync_cpu - idle[Ours]) / small.sizes.objects
        with _started(large, at_large):
            at_large.wait_complete(large.sizes)
            per_object["large"] = (at_large.sync_cpu - idle[Ours]) / sizes.objects
            _initial(report, per_object, sizes)
            _clean(report, beside, at_large, sizes, rounds)
            for order in ("due", "chance"):
                _changed(report, large, at_large, sizes, rounds, order)
            peak, now = usage.peak_resident(at_large.pid), usage.resident(at_large.pid)
            report.say(f"Peak RSS {shown(peak)} MB, {shown(now)} MB at the end.\n")
            report.below(f"RSS at {sizes.objects:,} objects, peak", peak, 300, unit=" MB", full_size=sizes.full)


def _ours(name: str, folder: Path, double: Double) -> Ours:
    return Ours(name, folder, double.kubeconfig, AGE_OFF, trick="none")


def _initial(report: Report, per_object: Mapping[str, float], sizes: LargeSizes) -> None:
    rows = [
        (f"ours, {sizes.objects:,} objects", shown(per_object["large"] * 1e6)),
        (f"ours, {sizes.small.objects:,} objects", shown(per_object["small"] * 1e6)),
        (f"plain Python, {sizes.small.objects:,} objects", shown(per_object["plain"] * 1e6)),
        (
            f"plain Python, {sizes.mixed.objects + sizes.mixed_others:,} objects, five Secrets to an ExternalSecret too",
            shown(per_object["plain, same mix"] * 1e6),
        ),
    ]
    report.table(("initial sync", "µs of CPU per object"), rows)
    share = per_object["large"] / per_object["plain"]
    report.below("initial sync, CPU per object : plain Python", share, 0.2, full_size=sizes.full)
    report.say(
        f"Against plain Python with the same mix: {shown(per_object['large'] / per_object['plain, same mix'])}.\n"
    )


def _clean(report: Report, small: Contestant, large: Contestant, sizes: LargeSizes, rounds: int) -> None:
    targets = {"small": (small.pid, small.port), "large": (large.pid, large.port)}
    gzip = scrape_in_turn(targets, rounds, gzip=True)
    plain = scrape_in_turn({"large": targets["large"]}, 2, gzip=False)["large"]
    rows = [
        (f"{count:,} objects", ms(gzip[name].cpu), ms(gzip[name].p50), mb(gzip[name].body))
        for name, count in (("small", sizes.small.objects), ("large", sizes.objects))
    ]
    report.table(("clean gzip scrape", "CPU, ms", "p50, ms", "MB"), rows)
    report.say(f"A plain one of {sizes.objects:,}: p50 {ms(plain.p50)} ms, {mb(plain.body)} MB.\n")
    cpu = statistics.median(a / b for a, b in zip(gzip["large"].cpus, gzip["small"].cpus, strict=True))
    report.below(f"clean gzip scrape, {sizes.objects:,} : {sizes.small.objects:,}, CPU", cpu, 15, full_size=sizes.full)


def _changed(report: Report, double: Double, ours: Contestant, sizes: LargeSizes, rounds: int, order: str) -> None:
    """1 % of the objects change, the refresher does its work, one scrape; and the same without changes, in turn.

    ExternalSecrets are refreshed when they are "due", as ESO does it: that is what the bars are about. Or by "chance", as
    if somebody forced each: then no two stand beside each other, and nearly every block of their times is made anew.

    Both kinds of scrapes come after the same pause: a processor that has done something else finds nothing in its caches,
    and one scrape right after another, which is told too, costs little more than half.
    """
    scraper = Scraper(ours.port, gzip=True)
    at_once, clean, dirty, refreshed, everything = [], [], [], [], []
    for _ in range(rounds):
        at_once.append(statistics.median(_one(ours.pid, scraper) for _ in range(3)))
        time.sleep(_PAUSE)
        clean.append(_one(ours.pid, scraper))
        before = usage.cpu_by_thread(ours.pid)
        seen = _events(ours.port)
        double.change("externalsecrets", sizes.large.externalsecrets // 100, order)
        double.change("secrets", (sizes.large.secrets + sizes.others) // 100)
        _wait_events(ours.port, seen + sizes.objects // 100)
        time.sleep(_PAUSE)
        after = usage.cpu_by_thread(ours.pid)
        refreshed.append(after[REFRESHER] - before[REFRESHER])
        everything.append(sum(after.values()) - sum(before.values()))
        dirty.append(_one(ours.pid, scraper))
    scraper.close()
    median = statistics.median
    rows = [
        ("clean scrape right after another, CPU", ms(median(at_once)), ms(min(at_once))),
        ("clean scrape, CPU", ms(median(clean)), ms(min(clean))),
        ("scrape after 1 % changed, CPU", ms(median(dirty)), ms(min(dirty))),
        ("the refresher's work for it, CPU", ms(median(refreshed)), ms(min(refreshed))),
        ("the whole process meanwhile (watches, decoding), CPU", ms(median(everything)), ms(min(everything))),
    ]
    report.table((f"1 % of the objects changed, {order}", "median, ms", "min, ms"), rows)
    scrape = median(d / c for d, c in zip(dirty, clean, strict=True))
    whole = median((r + d) / c for r, d, c in zip(refreshed, dirty, clean, strict=True))
    if order == "due":
        report.below("scrape after 1 % changed : clean", scrape, 1.5, full_size=sizes.full)
        report.below("refresher + scrape after 1 % changed : clean, CPU", whole, 10, full_size=sizes.full)
    else:
        report.say(f"Against a clean scrape: {shown(scrape)}, and with the refresher's work {shown(whole)}.\n")


def _one(pid: int, scraper: Scraper) -> float:
    """CPU seconds of one scrape, which sends everything that is new."""
    before = usage.cpu_seconds(pid)
    scraper()
    return usage.cpu_seconds(pid) - before


def _wait_events(port: int, count: float) -> None:
    wait_until("the changes came", lambda: _events(port) >= count)


def _events(port: int) -> float:
    """How many watch events have come."""
    scraper = Scraper(port, gzip=True)
    text = scraper().text
    scraper.close()
    lines = [line for line in text.split(b"\n") if line.startswith(b"eso_exporter_watch_events_total{")]
    return sum(float(line.rpartition(b" ")[2]) for line in lines)
