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
    """Answers scrapes of an exposition, at most `limit` with gzip and `limit` without at once.

    A client that stalls gives its place back and keeps only its connection: it costs nothing any more, since all bodies
    of a generation share their bytes. The two kinds stand in lines of their own: an answer without gzip has to be opened
    block by block, and a crowd that asks for that must not send away Prometheus, which asks for gzip.
    """

    def __init__(self, exposition: Bodies, limit: int, counters: WebCounters, clock: Callable[[], float]) -> None:
        self._exposition = exposition
        self._lines = {gzip: _Line(limit) for gzip in (True, False)}
        self._counters = counters
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """The answer to GET /metrics."""
        start = time.perf_counter()
        gzip = wants_gzip(request.headers.get("accept-encoding", ""))
        place = self._lines[gzip].enter()
        if place is None:
            self._counters.rejected("scrapes")
            return Answer.of(sentence(503, "too many scrapes at once", {"Retry-After": RETRY_AFTER}))
        try:
            body = self._exposition.body(
                openmetrics=wants_openmetrics(request.headers.get("accept", "")), gzip=gzip, now=self._clock()
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


class _Line:
    """Places for scrapes of one kind, and a short line before them."""

    def __init__(self, limit: int) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._waiting = threading.BoundedSemaphore(WAITING * limit)

    def enter(self) -> _Place | None:
        """A place, None when the line is too long or does not move."""
        if not self._places.acquire(blocking=False):
            if not self._waiting.acquire(blocking=False):
                return None
            try:
                if not self._places.acquire(timeout=WAIT_SECONDS):
                    return None
            finally:
                self._waiting.release()
        return _Place(self._places)


class _Place:
    """One place among the scrapes under way, given back once."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places: threading.BoundedSemaphore | None = places

    def leave(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.release()
