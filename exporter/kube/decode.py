"""Bytes of lists and watch events to records, through typed decoding of only the needed fields.

What one bad object does: its page is decoded again item by item; the bad one is counted and skipped, and if at least its
namespace and name can be read, its last good record is kept (`Page.kept`), so that it is neither taken for deleted nor
holds up the others. A process that starts later does not know it until it can be read again.
A lone surrogate or broken UTF-8 is counted too, but read as U+FFFD: Go's own encoder would have written that.

What is asked for as metadata must come as metadata: an answer of another `kind` raises ApiError "form" before any of it
is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from exporter.kube.envelope import (
    Column,
    Happening,
    Keyed,
    KeyedTable,
    Listed,
    OneRow,
    Row,
    Status,
    Versioned,
    mend,
    with_kind,
)
from exporter.kube.failure import ApiError
from exporter.kube.resource import NO_CELLS, Cells, Form, Record, Resource

META_VERSION = "meta.k8s.io/v1"
_TEXT_OR_NONE = (str, type(None))
_NUMBER_OR_NONE = (int, type(None))
GONE = 410
_METADATA = "PartialObjectMetadata"


class Page(NamedTuple):
    """One page: records of interest, keys of objects that are there but could not be decoded, where the list stands."""

    records: list[Record]
    kept: list[tuple[str, str]]
    version: str
    token: str


class Event(NamedTuple):
    """One line of a watch. `version` is "" if it told none; `record` None for DELETED, BOOKMARK, ERROR and no interest.

    `bad`: it could not be decoded and changes nothing. `code`: of an ERROR (410: gone).
    """

    type: str
    version: str = ""
    namespace: str = ""
    name: str = ""
    record: Record | None = None
    bad: bool = False
    code: int = 0


class _Bad(Exception):  # noqa: N818 - never leaves this module
    """One object cannot be made a record; `reason` is one of resource.DECODE_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def accept(form: Form, *, watch: bool) -> str:
    """The Accept header. Never with a fallback: a server that does not know the form must fail, not send values."""
    if form == "json":
        return "application/json"
    kind = "Table" if form == "table" else "PartialObjectMetadata" if watch else "PartialObjectMetadataList"
    return f"application/json;as={kind};g=meta.k8s.io;v=v1"


