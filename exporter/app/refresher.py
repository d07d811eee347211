"""The one thread that judges what changed and renders it: at most once in a quarter of a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.stdlib.get_logger(__name__)

PERIOD = 0.25
"""Seconds between two rounds: an event is in a scrape within a second, and a burst of events costs one round."""


class Refresher:
    """Calls `round_()` every PERIOD seconds until stopped.

    A round that raises is a defect: it is logged with its place, counted, and the next round is tried; `alive` stays
    true, because a single bad object must not blind the exporter, but `failures` tells.
    """

    def __init__(self, round_: Callable[[], None]) -> None:
        self._round = round_
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)
        self.failures = 0
        self.last_round: float | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the thread after its present round."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def alive(self) -> bool:
        """Whether the thread lives and finishes rounds."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            try:
                self._round()
            except Exception as error:
                self.failures += 1
                if self.failures < 3 or self.failures % 1000 == 0:
                    log.error("a round of judging failed; please report it", exc_info=error, failures=self.failures)
            self.last_round = time.time()
