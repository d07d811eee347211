"""ExternalSecret (v1 and v1beta1 read alike): wire shape to record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable

import msgspec

from exporter.eso.conditions import read_ready
from exporter.eso.identity import is_synced_resource_version
from exporter.eso.schedule import SyncWindow, SyncWindows
from exporter.eso.times import parse_duration, parse_time
from exporter.kube.records import ExternalSecret, GeneratorRef, Plan, StoreRef, uid_hash
from exporter.kube.wire import ConditionWire, Meta, Once, OwnerKeys, created

DEFAULT_INTERVAL = 3600.0
"""Seconds: the CRD's default refreshInterval."""


class _StoreRef(msgspec.Struct, gc=False):
    name: str = ""
    kind: str = ""


class _GeneratorRef(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""


class _SourceRef(msgspec.Struct, gc=False):
    storeRef: _StoreRef | None = None
    generatorRef: _GeneratorRef | None = None


class _Data(msgspec.Struct, gc=False):
    secretKey: str = ""
    sourceRef: _SourceRef | None = None


class _DataFrom(msgspec.Struct, gc=False):
    sourceRef: _SourceRef | None = None


class _Name(msgspec.Struct, gc=False):
    name: str = ""


class _TemplateFrom(msgspec.Struct, gc=False):
    secret: _Name | None = None


class _Template(msgspec.Struct, gc=False):
    mergePolicy: str = ""
    data: dict[str, msgspec.Raw] | None = None
    templateFrom: list[_TemplateFrom] | None = None


class _Manifest(msgspec.Struct, gc=False):
    apiVersion: str = ""
    kind: str = ""


class _Target(msgspec.Struct, gc=False):
    name: str = ""
    creationPolicy: str = ""
    deletionPolicy: str = ""
    immutable: bool = False
    template: _Template | None = None
    manifest: _Manifest | None = None


class _Window(msgspec.Struct, gc=False):
    schedule: str = ""
    duration: str = ""


class _Windows(msgspec.Struct, gc=False):
    kind: str = ""
    windows: list[_Window] | None = None


class _Spec(msgspec.Struct, gc=False):
    secretStoreRef: _StoreRef | None = None
    target: _Target | None = None
    refreshPolicy: str = ""
    refreshInterval: str | None = None
    syncWindows: _Windows | None = None
    data: list[_Data] | None = None
    dataFrom: list[_DataFrom] | None = None


class _Status(msgspec.Struct, gc=False):
    refreshTime: str | None = None
    syncedResourceVersion: str = ""
    conditions: list[ConditionWire] | None = None


class ExternalSecretWire(msgspec.Struct, gc=False):
    """An ExternalSecret as listed or watched."""

    metadata: Meta
    spec: _Spec | None = None
    status: _Status | None = None


_NO_SPEC, _NO_TARGET, _NO_STATUS = _Spec(), _Target(), _Status()


def converter(owner_keys: OwnerKeys) -> Callable[[ExternalSecretWire, object], ExternalSecret]:
    """Makes the function from wire to record; `owner_keys` decides the `owner` of each."""
    plans: Once[Plan] = Once()

    def convert(wire: ExternalSecretWire, _cells: object) -> ExternalSecret:
        meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
        target = spec.target or _NO_TARGET
        name = meta.name
        namespace = sys.intern(meta.namespace)
        ready = read_ready(status.conditions or ())
        owners = meta.ownerReferences
        ces = next((o.name for o in owners if o.kind == "ClusterExternalSecret"), "") if owners else ""
        synced = status.syncedResourceVersion
        shape = _shape(spec, target, namespace)
        plan = plans.get(shape)
        if plan is None:
            plan = plans.keep(shape, _plan(spec, target, namespace))
        return ExternalSecret(
            namespace=namespace,
            name=name,
            uid=uid_hash(meta.uid),
            created=created(meta.creationTimestamp),
            deleting=parse_time(meta.deletionTimestamp),
            plan=plan,
            target=(name if not target.name or target.name == name else target.name) if _is_secret(target) else "",
            cluster_externalsecret=sys.intern(ces),
            owner=owner_keys.of(meta.labels, meta.annotations),
            status=sys.intern(ready.status),
            reason=sys.intern(ready.reason),
            detail=ready.detail,
            transition=parse_time(ready.transition),
            refreshed=parse_time(status.refreshTime),
            applied=is_synced_resource_version(synced, meta.generation, meta.labels, meta.annotations)
            if synced
            else None,
        )

    return convert


def _shape(spec: _Spec, target: _Target, namespace: str) -> Hashable | None:
    """All that the plan of a plain spec is made of: one store, keys, an interval. None for one that asks for more."""
    store, data = spec.secretStoreRef, spec.data
    if store is None or spec.dataFrom or spec.syncWindows is not None or target.template is not None:
        return None
    keys = []
    for item in data or ():
        if item.sourceRef is not None:
            return None
        keys.append(item.secretKey)
    return (
        store.name,
        "" if store.kind == "ClusterSecretStore" else namespace,
        spec.refreshInterval,
        spec.refreshPolicy,
        target.creationPolicy,
        target.deletionPolicy,
        target.immutable,
        *keys,
    )


def _plan(spec: _Spec, target: _Target, namespace: str) -> Plan:
    stores = _stores(spec, namespace)
    interval = parse_duration(spec.refreshInterval) if spec.refreshInterval else DEFAULT_INTERVAL
    promised, promised_all = _promised(spec, target)
    return Plan(
        store=_primary(spec, stores, namespace),
        stores=stores,
        generators=_generators(spec, namespace),
        refresh_policy=sys.intern(spec.refreshPolicy),
        interval=DEFAULT_INTERVAL if interval is None else interval,
        windows=_windows(spec.syncWindows),
        creation_policy=sys.intern(target.creationPolicy or "Owner"),
        deletion_policy=sys.intern(target.deletionPolicy or "Retain"),
        immutable=target.immutable,
        promised=promised,
        promised_all=promised_all,
        template_secrets=_template_secrets(target),
    )


def _is_secret(target: _Target) -> bool:
    manifest = target.manifest
    return manifest is None or (manifest.kind == "Secret" and manifest.apiVersion == "v1")


def _ref(ref: _StoreRef, namespace: str) -> StoreRef:
    """A store reference resolved: an unset kind is SecretStore, which lives in the ExternalSecret's namespace."""
    if ref.kind == "ClusterSecretStore":
        return StoreRef("ClusterSecretStore", "", sys.intern(ref.name))
    return StoreRef("SecretStore", namespace, sys.intern(ref.name))


def _stores(spec: _Spec, namespace: str) -> tuple[StoreRef, ...]:
    """All stores it reads from, each once, in the order of the spec (reference §6.1)."""
    given = spec.secretStoreRef
    default = _ref(given, namespace) if given and given.name else None
    sources = [item.sourceRef for item in (*(spec.data or ()), *(spec.dataFrom or ()))]
    found: dict[StoreRef | None, None] = {}
    if not sources:
        found[default] = None
    for source in sources:
        if source is None:
            found[default] = None
        elif source.generatorRef is None:
            own = source.storeRef
            found[_ref(own, namespace) if own and own.name else default] = None
    return tuple([ref for ref in found if ref is not None])


def _generators(spec: _Spec, namespace: str) -> tuple[GeneratorRef, ...]:
    """The generators it uses that name Secrets of their own; others (Password, UUID, …) concern nobody."""
    found: dict[GeneratorRef, None] = {}
    for item in spec.dataFrom or ():
        ref = item.sourceRef.generatorRef if item.sourceRef is not None else None
        if ref is not None and ref.name and ref.kind in ("ClusterGenerator", "VaultDynamicSecret"):
            own = "" if ref.kind == "ClusterGenerator" else namespace
            found[GeneratorRef(sys.intern(ref.kind), own, sys.intern(ref.name))] = None
    return tuple(found)


def _primary(spec: _Spec, stores: tuple[StoreRef, ...], namespace: str) -> StoreRef | None:
    if spec.secretStoreRef and spec.secretStoreRef.name:
        return _ref(spec.secretStoreRef, namespace)
    return stores[0] if len(stores) == 1 else None


def _promised(spec: _Spec, target: _Target) -> tuple[tuple[str, ...], bool]:
    """The keys that the spec names, sorted, and whether these are all that it writes."""
    template = target.template
    data = {item.secretKey for item in spec.data or () if item.secretKey}
    if template is not None and (template.data or template.templateFrom):
        keys = set(template.data or ())
        if template.mergePolicy == "Merge":
            keys |= data
        complete = not template.templateFrom and not (template.mergePolicy == "Merge" and spec.dataFrom)
        return tuple(sorted(keys)), complete
    return tuple(sorted(data)), not spec.dataFrom


def _template_secrets(target: _Target) -> tuple[str, ...]:
    sources = target.template.templateFrom if target.template else None
    return tuple(sorted({source.secret.name for source in sources or () if source.secret and source.secret.name}))


def _windows(windows: _Windows | None) -> SyncWindows | None:
    if windows is None or not windows.windows:
        return None
    return SyncWindows(
        windows.kind, tuple(SyncWindow(w.schedule, parse_duration(w.duration) or 0.0) for w in windows.windows)
    )
