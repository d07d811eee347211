"""/metrics: negotiation, one shared body per generation, and a cap on scrapes under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from exporter.exposition.families import Body
from exporter.exposition.negotiate import wants_gzip, wants_openmetrics
from exporter.web.answer import Answer
from exporter.web.counters import WebCounters
from exporter.web.messages import Request, sentence

#: A scrape waits so long for one of those under way before it is sent away: they take milliseconds.
WAIT_SECONDS = 1.0
#: So many for each place may wait: those in line cannot be dropped, and a crowd must not hold all connections.
WAITING = 4
RETRY_AFTER = "1"


class Bodies(Protocol):
    """What an `Exposition` is to the web."""

    def body(self, *, openmetrics: bool, gzip: bool, now: float) -> Body:
        """The answer to a scrape at `now`."""
        ...


class Scrapes:
    """Answers scrapes of an exposition, at most `limit` at once.

    A client that stalls gives its place back and keeps only its connection: it costs nothing any more, since all bodies
    of a generation share their bytes.
    """

    def __init__(self, exposition: Bodies, limit: int, counters: WebCounters, clock: Callable[[], float]) -> None:
        self._exposition = exposition
        self._places = threading.BoundedSemaphore(limit)
        self._line = threading.BoundedSemaphore(WAITING * limit)
        self._counters = counters
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """The answer to GET /metrics."""
        start = time.perf_counter()
        if not self._enter():
            self._counters.rejected("scrapes")
            return Answer.of(sentence(503, "too many scrapes at once", {"Retry-After": RETRY_AFTER}))
        place = _Place(self._places)
        try:
            body = self._exposition.body(
                openmetrics=wants_openmetrics(request.headers.get("accept", "")),
                gzip=wants_gzip(request.headers.get("accept-encoding", "")),
                now=self._clock(),
            )
        except BaseException:
            place.leave()
            raise

        def finished() -> None:
            place.leave()
            self._counters.scraped(time.perf_counter() - start)

        headers = {"Content-Type": body.content_type, "Vary": "Accept, Accept-Encoding"}
        if body.gzip:
            headers["Content-Encoding"] = "gzip"
        return Answer(200, headers, body.length, body.parts, stalled=place.leave, finished=finished)

    def _enter(self) -> bool:
        if self._places.acquire(blocking=False):
            return True
        if not self._line.acquire(blocking=False):
            return False
        try:
            return self._places.acquire(timeout=WAIT_SECONDS)
        finally:
            self._line.release()


class _Place:
    """One place among the scrapes under way, given back once."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places: threading.BoundedSemaphore | None = places

    def leave(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.release()