class Decoder:
    """Of one resource, served as `api_version` ("external-secrets.io/v1"), read in `form`. For one thread.

    `count` is called with one of resource.DECODE_REASONS for everything that had to be mended or skipped.
    """

    def __init__(self, resource: Resource, form: Form, api_version: str, count: Callable[[str], None]) -> None:
        self._convert = resource.convert
        self._form = form
        self._api_version = api_version
        self._count = count
        self._type_at = self._keys_at = -1
        table = form == "table"
        item = resource.item if form == "json" else with_kind(resource.item)
        one: Any = Row[item] if table else item  # type: ignore[valid-type]
        self._one = _decoder(one)
        self._list = _decoder(Listed[one])
        self._raw_list = _decoder(Listed[msgspec.Raw])
        self._full = _decoder(Happening[OneRow[one] if table else one])  # type: ignore[misc]
        self._head = _decoder(Happening[KeyedTable] if table else Happening[Keyed])
        self._key = _decoder(Row[Keyed] if table else Keyed)
        self._version = _decoder(Happening[Versioned])
        self._status = _decoder(Happening[Status])

    def page(self, body: bytes) -> Page:
        """One page of a list. Raises ApiError "form" for another form than asked for, "error" if it is no list at all."""
        try:
            answer = self._list.decode(body)
            self._check_list(answer)
            records = self._records(answer)
        except ApiError:
            raise
        except Exception:  # noqa: BLE001 (whatever it was: the objects that are good will be found)
            return self._page_by_item(body)
        return Page(records, [], answer.metadata.resource_version, answer.metadata.token)

    def _records(self, answer: Any) -> list[Record]:
        """Of a page that is good as a whole, as nearly all are. Raises whatever a bad one makes it raise."""
        convert, cells_of = self._convert, self._cells
        found: list[Record | None]
        if self._form == "json":
            found = [convert(one, NO_CELLS) for one in answer.items or ()]
        elif self._form == "table":
            found = [convert(_checked(row.object), cells_of(row.cells)) for row in answer.rows or ()]
        else:
            found = [convert(_checked(one), NO_CELLS) for one in answer.items or ()]
        return [record for record in found if record is not None]

    def _page_by_item(self, body: bytes) -> Page:
        text = mend(body)
        if text != body:
            self._count("text")
        try:
            answer = self._raw_list.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ApiError("error", f"list of {self._api_version}: the answer is not a list in JSON") from error
        self._check_list(answer)
        records: list[Record] = []
        kept: list[tuple[str, str]] = []
        for raw in self._of(answer):
            try:
                record = self._record(_decode(self._one, raw))
            except _Bad as bad:
                self._count(bad.reason)
                if key := self._key_of(raw):
                    kept.append(key)
                else:
                    self._count("key")
            else:
                if record is not None:
                    records.append(record)
        return Page(records, kept, answer.metadata.resource_version, answer.metadata.token)

    def event(self, line: bytes) -> Event:
        """One line of a watch. Raises ApiError "form" for an object in another form than asked for."""
        try:
            head = _decode(self._head, line)
        except _Bad:
            text = mend(line)
            if text == line:
                return self._bad_event(line)
            self._count("text")
            line = text
            try:
                head = _decode(self._head, line)
            except _Bad:
                return self._bad_event(line)
        if head.type == "ERROR":
            return Event("ERROR", code=self._error_code(line))
        key = self._check_event(head)
        if head.type == "BOOKMARK":
            return Event("BOOKMARK", key.resource_version)
        if head.type not in ("ADDED", "MODIFIED", "DELETED") or not key.name:
            self._count("key" if not key.name else "type")
            return Event(head.type, key.resource_version, bad=True)
        record = None
        if head.type != "DELETED":
            try:
                record = self._record_of(line)
            except _Bad as bad:
                self._count(bad.reason)
                return Event(head.type, key.resource_version, key.namespace, key.name, bad=True)
        return Event(head.type, key.resource_version, key.namespace, key.name, record)

    def _record_of(self, line: bytes) -> Record | None:
        try:
            return self._record(self._only(line))
        except _Bad as bad:
            # Decoding looks at the text of what it skips or leaves raw as little as it can: the converter may find it.
            if not isinstance(bad.__cause__, UnicodeDecodeError):
                raise
        self._count("text")
        return self._record(self._only(mend(line)))

    def _only(self, line: bytes) -> Any:
        """The object of a watch event, or the only row of its Table."""
        one = _decode(self._full, line).object
        if self._form != "table":
            return one
        if len(one.rows) != 1:
            raise _Bad("type")
        return one.rows[0]

    def _record(self, one: Any) -> Record | None:
        cells = NO_CELLS
        if self._form != "json":
            if self._form == "table":
                cells = self._cells(one.cells)
                one = one.object
            one = _checked(one)
        try:
            return self._convert(one, cells)
        except Exception as error:
            # Whatever an object makes the converter raise, the others must not suffer.
            raise _Bad("convert") from error

    def _cells(self, cells: list[Any] | None) -> Cells:
        row = cells or ()
        type_ = row[self._type_at] if 0 <= self._type_at < len(row) else None
        keys = row[self._keys_at] if 0 <= self._keys_at < len(row) else None
        # Before they are looked up: a list, say, has no hash.
        if not isinstance(type_, _TEXT_OR_NONE) or not isinstance(keys, _NUMBER_OR_NONE):
            raise _Bad("type")
        return _shared_cells(type_, keys)

    def _of(self, answer: Any) -> Any:
        return (answer.rows if self._form == "table" else answer.items) or ()

    def _check_list(self, answer: Any) -> None:
        if self._form == "json":
            # Some servers of aggregated APIs spell the version of the list in their own way; the kind is always a list.
            if not answer.kind.endswith("List") or answer.api_version != self._api_version:
                raise ApiError("error", f"list of {self._api_version}: the answer is not such a list")
            return
        wanted = "Table" if self._form == "table" else "PartialObjectMetadataList"
        if (answer.kind, answer.api_version) != (wanted, META_VERSION):
            raise ApiError("form", f"asked for a {wanted}, got another kind")
        if answer.column_definitions:
            self._learn(answer.column_definitions)

    def _check_event(self, head: Any) -> Any:
        """The key of the event's object."""
        one = head.object
        if self._form != "table":
            wanted = self._api_version if self._form == "json" else META_VERSION
            if self._form != "json":
                _checked(one)
            if one.api_version != wanted:
                raise ApiError("form", f"asked for {wanted}, got another version")
            return one.metadata
        if (one.kind, one.api_version) != ("Table", META_VERSION):
            raise ApiError("form", "asked for a Table, got another kind")
        if one.column_definitions:
            self._learn(one.column_definitions)
        if one.rows and one.rows[0].object is not None:
            return one.rows[0].object.metadata
        return one.metadata

    def _learn(self, columns: list[Column]) -> None:
        names = [column.name for column in columns]
        self._type_at = names.index("Type") if "Type" in names else -1
        self._keys_at = names.index("Data") if "Data" in names else -1

    def _key_of(self, raw: msgspec.Raw) -> tuple[str, str] | None:
        try:
            keyed = _decode(self._key, raw)
        except _Bad:
            return None
        one = keyed.object if self._form == "table" else keyed
        return (one.metadata.namespace, one.metadata.name) if one is not None and one.metadata.name else None

    def _error_code(self, line: bytes) -> int:
        try:
            status = _decode(self._status, line).object
        except _Bad:
            return 0
        return GONE if status.reason in ("Expired", "Gone") else int(status.code)

    def _bad_event(self, line: bytes) -> Event:
        self._count("key")
        try:
            event = _decode(self._version, line)
        except _Bad:
            return Event("", bad=True)
        return Event(event.type, event.object.metadata.resource_version, bad=True)


@functools.lru_cache(maxsize=4096)
def _shared_cells(type_: str | None, keys: int | None) -> Cells:
    return Cells(type_, keys)


def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def _decode(decoder: msgspec.json.Decoder[Any], data: Any) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _Bad("type") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Bad("text") from error


def _checked(one: Any) -> Any:
    """The object, which must be what was asked for: no values of a Secret are ever taken."""
    if one is None or one.kind != _METADATA:
        raise ApiError("form", "asked for metadata only, got another kind of object")
    return one
