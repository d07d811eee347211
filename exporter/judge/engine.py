"""Drains what changed, judges it with its neighbours, and hands the results on.

Problems that only time brings carry their moment: every judgement says when to look again, and that moment brings the
object back here without any event.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Protocol

from exporter.inventory.changes import Changes
from exporter.inventory.inventory import Inventory
from exporter.judge import externalsecret, namespace, secret, store
from exporter.judge.findings import Findings
from exporter.judge.view import View
from exporter.kube.records import StoreRef
from exporter.kube.resources import CLUSTERSECRETSTORES, EXTERNALSECRETS, NAMESPACES, SECRETSTORES

EXTERNALSECRET, STORE, SECRET = "externalsecret", "store", "secret"


class Results(Protocol):
    """Receives judgements; None takes an object back. Called by one thread, under the inventory's lock."""

    def externalsecret(
        self, namespace: str, name: str, judgement: externalsecret.ExternalSecretJudgement | None
    ) -> None: ...
    def store(self, ref: StoreRef, judgement: store.StoreJudgement | None) -> None: ...
    def secret(self, namespace: str, name: str, judgement: secret.SecretJudgement | None) -> None: ...
    def namespace(self, name: str, judgement: namespace.NamespaceJudgement | None) -> None: ...
    def told_externalsecrets(self) -> Iterable[tuple[str, str]]: ...
    def told_stores(self) -> Iterable[StoreRef]: ...
    def told_secrets(self) -> Iterable[tuple[str, str]]: ...
    def told_namespaces(self) -> Iterable[str]: ...


class Rechecks:
    """Objects to be judged again at a moment, to the second. An object may stand at several: judging is harmless."""

    def __init__(self) -> None:
        self._at: dict[int, list[str]] = {}
        self._seconds: list[int] = []

    def add(self, moment: float, kind: str, namespace: str, name: str) -> None:
        """Has an object judged at the first whole second that is not before `moment`."""
        second = int(moment) + 1
        names = self._at.get(second)
        if names is None:
            names = self._at[second] = []
            heapq.heappush(self._seconds, second)
        names += (kind, namespace, name)

    def due(self, now: float) -> list[tuple[str, str, str]]:
        """Takes out everything whose moment has come: (kind, namespace, name)."""
        found: list[tuple[str, str, str]] = []
        while self._seconds and self._seconds[0] <= now:
            names = self._at.pop(heapq.heappop(self._seconds))
            found += zip(names[::3], names[1::3], names[2::3], strict=True)
        return found

    @property
    def next(self) -> float | None:
        """The next moment, None when nothing waits."""
        return float(self._seconds[0]) if self._seconds else None


