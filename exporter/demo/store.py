"""The object store: one sorted collection a kind, one rising resource version over all, and the history that watches read.

A list that is fetched page by page shows the state at its first page, as etcd does: later changes are undone from the
history. History is bounded; what has been compacted away answers 410 like a real server.
"""

from __future__ import annotations

import bisect
import heapq
import threading
from collections.abc import Callable, Iterable
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
        at: int,
        keep: Callable[[Entry], bool] | None,
    ) -> Page:
        """Up to `limit` entries (0: all) of a namespace (empty: all) from key `after` on, as they were at version `at`.

        Selected entries are looked for slice by slice, so that the lock is never held for long. Raises ExpiredError where
        `at` is older than the history.
        """
        if keep is None:
            entries, following = self._slice(namespace, after, limit or len(self), at)
            return Page(entries, entries[-1].key if entries else "", following > 0, following)
        kept: list[Entry] = []
        before, following = "", 1
        while following:
            entries, following = self._slice(namespace, after, 2000, at)
            for index, entry in enumerate(entries):
                if limit and len(kept) == limit:
                    return Page(kept, entries[index - 1].key if index else before, True, 0)
                if keep(entry):
                    kept.append(entry)
            if entries:
                before = entries[-1].key
                after = before + "\x00"
        return Page(kept, "", False, 0)

    def _slice(self, namespace: str, after: str, size: int, at: int) -> tuple[list[Entry], int]:
        """The first `size` entries from key `after` on at version `at`, and how many follow them."""
        with self.changed:
            start = max(after, f"{namespace}/" if namespace else "")
            low = bisect.bisect_left(self._keys, start)
            high = bisect.bisect_left(self._keys, f"{namespace}0") if namespace else len(self._keys)
            undone = self._undone(at)
            if not undone:
                keys = self._keys[low : min(high, low + size)]
                return [self._entries[key] for key in keys], high - low - len(keys)
            inside = {
                key: entry
                for key, entry in undone.items()
                if key >= start and (not namespace or key.startswith(f"{namespace}/"))
            }
            lost = sorted(key for key, entry in inside.items() if entry is not None and key not in self._entries)
            new = sum(1 for key, entry in inside.items() if entry is None and key in self._entries)
            found: list[Entry] = []
            for key in heapq.merge((self._keys[index] for index in range(low, high)), lost):
                if len(found) == size:
                    break
                entry = inside[key] if key in inside else self._entries[key]
                if entry is not None:
                    found.append(entry)
            return found, high - low - new + len(lost) - len(found)

    def _undone(self, at: int) -> dict[str, Entry | None]:
        """What the objects changed since version `at` were then: None for those that did not exist."""
        if at < self._compacted:
            raise ExpiredError(at, self._compacted)
        undone: dict[str, Entry | None] = {}
        for change in reversed(self._log):
            if change.version <= at:
                break
            undone[change.entry.key] = change.previous
        return undone

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
