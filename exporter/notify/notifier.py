"""The direct road as a whole: works out the alerts in the refresher's thread, and has a lane send them to each Alertmanager."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import structlog

from exporter.config.settings import AlertmanagerSettings
from exporter.metrics.notify import LaneState, NotifierState, NotifyCounters
from exporter.notify.evaluation import Evaluation, Outcome, Readable
from exporter.notify.lane import Lane, Outbox
from exporter.notify.present import Present
from exporter.notify.timeline import Timeline
from exporter.notify.wire import Api, check
from exporter.notify.words import Links

log = structlog.stdlib.get_logger(__name__)

ADOPT_WITHIN = 15.0
"""Seconds for which the first look waits for what the Alertmanagers held before: then it goes on without."""


class Notifier:
    """Off while no Alertmanager is configured. `look` is called by the refresher's thread, everything else by any other.

    `read(now, settings)` gives the present state, `readable` what of it is known, `seeing` whether the exporter sees all that
    it should. Raises ConfigError for settings that cannot work.
    """

    def __init__(
        self,
        settings: AlertmanagerSettings,
        counters: NotifyCounters,
        *,
        read: Callable[[float, AlertmanagerSettings], Present],
        readable: Readable,
        seeing: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        check(settings)
        self._counters = counters
        self._read = read
        self._seeing = seeing
        self._clock = clock
        self._links = Links()
        self._evaluation = Evaluation(Timeline(), self._links, readable)
        self._lock = threading.Lock()
        self._running = False
        self._settings = settings
        self._pending: AlertmanagerSettings | None = settings
        self._lanes: tuple[Lane, ...] = ()
        self._begun = time.monotonic()
        self._due = 0.0
        self._outcome: Outcome | None = None
        self._looked = 0.0
        self._broke = False

    def start(self) -> None:
        """Begins to send."""
        with self._lock:
            self._running = True
            self._replace_lanes()

    def stop(self, timeout: float = 0.0) -> None:
        """Ends all lanes. Alerts are left to end by themselves: whoever takes over goes on with them."""
        with self._lock:
            self._running = False
            lanes = self._lanes
        for lane in lanes:
            lane.stop()
        until = time.monotonic() + timeout
        for lane in lanes:
            lane.stop(max(0.0, until - time.monotonic()))

    def reload(self, settings: AlertmanagerSettings) -> None:
        """New settings; everything is sent anew. The caller has called `wire.check`."""
        with self._lock:
            if not settings.urls and not self._settings.urls:
                self._settings = settings
                return
            self._settings, self._pending = settings, settings
            if self._running:
                self._replace_lanes()

    def alive(self) -> bool:
        """Whether every lane lives."""
        with self._lock:
            return not self._running or all(lane.alive() for lane in self._lanes)

    def state(self) -> NotifierState | None:
        """For metrics; None while no Alertmanager is configured."""
        with self._lock:
            lanes, outcome = self._lanes, self._outcome
        if not lanes:
            return None
        return NotifierState(
            lanes=tuple(LaneState(lane.name, lane.up, lane.last_success) for lane in lanes),
            pending=outcome.pending if outcome else 0,
            firing=len(outcome.firing) if outcome else 0,
            dropped=outcome.dropped if outcome else 0,
            evaluated=outcome.at if outcome else None,
            heartbeat=self._awake(),
        )

    def look(self, now: float) -> None:
        """Works out the alerts if it is time to; never raises. Only after everything was judged a first time."""
        with self._lock:
            lanes, settings = self._lanes, self._settings
            pending, self._pending = self._pending, None
        if pending is not None:
            self._configure(pending)
        if not lanes or time.monotonic() < self._due:
            return
        if self._outcome is None and not self._asked(lanes):
            return
        self._due = time.monotonic() + settings.interval
        try:
            self._adopt(lanes, now)
            outcome = self._evaluation.look(self._read(now, settings))
        except Exception:
            self._counters.broken()
            if not self._broke:
                log.exception("working out the alerts failed; please report it")
            self._broke = True
            return
        self._broke = False
        self._outcome = outcome
        self._looked = time.monotonic()
        for lane in lanes:
            lane.wake()

    def _configure(self, settings: AlertmanagerSettings) -> None:
        self._links.change(settings.runbook_url, settings.dashboard_url, settings.labels.get("cluster", ""))
        self._evaluation.timeline.scale = settings.time_scale
        self._due = 0.0

    def _asked(self, lanes: Iterable[Lane]) -> bool:
        """Whether every Alertmanager told what it held, or had its time to."""
        return all(lane.asked for lane in lanes) or time.monotonic() - self._begun > ADOPT_WITHIN

    def _adopt(self, lanes: Iterable[Lane], now: float) -> None:
        for lane in lanes:
            adopted, lane.adopted = lane.adopted, None
            if adopted:
                self._evaluation.timeline.adopt(adopted, now)

    def _replace_lanes(self) -> None:
        settings = self._settings
        lanes = tuple(
            Lane(Api(url, settings), settings, self._outbox, self._counters, clock=self._clock) for url in settings.urls
        )
        for lane in self._lanes:
            lane.stop()
        self._lanes, self._begun = lanes, time.monotonic()
        if not lanes:
            self._outcome = None
        for lane in lanes:
            self._counters.begin(lane.name)
        for lane in self._lanes:
            lane.start()

    def _outbox(self) -> Outbox | None:
        outcome = self._outcome
        return Outbox(outcome, self._awake()) if outcome is not None else None

    def _awake(self) -> bool:
        """Whether the heartbeat is sent: the alerts were worked out lately, from a state that is seen as a whole."""
        fresh = time.monotonic() - self._looked < max(60.0, 4 * self._settings.interval)
        return self._outcome is not None and fresh and self._seeing()
