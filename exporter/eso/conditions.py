"""Reading of a Ready condition: status, a reason from a closed list, and what the message means.

The message is turned into a class here, while an object is decoded, and is never kept: it is searched where it stands,
and no object is made of it. ESO's texts changed case with 0.11, so case does not matter; reasons are stable since 0.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

REASONS: frozenset[str] = frozenset(
    {
        "SecretSynced",
        "SecretSyncedError",
        "SecretDeleted",
        "SecretMissing",
        "ResourceSynced",
        "ResourceSyncedError",
        "ResourceDeleted",
        "ResourceMissing",
        "Valid",
        "ValidationUnknown",
        "InvalidProviderConfig",
        "InvalidStoreConfiguration",
        "ValidationFailed",
        "StoreUnmaintained",
        "StoreDeprecated",
        "Synced",
        "Errored",
        "SourceDeleted",
    }
)
STATUSES: frozenset[str] = frozenset({"True", "False", "Unknown"})

# What the message of a Ready condition says beyond its reason: class by a text that only this message contains. None holds
# a sign that is written otherwise in JSON.
# The five that ESO never retries, then the silent states of Ready=True (external-secrets v2.9.0, reference §2.3–2.4).
_DETAILS: tuple[tuple[str, str], ...] = (
    ("target is owned by another externalsecret", "owned_by_other"),
    ("failed to take ownership of target secret", "ownership_conflict"),
    ("target is immutable", "immutable_target"),
    ("could not delete secret", "delete_conflict"),
    ("could not delete resource", "delete_conflict"),
    ("invalid generic target", "invalid_target"),
    ("secret retained due to deletionpolicy", "retained"),
)


_PATTERN = re.compile(b"|".join(b"(" + re.escape(text.encode()) + b")" for text, _ in _DETAILS), re.IGNORECASE)
_COMMON = b'"secret synced"'

Buffer = bytes | bytearray | memoryview | msgspec.Raw
"""Text as bytes: plain, or as the raw JSON of a string."""


class Ready(NamedTuple):
    """A Ready condition, read: `status` is "" when there is none; `reason` is "" or one of REASONS or "other"."""

    status: str
    reason: str
    detail: str
    transition: str | None


class Condition(Protocol):
    """What a condition must offer to be read."""

    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def message(self) -> Buffer: ...
    @property
    def lastTransitionTime(self) -> str | None: ...  # noqa: N802  (Kubernetes' own spelling)


NONE = Ready("", "", "", None)


def detail_of(message: Buffer) -> str:
    """The class of a condition message, "" when it says nothing special."""
    view = memoryview(message)
    if view == _COMMON:
        return ""
    found = _PATTERN.search(view)
    return _DETAILS[found.lastindex - 1][1] if found is not None and found.lastindex else ""


def closed_reason(reason: str) -> str:
    """A reason from ESO's own constants, "other" for any other text, "" for none."""
    if not reason:
        return ""
    return reason if reason in REASONS else "other"


def read_ready(conditions: Iterable[Condition]) -> Ready:
    """The Ready condition of an object; a status outside True, False, Unknown reads as Unknown (fail closed)."""
    for condition in conditions:
        if condition.type == "Ready":
            return Ready(
                condition.status if condition.status in STATUSES else "Unknown",
                closed_reason(condition.reason),
                detail_of(condition.message),
                condition.lastTransitionTime,
            )
    return NONE
