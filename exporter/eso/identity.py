"""Identities that ESO writes and that can be recomputed from metadata: who made this Secret, was this spec applied.

Source: external-secrets v0.3.6 to v2.9.0 (`runtime/esutils`, `pkg/controllers/util`); checked against the running
operator by `tests/lab`. Hashes are SHA3-224 from 0.16.2 on, MD5 before; old values stay until ESO next writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

GROUP = "external-secrets.io"
GROUP_GENERATORS = "generators.external-secrets.io"
LABEL_MANAGED = "reconcile.external-secrets.io/managed"
LABEL_CREATED_BY = "reconcile.external-secrets.io/created-by"
ANNOTATION_DATA_HASH = "reconcile.external-secrets.io/data-hash"
MANAGER_PREFIX = "externalsecrets.external-secrets.io/"

_MANAGER_MAX_BYTES = 63
_SHA3_224_HEX, _MD5_HEX = 56, 32
_BLANKS = b" " * 600
_JSON_STRING = msgspec.json.Decoder(str)

Escaped = bytes | msgspec.Raw
"""A JSON string with its quotes."""


def object_hash(text: str) -> str:
    """ESO's hash of a text: 56 hexadecimal digits (SHA3-224), as written from 0.16.2 on."""
    return _hashed(_SHA3_224_HEX, text.encode())


def object_hash_md5(text: str) -> str:
    """ESO's hash of a text up to 0.16.1: 32 hexadecimal digits."""
    return _hashed(_MD5_HEX, text.encode())


def created_by(namespace: str, name: str) -> str:
    """The `created-by` label value of a Secret made by the ExternalSecret `namespace/name` (creationPolicy Owner)."""
    return object_hash(f"{namespace}/{name}")


def is_created_by(label: str, namespace: str, name: str) -> bool:
    """Whether a `created-by` label value names the ExternalSecret `namespace/name`, in either hash form."""
    if len(label) == _SHA3_224_HEX:
        return label == created_by(namespace, name)
    return label == object_hash_md5(f"{namespace}/{name}")


def synced_resource_version(
    generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None
) -> str:
    """What `status.syncedResourceVersion` is once ESO has applied this generation, these labels and annotations."""
    escaped = {key: msgspec.json.encode(value) for key, value in (annotations or {}).items()}
    return f"{generation}-{_hashed(_SHA3_224_HEX, _metadata(labels, escaped))}"


def is_synced_resource_version(
    value: str, generation: int, labels: Mapping[str, str] | None, annotations: Mapping[str, Escaped] | None
) -> bool:
    """Whether `value` is the synced resource version of this metadata, in either hash form.

    Values of `annotations` are JSON strings with their quotes, as they stand in the API server's answer: they may quote
    anything, so no text is made of one alone (see `_metadata`). Raises msgspec.DecodeError for one that is no JSON string,
    UnicodeDecodeError for one that is no UTF-8.
    """
    head, dash, digest = value.partition("-")
    return bool(dash) and head == str(generation) and digest == _hashed(len(digest), _metadata(labels, annotations))


def _metadata(labels: Mapping[str, str] | None, annotations: Mapping[str, Escaped] | None) -> memoryview:
    """What ESO hashes of metadata, as UTF-8: two string maps as Go's fmt prints them.

    It is put together as one JSON string and unescaped as a whole, behind so many blanks that neither step takes its memory
    from Python's allocator for small objects: that does not overwrite what is freed.
    """
    label_values = {key: msgspec.json.encode(value) for key, value in labels.items()} if labels else {}
    escaped = b"".join(
        (b'"', _BLANKS, b"{annotations:", *_go_map(annotations or {}), b" labels:", *_go_map(label_values), b'}"')
    )
    return memoryview(_JSON_STRING.decode(escaped).encode())[len(_BLANKS) :]


def _go_map(values: Mapping[str, Escaped]) -> list[bytes | memoryview]:
    """A string map as Go's fmt prints it: keys sorted by their UTF-8 bytes, which is the order of their code points."""
    pieces: list[bytes | memoryview] = [b"map["]
    for key in sorted(values):
        pieces += (msgspec.json.encode(key)[1:-1], b":", memoryview(values[key])[1:-1], b" ")
    if values:
        del pieces[-1]
    pieces.append(b"]")
    return pieces


def _hashed(digits: int, data: bytes | memoryview) -> str:
    """ESO's hash of `data`, in the form that has so many hexadecimal digits (the older one for any number but 56)."""
    if digits == _SHA3_224_HEX:
        return hashlib.sha3_224(data).hexdigest()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def field_manager(name: str) -> str:
    """The field manager under which ESO writes the target of the ExternalSecret `name` (hashed form since 0.18.1)."""
    plain = MANAGER_PREFIX + name
    if len(plain.encode()) <= _MANAGER_MAX_BYTES:
        return plain
    return MANAGER_PREFIX + "sha3/" + object_hash(name)


def is_field_manager(manager: str) -> bool:
    """Whether a managedFields entry was written by ESO for some ExternalSecret."""
    return manager.startswith(MANAGER_PREFIX)
