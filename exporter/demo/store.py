"""The object store: one sorted collection a kind, one rising resource version over all, and the history that watches read.

A list that is fetched page by page shows the state at its first page, as etcd does: later changes are undone from the
history. History is bounded; what has been compacted away answers 410 like a real server.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.demo.entries import Entry
from exporter.demo.kinds import Kind


class ExpiredError(Exception):
    """The asked resource version is older than the kept history; `oldest` is the first that is still known."""

    def __init__(self, since: int, oldest: int) -> None:
        super().__init__(f"{since} is older than {oldest}")
        self.since = since
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the history: `entry` is what a watch shows, `previous` the state before (None for ADDED)."""

    version: int
    what: str
    entry: Entry
    previous: Entry | None


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry]
    last_key: str
    more: bool
    remaining: int
    """How many keys follow the page; exact only without selectors, which is the only case in which it is told."""


class Versions:
    """The cluster's resource version and its lock, shared by every resource."""

    def __init__(self, start: int = 1000) -> None:
        self.current = start
        self.lock = threading.RLock()

    def next(self) -> int:
        self.current += 1
        return self.current


class ResourceStore:
    """All objects of one kind and what happened to them. Every method takes the lock by itself."""

    def __init__(self, kind: Kind, versions: Versions, history: int) -> None:
        self.kind = kind
        self.history = history
        self.changed = threading.Condition(versions.lock)
        self._versions = versions
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        self._log: list[Change] = []
        self._dropped = 0
        """How many changes have left the log; with the index in the log this is the position of a watch."""
        self._compacted = 0

    # -- writing ------------------------------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """Add or replace; the entry carries a version fresh from `Versions.next`, taken under the same lock."""
        with self.changed:
            previous = self._entries.get(entry.key)
            if previous is None:
                bisect.insort(self._keys, entry.key)
            self._entries[entry.key] = entry
            self._record(Change(entry.version, "MODIFIED" if previous else "ADDED", entry, previous))

    def remove(self, key: str) -> Entry | None:
        """Delete; returns the last state, None where there was no such object."""
        with self.changed:
            previous = self._entries.pop(key, None)
            if previous is None:
                return None
            del self._keys[bisect.bisect_left(self._keys, key)]
            version = self._versions.next()
            self._record(Change(version, "DELETED", previous.gone(version), previous))
            return previous

    def fill(self, entries: Iterable[Entry]) -> int:
        """Take many at once, as if they had always been there: no events, and history starts after them."""
        with self.changed:
            before = len(self._entries)
            for entry in entries:
                self._entries[entry.key] = entry
            self._keys = sorted(self._entries)
            self.compact()
            return len(self._entries) - before

    def compact(self) -> None:
        """Forget the whole history: older resource versions and continue tokens are answered 410 from now on."""
        with self.changed:
            self._dropped += len(self._log)
            self._log.clear()
            self._compacted = self._versions.current

    def _record(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > 2 * self.history:
            old = len(self._log) - self.history
            self._compacted = self._log[old - 1].version
            self._dropped += old
            del self._log[:old]
        self.changed.notify_all()

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Entry | None:
        with self.changed:
            return self._entries.get(key)

    def keys(self) -> list[str]:
        with self.changed:
            return list(self._keys)

    def all(self) -> list[Entry]:
        with self.changed:
            return [self._entries[key] for key in self._keys]

    def __len__(self) -> int:
        return len(self._entries)

    def page(
        self,
        namespace: str,
        after: str,
        limit: int,
        at: int | None,
        keep: Callable[[Entry], bool] | None,
    ) -> Page:
        """Up to `limit` entries (0: all) of a namespace (empty: all) with keys beyond `after`, as they were at version `at`.

        Raises ExpiredError where `at` is older than the history.
        """
        with self.changed:
            low = bisect.bisect_left(self._keys, max(after, f"{namespace}/" if namespace else ""))
            high = bisect.bisect_left(self._keys, f"{namespace}0") if namespace else len(self._keys)
            undone = self._undone(at)
            if not undone and keep is None:
                stop = min(high, low + limit) if limit else high
                keys = self._keys[low:stop]
                entries = [self._entries[key] for key in keys]
                return Page(entries, keys[-1] if keys else "", stop < high, high - stop)
            snapshot = list(self._then(self._keys[low:high], undone, namespace, after))
        kept: list[Entry] = []
        for index, entry in enumerate(snapshot):
            if limit and len(kept) == limit:
                return Page(kept, snapshot[index - 1].key, True, len(snapshot) - index)
            if keep is None or keep(entry):
                kept.append(entry)
        return Page(kept, "", False, 0)

    def _undone(self, at: int | None) -> dict[str, Entry | None]:
        if at is None:
            return {}
        if at < self._compacted:
            raise ExpiredError(at, self._compacted)
        undone: dict[str, Entry | None] = {}
        for change in reversed(self._log):
            if change.version <= at:
                break
            undone[change.entry.key] = change.previous
        return undone

    def _then(self, keys: list[str], undone: dict[str, Entry | None], namespace: str, after: str) -> Iterator[Entry]:
        if undone:
            prefix = f"{namespace}/" if namespace else ""
            lost = (key for key, entry in undone.items() if entry and key >= after and key.startswith(prefix))
            keys = sorted({*keys, *lost})
        for key in keys:
            entry = undone[key] if key in undone else self._entries[key]
            if entry is not None:
                yield entry

    # -- watching -----------------------------------------------------------------------------------------------

    def position(self, since: int) -> int:
        """Where in the history a watch from version `since` begins. Raises ExpiredError."""
        with self.changed:
            if since < self._compacted:
                raise ExpiredError(since, self._compacted)
            return self._dropped + bisect.bisect_right(self._log, since, key=lambda change: change.version)

    def position_now(self) -> int:
        """The position after everything that has happened."""
        with self.changed:
            return self._dropped + len(self._log)

    def position_version(self) -> int:
        """The resource version the cluster is at."""
        return self._versions.current

    def after(self, position: int) -> tuple[list[Change], int, int]:
        """Changes from `position` on, the next position, and the version the cluster is at. Raises ExpiredError."""
        with self.changed:
            index = position - self._dropped
            if index < 0:
                raise ExpiredError(0, self._compacted)
            return self._log[index:], self._dropped + len(self._log), self._versions.current
