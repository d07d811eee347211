"""The families of the direct road to Alertmanager; absent while none is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import spec
from exporter.metrics.exporter import Tally


class LaneState(NamedTuple):
    """How one Alertmanager stands; `up` None before the first request ended, `last_success` in Unix seconds."""

    alertmanager: str
    up: bool | None
    last_success: float | None


class NotifierState(NamedTuple):
    """How the direct road stands. `evaluated` is Unix seconds, None before the first time."""

    lanes: tuple[LaneState, ...]
    pending: int
    firing: int
    dropped: int
    evaluated: float | None
    heartbeat: bool


class NotifyCounters:
    """Counts what is sent; implements `notify.lane.Counters`. `reasons` are the values of the label `reason`."""

    def __init__(self, registry: CollectorRegistry, reasons: Iterable[str]) -> None:
        self._reasons = tuple(reasons)
        self._sent = Tally("eso_exporter_notify_sent_alerts_total", registry)
        self._failures = Tally("eso_exporter_notify_failures_total", registry)
        self._broken = Tally("eso_exporter_notify_evaluation_failures_total", registry)
        self._broken.start()

    def begin(self, alertmanager: str) -> None:
        """The series of one Alertmanager, at 0."""
        self._sent.start(alertmanager)
        for reason in self._reasons:
            self._failures.start(alertmanager, reason)

    def sent(self, alertmanager: str, alerts: int) -> None:
        """An Alertmanager took so many alerts."""
        self._sent.inc(alertmanager, by=alerts)

    def failed(self, alertmanager: str, reason: str) -> None:
        """A request failed."""
        self._failures.inc(alertmanager, reason)

    def broken(self) -> None:
        """Working out the alerts failed."""
        self._broken.inc()


class NotifyCollector(Collector):
    """The gauges, read when scraped."""

    def __init__(self, state: Callable[[], NotifierState | None]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """All gauges of the direct road, nothing while it is off."""
        state = self._state()
        if state is None:
            return
        up, success = _gauge("eso_exporter_notify_up"), _gauge("eso_exporter_notify_last_success_timestamp_seconds")
        for lane in state.lanes:
            if lane.up is not None:
                up.add_metric([lane.alertmanager], float(lane.up))
            if lane.last_success is not None:
                success.add_metric([lane.alertmanager], lane.last_success)
        yield up
        yield success
        alerts = _gauge("eso_exporter_notify_alerts")
        for name, count in (("pending", state.pending), ("firing", state.firing), ("dropped", state.dropped)):
            alerts.add_metric([name], count)
        yield alerts
        evaluated = _gauge("eso_exporter_notify_last_evaluation_timestamp_seconds")
        if state.evaluated is not None:
            evaluated.add_metric([], state.evaluated)
        yield evaluated
        heartbeat = _gauge("eso_exporter_notify_heartbeat")
        heartbeat.add_metric([], float(state.heartbeat))
        yield heartbeat

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the state."""
        return ()


def _gauge(name: str) -> GaugeMetricFamily:
    entry = spec(name)
    return GaugeMetricFamily(entry.name, entry.help, labels=entry.labels)
