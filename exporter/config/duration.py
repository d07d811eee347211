"""Durations: Go's form (`1h30m`, `300ms`), as Kubernetes objects carry them and people write them, or plain seconds."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_PART = re.compile(rf"({_NUMBER})({'|'.join(_UNITS)})", re.ASCII)
_GO = re.compile(rf"([+-]?)((?:{_NUMBER}(?:{'|'.join(_UNITS)}))+|0)", re.ASCII)
_PLAIN = re.compile(_NUMBER, re.ASCII)


@lru_cache(maxsize=1024)
def parse_go_duration(text: str) -> float | None:
    """Seconds of what Go's `time.ParseDuration` takes (`1h0m0s`, `1.5h`, `300ms`, `-5m`, `0`); None when it is not one."""
    match = _GO.fullmatch(text)
    if match is None:
        return None
    seconds = sum(float(part[1]) * _UNITS[part[2]] for part in _PART.finditer(match[2]))
    return -seconds if match[1] == "-" else seconds


def parse_duration(text: str) -> float | None:
    """Seconds of a setting: Go's form without a sign, or a number of seconds (`90`, `0.5`); None when it is neither."""
    body = text.strip()
    seconds = float(body) if _PLAIN.fullmatch(body) else parse_go_duration(body)
    return seconds if seconds is not None and body[0] not in "+-" and math.isfinite(seconds) else None


def format_duration(seconds: float) -> str:
    """The shortest form that `parse_duration` reads back as the same number: `1h30m`, `10s`, `0.25s`, `0s`."""
    if seconds != int(seconds):
        return f"{seconds:.9f}".rstrip("0") + "s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, whole = divmod(rest, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (whole, "s")) if amount]
    return "".join(parts) or "0s"
