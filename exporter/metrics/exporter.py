"""The exporter's own families, kept and rendered by prometheus_client. Every counter exists at 0 from the start."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.kube.resource import DECODE_REASONS, EVENT_TYPES, LIST_RESULTS, RESTART_REASONS, ReflectorStatus
from exporter.metrics.catalogue import spec

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class OwnState(NamedTuple):
    """What the exporter's gauges are read from when it is scraped: all cheap calls, none takes a lock for long."""

    statuses: Callable[[], Iterable[ReflectorStatus]]
    objects: Callable[[], Mapping[str, int]]
    judged: Callable[[], Mapping[str, int]]
    vault_servers: Callable[[], Mapping[str, int]]
    reload: Callable[[], tuple[bool, float]]
    unmatched_exceptions: Callable[[], Iterable[str]]


class Tally(Collector):
    """A counter family whose samples are made anew only after it counted: hundreds of its lines stand in every scrape."""

    def __init__(self, name: str, registry: CollectorRegistry) -> None:
        self._spec = spec(name)
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], int] = {}
        self._made: CounterMetricFamily | None = None
        registry.register(self)

    def start(self, *labels: str) -> None:
        """A series of this family, at 0."""
        with self._lock:
            self._counts.setdefault(labels, 0)
            self._made = None

    def inc(self, *labels: str, by: int = 1) -> None:
        """One more, or `by`."""
        with self._lock:
            self._counts[labels] = self._counts.get(labels, 0) + by
            self._made = None

    def collect(self) -> Iterable[Metric]:
        """The family, the same object as before when nothing was counted since."""
        with self._lock:
            if self._made is None:
                family = CounterMetricFamily(self._spec.name, self._spec.help, labels=self._spec.labels)
                for labels, count in self._counts.items():
                    family.add_metric(labels, count)
                self._made = family
            return (self._made,)

    def describe(self) -> Iterable[Metric]:
        """Its name."""
        return (CounterMetricFamily(self._spec.name, self._spec.help, labels=self._spec.labels),)


class KubeCounters:
    """Counts what reflectors do; implements `kube.resource.Observer`."""

    def __init__(self, registry: CollectorRegistry, resources: Iterable[str]) -> None:
        self._lists = Tally("eso_exporter_lists_total", registry)
        self._events = Tally("eso_exporter_watch_events_total", registry)
        self._restarts = Tally("eso_exporter_watch_restarts_total", registry)
        self._decode_errors = Tally("eso_exporter_decode_errors_total", registry)
        for resource in resources:
            for counter, values in (
                (self._lists, LIST_RESULTS),
                (self._events, EVENT_TYPES),
                (self._restarts, RESTART_REASONS),
                (self._decode_errors, DECODE_REASONS),
            ):
                for value in values:
                    counter.start(resource, value)

    def listed(self, resource: str, result: str) -> None:
        """A list ended."""
        self._lists.inc(resource, result)

    def event(self, resource: str, type_: str) -> None:
        """A watch event came."""
        self._events.inc(resource, type_)

    def restarted(self, resource: str, reason: str) -> None:
        """A watch ended."""
        self._restarts.inc(resource, reason)

    def decode_error(self, resource: str, reason: str) -> None:
        """Something was skipped."""
        self._decode_errors.inc(resource, reason)


class VaultCounters:
    """Counts requests to Vault."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Tally("eso_exporter_vault_requests_total", registry)

    def __call__(self, vault: str, operation: str, code: str) -> None:
        """One request and its status code, or the class of failure."""
        self._requests.inc(vault, operation, code)


def refresh_histogram(registry: CollectorRegistry) -> Histogram:
    """How long one round of the refresher took."""
    entry = spec("eso_exporter_refresh_duration_seconds")
    return Histogram(entry.name, entry.help, registry=registry, buckets=_BUCKETS)


class OwnCollector(Collector):
    """The exporter's gauges, read when scraped."""

    def __init__(self, state: OwnState, revision: str) -> None:
        self._state = state
        self._revision = revision

    def collect(self) -> Iterable[Metric]:
        """All gauge families of the chapter "Exporter"."""
        build = _gauge("eso_exporter_build_info")
        build.add_metric([__version__, platform.python_version(), self._revision], 1)
        yield build
        yield from self._resources()
        successful, at = self._state.reload()
        for name, value in (
            ("eso_exporter_config_last_reload_successful", float(successful)),
            ("eso_exporter_config_last_reload_timestamp_seconds", at),
        ):
            family = _gauge(name)
            family.add_metric([], value)
            yield family
        unmatched = _gauge("eso_exporter_unmatched_exceptions")
        for id_ in self._state.unmatched_exceptions():
            unmatched.add_metric([id_], 1)
        yield unmatched
        for name, values in (
            ("eso_exporter_resource_objects", self._state.objects()),
            ("eso_exporter_judged_objects", self._state.judged()),
            ("eso_exporter_vault_servers", self._state.vault_servers()),
        ):
            family = _gauge(name)
            for label, count in values.items():
                family.add_metric([label], count)
            yield family

    def _resources(self) -> Iterable[Metric]:
        synced = _gauge("eso_exporter_resource_synced")
        denied = _gauge("eso_exporter_resource_denied")
        absent = _gauge("eso_exporter_resource_absent")
        contact = _gauge("eso_exporter_resource_last_contact_timestamp_seconds")
        for status in self._state.statuses():
            labels = [status.resource, status.scope]
            synced.add_metric(labels, float(status.synced))
            denied.add_metric(labels, float(status.denied))
            absent.add_metric(labels, float(status.absent))
            if status.last_contact is not None:
                contact.add_metric(labels, status.last_contact)
        yield synced
        yield denied
        yield absent
        yield contact

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the state."""
        return ()


def _gauge(name: str) -> GaugeMetricFamily:
    entry = spec(name)
    return GaugeMetricFamily(entry.name, entry.help, labels=entry.labels)
