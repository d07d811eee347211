"""Identities that ESO writes and that can be recomputed from metadata: who made this Secret, was this spec applied.

Source: external-secrets v0.3.6 to v2.9.0 (`runtime/esutils`, `pkg/controllers/util`); checked against the running
operator by `tests/lab`. Hashes are SHA3-224 from 0.16.2 on, MD5 before; old values stay until ESO next writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

GROUP = "external-secrets.io"
GROUP_GENERATORS = "generators.external-secrets.io"
LABEL_MANAGED = "reconcile.external-secrets.io/managed"
LABEL_CREATED_BY = "reconcile.external-secrets.io/created-by"
ANNOTATION_DATA_HASH = "reconcile.external-secrets.io/data-hash"
MANAGER_PREFIX = "externalsecrets.external-secrets.io/"

_MANAGER_MAX_BYTES = 63
_SHA3_224_HEX = 56


def object_hash(text: str) -> str:
    """ESO's hash of a text: 56 hexadecimal digits (SHA3-224), as written from 0.16.2 on."""
    return hashlib.sha3_224(text.encode()).hexdigest()


def object_hash_md5(text: str) -> str:
    """ESO's hash of a text up to 0.16.1: 32 hexadecimal digits."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def created_by(namespace: str, name: str) -> str:
    """The `created-by` label value of a Secret made by the ExternalSecret `namespace/name` (creationPolicy Owner)."""
    return object_hash(f"{namespace}/{name}")


def is_created_by(label: str, namespace: str, name: str) -> bool:
    """Whether a `created-by` label value names the ExternalSecret `namespace/name`, in either hash form."""
    if len(label) == _SHA3_224_HEX:
        return label == created_by(namespace, name)
    return label == object_hash_md5(f"{namespace}/{name}")


def _go_map(values: Mapping[str, str]) -> str:
    """A string map as Go's fmt prints it: keys sorted by their UTF-8 bytes, which is the order of their code points."""
    return "map[" + " ".join([f"{key}:{value}" for key, value in sorted(values.items())]) + "]"


def synced_resource_version(
    generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None
) -> str:
    """What `status.syncedResourceVersion` is once ESO has applied this generation, these labels and annotations."""
    return f"{generation}-{object_hash(_metadata_text(labels, annotations))}"


def is_synced_resource_version(
    value: str, generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None
) -> bool:
    """Whether `value` is the synced resource version of this metadata, in either hash form.

    Raises nothing; lone surrogates in a value make the answer False (such an object is refused before it gets here).
    """
    head, dash, digest = value.partition("-")
    if not dash or head != str(generation):
        return False
    try:
        text = _metadata_text(labels, annotations)
        return digest == (object_hash(text) if len(digest) == _SHA3_224_HEX else object_hash_md5(text))
    except UnicodeEncodeError:
        return False


def _metadata_text(labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> str:
    return "{annotations:" + _go_map(annotations or {}) + " labels:" + _go_map(labels or {}) + "}"


def field_manager(name: str) -> str:
    """The field manager under which ESO writes the target of the ExternalSecret `name` (hashed form since 0.18.1)."""
    plain = MANAGER_PREFIX + name
    if len(plain.encode()) <= _MANAGER_MAX_BYTES:
        return plain
    return MANAGER_PREFIX + "sha3/" + object_hash(name)


def is_field_manager(manager: str) -> bool:
    """Whether a managedFields entry was written by ESO for some ExternalSecret."""
    return manager.startswith(MANAGER_PREFIX)
