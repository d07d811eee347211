"""ClusterExternalSecret and ClusterPushSecret, which read alike: wire shape to record.

A failed namespace comes with a reason in free text: it is skipped while decoding.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from exporter.eso.conditions import read_ready
from exporter.eso.times import parse_time
from exporter.kube.records import Spread
from exporter.kube.wire import ConditionWire, created

MOST_NAMES = 20
"""Failed namespaces that are kept by name; a fault of the spec fails in all of them."""


class _Meta(msgspec.Struct, gc=False):
    name: str
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None


class _Failed(msgspec.Struct, gc=False):
    namespace: str = ""


class _Status(msgspec.Struct, gc=False):
    provisionedNamespaces: list[str] | None = None
    failedNamespaces: list[_Failed] | None = None
    conditions: list[ConditionWire] | None = None


class SpreadWire(msgspec.Struct, gc=False):
    """One of the two kinds as listed or watched."""

    metadata: _Meta
    status: _Status | None = None


def converter() -> Callable[[SpreadWire, object], Spread]:
    """Makes the function from wire to record."""

    def convert(wire: SpreadWire, _cells: object) -> Spread:
        meta, status = wire.metadata, wire.status or _Status()
        failed = sorted({one.namespace for one in status.failedNamespaces or () if one.namespace})
        return Spread(
            namespace="",
            name=meta.name,
            created=created(meta.creationTimestamp),
            deleting=parse_time(meta.deletionTimestamp),
            status=sys.intern(read_ready(status.conditions or ()).status),
            provisioned=len(status.provisionedNamespaces or ()),
            failed=len(failed),
            failed_in=tuple(failed[:MOST_NAMES]),
        )

    return convert
