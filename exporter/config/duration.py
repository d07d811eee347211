"""Durations as people write them: Go's form (`1h30m`, `300ms`) or a plain number of seconds."""

from __future__ import annotations

import math
import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float | None:
    """Seconds of `1h30m`, `300ms`, `1.5h`, `90` or `0.5`; None when it is none of these (a sign is not accepted)."""
    body = text.strip()
    parts = list(_PART.finditer(body))
    if parts and "".join(part[0] for part in parts) == body:
        seconds = sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    elif re.fullmatch(r"\d+\.?\d*|\.\d+", body):
        seconds = float(body)
    else:
        return None
    return seconds if math.isfinite(seconds) else None


def format_duration(seconds: float) -> str:
    """The shortest form that `parse_duration` reads back as the same number: `1h30m`, `10s`, `0.25s`, `0s`."""
    if seconds != int(seconds):
        return f"{seconds:.9f}".rstrip("0") + "s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, whole = divmod(rest, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (whole, "s")) if amount]
    return "".join(parts) or "0s"
