"""One open watch: the backlog, live events, bookmarks and the end, written as a chunked stream."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.demo import forms
from exporter.demo.entries import Entry, Stored
from exporter.demo.faults import (
    CloseMidChunk,
    CutChunks,
    Drop,
    Duplicate,
    Fault,
    Faults,
    GoneEvent,
    MergedChunks,
    Replay,
    Silence,
    UnknownDelete,
)
from exporter.demo.kinds import Kind
from exporter.demo.store import Change, ExpiredError, ResourceStore
from exporter.demo.wire import GZIP_HEADERS, Exchange, gzip_member

PEEK = 0.5
"""Seconds between looks at whether the client is still there."""

DISRUPTIONS = (Drop, CloseMidChunk, Silence, GoneEvent, Duplicate, UnknownDelete)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a watch sees: a kind in a served version, a namespace (empty: all), and its selectors."""

    kind: Kind
    api_version: str
    namespace: str
    keep: Callable[[Entry], bool] | None

    def sees(self, entry: Entry | None) -> bool:
        if entry is None or (self.namespace and not entry.key.startswith(f"{self.namespace}/")):
            return False
        return self.keep is None or self.keep(entry)

    def seen(self, change: Change) -> tuple[str, Entry] | None:
        """The event this change is here: an object that leaves the selection is DELETED in its last seen state."""
        was = self.sees(change.previous)
        now = change.what != "DELETED" and self.sees(change.entry)
        if now:
            return ("MODIFIED" if was else "ADDED"), change.entry
        if was and change.previous is not None:
            return "DELETED", change.previous.gone(change.version)
        return None


class _EndError(Exception):
    """The stream has ended in the middle of something."""


