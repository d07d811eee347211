"""Durations: Go's form and plain numbers, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.duration import format_duration, parse_duration, parse_go_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5400),
        ("300ms", 0.3),
        ("1.5h", 5400),
        ("0", 0),
        ("90", 90),
        ("0.5", 0.5),
        ("10s", 10),
        (" 2m ", 120),
        (".5s", 0.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "1d", "-5s", "+5s", "5 s", "1h30", "nan", "inf", "1e3", "s", "9" * 400, "1m-1s"]
)
def test_not_durations(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(min_value=0, max_value=10**9).map(lambda thousandths: thousandths / 1000))
def test_a_written_duration_reads_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5400, "1h30m"), (10, "10s"), (0, "0s"), (0.25, "0.25s"), (3605, "1h5s")]
)
def test_the_written_form(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h0m0s", 3600),
        ("-5m", -300),
        ("+5m", 300),
        ("0", 0),
        ("-0", 0),
        ("1.5h", 5400),
        ("10µs", 1e-5),
        ("10μs", 1e-5),
    ],
)
def test_what_go_takes(text: str, seconds: float) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "-", "0.5", "1h 5m", "1h-5m", "1d", "٣s", " 5s"])
def test_what_go_refuses(text: str) -> None:
    assert parse_go_duration(text) is None
