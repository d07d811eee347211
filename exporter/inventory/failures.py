"""Why ExternalSecrets fail: of each only the class and time of the newest Warning Event.

Events live for an hour; a class is kept as long as its ExternalSecret is not ready, and forgotten when it becomes ready or
is deleted. So this is no mirror of the Events: one that goes does not take its class along.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from exporter.kube.records import Failure

MOST = 100_000
"""Failures that are kept at most; past that only those of living ExternalSecrets that are not ready are taken in."""


class Failures:
    """Implements `kube.resource.Sink` for Events. A `Failure` goes by the name of its ExternalSecret.

    `failing(namespace, name)` tells whether there is an ExternalSecret of that name that is not ready; `on_change` is called,
    under `lock`, when the class of one changed.
    """

    def __init__(
        self, lock: threading.RLock, failing: Callable[[str, str], bool], on_change: Callable[[str, str], None]
    ) -> None:
        self._lock = lock
        self._failing = failing
        self._on_change = on_change
        self._failures: dict[str, dict[str, Failure]] = {}
        self._count = 0

    def get(self, namespace: str, name: str) -> Failure | None:
        """The newest failure of an ExternalSecret; whoever asks must see whether it is of its present outage."""
        return self._failures.get(namespace, {}).get(name)

    def forget_one(self, namespace: str, name: str) -> None:
        """The ExternalSecret is ready, or gone. Called under the lock."""
        failures = self._failures.get(namespace)
        if failures is not None and failures.pop(name, None) is not None:
            self._count -= 1
            if not failures:
                del self._failures[namespace]

    def __len__(self) -> int:
        return self._count

    def begin_list(self, scope: str) -> FailureListing:
        """Starts a list of `scope` ("" for the whole cluster, else a namespace)."""
        return FailureListing(self, scope)

    def apply(self, scope: str, record: Any) -> None:  # noqa: ARG002  (the Sink's shape)
        """An Event was written or counted up."""
        failure: Failure = record
        with self._lock:
            before = self.get(failure.namespace, failure.name)
            if before is None:
                if self._count >= MOST and not self._failing(failure.namespace, failure.name):
                    return
                self._count += 1
            elif failure.time < before.time:
                return
            self._failures.setdefault(failure.namespace, {})[failure.name] = failure
            if before is None or (before.error, before.uid) != (failure.error, failure.uid):
                self._on_change(failure.namespace, failure.name)

    def remove(self, scope: str, namespace: str, name: str) -> None:  # noqa: ARG002
        """An Event is gone. `name` is its own: that of its object, a dot and a number."""
        self._drop_idle(namespace, name.rpartition(".")[0])

    def forget(self, scope: str) -> None:
        """Events cannot be read any more: what they told would never be corrected."""
        with self._lock:
            for namespace in [scope] if scope else list(self._failures):
                for name in list(self._failures.get(namespace, ())):
                    self.forget_one(namespace, name)
                    self._on_change(namespace, name)

    def drop_unseen(self, scope: str, seen: set[tuple[str, str]]) -> None:
        """A list is complete: what it did not show lives on only while its ExternalSecret fails."""
        for namespace in [scope] if scope else list(self._failures):
            for name in list(self._failures.get(namespace, ())):
                if (namespace, name) not in seen:
                    self._drop_idle(namespace, name)

    def _drop_idle(self, namespace: str, name: str) -> None:
        with self._lock:
            if not self._failing(namespace, name):
                self.forget_one(namespace, name)


class FailureListing:
    """A list of Events under way."""

    def __init__(self, failures: Failures, scope: str) -> None:
        self._failures = failures
        self._scope = scope
        self._seen: set[tuple[str, str]] = set()

    def add(self, records: Sequence[Any]) -> None:
        """Takes in one page."""
        for record in records:
            self._failures.apply(self._scope, record)
            self._seen.add((record.namespace, record.name))

    def keep(self, namespace: str, name: str) -> None:
        """An Event that could not be decoded: what an earlier one told stays."""
        self._seen.add((namespace, name.rpartition(".")[0]))

    def finish(self) -> None:
        """The list is complete."""
        self._failures.drop_unseen(self._scope, self._seen)

    def abandon(self) -> None:
        """The list failed part-way: nothing is dropped."""
