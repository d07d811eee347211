"""The content forms of the API: what an Accept header asks for, and how lists and watch events are written in each.

The shapes are those of kube-apiserver 1.37 (pkg/endpoints/handlers/response.go): a `Table` names its columns in a list
and in the first event of a watch only; a BOOKMARK is a Table with one empty row whose object carries only the resource
version; a `Status` is never converted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exporter.demo.entries import COLUMNS, DEFAULT_COLUMNS, Entry, encode
from exporter.demo.kinds import Kind

ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


class StatusError(Exception):
    """An answer other than 200, told as the API server tells it: a `Status` object."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata or {},
            "status": "Failure",
            "message": message,
        }
        if reason:
            self.status["reason"] = reason
        if retry_after is not None:
            details = {**(details or {}), "retryAfterSeconds": retry_after}
        if details:
            self.status["details"] = details
        self.status["code"] = code


def not_acceptable() -> StatusError:
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {ACCEPTED}")


def gone(since: int, oldest: int) -> StatusError:
    return StatusError(410, "Expired", f"too old resource version: {since} ({oldest})")


@dataclass(frozen=True, slots=True)
class Form:
    """How objects are to be written. `name`: "plain", "PartialObjectMetadata", "PartialObjectMetadataList" or "Table"."""

    name: str
    include: str = "Metadata"
    """For a Table: what each row carries of its object, "Metadata", "None" or "Object"."""

    @property
    def table(self) -> bool:
        return self.name == "Table"

    @property
    def partial(self) -> bool:
        return self.name.startswith("Partial")


def negotiate(accept: str, include: str | None = None, tables: bool = True) -> Form:
    """The first acceptable clause of an Accept header. Raises StatusError 406 where there is none.

    `include` is the query parameter `includeObject`; with `tables` off the Table form is unknown to this server.
    """
    clauses = [clause.strip() for clause in (accept or "*/*").split(",")]
    ranked = sorted(clauses, key=lambda clause: -float(_parameters(clause).get("q", "1")))
    for clause in ranked:
        media, parameters = clause.split(";")[0].strip(), _parameters(clause)
        if media not in ("application/json", "application/*", "*/*"):
            continue
        wanted = parameters.get("as")
        if wanted is None:
            return Form("plain")
        if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
            continue
        if wanted == "Table" and tables:
            if include not in (None, "", "Metadata", "None", "Object"):
                raise StatusError(
                    400,
                    "BadRequest",
                    f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": must be '
                    "'Metadata', 'Object', 'None', or empty",
                )
            return Form("Table", include or "Metadata")
        if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Form(wanted)
    raise not_acceptable()


def _parameters(clause: str) -> dict[str, str]:
    pairs = (piece.partition("=") for piece in clause.split(";")[1:])
    return {name.strip(): value.strip() for name, _, value in pairs}


# -- lists ----------------------------------------------------------------------------------------------------------


def list_body(
    form: Form, kind: Kind, api_version: str, entries: Iterable[Entry], metadata: dict[str, Any], now: float
) -> bytes:
    """A whole list answer. Raises StatusError 406 for a form that cannot carry a list."""
    meta = encode(metadata)
    if form.table:
        head = b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":%b,"columnDefinitions":%b,"rows":['
        rows = (_row(form, entry, api_version, now) for entry in entries)
        return b"%b%b]}\n" % (head % (meta, _columns(kind)), b",".join(rows))
    if form.name == "PartialObjectMetadataList":
        head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":%b,"items":['
        items = b",".join([entry.partial() for entry in entries])
        if not items:
            # Go's nil slice: an empty list of this form has no items but null.
            return b"%bnull}\n" % (head % meta)[:-1]
        return b"%b%b]}\n" % (head % meta, items)
    if form.name == "PartialObjectMetadata":
        message = f"you requested PartialObjectMetadata, but the requested object is a list (*v1.{kind.kind}List)"
        raise StatusError(406, "NotAcceptable", message)
    items = b",".join([entry.whole(api_version, item=True) for entry in entries])
    if kind.custom:
        # Custom resources are written with sorted keys, so the metadata comes last, and `continue` is never left out.
        meta = encode({"continue": "", **metadata})
        tail = b'],"kind":"%bList","metadata":%b}\n' % (kind.kind.encode(), meta)
        return b'{"apiVersion":"%b","items":[%b%b' % (api_version.encode(), items, tail)
    head = b'{"kind":"%bList","apiVersion":"%b","metadata":%b,"items":['
    return b"%b%b]}\n" % (head % (kind.kind.encode(), api_version.encode(), meta), items)


def one_body(form: Form, kind: Kind, api_version: str, entry: Entry, now: float) -> bytes:
    """A single object (`get`). Raises StatusError 406 for a form that cannot carry one."""
    if form.name == "PartialObjectMetadataList":
        message = f"you requested PartialObjectMetadataList, but the requested object is not a list (*v1.{kind.kind})"
        raise StatusError(406, "NotAcceptable", message)
    return _object(form, kind, api_version, entry, now, headers=True) + b"\n"


# -- watch events ---------------------------------------------------------------------------------------------------


def event(form: Form, kind: Kind, api_version: str, what: str, entry: Entry, now: float, first: bool) -> bytes:
    """One line of a watch. `first`: the first event of its stream, which names a Table's columns."""
    encoded = _object(form, kind, api_version, entry, now, headers=first)
    return b'{"type":"%b","object":%b}\n' % (what.encode(), encoded)


def bookmark(
    form: Form, kind: Kind, api_version: str, version: int, first: bool, end_of_initial: bool = False
) -> bytes:
    """A BOOKMARK at `version`; `end_of_initial` marks the end of a streamed initial list."""
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if end_of_initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    whole = {"kind": kind.kind, "apiVersion": api_version, "metadata": metadata}
    if form.table:
        carried = {"Metadata": partial, "None": partial if end_of_initial else None, "Object": whole}[form.include]
        row = encode({"cells": _empty_cells(kind), "object": carried})
        encoded = _table(kind, row, version, headers=first)
    else:
        encoded = encode(partial if form.name == "PartialObjectMetadata" else whole)
    return b'{"type":"BOOKMARK","object":%b}\n' % encoded


def error_event(error: StatusError) -> bytes:
    return b'{"type":"ERROR","object":%b}\n' % encode(error.status)


def _object(form: Form, kind: Kind, api_version: str, entry: Entry, now: float, headers: bool) -> bytes:
    if form.table:
        return _table(kind, _row(form, entry, api_version, now), entry.version, headers)
    if form.name == "PartialObjectMetadata":
        return entry.partial()
    return entry.whole(api_version, item=False)


def _row(form: Form, entry: Entry, api_version: str, now: float) -> bytes:
    if form.include == "Object":
        carried = entry.whole(api_version, item=False)
    else:
        carried = entry.partial() if form.include == "Metadata" else b"null"
    return b'{"cells":%b,"object":%b}' % (entry.cells(now), carried)


def _table(kind: Kind, row: bytes, version: int, headers: bool) -> bytes:
    return b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"%d"},%b,"rows":[%b]}' % (
        version,
        b'"columnDefinitions":' + (_columns(kind) if headers else b"null"),
        row,
    )


def _columns(kind: Kind) -> bytes:
    return encode(COLUMNS.get(kind.plural, DEFAULT_COLUMNS))


def _empty_cells(kind: Kind) -> list[Any]:
    if kind.plural == "secrets":
        return ["", "", 0, "<unknown>"]
    return ["", *[None] * (len(COLUMNS.get(kind.plural, DEFAULT_COLUMNS)) - 1)]
