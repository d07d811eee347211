"""The `for`, the `keep_firing_for`, the memory of parents, and what is taken over from a process before."""

from __future__ import annotations

import pytest

from exporter.notify.table import NOT_READY, SEALED
from exporter.notify.timeline import ENDED_AT_MOST, ENDED_FOR, SILENCE, Adopted, Condition, Labels, Timeline, labels

HERE = labels(vault="main", node="")
TRUE = [Condition(HERE, lambda: {"summary": "x"})]
T0 = 1_780_000_000.0


def firing(timeline: Timeline, now: float) -> list[tuple[Labels, float, float | None]]:
    return [(one.labels, one.starts, one.until) for one in timeline.firing(SEALED, now)]


def test_labels_without_empty_values() -> None:
    assert HERE == (("vault", "main"),)


def test_it_fires_when_the_wait_is_over_and_not_before() -> None:
    timeline = Timeline()
    for after, expected in (
        (0.0, []),
        (59.9, []),
        (60.0, [(HERE, T0 + 60.0, None)]),
        (61.0, [(HERE, T0 + 60.0, None)]),
    ):
        timeline.step(SEALED, TRUE, T0 + after)
        assert firing(timeline, T0 + after) == expected
    assert timeline.pending() == 0


def test_a_break_begins_the_wait_anew() -> None:
    timeline = Timeline()
    timeline.step(SEALED, TRUE, T0)
    assert timeline.pending() == 1
    timeline.step(SEALED, [], T0 + 50)
    timeline.step(SEALED, TRUE, T0 + 55)
    timeline.step(SEALED, TRUE, T0 + 114)
    assert firing(timeline, T0 + 114) == []
    timeline.step(SEALED, TRUE, T0 + 115)
    assert firing(timeline, T0 + 115)


def fired() -> Timeline:
    timeline = Timeline()
    timeline.step(SEALED, TRUE, T0)
    timeline.step(SEALED, TRUE, T0 + 60)
    return timeline


def test_it_lingers_with_an_end_in_sight_and_keeps_its_words() -> None:
    timeline = fired()
    for after in (61.0, 359.0):
        timeline.step(SEALED, [], T0 + after)
        assert firing(timeline, T0 + after) == [(HERE, T0 + 60, T0 + 360)]
        assert [one.words for one in timeline.firing(SEALED, T0 + after)] == [{"summary": "x"}]
    timeline.step(SEALED, [], T0 + 360)
    assert firing(timeline, T0 + 360) == []
    assert [(one.labels, one.until) for one in timeline.ended()] == [(HERE, T0 + 360)]


def test_one_that_comes_back_while_it_lingers_goes_on() -> None:
    timeline = fired()
    timeline.step(SEALED, [], T0 + 300)
    timeline.step(SEALED, TRUE, T0 + 350)
    timeline.step(SEALED, [], T0 + 400)
    assert firing(timeline, T0 + 400) == [(HERE, T0 + 60, T0 + 650)]
    assert timeline.ended() == ()


def test_a_parent_silences_ten_minutes_longer_than_it_fires() -> None:
    timeline = fired()
    last = T0 + 345
    timeline.step(SEALED, [], last)
    timeline.step(SEALED, [], T0 + 360)
    names = (SEALED.name,)
    for after, heard in ((SILENCE - 1, True), (SILENCE, False)):
        assert any(timeline.recently(names, last + after, "critical")) is heard
    assert not any(timeline.recently(names, last, "warning"))
    assert not any(timeline.recently((NOT_READY.name,), last))


def test_a_pending_parent_silences_nobody() -> None:
    timeline = Timeline()
    timeline.step(SEALED, TRUE, T0)
    assert not any(timeline.recently((SEALED.name,), T0))


def test_a_scale_shortens_everything() -> None:
    timeline = Timeline(0.1)
    timeline.step(SEALED, TRUE, T0)
    timeline.step(SEALED, TRUE, T0 + 6)
    assert firing(timeline, T0 + 6)
    timeline.step(SEALED, [], T0 + 36)
    assert firing(timeline, T0 + 36) == []
    assert any(timeline.recently((SEALED.name,), T0 + 65))
    assert not any(timeline.recently((SEALED.name,), T0 + 67))


def test_what_cannot_be_read_stands_still() -> None:
    timeline = fired()
    timeline.step(SEALED, [], T0 + 5000, held=lambda _: True)
    assert firing(timeline, T0 + 5000) == [(HERE, T0 + 60, None)]
    timeline.step(SEALED, [], T0 + 5001)
    assert firing(timeline, T0 + 5001) == [(HERE, T0 + 60, T0 + 5300)]
    other = Timeline()
    other.step(SEALED, TRUE, T0, held=lambda _: True)
    assert other.pending() == 0


def test_what_fired_before_goes_on_at_once() -> None:
    timeline = Timeline()
    timeline.adopt([Adopted(SEALED.name, "critical", HERE, T0 - 500, T0 + 100)], T0)
    assert any(timeline.recently((SEALED.name,), T0, "critical"))
    timeline.step(SEALED, TRUE, T0)
    assert firing(timeline, T0) == [(HERE, T0 - 500, None)]


@pytest.mark.parametrize(("after", "heard"), [(99.0, True), (101.0, False)])
def test_what_fired_before_goes_on_only_while_alertmanager_held_it(after: float, heard: bool) -> None:
    timeline = Timeline()
    timeline.adopt([Adopted(SEALED.name, "critical", HERE, T0 - 500, T0 + 100)], T0)
    timeline.step(SEALED, TRUE, T0 + after)
    assert bool(firing(timeline, T0 + after)) is heard


def test_what_fired_before_and_is_over_is_not_told() -> None:
    timeline = Timeline()
    timeline.adopt([Adopted(SEALED.name, "critical", HERE, T0 - 500, T0 + 100)], T0)
    timeline.step(SEALED, [], T0)
    assert firing(timeline, T0) == []


def test_an_answer_that_comes_late_ends_the_wait() -> None:
    timeline = Timeline()
    timeline.step(SEALED, TRUE, T0)
    timeline.adopt([Adopted(SEALED.name, "critical", HERE, T0 - 500, T0 + 100)], T0)
    timeline.step(SEALED, TRUE, T0 + 15)
    assert firing(timeline, T0 + 15) == [(HERE, T0 - 500, None)]


def test_memory_is_bounded() -> None:
    timeline = Timeline(0.0)
    many = [Condition(labels(vault=str(number)), dict) for number in range(ENDED_AT_MOST + 10)]
    timeline.step(SEALED, many, T0)
    timeline.step(SEALED, [], T0 + 1)
    timeline.forget(T0 + 1)
    assert len(timeline.ended()) == ENDED_AT_MOST
    timeline.forget(T0 + ENDED_FOR + 1)
    assert timeline.ended() == ()
    assert not any(timeline.recently((SEALED.name,), T0 + ENDED_FOR))
