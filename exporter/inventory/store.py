"""Keeps the records of one resource: upsert as they come, sweep only after a complete list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec


class _Named(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=_Named)
OnChange = Callable[[R | None, R | None], None]


class RecordStore(Generic[R]):
    """The records of one resource, by namespace and name ("" for cluster-scoped).

    Implements `kube.resource.Sink`. `on_change(old, new)` is called under `lock` for every record that really changed
    (`same(old, new)` is False); a record that did not change dirties nothing. Readers hold `lock` while they look.
    """

    def __init__(
        self, lock: threading.RLock, on_change: OnChange[R], same: Callable[[R, R], bool] | None = None
    ) -> None:
        self._lock = lock
        self._on_change = on_change
        self._same = same
        self._records: dict[str, dict[str, R]] = {}

    def get(self, namespace: str, name: str) -> R | None:
        """The record, None when there is none."""
        records = self._records.get(namespace)
        return None if records is None else records.get(name)

    def names(self, namespace: str) -> list[str]:
        """Names in one namespace."""
        return list(self._records.get(namespace, ()))

    def namespaces(self) -> list[str]:
        """Namespaces that hold records."""
        return list(self._records)

    def all(self) -> Iterator[R]:
        """Every record, of a copy of the name lists: changes meanwhile are harmless."""
        for namespace in list(self._records):
            yield from list(self._records.get(namespace, {}).values())

    def __len__(self) -> int:
        return sum(len(records) for records in list(self._records.values()))

    def begin_list(self, scope: str) -> Listing[R]:
        """Starts a list of `scope` ("" for the whole cluster, else a namespace)."""
        return Listing(self, scope)

    def apply(self, scope: str, record: Any) -> None:  # noqa: ARG002  (the Sink's shape; a record knows its namespace)
        """Upserts one record."""
        with self._lock:
            self._put(cast(R, record))

    def remove(self, scope: str, namespace: str, name: str) -> None:  # noqa: ARG002
        """Forgets one object; unknown ones are harmless."""
        with self._lock:
            self._delete(namespace, name)

    def forget(self, scope: str) -> None:
        """Forgets a whole scope."""
        for namespace in [scope] if scope else self.namespaces():
            for name in self.names(namespace):
                with self._lock:
                    self._delete(namespace, name)

    def _put(self, record: R) -> None:
        records = self._records.get(record.namespace)
        if records is None:
            records = self._records[record.namespace] = {}
        old = records.get(record.name)
        if old is not None and (self._same(old, record) if self._same else old == record):
            return
        if old is not None:
            # One string for the name, as before the change: indexes keep it too.
            msgspec.structs.force_setattr(cast(Any, record), "name", old.name)
        records[record.name] = record
        self._on_change(old, record)

    def _delete(self, namespace: str, name: str) -> None:
        records = self._records.get(namespace)
        old = records.pop(name, None) if records is not None else None
        if old is None:
            return
        if not records:
            del self._records[namespace]
        self._on_change(old, None)


class Listing(Generic[R]):
    """A list under way. What it shows is upserted at once; what it did not show is swept by `finish` only."""

    def __init__(self, store: RecordStore[R], scope: str) -> None:
        self._store = store
        self._scope = scope
        # A first list has nothing to sweep, and half a million names would cost what the records themselves do.
        self._seen: dict[str, set[str]] | None = {} if self._held() else None

    def _held(self) -> bool:
        return bool(self._store.names(self._scope) if self._scope else len(self._store))

    def add(self, records: Sequence[Any]) -> None:
        """Upserts one page. The lock is taken for each record, so that a scrape never waits for a page."""
        for record in records:
            with self._store._lock:
                self._store._put(record)
            if self._seen is not None:
                self._seen.setdefault(record.namespace, set()).add(record.name)

    def keep(self, namespace: str, name: str) -> None:
        """An object that exists but could not be decoded: its last record stays."""
        if self._seen is not None:
            self._seen.setdefault(namespace, set()).add(name)

    def finish(self) -> None:
        """The list is complete: forgets what it did not show."""
        if self._seen is None:
            return
        for namespace in [self._scope] if self._scope else self._store.namespaces():
            seen = self._seen.get(namespace, set())
            for name in self._store.names(namespace):
                if name not in seen:
                    with self._store._lock:
                        self._store._delete(namespace, name)
        self._seen = None

    def abandon(self) -> None:
        """The list failed part-way: nothing is swept."""
        self._seen = None
