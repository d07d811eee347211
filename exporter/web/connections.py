"""All open connections, and who has to go when there are too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from exporter.web.connection import Connection


class Connections:
    """At most `limit` connections. At the limit the one that has moved no byte for longest makes room, so that clients
    which only hold connections cannot lock others out; one that waits for our own answer is spared."""

    def __init__(self, limit: int, dropped: Callable[[], None]) -> None:
        self._limit = limit
        self._dropped = dropped
        self._open: set[Connection] = set()
        self._changed = threading.Condition()
        self._stopping = False

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Take it in; False when there is no room, or the server stops."""
        with self._changed:
            if self._stopping:
                return False
            if len(self._open) >= self._limit:
                self._dropped()
                idle = [each for each in self._open if each.waiting]
                if not idle:
                    return False
                victim = min(idle, key=lambda each: each.moved)
                victim.cut()
                self._open.discard(victim)
            self._open.add(connection)
            return True

    def remove(self, connection: Connection) -> None:
        """It has ended."""
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def begin(self, connection: Connection) -> bool:
        """A whole request has come; False when the server stops and it is too late."""
        with self._changed:
            connection.answering = not self._stopping
            return connection.answering

    def end(self, connection: Connection) -> None:
        """Its answer is out."""
        with self._changed:
            connection.answering = False
            self._changed.notify_all()

    @property
    def stopping(self) -> bool:
        """Whether answers should be the last on their connection."""
        return self._stopping

    def refuse(self) -> None:
        """Take in nobody and begin no request from now on; answers under way say that they are the last."""
        with self._changed:
            self._stopping = True

    def stop(self, grace: float) -> bool:
        """After `refuse`: cut those without a request at once, wait at most `grace` seconds for answers under way, then cut
        these too. True when every answer was finished.
        """
        deadline = time.monotonic() + grace
        with self._changed:
            for connection in self._open:
                if not connection.answering:
                    connection.cut()
            self._changed.wait_for(
                lambda: not any(each.answering for each in self._open), max(0.0, deadline - time.monotonic())
            )
            left = [each for each in self._open if each.answering]
            for connection in left:
                connection.cut()
            return not left
