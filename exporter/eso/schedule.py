"""When ESO reads the provider next, and from when on a missing sync is a fault.

Rules of external-secrets v2.9.0 (`shouldRefresh`, `isWithinSyncWindow`): CreatedOnce, OnChange and interval 0 never
refresh by themselves; sync windows (since 2.7, UTC) only hold back periodic refreshes; a refresh that a window held
back comes with the rate-limited queue, up to 7 minutes after the window opened.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cronsim import CronSim, CronSimError

from exporter.eso.times import parse_duration

BACKOFF_CAP = 420.0
"""Seconds: the longest wait of ESO's per-object back-off (since 0.14)."""

_SEARCH_LIMIT = 400
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class SyncWindow(NamedTuple):
    """One window: opens at each firing of `schedule` (5-field cron or macro, UTC) for `duration` seconds."""

    schedule: str
    duration: float


class SyncWindows(NamedTuple):
    """`kind` is allow (refresh only inside a window) or deny (refresh only outside all windows)."""

    kind: str
    windows: tuple[SyncWindow, ...]


def refreshes_by_itself(policy: str, interval: float) -> bool:
    """Whether ESO reads the provider again without any change: policy Periodic (or unset) and an interval above 0."""
    return policy in ("", "Periodic") and interval > 0


def next_sync(policy: str, interval: float, windows: SyncWindows | None, last: float | None) -> float | None:
    """Unix seconds of ESO's next read of the provider after the sync at `last`; None where nothing is due."""
    if last is None or not refreshes_by_itself(policy, interval):
        return None
    return first_allowed(windows, last + interval)


def sync_deadline(
    policy: str, interval: float, windows: SyncWindows | None, last: float | None, *, factor: float, grace: float
) -> float | None:
    """Unix seconds from which on a missing sync is a fault: last + max(factor·interval, interval + grace).

    Where a sync window moves the due moment, the time beyond the interval counts from the first allowed moment, plus
    the back-off that ESO needs to notice that the window is open. None where nothing is due.
    """
    due = next_sync(policy, interval, windows, last)
    if due is None or last is None:
        return None
    deadline = due + max(factor * interval, interval + grace) - interval
    if windows is None or not windows.windows:
        return deadline
    if due > last + interval:
        deadline += BACKOFF_CAP
    reopened = first_allowed(windows, deadline)
    if reopened is not None and reopened > deadline:
        # Blocked again before the slack was over: it starts anew when the windows allow a refresh again.
        return reopened + BACKOFF_CAP + grace
    return deadline


def first_allowed(windows: SyncWindows | None, moment: float) -> float | None:
    """The first moment at or after `moment` (Unix seconds) at which the windows allow a periodic refresh.

    None when no such moment lies within the next firings that are looked at (a deny window without a gap, say).
    """
    if windows is None or not windows.windows or windows.kind not in ("allow", "deny"):
        return moment
    at = moment
    for _ in range(_SEARCH_LIMIT):
        spans = [span for window in windows.windows if (span := _span_at_or_after(window, at)) is not None]
        active = [span for span in spans if span[0] <= at <= span[1]]
        if windows.kind == "allow":
            if active:
                return at
            return min((start for start, _ in spans), default=None)
        if not active:
            return at
        at = max(end for _, end in active) + 1.0
    return None


def _span_at_or_after(window: SyncWindow, at: float) -> tuple[float, float] | None:
    """The window's opening that holds `at`, else its next one; None when its schedule cannot be read (ESO ignores it)."""
    firing = _next_firing(window.schedule, at - window.duration - 1.0)
    return None if firing is None else (firing, firing + window.duration)


def _next_firing(schedule: str, after: float) -> float | None:
    """The first firing strictly after `after`."""
    if schedule.startswith("@every "):
        every = parse_duration(schedule.removeprefix("@every ").strip())
        return None if not every or every < 1 else after + every
    expression = _MACROS.get(schedule, schedule)
    if len(expression.split()) != 5:
        return None
    return _cron_next(expression, int(after // 60))


@lru_cache(maxsize=4096)
def _cron_next(expression: str, minute: int) -> float | None:
    start = datetime.fromtimestamp(minute * 60, UTC)
    try:
        # CronSim's firings are strictly after its start, on whole minutes: so is what we look for.
        found: datetime = next(CronSim(expression, start))
    except (CronSimError, StopIteration):
        return None
    return found.timestamp() if found - start < timedelta(days=366 * 5) else None
