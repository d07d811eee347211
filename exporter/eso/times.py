"""Kubernetes times and Go durations, as ESO's objects carry them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from exporter.config.duration import parse_go_duration as parse_duration

__all__ = ["parse_duration", "parse_time"]


@lru_cache(maxsize=8192)
def parse_time(text: str | None) -> float | None:
    """Unix seconds of an RFC 3339 time; None for an absent, zero or unreadable one (never 0 for "never").

    Objects made together share their times: each is read once, and stands in memory once.
    """
    if not text or text.startswith("0001-"):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
