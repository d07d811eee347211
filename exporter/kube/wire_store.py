"""SecretStore and ClusterSecretStore: wire shape to record."""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from exporter.eso.conditions import read_ready
from exporter.eso.times import parse_time
from exporter.kube.records import SecretRef, Store
from exporter.kube.references import references
from exporter.kube.wire import ConditionWire, Meta, OwnerKeys, created

_VAULT_PROVIDERS = {"vault": "vault", "openBao": "openbao"}
_AUTH_NAMES = {
    "tokenSecretRef": "token",
    "appRole": "approle",
    "kubernetes": "kubernetes",
    "ldap": "ldap",
    "jwt": "jwt",
    "cert": "cert",
    "iam": "iam",
    "userPass": "userpass",
    "gcp": "gcp",
}
_PROVIDERS_WITH_VALUES = frozenset({"fake"})
"""Providers whose spec itself holds values: never looked into."""

_MAX_LABEL_BYTES = 253
_MAX_CA_BYTES = 1 << 20


class _Spec(msgspec.Struct, gc=False):
    controller: str = ""
    provider: dict[str, msgspec.Raw] | None = None


class _Status(msgspec.Struct, gc=False):
    conditions: list[ConditionWire] | None = None


class StoreWire(msgspec.Struct, gc=False):
    """A SecretStore or ClusterSecretStore as listed or watched."""

    metadata: Meta
    spec: _Spec | None = None
    status: _Status | None = None


def converter(kind: str, owner_keys: OwnerKeys) -> Callable[[StoreWire, object], Store]:
    """Makes the function from wire to record for `kind` (SecretStore or ClusterSecretStore)."""

    def convert(wire: StoreWire, _cells: object) -> Store:
        meta, spec = wire.metadata, wire.spec or _Spec()
        ready = read_ready((wire.status.conditions if wire.status else None) or ())
        key, provider = _provider(spec)
        vault = provider if key in _VAULT_PROVIDERS else {}
        refs = list(references(provider))
        own = sys.intern(meta.namespace)
        secrets = tuple(sorted({_resolve(ref, own) for kind_, ref in refs if kind_ == "Secret"}))
        accounts = tuple(sorted({_resolve(ref, own) for kind_, ref in refs if kind_ == "ServiceAccount"}))
        return Store(
            namespace=own,
            name=sys.intern(meta.name),
            kind=kind,
            created=created(meta.creationTimestamp),
            deleting=parse_time(meta.deletionTimestamp),
            foreign=spec.controller not in ("", "default"),
            referent=kind == "ClusterSecretStore" and any(not ref.namespace for ref in (*secrets, *accounts)),
            provider=sys.intern(_VAULT_PROVIDERS.get(key, key)),
            server=_text(vault.get("server")),
            mount=sys.intern(_text(vault.get("path"))[:_MAX_LABEL_BYTES]),
            kv_version=("1" if vault.get("version") == "v1" else "2") if key == "vault" else "",
            auth=_auth(vault.get("auth")),
            ca=_pem(vault.get("caBundle")),
            secrets=secrets,
            accounts=accounts,
            owner=owner_keys.of(meta.labels, meta.annotations),
            status=ready.status,
            reason=ready.reason,
            transition=parse_time(ready.transition),
        )

    return convert


def _provider(spec: _Spec) -> tuple[str, dict[str, Any]]:
    """The provider's key and its settings ({} for one that holds values)."""
    for key, raw in (spec.provider or {}).items():
        if key in _PROVIDERS_WITH_VALUES:
            return key, {}
        decoded = msgspec.json.decode(raw)
        return key, decoded if isinstance(decoded, dict) else {}
    return "", {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _auth(auth: object) -> str:
    """The way the store logs in, from a closed list; "" when its spec names none."""
    if not isinstance(auth, dict):
        return ""
    methods = [key for key, value in auth.items() if isinstance(value, dict)]
    return _AUTH_NAMES.get(methods[0], "other") if methods else ""


def _pem(bundle: object) -> bytes:
    """The CA certificates of `caBundle` (base64 of PEM); b"" when there are none or they cannot be read."""
    if not isinstance(bundle, str) or len(bundle) > _MAX_CA_BYTES:
        return b""
    try:
        return base64.b64decode(bundle, validate=False)
    except (binascii.Error, ValueError):
        return b""


def _resolve(ref: SecretRef, own_namespace: str) -> SecretRef:
    """A SecretStore always reads in its own namespace; a ClusterSecretStore where the reference says."""
    return SecretRef(own_namespace, ref.name) if own_namespace else ref
