"""`python -m benchmarks`: see docs/performance.md."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import exposition
from benchmarks.cluster_objects import Sizes
from benchmarks.dashboards import measure_dashboards
from benchmarks.failing import measure_failing
from benchmarks.figures import Report
from benchmarks.freshness import measure_events
from benchmarks.large import LargeSizes, measure_large
from benchmarks.memory import measure_memory
from benchmarks.real import REAL_PARTS, measure_real
from tests.lab.build import BuildError, ensure, ensure_crds
from tests.lab.servers import ROOT

PARTS = (*REAL_PARTS, "large", "memory", "events", "failing", "exposition", "dashboards")

_BINARIES = ("etcd", "kube-apiserver", "kube-state-metrics")
_PACKAGES = ("msgspec", "isal", "urllib3", "prometheus_client", "kubernetes")

SIZES = Sizes(externalsecrets=10_000, targets=8_000, manual=2_000)
QUICK_SIZES = Sizes(externalsecrets=1_000, targets=800, manual=200)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and hold against the bars.")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"only these (default: all): {', '.join(PARTS)}; real stands for {', '.join(REAL_PARTS)}",
    )
    parser.add_argument("--quick", action="store_true", help="smaller: shows that it works, not what it costs")
    parser.add_argument("--rounds", type=int, help="interleaved rounds of scrapes (default 7, quick 3)")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a bar is missed")
    chosen = parser.parse_args(arguments)
    rounds = chosen.rounds or (3 if chosen.quick else 7)
    parts = {part for given in chosen.parts or PARTS for part in (REAL_PARTS if given == "real" else (given,))}
    if unknown := sorted(parts - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    real = parts & set(REAL_PARTS)
    folder = ROOT / ".lab" / f"benchmarks-{time.strftime('%Y%m%d-%H%M%S')}"
    report = Report()
    try:
        for name in _BINARIES if real else ("kube-state-metrics",) if "memory" in parts else ():
            ensure(name)
        if real:
            ensure_crds()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    begun = time.monotonic()
    report.say(_machine(real=bool(real)))
    try:
        if real:
            measure_real(report, folder, QUICK_SIZES if chosen.quick else SIZES, rounds, real, full=not chosen.quick)
        if "large" in parts:
            measure_large(report, folder, LargeSizes.quick() if chosen.quick else LargeSizes(), rounds)
        if "memory" in parts:
            measure_memory(report, folder, QUICK_SIZES if chosen.quick else SIZES, full=not chosen.quick)
        if "events" in parts:
            measure_events(report, folder, QUICK_SIZES if chosen.quick else SIZES, full=not chosen.quick)
        if "failing" in parts:
            measure_failing(report, folder)
        if "exposition" in parts:
            report.section("Rendering alone, in one process")
            report.say(exposition.report(chosen.quick))
        if "dashboards" in parts:
            measure_dashboards(report, folder / "dashboards", 500 if chosen.quick else 5000, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    kept = report.end()
    report.say(f"{time.monotonic() - begun:.0f} s in all.")
    return 1 if chosen.strict and not kept else 0


def _machine(*, real: bool) -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    cores = len([line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")])
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"{cores} × {model}, Linux {platform.release()}; Python {platform.python_version()}, {packages}" + (
        "; Kubernetes 1.37.2, kube-state-metrics 2.18.0, both built by the lab." if real else "."
    )


if __name__ == "__main__":
    sys.exit(main())
