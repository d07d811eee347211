"""What stands around an object in lists and watch events: shapes shared by all kinds, and the mending of broken text."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class _Camel(msgspec.Struct, rename="camel", frozen=True):
    """Python's names for the API's names."""


class ListMeta(_Camel, frozen=True):
    """`metadata` of a list. `token` continues it; "" on its last page."""

    resource_version: str = ""
    token: str = msgspec.field(name="continue", default="")


class Column(_Camel, frozen=True):
    """One of a Table's `columnDefinitions`."""

    name: str = ""


class Row(_Camel, Generic[T], frozen=True):
    """A row of a Table. `object` is null where the server ignored includeObject."""

    object: T | None = None
    cells: list[Any] | None = None


class Listed(_Camel, Generic[T], frozen=True):
    """A list in any form: `items`, or the `rows` of a Table. Go sends null for an empty one."""

    kind: str = ""
    api_version: str = ""
    metadata: ListMeta = ListMeta()
    items: list[T] | None = None
    rows: list[T] | None = None
    column_definitions: list[Column] | None = None


class Key(_Camel, frozen=True):
    """What names an object, and its version."""

    namespace: str = ""
    name: str = ""
    resource_version: str = ""


class Keyed(_Camel, frozen=True):
    """An object of which only the key is read."""

    kind: str = ""
    api_version: str = ""
    metadata: Key = Key()


class KeyedTable(_Camel, frozen=True):
    """The Table around a watch event's only object: columns come with the first event, a bookmark's row is empty."""

    kind: str = ""
    api_version: str = ""
    metadata: Key = Key()
    rows: list[Row[Keyed]] | None = None
    column_definitions: list[Column] | None = None


class VersionOnly(_Camel, frozen=True):
    """`metadata` of which only the version is read."""

    resource_version: str = ""


class Versioned(_Camel, frozen=True):
    """What is left to read of an object whose key is broken."""

    metadata: VersionOnly = VersionOnly()


class Status(_Camel, frozen=True):
    """The object of an ERROR event. Its message is not read."""

    code: int = 0
    reason: str = ""


class Happening(_Camel, Generic[T], frozen=True):
    """A line of a watch."""

    type: str
    object: T


class OneRow(_Camel, Generic[T], frozen=True):
    """The Table of a watch event, in full."""

    rows: list[T]


def with_kind(item: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """`item` with a field `kind`, so that every object can be checked to be what was asked for."""
    if "kind" in item.__struct_fields__:
        return item
    return msgspec.defstruct(f"{item.__name__}WithKind", [("kind", str, "")], bases=(item,), module=__name__)


# An escape of JSON: a pair of surrogates, a lone one (group 1), or any other, so that the backslash in "\\ud800" is
# not mistaken for the beginning of one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def mend(data: bytes) -> bytes:
    """`data` with U+FFFD in place of lone surrogates and broken UTF-8, as Go's encoder would have written it."""
    text = data.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape.group(1) else escape.group(), text)
