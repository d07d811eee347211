"""What a process used, as Linux's /proc tells it."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEGABYTE = 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time since the start of the process, of ended threads too; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cpu_by_thread(pid: int) -> Counter[str]:
    """Seconds on a processor of each living thread name, in nanosecond steps: for what is too short for `cpu_seconds`."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has just ended
            seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
            found[(task / "comm").read_text().rstrip("\n")] += seconds  # type: ignore[assignment]
    return found


def cpu_of_threads(pid: int) -> float:
    """The sum of `cpu_by_thread`."""
    return float(sum(cpu_by_thread(pid).values()))


def resident(pid: int) -> float:
    """Resident memory now, MB (10^6 bytes)."""
    return _status(pid, "VmRSS")


def peak_resident(pid: int) -> float:
    """The most resident memory the process ever had, MB (10^6 bytes)."""
    return _status(pid, "VmHWM")


def thread_count(pid: int) -> int:
    """How many threads live."""
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def _status(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / _MEGABYTE
    raise RuntimeError(f"/proc/{pid}/status tells no {field}")
