"""When a sync is due and when it is late, with sync windows: examples, and whole days against an oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.eso.schedule import (
    BACKOFF_CAP,
    SyncWindow,
    SyncWindows,
    first_allowed,
    next_sync,
    refreshes_by_itself,
    sync_deadline,
)

HOUR, DAY = 3600.0, 86_400.0
MONDAY = datetime(2026, 5, 25, tzinfo=UTC).timestamp()
SLACK = {"factor": 2.0, "grace": 900.0}


def at(text: str) -> float:
    """Unix seconds of "Mon 02:30", in the week that begins at MONDAY."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun").index(day)
    return MONDAY + days * DAY + int(hour) * HOUR + int(minute) * 60


def windows(kind: str, *spans: tuple[str, float]) -> SyncWindows:
    return SyncWindows(kind, tuple(SyncWindow(schedule, hours * HOUR) for schedule, hours in spans))


@pytest.mark.parametrize(
    ("policy", "interval", "does"),
    [
        ("", 60.0, True),
        ("Periodic", 60.0, True),
        ("Periodic", 0.0, False),
        ("", -1.0, False),
        ("CreatedOnce", 60.0, False),
        ("OnChange", 60.0, False),
    ],
)
def test_what_refreshes_by_itself(policy: str, interval: float, does: bool) -> None:
    assert refreshes_by_itself(policy, interval) is does
    assert (next_sync(policy, interval, None, MONDAY) is not None) is does
    assert (sync_deadline(policy, interval, None, MONDAY, **SLACK) is not None) is does


def test_nothing_is_due_before_the_first_sync() -> None:
    assert next_sync("", HOUR, None, None) is None
    assert sync_deadline("", HOUR, None, None, **SLACK) is None


@pytest.mark.parametrize(("interval", "slack"), [(60.0, 960.0), (900.0, 1800.0), (HOUR, 2 * HOUR), (DAY, 2 * DAY)])
def test_the_deadline_is_the_larger_of_twice_the_interval_and_a_grace(interval: float, slack: float) -> None:
    assert next_sync("", interval, None, MONDAY) == MONDAY + interval
    assert sync_deadline("", interval, None, MONDAY, **SLACK) == MONDAY + slack


NIGHT = windows("allow", ("0 2 * * *", 1))
OFFICE = windows("deny", ("0 8 * * 1-5", 10))


@pytest.mark.parametrize(
    ("given", "asked", "allowed"),
    [
        (NIGHT, "Mon 01:00", "Mon 02:00"),
        (NIGHT, "Mon 02:00", "Mon 02:00"),
        (NIGHT, "Mon 02:59", "Mon 02:59"),
        (NIGHT, "Mon 03:00", "Mon 03:00"),
        (NIGHT, "Mon 03:01", "Tue 02:00"),
        (OFFICE, "Mon 07:59", "Mon 07:59"),
        (OFFICE, "Sat 12:00", "Sat 12:00"),
        (windows("allow", ("@daily", 1)), "Mon 05:00", "Tue 00:00"),
        (windows("allow", ("@hourly", 0.25)), "Mon 05:20", "Mon 06:00"),
        (windows("allow", ("@weekly", 2)), "Mon 05:00", "Sun 00:00"),
        (windows("allow", ("0 2 * * *", 1), ("0 14 * * *", 1)), "Mon 05:00", "Mon 14:00"),
        (windows("allow", ("0 22 * * *", 8)), "Tue 01:00", "Tue 01:00"),
        (windows("allow", ("@every 30m", 1)), "Mon 05:00", "Mon 05:00"),
        (windows("deny", ("@every 2h", 1)), "Mon 05:00", "Mon 05:00"),
        (windows("blocked", ("0 2 * * *", 1)), "Mon 05:00", "Mon 05:00"),
        (windows("allow"), "Mon 05:00", "Mon 05:00"),
    ],
)
def test_the_first_allowed_moment(given: SyncWindows, asked: str, allowed: str) -> None:
    assert first_allowed(given, at(asked)) == at(allowed)


def test_a_denied_span_ends_a_second_after_its_last() -> None:
    assert first_allowed(OFFICE, at("Mon 08:00")) == at("Mon 18:00") + 1
    assert first_allowed(OFFICE, at("Fri 17:00")) == at("Fri 18:00") + 1


def test_denied_spans_that_touch_are_one() -> None:
    both = windows("deny", ("0 8 * * *", 4), ("0 12 * * *", 4))
    assert first_allowed(both, at("Mon 09:00")) == at("Mon 16:00") + 1


def test_looking_ends_where_a_schedule_is_made_to_keep_it_busy() -> None:
    tiny = windows("deny", ("* * * * 1", 1 / 60))
    assert first_allowed(tiny, at("Mon 23:00")) == at("Tue 00:00") + 1
    assert first_allowed(tiny, at("Mon 00:00")) is None


def test_every_opens_always_or_never() -> None:
    assert first_allowed(windows("allow", ("@every 2h", 1)), MONDAY) is None
    assert first_allowed(windows("deny", ("@every 30m", 1)), MONDAY) is None


