"""The contract between what is watched, what reads it, and what keeps it.

A `Resource` is one line of the table in `resources.py`. A `Reflector` lists and watches it within one scope and feeds one
`Sink`. A scope is "" for the whole cluster, or the name of a namespace where resources are watched per namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Form = Literal["json", "metadata", "table"]


class Cells(NamedTuple):
    """What only the Table form tells of a Secret: its `Type` and the number of its keys (`Data`); None in other forms."""

    type: str | None
    keys: int | None


NO_CELLS = Cells(None, None)


class Record(Protocol):
    """What a converter makes of an object: compact, and named as in the cluster (namespace "" if cluster-scoped)."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...


class Resource(msgspec.Struct, frozen=True):
    """One kind of object, and how it is read.

    `name` is the plural, and the `resource` label; `versions` stand in order of preference, the first served one is used.
    `form` "table" falls back to "metadata" where the server refuses it (406), and never to "json": a Secret is only ever
    read as metadata, so `secrets` with form "json" is a mistake that raises ValueError.
    `item` is the wire type of one object (in "table" and "metadata": of the PartialObjectMetadata), with only the needed
    fields. `convert` makes the record of it, or None for an object of no interest; what it raises counts as a decode error.
    An `optional` resource may be absent (its CRD is not installed): that is normal, and it is looked for every 30 s.
    The selectors are applied by the API server. `only_in` names the namespaces in which it is watched, whatever
    namespaces are watched otherwise (none: like all others).
    """

    name: str
    group: str
    versions: tuple[str, ...]
    namespaced: bool
    form: Form
    item: type[msgspec.Struct]
    convert: Callable[[Any, Cells], Record | None]
    optional: bool = False
    field_selector: str = ""
    label_selector: str = ""
    only_in: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.form == "json" and not self.group and self.name == "secrets":
            raise ValueError("Secrets are read as metadata only: form must be table or metadata")
        if not self.versions:
            raise ValueError(f"resource {self.name} names no version")

    @property
    def full_name(self) -> str:
        """As kubectl spells it: `externalsecrets.external-secrets.io`, `secrets`."""
        return f"{self.name}.{self.group}" if self.group else self.name


class Listing(Protocol):
    """A list under way, fed by one thread. Exactly one of `finish` and `abandon` ends it."""

    def add(self, records: Sequence[Record]) -> None:
        """Upsert one page, at once."""

    def keep(self, namespace: str, name: str) -> None:
        """The object exists but could not be decoded: its last record, if there is one, stays. See `decode`."""

    def finish(self) -> None:
        """The list is complete: sweep what it did not show, within its scope."""

    def abandon(self) -> None:
        """The list failed part-way: sweep nothing."""


class Sink(Protocol):
    """Keeps the records of one resource, of all its scopes. Every scope is fed by one thread at a time."""

    def begin_list(self, scope: str) -> Listing:
        """Start a list. What the sink holds stays visible until `Listing.finish`."""

    def apply(self, scope: str, record: Record) -> None:
        """ADDED or MODIFIED."""

    def remove(self, scope: str, namespace: str, name: str) -> None:
        """DELETED, also of objects the sink never knew; or the converter found no interest in the object any more."""

    def forget(self, scope: str) -> None:
        """The resource or scope cannot be read any more: CRD gone, list denied, namespace left the selection."""


class Observer(Protocol):
    """Counts what reflectors do. Called from their threads. `resource` is `Resource.name`."""

    def listed(self, resource: str, result: str) -> None:
        """A list ended; result is one of LIST_RESULTS."""

    def event(self, resource: str, type_: str) -> None:
        """A watch event came; one of EVENT_TYPES."""

    def restarted(self, resource: str, reason: str) -> None:
        """A watch ended and another (or a list) follows; one of RESTART_REASONS."""

    def decode_error(self, resource: str, reason: str) -> None:
        """Something could not be decoded and was skipped; one of DECODE_REASONS."""


LIST_RESULTS = ("ok", "error", "gone", "denied", "absent")
EVENT_TYPES = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
RESTART_REASONS = (
    "end",  # the server ended it, as asked
    "short",  # it ended before it had lived a second
    "gone",  # the version is too old: 410
    "replay",  # the server replayed old state: deletions may have been missed, so list again
    "denied",
    "absent",
    "unauthorized",
    "throttled",
    "timeout",
    "network",  # refused, reset, cut
    "error",  # any other answer or event that ends a watch
)
DECODE_REASONS = (
    "text",  # not JSON, or not Unicode (a lone surrogate)
    "type",  # JSON of another shape than the API documents
    "convert",  # the converter raised
    "key",  # not even namespace and name could be read
)


class ReflectorStatus:
    """How one (resource, scope) stands. Written by its reflector, read by anyone: each attribute is one assignment.

    `synced`: the first complete list is done and still holds. `denied`: the API server refuses list or watch (403).
    `absent`: the resource is not served. `last_contact`: Unix seconds of the last proof of life (event, bookmark, page).
    `last_error`: one sentence for a person, or empty; never a response body. `version`: the API version in use, or empty.
    """

    __slots__ = ("absent", "denied", "last_contact", "last_error", "resource", "scope", "synced", "version")

    def __init__(self, resource: str, scope: str) -> None:
        self.resource = resource
        self.scope = scope
        self.synced = False
        self.denied = False
        self.absent = False
        self.last_contact: float | None = None
        self.last_error = ""
        self.version = ""
