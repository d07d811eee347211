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
_EVERY = "@every "
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
        ends = [end for window in windows.windows if (end := _open_until(window, at)) is not None]
        if windows.kind == "allow":
            firings = (_firing(window.schedule, at, before=False) for window in windows.windows)
            return at if ends else min((firing for firing in firings if firing is not None), default=None)
        if not ends:
            return at
        at = max(ends) + 1.0
    return None


def _open_until(window: SyncWindow, at: float) -> float | None:
    """When the window that is open at `at` closes; None when it is not open, or its schedule cannot be read (ESO ignores it).

    `@every` counts from when it is asked: such a window is always open, or never.
    """
    if window.schedule.startswith(_EVERY):
        every = parse_duration(window.schedule.removeprefix(_EVERY).strip())
        return at + every if every and 1 <= every <= window.duration else None
    last = _firing(window.schedule, at, before=True)
    return last + window.duration if last is not None and at <= last + window.duration else None


def _firing(schedule: str, at: float, *, before: bool) -> float | None:
    """The last firing at or before `at`, or the first one after it."""
    expression = _MACROS.get(schedule, schedule)
    if len(expression.split()) != 5:
        return None
    # CronSim's firings are strictly before or after its start, and on whole minutes.
    return _cron(expression, int(at // 60) + before, before)


@lru_cache(maxsize=4096)
def _cron(expression: str, minute: int, before: bool) -> float | None:
    start = datetime.fromtimestamp(minute * 60, UTC)
    try:
        found: datetime = next(CronSim(expression, start, reverse=before))
    except (CronSimError, StopIteration):
        return None
    return found.timestamp() if abs(found - start) < timedelta(days=366 * 5) else None