class Engine:
    """The judge of everything. `run` is called by the refresher's thread only.

    `secrets_judged(namespace)` tells whether Secrets are judged there at all: mode, excluded namespaces.
    """

    def __init__(self, inventory: Inventory, view: View, exceptions: secret.Exceptions, results: Results) -> None:
        self._inventory = inventory
        self._view = view
        self._exceptions = exceptions
        self._results = results
        self._rechecks = Rechecks()
        self._observed: dict[tuple[str, str, str], Mapping[str, float]] = {}
        self._excluded: frozenset[str] = frozenset()

    def configure(self, view: View, exceptions: secret.Exceptions, excluded: Iterable[str]) -> None:
        """New settings; the caller has everything judged anew."""
        self._view, self._exceptions, self._excluded = view, exceptions, frozenset(excluded)

    def secrets_judged(self, namespace: str) -> bool:
        """Whether each Secret of this namespace can be given its class: everything that decides it is known there."""
        view = self._view
        return (
            namespace not in self._excluded
            and view.secrets_readable(namespace)
            and view.readable(EXTERNALSECRETS, namespace)
            and view.readable(SECRETSTORES, namespace)
            and view.readable(CLUSTERSECRETSTORES, "")
        )

    def next_moment(self) -> float | None:
        """When `run` has something to do though nothing changes."""
        return self._rechecks.next

    def run(self, now: float) -> int:
        """Judges what changed and what is due; returns how many judgements were made."""
        changes = self._inventory.drain()
        if changes.everything:
            self._rechecks = Rechecks()
            return self._run_everything(now)
        for kind, where, name in self._rechecks.due(now):
            if kind == EXTERNALSECRET:
                changes.externalsecrets.add(where, name)
            elif kind == SECRET:
                changes.secrets.add(where, name)
            else:
                changes.stores.add(_store_ref(where, name))
        return self._run(changes, now)

    def _run_everything(self, now: float) -> int:
        everything = Changes()
        inventory, results = self._inventory, self._results
        count = 0
        for ref in {*(record.ref for record in inventory.stores()), *results.told_stores()}:
            everything.stores.add(ref)
        everything.namespaces.update(record.name for record in inventory.namespaces.all())
        everything.namespaces.update(inventory.secrets.namespaces(), results.told_namespaces())
        # The two large kinds are walked namespace by namespace, so that no second list of all names is ever made.
        for where, name in list(results.told_externalsecrets()):
            if inventory.externalsecrets.get(where, name) is None:
                count += self._externalsecret(where, name, now)
        for where, name in list(results.told_secrets()):
            if inventory.secrets.get(where, name) is None:
                self._secret(where, name, now)
        for where in inventory.externalsecrets.namespaces():
            for name in inventory.externalsecrets.names(where):
                count += self._externalsecret(where, name, now)
        for where in inventory.secrets.namespaces():
            for name in inventory.secrets.names(where):
                self._secret(where, name, now)
                count += 1
        return count + self._run(everything, now)

    def _run(self, changes: Changes, now: float) -> int:
        for where, name in changes.secrets:
            if self._secret(where, name, now):
                changes.namespaces.add(where)
        for where, name in changes.externalsecrets:
            self._externalsecret(where, name, now)
        for ref in changes.stores:
            self._store(ref, now)
        for where in changes.namespaces:
            self._namespace(where)
        return len(changes.secrets) + len(changes.externalsecrets) + len(changes.stores) + len(changes.namespaces)

    def _externalsecret(self, where: str, name: str, now: float) -> int:
        key = (EXTERNALSECRET, where, name)
        with self._inventory.lock:
            record = self._inventory.externalsecrets.get(where, name)
            if record is None or not self._view.readable(EXTERNALSECRETS, where):
                self._observed.pop(key, None)
                self._results.externalsecret(where, name, None)
                return 0
            judgement, findings = externalsecret.judge(record, self._view, now, self._observed.get(key, _NOTHING))
            self._note(key, findings)
            self._results.externalsecret(where, name, judgement)
        return 1

    def _store(self, ref: StoreRef, now: float) -> None:
        key = (STORE, ref.namespace, f"{ref.kind}/{ref.name}")
        with self._inventory.lock:
            record = self._inventory.store(ref)
            if record is None or not self._view.store_readable(ref):
                self._observed.pop(key, None)
                self._results.store(ref, None)
                return
            judgement, findings = store.judge(record, self._view, now, self._observed.get(key, _NOTHING))
            self._note(key, findings)
            self._results.store(ref, judgement)

    def _secret(self, where: str, name: str, now: float) -> bool:
        """Judges one Secret; tells whether the counts of its namespace changed."""
        key = (SECRET, where, name)
        with self._inventory.lock:
            record = self._inventory.secrets.get(where, name)
            if record is None or not self.secrets_judged(where):
                self._observed.pop(key, None)
                self._results.secret(where, name, None)
                return record is None or self._inventory.set_ownership(record, "")
            observed = self._observed.get(key, _NOTHING)
            judgement, findings = secret.judge(record, self._view, self._exceptions, now, observed)
            self._note(key, findings)
            counted = namespace.ACCEPTED if judgement.exception else judgement.ownership
            changed = self._inventory.set_ownership(record, counted)
            self._results.secret(where, name, judgement if judgement.told else None)
        return changed

    def _namespace(self, where: str) -> None:
        with self._inventory.lock:
            exists = self._inventory.namespaces.get("", where) is not None
            if not exists and not self._view.readable(NAMESPACES, ""):
                exists = bool(self._inventory.secrets.names(where))
            if not exists:
                self._results.namespace(where, None)
                return
            ownership = self._inventory.ownership(where) if self.secrets_judged(where) else None
            owner = self._view.namespace_owner(where)
            self._results.namespace(where, namespace.judge(where, owner, ownership))

    def _note(self, key: tuple[str, str, str], findings: Findings) -> None:
        if findings.lasting:
            self._observed[key] = findings.lasting
        elif key in self._observed:
            del self._observed[key]
        if findings.recheck_at is not None:
            self._rechecks.add(findings.recheck_at, *key)


_NOTHING: Mapping[str, float] = {}


def _store_ref(where: str, name: str) -> StoreRef:
    kind, _, bare = name.partition("/")
    return StoreRef(kind, where, bare)
