"""ServiceAccount, as PartialObjectMetadata: that it exists."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from exporter.kube.records import ServiceAccount


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""


class ServiceAccountWire(msgspec.Struct, gc=False):
    """A ServiceAccount's metadata."""

    metadata: _Meta


def converter() -> Callable[[ServiceAccountWire, object], ServiceAccount]:
    """Makes the function from wire to record."""

    def convert(wire: ServiceAccountWire, _cells: object) -> ServiceAccount:
        # Nearly every namespace has the same few names.
        return ServiceAccount(namespace=sys.intern(wire.metadata.namespace), name=sys.intern(wire.metadata.name))

    return convert
