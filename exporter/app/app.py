"""The exporter as a whole: start, reload, stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter import log as logs
from exporter.app.judging import Judging
from exporter.app.refresher import Refresher
from exporter.app.state import object_counts, page_status
from exporter.app.vaults import Vaults
from exporter.config.options import REVISION_VARIABLE
from exporter.config.reload import Reloader, ReloadState
from exporter.config.settings import Settings
from exporter.exposition.families import Exposition
from exporter.inventory.inventory import Inventory
from exporter.kube import wire_namespace
from exporter.kube.client import KubeClient
from exporter.kube.resources import resources
from exporter.kube.watcher import Watcher
from exporter.metrics.exporter import KubeCounters, OwnCollector, OwnState, VaultCounters, refresh_histogram
from exporter.metrics.notify import NotifyCollector, NotifyCounters
from exporter.notify import present, wire
from exporter.notify.notifier import Notifier
from exporter.vault.configured import check
from exporter.web.health import health_routes
from exporter.web.messages import Route
from exporter.web.pages import Status, landing
from exporter.web.server import WebServer

log = structlog.stdlib.get_logger(__name__)


BLIND_AFTER = 300.0
"""Seconds within which every watch shows that it lives: see `config.settings.KubernetesSettings.watch_timeout`."""


class HasAlive(Protocol):
    """A thread that must live."""

    def alive(self) -> bool: ...


class App:
    """One running exporter.

    `reload_source` reads the configuration anew for `reload_now` and raises ConfigError; without it POST /-/reload says
    that there is nothing to reload. Raises ConfigError for settings that cannot work, before anything is started.
    """

    def __init__(self, settings: Settings, reload_source: Callable[[], Settings] | None = None) -> None:
        check(settings.vault)
        self.settings = settings
        self.config_reloads = ReloadState()
        self._reloader = Reloader(reload_source, self.reload, self.config_reloads) if reload_source else None
        self._reload_lock = threading.Lock()
        self._watched: list[HasAlive] = []
        self._stopped = threading.Event()
        # A `_created` series beside every counter and histogram is no family of the catalogue.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.inventory = Inventory()
        watched = resources(settings)
        self._counters = KubeCounters(self.registry, (resource.name for resource in watched))
        self._watcher = self._make_watcher(settings)
        self.vaults = Vaults(settings.vault, self.inventory, VaultCounters(self.registry))
        self.judging = Judging(
            settings, self.inventory, self.vaults, lambda: self._watcher, refresh_histogram(self.registry)
        )
        self.notifier = Notifier(
            settings.alertmanager,
            NotifyCounters(self.registry, wire.REASONS),
            read=lambda now, given: present.read(
                self.judging.groups,
                self.judging.vault_groups.judgements,
                now,
                week=present.WEEK * given.time_scale,
                excluded=given.exclude_namespaces,
            ),
            readable=self.judging.readable,
            seeing=self.seeing,
        )
        self.judging.on_round = self.notifier.look
        self.registry.register(NotifyCollector(self.notifier.state))
        state = OwnState(
            statuses=lambda: self._watcher.statuses(),
            objects=lambda: object_counts(self.inventory.sinks),
            judged=self.judging.judged,
            vault_servers=lambda: self.vaults.selection.states,
            reload=lambda: (self.config_reloads.successful, self.config_reloads.at),
            unmatched_exceptions=lambda: self.judging.unmatched_exceptions,
        )
        self.registry.register(OwnCollector(state, os.environ.get(REVISION_VARIABLE, "")))
        self.exposition = Exposition(
            [*self.judging.groups.groups, *self.judging.vault_groups.groups],
            disable=settings.metrics.disable,
            own=self.registry,
        )
        self.judging.exposition = self.exposition
        self._refresher = Refresher(self.judging.round)
        self._web = WebServer(settings.web, self._routes(), self.exposition, self.registry)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the web server listens on."""
        return self._web.address

    def start(self) -> None:
        """Starts everything. Raises ExporterError when the port is in use."""
        self._web.start()
        self._watcher.start()
        self.vaults.prober.start()
        self._refresher.start()
        self.notifier.start()
        log.info("listening", host=self.address[0], port=self.address[1])

    def watch(self, thread: HasAlive) -> None:
        """Another thread without which the exporter is not healthy."""
        self._watched.append(thread)

    def ready(self) -> bool:
        """Whether every permitted resource has had its first complete list, and what came of it is served."""
        return self.judging.ready

    def healthy(self) -> bool:
        """Whether every thread that must live lives."""
        return (
            self._watcher.alive()
            and self.vaults.prober.alive()
            and self._refresher.alive()
            and self.notifier.alive()
            and self._web.alive()
            and all(thread.alive() for thread in self._watched)
        )

    def seeing(self) -> bool:
        """Whether it sees all that it may and should: every watch has shown within BLIND_AFTER seconds that it lives."""
        since = time.time() - BLIND_AFTER
        watching = all(
            status.denied or status.absent or (status.synced and (status.last_contact or 0.0) > since)
            for status in self._watcher.statuses()
        )
        return watching and self.ready() and self.vaults.prober.alive()

    def wait_synced(self, timeout: float) -> bool:
        """Waits until `ready`; False when `timeout` seconds were not enough."""
        until = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() >= until or self._stopped.wait(0.05):
                return False
        return True

    def render_once(self, *, openmetrics: bool = False) -> bytes:
        """One exposition, in the text format or as OpenMetrics."""
        return self.exposition.body(openmetrics=openmetrics, gzip=False, now=time.time()).read()

    def reload(self, settings: Settings) -> None:
        """Takes over new settings as a whole. Raises ConfigError and keeps the old ones when they cannot work."""
        check(settings.vault)
        wire.check(settings.alertmanager)
        with self._reload_lock:
            old = self.settings
            if (old.kubernetes, old.ownership.rules, old.owner, old.secrets, old.operator) != (
                settings.kubernetes,
                settings.ownership.rules,
                settings.owner,
                settings.secrets,
                settings.operator,
            ):
                # What is decoded depends on these: reflectors start anew and bring every record up to date, while the
                # old records stay in sight. The old ones tell how things stand until the new ones do.
                watcher = self._make_watcher(settings)
                self._watcher.stop(timeout=1.0)
                watcher.start()
                self._watcher = watcher
            self.vaults.reload(settings.vault)
            self.judging.reload(settings)
            self.notifier.reload(settings.alertmanager)
            for name in ("web", "metrics"):
                if getattr(old, name) != getattr(settings, name):
                    log.warning("settings changed that need a restart", section=name)
            if old.log != settings.log:
                logs.setup(settings.log)
            self.settings = settings

    def reload_now(self, reason: str = "POST /-/reload") -> str:
        """Reads the configuration anew and takes it over; returns "" or the sentence that tells why the old one stays."""
        if self._reloader is None:
            return "there is no configuration to reload: it was not started with one"
        return self._reloader(reason)

    def stop(self, grace: float = 5.0) -> None:
        """Ends everything: scrapes under way are finished first."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        until = time.monotonic() + grace
        self._web.shutdown(grace=max(0.5, grace - 1.0))
        self._refresher.stop(0.5)
        self.notifier.stop(0.5)
        self.vaults.prober.stop()
        self._watcher.stop(timeout=max(0.2, until - time.monotonic()))

    def _routes(self) -> Mapping[str, Route]:
        return {
            "/": landing(self._page_status, time.time),
            **health_routes(
                healthy=self.healthy,
                ready=self.ready,
                reload=self.reload_now if self.settings.web.enable_reload else None,
            ),
        }

    def _page_status(self) -> Status:
        return page_status(
            ready=self.ready(),
            statuses=self._watcher.statuses(),
            objects=object_counts(self.inventory.sinks),
            selection=self.vaults.selection,
            observations=self.vaults.prober.observations(),
        )

    def _make_watcher(self, settings: Settings) -> Watcher:
        return Watcher(
            KubeClient(settings.kubernetes),
            resources(settings),
            self.inventory.sinks,
            settings.kubernetes,
            self._counters,
            lambda: None,
            wire_namespace.assumed,
        )
