"""Drains what changed, judges it with its neighbours, and hands the results on.

Problems that only time brings carry their moment: every judgement says when to look again, and that moment brings the
object back here without any event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from exporter.inventory.changes import EXTERNALSECRET, REFRESHED, Changes
from exporter.inventory.inventory import Inventory
from exporter.judge import (
    clusterexternalsecret,
    clusterpushsecret,
    externalsecret,
    operator,
    pushsecret,
    store,
)
from exporter.judge.findings import Findings
from exporter.judge.kind import Kind
from exporter.judge.rechecks import Rechecks
from exporter.judge.secret import Exceptions
from exporter.judge.secret_kind import Namespaces, Secrets, secrets_judged
from exporter.judge.view import View
from exporter.kube.records import ExternalSecret

KINDS: tuple[Kind, ...] = (
    store.KIND,
    externalsecret.KIND,
    pushsecret.KIND,
    clusterexternalsecret.KIND,
    clusterpushsecret.KIND,
    operator.KIND,
)
"""Every kind but Secrets and Namespaces, which depend on settings and stand behind these."""


BROKEN_AT_MOST = 100
"""So many exceptions are kept (each holds its frames)."""

BROKEN_AGAIN_AFTER = 60.0
"""Seconds after which an object that could not be judged is tried again, for its neighbours may have been the cause."""


class Results(Protocol):
    """Receives judgements by kind, namespace and name; None takes an object back. Called by one thread, under the
    inventory's lock. `told` gives all objects of a kind that have a judgement, as (namespace, name). `refreshed` takes over
    a sync of an ExternalSecret of which nothing else changed, and tells whether it could: else it must be judged."""

    def put(self, kind: str, namespace: str, name: str, judgement: Any) -> None: ...
    def refreshed(self, record: ExternalSecret) -> bool: ...
    def told(self, kind: str) -> Iterable[tuple[str, str]]: ...


class Engine:
    """The judge of everything. `run` is called by the refresher's thread only."""

    def __init__(self, inventory: Inventory, view: View, exceptions: Exceptions, results: Results) -> None:
        self._inventory = inventory
        self._results = results
        self._rechecks = Rechecks()
        self._observed: dict[tuple[str, str, str], Mapping[str, float]] = {}
        self.broken: dict[tuple[str, str, str], Exception] = {}
        """Objects, as (kind, namespace, name), whose judging raised, and what it raised: a defect of ours. Such an object
        keeps the judgement that it had, and all others are judged: one must not blind us to the rest."""
        self.configure(view, exceptions, ())

    def configure(self, view: View, exceptions: Exceptions, excluded: Iterable[str]) -> None:
        """New settings: `excluded` are namespaces whose Secrets are not judged. The caller has everything judged anew."""
        self._view, self._excluded = view, frozenset(excluded)
        self._secrets = Secrets(exceptions, self._excluded)
        self._kinds: tuple[Kind, ...] = (*KINDS, self._secrets, Namespaces(self._excluded))

    def secrets_judged(self, namespace: str) -> bool:
        """Whether the Secrets of this namespace are judged: see `secret_kind.secrets_judged`."""
        return secrets_judged(self._view, self._excluded, namespace)

    def next_moment(self) -> float | None:
        """When `run` has something to do though nothing changes."""
        return self._rechecks.next

    def run(self, now: float) -> int:
        """Judges what changed and what is due; returns how many judgements were made."""
        changes = self._inventory.drain()
        self._secrets.begin()
        if changes.everything:
            self._rechecks = Rechecks()
            return self._run_everything(now)
        for due in self._rechecks.due(now):
            changes.add(*due)
        return self._run(changes, now)

    def _run_everything(self, now: float) -> int:
        later = Changes()
        count = 0
        for kind in self._kinds:
            for seen in [seen for seen in self._observed if seen[0] == kind.name]:
                if not kind.has(self._inventory, *seen[1:]):
                    del self._observed[seen]
            gone = [key for key in self._results.told(kind.name) if not kind.has(self._inventory, *key)]
            for key in gone:
                count += self._judge(kind, *key, now, later)
            for namespace, names in kind.places(self._inventory):
                for name in names:
                    count += self._judge(kind, namespace, name, now, later)
        return count

    def _run(self, changes: Changes, now: float) -> int:
        count = 0
        for namespace, name in changes.of(REFRESHED):
            if not self._refreshed(namespace, name):
                changes.add(EXTERNALSECRET, namespace, name)
        for kind in self._kinds:
            for namespace, name in changes.of(kind.name):
                count += self._judge(kind, namespace, name, now, changes)
        return count

    def _judge(self, kind: Kind, namespace: str, name: str, now: float, changes: Changes) -> int:
        key = (kind.name, namespace, name)
        with self._inventory.lock:
            observed = self._observed.get(key, _NOTHING)
            try:
                judged = kind.judge(self._inventory, self._view, namespace, name, now, observed)
                self._note(key, judged.findings)
                if judged.concerns is not None:
                    changes.add(*judged.concerns)
                self._results.put(kind.name, namespace, name, judged.judgement)
            except Exception as error:  # noqa: BLE001 (see `broken`; what was drained would be lost to all others)
                if len(self.broken) < BROKEN_AT_MOST:
                    self.broken[key] = error
                self._rechecks.add(now + BROKEN_AGAIN_AFTER, *key)
                return 0
            if self.broken:
                self.broken.pop(key, None)
        return 1

    def _refreshed(self, namespace: str, name: str) -> bool:
        """Moves the times of an ExternalSecret that was synced again. If anything around it changed too, it is judged in this
        round all the same; and at its deadline of before, when it has a new one."""
        with self._inventory.lock:
            record = self._inventory.externalsecrets.get(namespace, name)
            try:
                return record is not None and self._results.refreshed(record)
            except Exception:  # noqa: BLE001 (it is judged instead, and a defect is told there)
                return False

    def _note(self, key: tuple[str, str, str], findings: Findings | None) -> None:
        if findings is not None and findings.lasting:
            self._observed[key] = findings.lasting
        elif self._observed:
            self._observed.pop(key, None)
        if findings is not None and findings.recheck_at is not None:
            self._rechecks.add(findings.recheck_at, *key)


_NOTHING: Mapping[str, float] = {}
