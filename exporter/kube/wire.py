"""Shapes shared by every kind as the API server sends them: only the fields that are needed; the rest is skipped."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from exporter.eso.ownership import is_external_secret
from exporter.eso.times import parse_time

_T = TypeVar("_T")
_SHARED_LIMIT = 200_000
_SHAPES_LIMIT = 20_000
_TEXT = msgspec.json.Decoder(str)


class OwnerReferenceWire(msgspec.Struct, gc=False):
    """`metadata.ownerReferences[]`."""

    kind: str = ""
    apiVersion: str = ""
    name: str = ""
    uid: str = ""

    @property
    def group(self) -> str:
        """The API group, without the version."""
        return self.apiVersion.partition("/")[0] if "/" in self.apiVersion else ""


def owning_externalsecret(owners: list[OwnerReferenceWire] | None) -> OwnerReferenceWire | None:
    """The reference to an ExternalSecret among an object's owners."""
    for owner in owners or ():
        if is_external_secret(owner):
            return owner
    return None


class Meta(msgspec.Struct, gc=False):
    """`metadata` of an object whose labels and annotations are needed in full while it is decoded.

    Annotations stay raw JSON of the page: they may quote anything, and no text is made of one that nobody asks for.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, msgspec.Raw] | None = None
    ownerReferences: list[OwnerReferenceWire] | None = None


class ConditionWire(msgspec.Struct, gc=False):
    """`status.conditions[]`: the message is classified while decoding, where it stands in the page, and is never copied."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: msgspec.Raw = msgspec.Raw(b"")
    lastTransitionTime: str | None = None


class Shared:
    """Equal values stand in memory once. Forgets everything when it has grown past a limit (churn must not leak)."""

    def __init__(self) -> None:
        self._seen: dict[object, object] = {}

    def __call__(self, value: _T) -> _T:
        """The first equal value seen, else this one."""
        if len(self._seen) > _SHARED_LIMIT:
            self._seen.clear()
        return self._seen.setdefault(value, value)  # type: ignore[return-value]


class Once(Generic[_T]):
    """What is worked out of a shape once, and stands in memory once even where shapes differ. `get` gives what is known of a
    shape; None, the shape of what has none, is never known. Forgets all shapes when they have grown past a limit."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _T] = {}
        self._shared = Shared()
        self.get = self._known.get

    def keep(self, shape: Hashable | None, value: _T) -> _T:
        """Notes what was worked out of a shape; returns the equal value that was seen first."""
        value = self._shared(value)
        if shape is not None:
            if len(self._known) >= _SHAPES_LIMIT:
                self._known.clear()
            self._known[shape] = value
        return value


class OwnerKeys:
    """The configured label or annotation keys whose first hit is the `owner` of an object."""

    def __init__(self, keys: Iterable[str], max_length: int) -> None:
        self.keys = tuple(keys)
        self._max_length = max_length

    def of(self, labels: Mapping[str, str] | None, annotations: Mapping[str, msgspec.Raw] | None) -> str:
        """The owner, cut to the configured length; "" when no key is there."""
        for key in self.keys:
            value = labels.get(key) if labels else None
            if not value and annotations and key in annotations:
                value = text_of(annotations[key])
            if value:
                return sys.intern(value[: self._max_length])
        return ""


def text_of(raw: msgspec.Raw) -> str:
    """The text that stands in a page as a JSON string. Raises msgspec.DecodeError if it is none."""
    return _TEXT.decode(raw)


def created(meta_time: str | None) -> float:
    """Creation time in Unix seconds; 0 only for an object without one (the API server always sets it)."""
    return parse_time(meta_time) or 0.0
