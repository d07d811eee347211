"""The memory of another process, as whoever takes a core dump of it would read it."""

from __future__ import annotations

import contextlib
import platform
import re
from pathlib import Path

OVERWRITTEN = platform.libc_ver()[0] == "glibc"
"""Whether this machine's C library overwrites what is freed; others cannot, which docs/security.md says."""


def copies(pid: int, pattern: re.Pattern[bytes]) -> list[re.Match[bytes]]:
    """Every match of `pattern` in the writable memory of a process, living or freed."""
    found: list[re.Match[bytes]] = []
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(start)
                with contextlib.suppress(OSError):  # given back to the system meanwhile
                    found += pattern.finditer(memory.read(end - start))
    return found