def test_no_moment_is_allowed_where_denied_spans_leave_no_gap() -> None:
    assert first_allowed(windows("deny", ("* * * * *", 1)), at("Mon 09:00")) is None
    assert sync_deadline("", HOUR, windows("deny", ("* * * * *", 1)), MONDAY, **SLACK) is None


@pytest.mark.parametrize("schedule", ["nonsense", "0 2 * *", "0 2 * * * *", "99 * * * *", "@never", "@every 0s", ""])
def test_a_schedule_that_cannot_be_read_opens_nothing(schedule: str) -> None:
    assert first_allowed(windows("allow", (schedule, 1)), MONDAY) is None
    assert first_allowed(windows("deny", (schedule, 1)), MONDAY) == MONDAY


def test_a_sync_between_whole_seconds_gets_no_window_of_the_past() -> None:
    just_after = at("Mon 03:00") + 0.5
    assert first_allowed(NIGHT, just_after) == at("Tue 02:00")


def test_the_deadline_counts_from_when_the_window_opens() -> None:
    # Synced 02:30, due 03:30, held back until 02:00 of the next day; ESO notices within its back-off.
    synced = at("Mon 02:30")
    assert next_sync("", HOUR, NIGHT, synced) == at("Tue 02:00")
    open_until = at("Tue 03:00")
    deadline = sync_deadline("", HOUR, NIGHT, synced, **SLACK)
    # An hour of slack and the back-off reach beyond the end of the window: the slack starts anew in the next.
    assert at("Tue 02:00") + HOUR + BACKOFF_CAP > open_until
    assert deadline == at("Wed 02:00") + BACKOFF_CAP + SLACK["grace"]


def test_the_deadline_within_one_window_is_moved_by_the_back_off_only() -> None:
    wide = windows("allow", ("0 2 * * *", 12))
    synced = at("Mon 13:30")
    assert next_sync("", HOUR, wide, synced) == at("Tue 02:00")
    assert sync_deadline("", HOUR, wide, synced, **SLACK) == at("Tue 02:00") + HOUR + BACKOFF_CAP


def test_windows_that_block_nothing_now_change_nothing() -> None:
    wide = windows("allow", ("0 2 * * *", 12))
    synced = at("Mon 05:00")
    assert sync_deadline("", HOUR, wide, synced, **SLACK) == sync_deadline("", HOUR, None, synced, **SLACK)


MINUTES, HOURS, WEEKDAYS = range(60), range(24), range(7)


def _field(values: range) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """One cron field and the set of values that it stands for."""
    steps = st.integers(2, 9).map(lambda n: (f"*/{n}", frozenset(v for v in values if v % n == 0)))
    some = st.sets(st.sampled_from(values), min_size=1, max_size=3).map(
        lambda found: (",".join(map(str, sorted(found))), frozenset(found))
    )
    return st.one_of(st.just(("*", frozenset(values))), steps, some)


_SCHEDULE = st.tuples(_field(MINUTES), _field(HOURS), _field(WEEKDAYS))
# Not minutes on end that are each denied for a minute: looking at firings stops after some hundreds (see below).
_WINDOWS = st.lists(st.tuples(_SCHEDULE, st.one_of(st.just(0), st.integers(5, 300))), min_size=1, max_size=3)


HALF = 30
"""Seconds: windows open and close on whole minutes here, so whole and half minutes tell all."""


def _open_halves(rows: list[Any], start: int, count: int) -> set[int]:
    """Half minutes since the epoch that lie in some window: each is looked at by itself, without any cron library."""
    found: set[int] = set()
    for (minutes, hours, days), length in rows:
        for half in range(start - 2 * length, start + count):
            moment = datetime.fromtimestamp(half * HALF, UTC)
            weekday = moment.isoweekday() % 7  # cron's Sunday is 0
            fires = not moment.second and moment.minute in minutes[1] and moment.hour in hours[1]
            if fires and weekday in days[1]:
                found.update(range(half, half + 2 * length + 1))
    return found


@settings(deadline=None)
@given(_WINDOWS, st.sampled_from(["allow", "deny"]), st.integers(0, 7 * 24 * 120 - 1))
def test_every_moment_of_a_day_agrees_with_an_oracle(rows: list[Any], kind: str, offset: int) -> None:
    spans = [
        SyncWindow(f"{minutes[0]} {hours[0]} * * {days[0]}", length * 60.0) for (minutes, hours, days), length in rows
    ]
    start, count = int(MONDAY // HALF) + offset, int(DAY // HALF)
    inside = _open_halves(rows, start, count)
    allowed = next((half for half in range(start, start + count) if (half in inside) == (kind == "allow")), None)

    answer = first_allowed(SyncWindows(kind, tuple(spans)), float(start * HALF))

    if allowed is None:
        assert answer is None or answer > (start + count - 1) * HALF
    else:
        # A denied span ends within half a minute.
        assert answer is not None
        assert (allowed - 1) * HALF < answer <= allowed * HALF