class Watch:
    """Begins where the store stands when it is made; `disrupt` and `finish` may be called from any thread."""

    def __init__(
        self,
        exchange: Exchange,
        store: ResourceStore,
        scope: Scope,
        form: forms.Form,
        faults: Faults,
        query: Mapping[str, str],
        clock: Callable[[], float],
        bookmark_every: float,
    ) -> None:
        self.exchange = exchange
        self.store = store
        self.scope = scope
        self.form = form
        self.faults = faults
        self.clock = clock
        self.bookmark_every = bookmark_every
        self.ended = threading.Event()
        self._first = True
        self._last_event = b""
        self._orders: deque[tuple[int, Fault]] = deque()
        self._finished = False
        self._query = query
        self._bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        from_nothing = query.get("resourceVersion", "") in ("", "0")
        # A watch from no version that wants bookmarks is a streamed list, asked for or not (seen on 1.37).
        wanted = query.get("sendInitialEvents", "true" if from_nothing else "")
        self._streamed_list = self._bookmarks and wanted in ("1", "true")
        self._gzip = self._streamed_list and exchange.accepts_gzip
        self._since = 0
        self._expired: ExpiredError | None = None
        self._backlog: list[Entry] = []
        self._take_position(from_nothing)

    def disrupt(self, fault: Fault) -> None:
        """Do this to the open stream, after everything that has happened before this call."""
        if not isinstance(fault, DISRUPTIONS):
            names = ", ".join(one.__name__ for one in DISRUPTIONS)
            raise TypeError(f"an open watch can be hit by {names}, not by {type(fault).__name__}")
        with self.store.changed:
            self._orders.append((self.store.position_now(), fault))
            self.store.changed.notify_all()

    def finish(self) -> None:
        """End the stream in good order, as the server does when the resource goes away."""
        self._finished = True
        with self.store.changed:
            self.store.changed.notify_all()

    def run(self) -> None:
        """Serve the stream to its end, in the thread of the connection."""
        try:
            self._run()
        except _EndError:
            return
        finally:
            self.ended.set()

    def _run(self) -> None:
        deadline = time.monotonic() + float(self._query.get("timeoutSeconds") or 1800)
        self.exchange.begin_stream(GZIP_HEADERS if self._gzip else ())
        try:
            if self._expired is not None:
                raise self._expired
            self._send_backlog()
            for fault in self.faults:
                if isinstance(fault, (CloseMidChunk, Silence, GoneEvent, UnknownDelete)):
                    self._perform(fault)
            self._follow(self._position, deadline)
        except ExpiredError as error:
            self._write(forms.error_event(forms.gone(error.since, error.oldest)))
        self.exchange.end_stream()

    def _take_position(self, from_nothing: bool) -> None:
        """Decide what the watch has to tell, under one lock: objects as ADDED first, or changes from a version on."""
        with self.store.changed:
            self._position, self._version = self.store.position_now(), self.store.position_version()
            if self._streamed_list or from_nothing or self.faults.get(Replay) is not None:
                self._backlog = self.store.all()
                return
            self._since = int(self._query["resourceVersion"])
            try:
                self._position = self.store.position(self._since)
            except ExpiredError as error:
                self._expired = error

    def _send_backlog(self) -> None:
        entries, self._backlog = self._backlog, []
        for start in range(0, len(entries), 100):
            seen = [entry for entry in entries[start : start + 100] if self.scope.sees(entry)]
            self._write(b"".join([self._line("ADDED", entry) for entry in seen]))
        if self._streamed_list:
            self._write(self._bookmark(self._version, end_of_initial=True))

    def _follow(self, position: int, deadline: float) -> None:
        now = time.monotonic()
        next_bookmark = min(now + self.bookmark_every, max(now + 0.05, deadline - 2))
        merged = self.faults.get(MergedChunks)
        while True:
            with self.store.changed:
                changes, position, version = self.store.after(position)
                if not changes and not self._orders and not self._finished:
                    until = min(deadline, next_bookmark) if self._bookmarks else deadline
                    self.store.changed.wait(max(0.0, min(PEEK, until - time.monotonic())))
                    changes, position, version = self.store.after(position)
                orders, self._orders = self._orders, deque()
            if merged and changes:
                self.exchange.pause(merged.seconds)
                more, position, version = self.store.after(position)
                changes += more
            for at, order in orders:
                before = max(0, len(changes) - (position - at))
                self._send(changes[:before], merge=merged is not None)
                changes = changes[before:]
                self._perform(order)
            self._send(changes, merge=merged is not None)
            now = time.monotonic()
            if now >= deadline or self._finished:
                return
            if self._bookmarks and now >= next_bookmark:
                if version >= self._since:
                    self._write(self._bookmark(version))
                next_bookmark = now + self.bookmark_every
                if next_bookmark > deadline - 2 > now:
                    next_bookmark = deadline - 2
            if not changes and self.exchange.over():
                self.exchange.drop()
                raise _EndError

    def _send(self, changes: list[Change], merge: bool) -> None:
        # A version of the future (etcd restored from a backup) is no error: the server is silent until it is reached.
        lines: list[bytes] = []
        for change in changes:
            seen = self.scope.seen(change)
            if seen is not None and change.version > self._since:
                line = self._line(*seen)
                lines += [line, self._line(*seen)] if self.faults.get(Duplicate) else [line]
                self._last_event = line
        if merge or len(lines) > 50:
            self._write(b"".join(lines))
        else:
            for line in lines:
                self._write(line)

    # -- writing ------------------------------------------------------------------------------------------------

    def _line(self, what: str, entry: Entry) -> bytes:
        first, self._first = self._first, False
        scope = self.scope
        if self.form.name == "PartialObjectMetadataList" and not scope.kind.custom:
            # The real server fails to encode what is no list, and ends the stream at its first event.
            self.exchange.end_stream()
            raise _EndError
        return forms.event(self.form, scope.kind, scope.api_version, what, entry, self.clock(), first)

    def _bookmark(self, version: int, end_of_initial: bool = False) -> bytes:
        first, self._first = self._first, False
        scope = self.scope
        if self.form.name == "PartialObjectMetadataList" and not scope.kind.custom:
            self.exchange.end_stream()
            raise _EndError
        return forms.bookmark(self.form, scope.kind, scope.api_version, version, first, end_of_initial)

    def _write(self, data: bytes) -> None:
        """Send lines as one chunk; a compressed stream (a streamed list) has a gzip member of its own for each flush."""
        if self._gzip and data:
            data = gzip_member(data)
        cut = self.faults.get(CutChunks)
        if cut is None:
            self.exchange.chunk(data)
            return
        for start in range(0, len(data), cut.size):
            self.exchange.chunk(data[start : start + cut.size])

    def _perform(self, fault: Fault) -> None:
        match fault:
            case Drop():
                self.exchange.drop()
                raise _EndError
            case CloseMidChunk():
                self.exchange.cut_chunk(self._line("MODIFIED", self._stranger("nowhere", "cut-in-half")))
                raise _EndError
            case Silence():
                held = self.faults.get(Silence) is not None
                self.exchange.hold(until=lambda: held and not self.faults.holding(Silence))
                raise _EndError
            case GoneEvent():
                self._write(forms.error_event(forms.gone(1, self.store.position_version())))
                self.exchange.end_stream()
                raise _EndError
            case Duplicate():
                self._write(self._last_event)
            case UnknownDelete(namespace, name):
                self._write(self._line("DELETED", self._stranger(namespace, name)))

    def _stranger(self, namespace: str, name: str) -> Entry:
        """An object of this kind that the store does not hold."""
        kind = self.scope.kind
        metadata: dict[str, Any] = {"name": name, "uid": "00000000-0000-4000-8000-00000000dead"}
        if kind.namespaced:
            metadata["namespace"] = self.scope.namespace or namespace
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        obj = {"apiVersion": self.scope.api_version, "kind": kind.kind, "metadata": metadata}
        return Stored(kind, obj, self.store.position_version())
