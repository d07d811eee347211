"""What a process used, as Linux's /proc tells it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path

_PROCESS_CLOCK = 2
_MEGABYTE = 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time since the start of the process, of ended threads too, in nanosecond steps.

    The clock of another process, as clock_getcpuclockid(3) makes it of the process's id.
    """
    return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)


def cpu_by_thread(pid: int) -> Counter[str]:
    """Seconds on a processor of each name of living threads, in nanosecond steps."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has just ended
            seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
            found[(task / "comm").read_text().rstrip("\n")] += seconds  # type: ignore[assignment]
    return found


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
