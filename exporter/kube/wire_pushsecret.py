"""PushSecret (v1alpha1): wire shape to record."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from exporter.eso.conditions import read_ready
from exporter.eso.errors import error_class
from exporter.eso.times import parse_duration, parse_time
from exporter.kube.records import PushSecret, StoreRef
from exporter.kube.wire import ConditionWire, Shared, created

DEFAULT_INTERVAL = 3600.0
"""Seconds: the CRD's default refreshInterval."""

_KINDS = ("SecretStore", "ClusterSecretStore")


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None


class _StoreRef(msgspec.Struct, gc=False):
    name: str = ""
    kind: str = ""


class _Spec(msgspec.Struct, gc=False):
    refreshInterval: str | None = None
    secretStoreRefs: list[_StoreRef] | None = None


class _Status(msgspec.Struct, gc=False):
    refreshTime: str | None = None
    syncedPushSecrets: dict[str, msgspec.Raw] | None = None
    conditions: list[ConditionWire] | None = None


class PushSecretWire(msgspec.Struct, gc=False):
    """A PushSecret as listed or watched."""

    metadata: _Meta
    spec: _Spec | None = None
    status: _Status | None = None


def converter() -> Callable[[PushSecretWire, object], PushSecret]:
    """Makes the function from wire to record."""
    shared = Shared()

    def convert(wire: PushSecretWire, _cells: object) -> PushSecret:
        meta, spec, status = wire.metadata, wire.spec or _Spec(), wire.status or _Status()
        namespace = sys.intern(meta.namespace)
        ready = read_ready(status.conditions or ())
        interval = parse_duration(spec.refreshInterval) if spec.refreshInterval else DEFAULT_INTERVAL
        return PushSecret(
            namespace=namespace,
            name=meta.name,
            created=created(meta.creationTimestamp),
            deleting=parse_time(meta.deletionTimestamp),
            stores=shared(_stores(spec, status, namespace)),
            interval=DEFAULT_INTERVAL if interval is None else interval,
            status=sys.intern(ready.status),
            reason=sys.intern(ready.reason),
            error=_error(status.conditions or ()) if ready.status == "False" else "",
            transition=parse_time(ready.transition),
            refreshed=parse_time(status.refreshTime),
        )

    return convert


def _stores(spec: _Spec, status: _Status, namespace: str) -> tuple[StoreRef, ...]:
    """The stores it names, then those it pushed to: keys of the status are `<kind>/<name>`."""
    named = [(ref.kind or _KINDS[0], ref.name) for ref in spec.secretStoreRefs or ()]
    pushed = [tuple(key.split("/", 1)) for key in sorted(status.syncedPushSecrets or ()) if "/" in key]
    found: dict[StoreRef, None] = {}
    for kind, name in (*named, *pushed):
        if kind in _KINDS and name:
            found[StoreRef(sys.intern(kind), "" if kind == _KINDS[1] else namespace, sys.intern(name))] = None
    return tuple(found)


def _error(conditions: list[ConditionWire] | tuple[()]) -> str:
    """The class of the Ready message: ESO writes the error itself there, which is why no more than its class is kept."""
    return next((error_class(memoryview(one.message)) for one in conditions if one.type == "Ready"), "")
