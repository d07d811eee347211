from __future__ import annotations

import pytest

from exporter.kube.backoff import Backoff, Pace


def waits(random: float, count: int, **pace: float) -> list[float]:
    backoff = Backoff(Pace(random=lambda: random, **pace))  # type: ignore[arg-type]
    return [backoff.next() for _ in range(count)]


def test_the_bound_doubles_from_half_a_second_to_a_minute() -> None:
    assert waits(1.0, 9) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_the_jitter_is_full() -> None:
    assert waits(0.0, 4) == [0.0, 0.0, 0.0, 0.0]
    assert waits(0.5, 4) == [0.25, 0.5, 1.0, 2.0]


def test_a_thousand_failures_do_not_overflow() -> None:
    assert waits(1.0, 2000)[-1] == 60.0


def test_success_begins_anew() -> None:
    backoff = Backoff(Pace(random=lambda: 1.0))
    backoff.next()
    backoff.next()
    backoff.reset()
    assert (backoff.next(), backoff.failures) == (0.5, 1)


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_retry_after_is_never_undercut(random: float) -> None:
    backoff = Backoff(Pace(random=lambda: random))
    assert backoff.next(at_least=7.0) == pytest.approx(7.0 + random)


def test_a_longer_wait_of_our_own_stands_over_retry_after() -> None:
    backoff = Backoff(Pace(random=lambda: 1.0))
    for _ in range(10):
        backoff.next()
    assert backoff.next(at_least=1.0) == 60.0
