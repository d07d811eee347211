"""One object as the store holds it, and its encoded forms: whole, metadata only, and a row of a Table.

An entry never changes: every change of an object is a new entry with a new resource version. Encoded forms are made when
first asked for and kept, so that a list of thousands of unchanged objects is a join of bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from exporter.demo.kinds import Kind

Object = dict[str, Any]


def encode(value: Any) -> bytes:
    """Compact JSON. A lone surrogate in a string, which UTF-8 cannot carry, becomes its JSON escape (`\\ud800`)."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


class Entry(Protocol):
    """What lists, watches and selectors ask of an object."""

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` for cluster-scoped kinds: the order of a list."""

    @property
    def version(self) -> int:
        """The resource version of this state of the object."""

    @property
    def obj(self) -> Mapping[str, Any]:
        """The object decoded: for selectors and for the demo's own code."""

    def whole(self, api_version: str, item: bool) -> bytes:
        """The plain JSON. In a list, items of the built-in kinds carry no `kind` and `apiVersion` (`item`)."""

    def partial(self) -> bytes:
        """`PartialObjectMetadata`."""

    def cells(self, now: float) -> bytes:
        """The cells of its Table row, a JSON array."""

    def gone(self, version: int) -> Entry:
        """The entry that a DELETED event carries: the last state under the version of the deletion."""


_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}'


class Stored:
    """An object kept decoded. `obj` is never changed after it has been handed in."""

    __slots__ = ("_partial", "_whole", "key", "kind", "obj", "version")

    def __init__(self, kind: Kind, obj: Object, version: int) -> None:
        self.kind = kind
        self.key = key_of(kind, obj)
        self.version = version
        self.obj: Object = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}
        self._whole: dict[tuple[str, bool], bytes] = {}
        self._partial = b""

    def whole(self, api_version: str, item: bool) -> bytes:
        bare = item and not self.kind.custom
        encoded = self._whole.get((api_version, bare))
        if encoded is None:
            obj: Object = {key: value for key, value in self.obj.items() if key not in ("kind", "apiVersion")}
            if not bare:
                obj = {**head(self.kind, api_version), **obj}
            encoded = self._whole[api_version, bare] = encode(obj)
        return encoded

    def partial(self) -> bytes:
        if not self._partial:
            self._partial = _PARTIAL % encode(self.obj["metadata"])
        return self._partial

    def cells(self, now: float) -> bytes:
        return encode(table_cells(self.kind, self.obj, now))

    def gone(self, version: int) -> Entry:
        return type(self)(self.kind, self.obj, version)


class Encoded:
    """An object kept as the bytes it was handed in, decoded only when somebody asks: a third of the memory."""

    __slots__ = ("key", "kind", "raw", "version")

    def __init__(self, kind: Kind, key: str, raw: bytes, version: int) -> None:
        self.kind = kind
        self.key = key
        self.raw = raw
        self.version = version

    @property
    def obj(self) -> Object:
        return self._decoded().obj

    def whole(self, api_version: str, item: bool) -> bytes:
        return self._decoded().whole(api_version, item)

    def partial(self) -> bytes:
        return self._decoded().partial()

    def cells(self, now: float) -> bytes:
        return self._decoded().cells(now)

    def gone(self, version: int) -> Entry:
        return Encoded(self.kind, self.key, self.raw, version)

    def _decoded(self) -> Stored:
        return Stored(self.kind, msgspec.json.decode(self.raw), self.version)


class Spoiled:
    """A stored object served in a way no client can decode, while its key stays known to the server.

    `how`: "object" (nothing of the right type, not even the metadata), "body" (metadata right, everything else and the
    cells of the wrong type), "label" and "annotation" (a lone surrogate escape in a value, which is legal JSON text but
    no legal UTF-8 string).
    """

    HOW = ("object", "body", "label", "annotation")

    __slots__ = ("_how", "_served", "inner")

    def __init__(self, inner: Stored, how: str) -> None:
        if how not in self.HOW:
            raise ValueError(f"an object can be spoiled as {', '.join(self.HOW)}, not as {how!r}")
        self.inner = inner
        self._how = how
        obj: Object = {"metadata": dict(inner.obj["metadata"])}
        if how == "object":
            obj = {"metadata": [1, 2]}
        if how in ("object", "body"):
            obj |= {"spec": "no spec", "status": 3, "type": ["no type"], "data": 7}
        else:
            obj = {**inner.obj, **obj}
            where = f"{how}s"
            obj["metadata"][where] = {**obj["metadata"].get(where, {}), "example.com/spoiled": "\ud800"}
        self._served: Object = obj

    @property
    def key(self) -> str:
        return self.inner.key

    @property
    def version(self) -> int:
        return self.inner.version

    @property
    def obj(self) -> Object:
        return self.inner.obj

    def whole(self, api_version: str, item: bool) -> bytes:
        bare = item and not self.inner.kind.custom
        return encode({**({} if bare else head(self.inner.kind, api_version)), **self._served})

    def partial(self) -> bytes:
        return _PARTIAL % encode(self._served["metadata"])

    def cells(self, now: float) -> bytes:
        return b'[{},[],"three",null]' if self._how in ("object", "body") else self.inner.cells(now)

    def gone(self, version: int) -> Entry:
        return self.inner.gone(version)


def head(kind: Kind, api_version: str) -> Object:
    """The type of an object in the order the server writes it: sorted for custom resources."""
    if kind.custom:
        return {"apiVersion": api_version, "kind": kind.kind}
    return {"kind": kind.kind, "apiVersion": api_version}


def key_of(kind: Kind, obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    return key_for(kind, metadata.get("namespace", ""), metadata["name"])


def key_for(kind: Kind, namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if kind.namespaced else name


# -- tables ---------------------------------------------------------------------------------------------------------

_NAME = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name must be unique within a namespace.",
    "priority": 0,
}


def _column(name: str, kind: str = "string", description: str = "") -> Object:
    return {"name": name, "type": kind, "format": "", "description": description, "priority": 0}


COLUMNS: dict[str, list[Object]] = {
    "secrets": [
        _NAME,
        _column("Type", description="Used to facilitate programmatic handling of secret data."),
        _column("Data", description="Data contains the secret data."),
        _column("Age", description="CreationTimestamp is a timestamp representing the server time."),
    ],
    "externalsecrets": [
        _NAME,
        _column("StoreType"),
        _column("Store"),
        _column("Refresh Interval"),
        _column("Status"),
        _column("Ready"),
    ],
}
"""The kinds whose Table differs from name and age."""

DEFAULT_COLUMNS = [_NAME, _column("Age", "date")]


def table_cells(kind: Kind, obj: Mapping[str, Any], now: float) -> list[Any]:
    metadata = obj["metadata"]
    name, age = metadata["name"], age_text(metadata.get("creationTimestamp"), now)
    if kind.plural == "secrets":
        return [name, obj.get("type", "Opaque"), len(obj.get("data") or {}), age]
    if kind.plural == "externalsecrets":
        spec, store = obj.get("spec", {}), obj.get("spec", {}).get("secretStoreRef", {})
        conditions = obj.get("status", {}).get("conditions", [])
        ready: Object = next((condition for condition in conditions if condition["type"] == "Ready"), {})
        interval = spec.get("refreshInterval")
        return [name, store.get("kind"), store.get("name"), interval, ready.get("reason"), ready.get("status")]
    return [name, age]


def age_text(created: str | None, now: float) -> str:
    """The Age cell, as Kubernetes' HumanDuration writes it."""
    if not created:
        return "<unknown>"
    seconds = int(now - datetime.fromisoformat(created).astimezone(UTC).timestamp())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(0, seconds)}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days < 365 * 8 and days % 365 else f"{days // 365}y"
