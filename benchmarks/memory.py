"""Peak memory with small and with large values: its bars, and the run on the double, which is filled in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks import usage
from benchmarks.cluster_objects import KEYS, METADATA_BYTES, Sizes
from benchmarks.contestants import AGE_OFF, Contestant, KubeStateMetrics, Ours
from benchmarks.figures import Report, shown
from benchmarks.large import Double
from benchmarks.names import KSM, OURS, OURS_AGE
from benchmarks.rounds import scrape_in_turn

SMALL_VALUE, LARGE_VALUE = 3_000, 27_000


def measure_memory(report: Report, folder: Path, sizes: Sizes, *, full: bool) -> None:
    """The same objects as on the real API server, from the double."""
    report.section(f"Memory, double: {sizes.externalsecrets:,} ExternalSecrets, {sizes.secrets:,} Secrets")
    memory_bars(report, _peaks(folder, sizes, SMALL_VALUE), _peaks(folder, sizes, LARGE_VALUE), full=full)


def _peaks(folder: Path, sizes: Sizes, value: int) -> dict[str, float]:
    arguments = (f"--metadata-bytes={METADATA_BYTES}", f"--value-bytes={value // len(KEYS)}")
    double = Double(f"double-{value}", folder, sizes, 0, *arguments)
    double.start()
    made: dict[str, Contestant] = {
        OURS: Ours(f"ours-{value}", folder, double.kubeconfig, AGE_OFF),
        OURS_AGE: Ours(f"ours-age-{value}", folder, double.kubeconfig),
        KSM: KubeStateMetrics(f"ksm-{value}", folder, double.kubeconfig),
    }
    try:
        for one in made.values():
            one.spawn()
            one.wait_complete(sizes)
        scrape_a_while(made)
        return {name: usage.peak_resident(one.pid) for name, one in made.items()}
    finally:
        for each in made.values():
            each.stop()
        double.stop()


def scrape_a_while(contestants: Mapping[str, Contestant]) -> None:
    """So that the peak holds what scraping takes."""
    targets = {name: (one.pid, one.port) for name, one in contestants.items()}
    for gzip in (True, False):
        scrape_in_turn(targets, 1, gzip=gzip)


def memory_bars(report: Report, peaks: Mapping[str, float], larger: Mapping[str, float], *, full: bool) -> None:
    """Peaks in MB, by contestant, with SMALL_VALUE and with LARGE_VALUE bytes in each Secret."""
    rows = [(name, shown(peak), shown(larger[name])) for name, peak in peaks.items()]
    report.table(("peak RSS, MB", f"values {SMALL_VALUE // 1000} KB", f"values {LARGE_VALUE // 1000} KB"), rows)
    for name in (OURS, OURS_AGE):
        age = name.partition(", ")[2]
        report.below(f"peak RSS, {age} : KSM", peaks[name] / peaks[KSM], 0.5, full_size=full)
        report.below(f"peak RSS, {age}", peaks[name], 150, unit=" MB", full_size=full)
    report.below("peak RSS, values of 27 KB : of 3 KB", larger[OURS_AGE] / peaks[OURS_AGE], 1.1, full_size=full)
