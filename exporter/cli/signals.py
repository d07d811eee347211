"""What a running exporter is told from outside, as a queue of events that the main thread takes one by one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from queue import SimpleQueue
from types import FrameType


class Event(StrEnum):
    """What the main thread is asked to do."""

    STOP = "stop"
    RELOAD = "reload"


SIGNALS: dict[signal.Signals, Event] = {
    signal.SIGTERM: Event.STOP,
    signal.SIGINT: Event.STOP,
    signal.SIGHUP: Event.RELOAD,
}


@contextmanager
def events() -> Iterator[SimpleQueue[Event]]:
    """A queue that signals fill while the block lasts; the handlers before are put back at its end.

    Only `SimpleQueue.put` runs inside a handler: it is re-entrant, so that a signal can come at any moment. A second request to
    stop, while the first is being followed, ends the process at once as it would have without us.
    """
    queue: SimpleQueue[Event] = SimpleQueue()

    def handle(number: int, _frame: FrameType | None) -> None:
        event = SIGNALS[signal.Signals(number)]
        if event is Event.STOP:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        queue.put(event)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield queue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
