"""Metadata of objects: times, ESO's identity hashes, and managedFields entries. The pieces that builders share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
Labels = Mapping[str, str]

GROUP = "external-secrets.io"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CREATED_BY = "reconcile.external-secrets.io/created-by"
MANAGED = "reconcile.external-secrets.io/managed"
DATA_HASH = "reconcile.external-secrets.io/data-hash"

LONG_AGO = 1_760_000_000.0
"""When an object was created that says nothing else: 2025-10-09."""


def stamp(seconds: float) -> str:
    """RFC 3339 in UTC without fractions, as Kubernetes writes times."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- ESO's identities ---------------------------------------------------------------------------------------------


def object_hash(text: str) -> str:
    """ESO's ObjectHash since 0.16.2."""
    return hashlib.sha3_224(text.encode()).hexdigest()


def synced_version(generation: int, labels: Labels, annotations: Labels) -> str:
    """`status.syncedResourceVersion`: the generation and a hash of Go's print of both maps."""
    return f"{generation}-{object_hash(f'{{annotations:{_go_map(annotations)} labels:{_go_map(labels)}}}')}"


def _go_map(values: Labels) -> str:
    return f"map[{' '.join(f'{key}:{values[key]}' for key in sorted(values, key=str.encode))}]"


def field_manager(external_secret_name: str) -> str:
    """The field manager of ESO for the Secret of this ExternalSecret; hashed where it would be longer than 63 bytes."""
    manager = f"externalsecrets.external-secrets.io/{external_secret_name}"
    if len(manager.encode()) <= 63:
        return manager
    return f"externalsecrets.external-secrets.io/sha3/{object_hash(external_secret_name)}"


# -- metadata -----------------------------------------------------------------------------------------------------


def metadata(
    name: str,
    namespace: str = "",
    *,
    created: float | None = LONG_AGO,
    labels: Labels | None = None,
    annotations: Labels | None = None,
    **more: Any,
) -> Object:
    """Object metadata. `created` None leaves the time to the server."""
    out: Object = {"name": name}
    if namespace:
        out["namespace"] = namespace
    if created is not None:
        out["creationTimestamp"] = stamp(created)
    if labels:
        out["labels"] = dict(labels)
    if annotations:
        out["annotations"] = dict(annotations)
    return {**out, **more}


def managed(manager: str, when: float, fields: Mapping[str, Any], version: str = "v1", sub: str = "") -> Object:
    """One entry of managedFields."""
    entry: Object = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": version,
        "time": stamp(when),
        "fieldsType": "FieldsV1",
        "fieldsV1": dict(fields),
    }
    return {**entry, "subresource": sub} if sub else entry


def owned(names: Iterable[str], dot: bool = True) -> Object:
    """The FieldsV1 set of these names: `{".": {}, "f:a": {}}`."""
    return {**({".": {}} if dot else {}), **{f"f:{name}": {} for name in names}}
