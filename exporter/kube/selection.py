"""Sinks in front of the namespaces' sink, where only some namespaces are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from exporter.kube.resource import Listing, Record, Sink


class NamedNamespaces:
    """A fixed list (--namespaces): other namespaces are not ours, though the API server shows them."""

    def __init__(self, sink: Sink, names: frozenset[str]) -> None:
        self._sink = sink
        self._names = names

    def begin_list(self, scope: str) -> Listing:
        return _NamedListing(self._sink.begin_list(scope), self._names)

    def apply(self, scope: str, record: Record) -> None:
        if record.name in self._names:
            self._sink.apply(scope, record)

    def remove(self, scope: str, namespace: str, name: str) -> None:
        if name in self._names:
            self._sink.remove(scope, namespace, name)

    def forget(self, scope: str) -> None:
        self._sink.forget(scope)


class _NamedListing:
    def __init__(self, listing: Listing, names: frozenset[str]) -> None:
        self._listing = listing
        self._names = names

    def add(self, records: Sequence[Record]) -> None:
        self._listing.add([record for record in records if record.name in self._names])

    def keep(self, namespace: str, name: str) -> None:
        if name in self._names:
            self._listing.keep(namespace, name)

    def finish(self) -> None:
        self._listing.finish()

    def abandon(self) -> None:
        self._listing.abandon()


class FollowedNamespaces:
    """A selector (--namespace-selector), applied by the API server: `follow` is told the names whenever they change.

    Forgetting keeps them: while namespaces cannot be read, those once selected are still watched.
    """

    def __init__(self, sink: Sink, follow: Callable[[Iterable[str]], None]) -> None:
        self._sink = sink
        self._follow = follow
        self._names: set[str] = set()

    def begin_list(self, scope: str) -> Listing:
        return _FollowedListing(self._sink.begin_list(scope), self._replace)

    def apply(self, scope: str, record: Record) -> None:
        self._sink.apply(scope, record)
        if record.name not in self._names:
            self._names.add(record.name)
            self._follow(self._names)

    def remove(self, scope: str, namespace: str, name: str) -> None:
        if name in self._names:
            self._names.discard(name)
            self._follow(self._names)
        self._sink.remove(scope, namespace, name)

    def forget(self, scope: str) -> None:
        self._sink.forget(scope)

    def _replace(self, names: set[str]) -> None:
        self._names = names
        self._follow(names)


class _FollowedListing:
    def __init__(self, listing: Listing, replace: Callable[[set[str]], None]) -> None:
        self._listing = listing
        self._replace = replace
        self._seen: set[str] = set()

    def add(self, records: Sequence[Record]) -> None:
        self._seen.update(record.name for record in records)
        self._listing.add(records)

    def keep(self, namespace: str, name: str) -> None:
        self._seen.add(name)
        self._listing.keep(namespace, name)

    def finish(self) -> None:
        self._listing.finish()
        self._replace(self._seen)

    def abandon(self) -> None:
        self._listing.abandon()
