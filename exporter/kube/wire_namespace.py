"""Namespace, as PartialObjectMetadata: wire shape to record."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from exporter.eso.times import parse_time
from exporter.kube.records import Namespace
from exporter.kube.wire import Meta, OwnerKeys, created


class NamespaceWire(msgspec.Struct, gc=False):
    """A Namespace's metadata."""

    metadata: Meta


def converter(owner_keys: OwnerKeys) -> Callable[[NamespaceWire, object], Namespace]:
    """Makes the function from wire to record; `owner_keys` decides the `owner` of each."""

    def convert(wire: NamespaceWire, _cells: object) -> Namespace:
        meta = wire.metadata
        name = sys.intern(meta.name)
        return Namespace(
            namespace="",
            name=name,
            created=created(meta.creationTimestamp),
            deleting=parse_time(meta.deletionTimestamp),
            owner=owner_keys.of(meta.labels, meta.annotations),
        )

    return convert


def assumed(name: str) -> Namespace:
    """The record of a namespace that the configuration names and that we may not look at."""
    return Namespace(namespace="", name=sys.intern(name), created=0.0, deleting=None, owner="")
