"""One round of the refresher: what changed is judged, the exposition follows."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from prometheus_client import Histogram

from exporter.app.known import Known, settled, worth_waiting
from exporter.app.vaults import Vaults
from exporter.config.settings import Settings
from exporter.exposition.families import Exposition
from exporter.inventory.changes import SECRET
from exporter.inventory.inventory import Inventory
from exporter.judge.engine import Engine
from exporter.judge.secret import Exceptions
from exporter.judge.view import View
from exporter.kube.resources import SECRETS
from exporter.kube.watcher import Watcher
from exporter.metrics.results import MetricGroups
from exporter.metrics.vault import VaultGroups

log = structlog.stdlib.get_logger(__name__)

EXCEPTIONS_EVERY = 30.0
"""Seconds between two looks for exceptions that fit nothing."""


class Judging:
    """Owns the judge and the groups. `round` is called by the refresher's thread only."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        vaults: Vaults,
        watcher: Callable[[], Watcher],
        duration: Histogram,
    ) -> None:
        self._inventory = inventory
        self._vaults = vaults
        self._watcher = watcher
        self._duration = duration
        self._known = Known()
        self._narrowed = False
        self._started = time.monotonic()
        self._pending: Settings | None = None
        self.groups = MetricGroups(age=settings.metrics.age)
        self.vault_groups = VaultGroups()
        self.exposition: Exposition | None = None
        self.engine = Engine(inventory, self._view(settings), Exceptions(settings.ownership.exceptions), self.groups)
        self.unmatched_exceptions: tuple[str, ...] = ()
        """Ids of configured exceptions that fit no manual Secret, looked at every EXCEPTIONS_EVERY seconds."""
        self._exceptions_due = 0.0
        self._told_broken: set[tuple[str, str, str]] = set()
        self._configure(settings)
        self.ready = False
        self.on_round: Callable[[float], None] = lambda _: None
        """Called with the time at the end of each round once everything was judged, by the refresher's thread."""

    def reload(self, settings: Settings) -> None:
        """New settings, taken over at the beginning of the next round."""
        self._pending = settings

    def round(self) -> None:
        """Judges and renders what changed since the last round."""
        began = time.perf_counter()
        if self._pending is not None:
            settings, self._pending = self._pending, None
            self._configure(settings)
            self._inventory.everything_changed()
        statuses = self._watcher().statuses()
        all_settled = settled(statuses)
        if (
            not all_settled
            and not self.ready
            and worth_waiting(statuses, time.monotonic() - self._started, time.time())
        ):
            self._vaults.update()
        else:
            if self._vaults.update():
                self._inventory.everything_changed()
            if self._known.update(statuses, narrowed=self._narrowed):
                self.groups.enable(self._known.resources)
                self._inventory.everything_changed()
            self.engine.run(time.time())
            self._tell_broken()
        observations = self._vaults.new_observations()
        if observations is not None:
            self.vault_groups.update(self._vaults.selection, observations, time.time(), self.groups.since)
        if self.exposition is not None:
            self.exposition.refresh()
        if self.ready and time.monotonic() >= self._exceptions_due:
            self._exceptions_due = time.monotonic() + EXCEPTIONS_EVERY
            self._look_at_exceptions()
        if all_settled and statuses:
            self.ready = True
        if self.ready:
            self.on_round(time.time())
        self._duration.observe(time.perf_counter() - began)

    def _tell_broken(self) -> None:
        """Objects that could not be judged, each once while it lasts, and no more than a few at a time."""
        broken = self.engine.broken
        new = broken.keys() - self._told_broken
        for kind, namespace, name in sorted(new)[:3]:
            log.error(
                "an object could not be judged; please report it",
                kind=kind,
                namespace=namespace,
                name=name,
                all=len(broken),
                exc_info=broken[kind, namespace, name],
            )
        if new or len(self._told_broken) != len(broken):
            self._told_broken = set(broken)

    def _look_at_exceptions(self) -> None:
        """Exceptions that fit no manual Secret are reported: a typing error, or a migration that is done."""
        manual = [
            (namespace, name)
            for namespace, name in self.groups.told(SECRET)
            if (judgement := self.groups.judgement(SECRET, namespace, name)) is not None
            and judgement.ownership == "manual"
        ]
        unmatched = tuple(self._exceptions.unmatched(manual)) if SECRETS in self._known.resources else ()
        for id_ in unmatched:
            if id_ not in self.unmatched_exceptions:
                log.warning("an accepted exception fits no manual Secret: correct it or take it out", exception=id_)
        self.unmatched_exceptions = unmatched

    def readable(self, resource: str, namespace: str) -> bool:
        """Whether everything of the resource in the namespace ("" for cluster-scoped things) is known."""
        return self._known.readable(resource, namespace)

    def judged(self) -> dict[str, int]:
        """How many objects of each kind were judged."""
        secrets = sum(self._inventory.judged_secrets())
        return {**self.groups.judged(), "secret": secrets, "vault": len(self.vault_groups.judgements)}

    def _configure(self, settings: Settings) -> None:
        self._narrowed = bool(settings.kubernetes.namespaces or settings.kubernetes.namespace_selector)
        excluded = {
            *settings.secrets.exclude_namespaces,
            *(namespace for namespace, mode in settings.secrets.namespaces.items() if mode == "off"),
        } - {namespace for namespace, mode in settings.secrets.namespaces.items() if mode == "metadata"}
        self._exceptions = Exceptions(settings.ownership.exceptions)
        self.engine.configure(self._view(settings), self._exceptions, excluded)

    def _view(self, settings: Settings) -> View:
        off = frozenset(namespace for namespace, mode in settings.secrets.namespaces.items() if mode == "off")

        def readable(resource: str, namespace: str) -> bool:
            return not (resource == SECRETS and namespace in off) and self._known.readable(resource, namespace)

        return View(self._inventory, settings.judge, readable, self._vaults.name)
