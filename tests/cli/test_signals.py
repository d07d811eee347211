"""Signals become events, and the handlers that were there come back."""

from __future__ import annotations

import os
import signal

import pytest

from exporter.cli.signals import Event, events


def test_signals_become_events_in_order() -> None:
    with events() as queue:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert [queue.get(timeout=10) for _ in range(3)] == [Event.RELOAD, Event.RELOAD, Event.STOP]


def test_a_second_interrupt_is_not_held_back() -> None:
    with events() as queue:
        os.kill(os.getpid(), signal.SIGINT)
        assert queue.get(timeout=10) is Event.STOP
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_before_come_back() -> None:
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    with events():
        inside = [signal.getsignal(number) for number in numbers]
    assert inside != before
    assert [signal.getsignal(number) for number in numbers] == before
