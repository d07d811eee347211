from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from exporter.config.settings import Settings
from exporter.eso.identity import synced_resource_version
from exporter.kube.decode import Decoder, Event, Page, accept
from exporter.kube.failure import ApiError
from exporter.kube.resource import Form
from exporter.kube.resources import resources
from tests.kube.doubles import Thing, thing_resource
from tests.world import external_secret

META = "meta.k8s.io/v1"
SECRET_COLUMNS = [{"name": name} for name in ("Name", "Type", "Data", "Age")]


class Decoding:
    """A decoder of one form, and the wrapping of objects into that form."""

    def __init__(self, form: Form, columns: list[dict[str, str]] | None = None) -> None:
        self.form = form
        self.errors = Counter[str]()
        resource = (
            thing_resource(form=form) if form != "json" else thing_resource("widgets", group="example.com", form=form)
        )
        version = "v1" if form != "json" else "example.com/v1"
        self.decoder = Decoder(resource, form, version, self._count)
        self.columns = SECRET_COLUMNS if columns is None else columns

    def _count(self, reason: str) -> None:
        self.errors[reason] += 1

    def one(self, obj: Any, cells: list[Any] | None = None) -> Any:
        if self.form == "json":
            return {"kind": "Widget", "apiVersion": "example.com/v1", **obj}
        partial = {"kind": "PartialObjectMetadata", "apiVersion": META, **obj}
        return (
            {"cells": ["x", "Opaque", 2, "1d"] if cells is None else cells, "object": partial}
            if self.form == "table"
            else partial
        )

    def page(self, ones: list[Any] | None, **head: Any) -> Page:
        body: dict[str, Any] = {
            "json": {"kind": "WidgetList", "apiVersion": "example.com/v1", "items": ones},
            "metadata": {"kind": "PartialObjectMetadataList", "apiVersion": META, "items": ones},
            "table": {"kind": "Table", "apiVersion": META, "columnDefinitions": self.columns, "rows": ones},
        }[self.form]
        meta = {"resourceVersion": "7", "continue": "next"}
        return self.decoder.page(json.dumps({"metadata": meta, **body, **head}).encode())

    def event(self, type_: str, one: Any, columns: list[dict[str, str]] | None = None) -> Event:
        if self.form == "table":
            one = {
                "kind": "Table",
                "apiVersion": META,
                "metadata": {"resourceVersion": "9"},
                "columnDefinitions": columns,
                "rows": [one],
            }
        return self.decoder.event(json.dumps({"type": type_, "object": one}).encode())


def obj(name: str = "a", **labels: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": "9", "labels": labels}}


FORMS: list[Form] = ["json", "metadata", "table"]


@pytest.fixture(params=FORMS)
def decoding(request: pytest.FixtureRequest) -> Decoding:
    return Decoding(request.param)


def names(page: Page) -> list[str]:
    return [record.name for record in page.records]


# Lists


def test_a_page_becomes_records(decoding: Decoding) -> None:
    page = decoding.page([decoding.one(obj("a", mark="x")), decoding.one(obj("b"))])
    assert (names(page), page.kept, page.version, page.token) == (["a", "b"], [], "7", "next")
    assert isinstance(page.records[0], Thing)
    assert page.records[0].mark == "x"
    assert not decoding.errors


def test_an_empty_list_may_be_null(decoding: Decoding) -> None:
    assert decoding.page(None) == Page([], [], "7", "next")
    assert decoding.page([]).records == []


def test_objects_of_no_interest_make_no_record(decoding: Decoding) -> None:
    page = decoding.page([decoding.one(obj("a", boring="1")), decoding.one(obj("b"))])
    assert (names(page), page.kept) == (["b"], [])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda bad: bad["metadata"].update(labels=7), "type"),
        (lambda bad: bad["metadata"].update(labels={"raise": "yes"}), "convert"),
    ],
)
def test_one_bad_object_is_counted_and_kept_and_the_others_pass(decoding: Decoding, spoil: Any, reason: str) -> None:
    bad = obj("bad")
    spoil(bad)
    page = decoding.page([decoding.one(obj("a")), decoding.one(bad), decoding.one(obj("c"))])
    assert names(page) == ["a", "c"]
    assert page.kept == [("shop", "bad")]
    assert decoding.errors == {reason: 1}
    assert (page.version, page.token) == ("7", "next")


def test_an_object_without_a_name_is_counted_and_lost(decoding: Decoding) -> None:
    page = decoding.page([decoding.one({"metadata": [1, 2]}), decoding.one(obj("b"))])
    assert (names(page), page.kept) == (["b"], [])
    assert decoding.errors == {"type": 1, "key": 1}


def test_a_lone_surrogate_is_counted_and_replaced(decoding: Decoding) -> None:
    page = decoding.page([decoding.one(obj("a", mark="\ud800")), decoding.one(obj("b", other="\udfff"))])
    assert names(page) == ["a", "b"]
    assert page.records[0].mark == "\N{REPLACEMENT CHARACTER}"  # type: ignore[attr-defined]
    assert decoding.errors == {"text": 1}


def test_broken_utf8_is_counted_and_replaced() -> None:
    decoding = Decoding("metadata")
    body = json.dumps(
        {"kind": "PartialObjectMetadataList", "apiVersion": META, "items": [decoding.one(obj("a", mark="MARK"))]}
    )
    page = decoding.decoder.page(body.encode().replace(b"MARK", b"\xff"))
    assert page.records == [Thing("shop", "a", "\N{REPLACEMENT CHARACTER}")]
    assert decoding.errors == {"text": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"kind":"WidgetList","items":3}', b"<html>"])
def test_what_is_no_list_is_an_error(decoding: Decoding, body: bytes) -> None:
    with pytest.raises(ApiError) as failure:
        decoding.decoder.page(body)
    assert failure.value.reason in ("error", "form")


# Forms


@pytest.mark.parametrize("form", ["metadata", "table"])
@pytest.mark.parametrize("kind", ["SecretList", "", "PartialObjectMetadata", "Status"])
def test_another_form_than_asked_for_is_refused(form: Form, kind: str) -> None:
    decoding = Decoding(form)
    with pytest.raises(ApiError) as failure:
        decoding.page([decoding.one(obj())], kind=kind)
    assert failure.value.reason == "form"


@pytest.mark.parametrize("form", ["metadata", "table"])
def test_a_whole_object_inside_the_right_list_is_refused(form: Form) -> None:
    decoding = Decoding(form)
    with pytest.raises(ApiError) as failure:
        decoding.page([decoding.one({"kind": "Secret", "apiVersion": "v1", **obj()})])
    assert failure.value.reason == "form"


def test_a_table_without_objects_is_refused() -> None:
    decoding = Decoding("table")
    with pytest.raises(ApiError) as failure:
        decoding.page([{"cells": ["a", "Opaque", 1, "1d"], "object": None}])
    assert failure.value.reason == "form"


@pytest.mark.parametrize("form", ["metadata", "table"])
def test_a_whole_object_in_a_watch_is_refused(form: Form) -> None:
    decoding = Decoding(form)
    line = json.dumps({"type": "ADDED", "object": {"kind": "Secret", "apiVersion": "v1", **obj()}}).encode()
    with pytest.raises(ApiError) as failure:
        decoding.decoder.event(line)
    assert failure.value.reason == "form"


def test_another_version_than_asked_for_is_refused() -> None:
    decoding = Decoding("json")
    with pytest.raises(ApiError):
        decoding.page([decoding.one(obj())], apiVersion="example.com/v2")
    with pytest.raises(ApiError):
        decoding.event("ADDED", {**decoding.one(obj()), "apiVersion": "example.com/v2"})


def test_secrets_cannot_be_declared_as_whole_objects() -> None:
    with pytest.raises(ValueError, match="metadata only"):
        thing_resource(form="json")


@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("form", ["metadata", "table"])
def test_accept_names_one_form_and_no_fallback(form: Form, watch: bool) -> None:
    header = accept(form, watch=watch)
    assert "," not in header
    assert header.startswith("application/json;as=")
    assert header.endswith(";g=meta.k8s.io;v=v1")


def test_a_watch_asks_for_the_form_of_one_object() -> None:
    # A server sends whole objects on a watch that asks for the form of a list.
    assert accept("metadata", watch=True) == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert accept("metadata", watch=False) == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


# Cells


def test_cells_are_found_by_the_name_of_their_column() -> None:
    decoding = Decoding("table", [{"name": name} for name in ("Data", "Name", "New", "Type")])
    page = decoding.page([decoding.one(obj(), [3, "a", "?", "helm.sh/release.v1"])])
    assert page.records[0].cells == ("helm.sh/release.v1", 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cells", [[], None, ["a"]])
def test_cells_that_are_not_there_are_not_known(cells: list[Any] | None) -> None:
    decoding = Decoding("table")
    row = {**decoding.one(obj()), "cells": cells}
    assert decoding.page([row]).records[0].cells == (None, None)  # type: ignore[attr-defined]


def test_columns_that_are_not_there_are_not_known() -> None:
    decoding = Decoding("table", [{"name": "Name"}, {"name": "Age"}])
    assert decoding.page([decoding.one(obj())]).records[0].cells == (None, None)  # type: ignore[attr-defined]


def test_cells_of_the_wrong_type_make_a_bad_object() -> None:
    decoding = Decoding("table")
    page = decoding.page([decoding.one(obj("a"), [{}, [], "three", None]), decoding.one(obj("b"))])
    assert (names(page), page.kept, decoding.errors) == (["b"], [("shop", "a")], {"type": 1})


def test_a_watch_uses_the_columns_of_the_list_until_it_names_its_own() -> None:
    decoding = Decoding("table")
    decoding.page([])
    cells = ["a", "Opaque", 2, "1d"]
    assert decoding.event("ADDED", decoding.one(obj(), cells)).record.cells == ("Opaque", 2)  # type: ignore[union-attr]
    columns = [{"name": "Data"}, {"name": "Type"}]
    event = decoding.event("MODIFIED", decoding.one(obj(), [5, "other"]), columns)
    assert event.record.cells == ("other", 5)  # type: ignore[union-attr]
    assert decoding.event("MODIFIED", decoding.one(obj(), [6, "x"])).record.cells == ("x", 6)  # type: ignore[union-attr]


# Watch events


@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED"])
def test_an_event_brings_a_record(decoding: Decoding, type_: str) -> None:
    event = decoding.event(type_, decoding.one(obj("a", mark="x")))
    assert event[:4] == (type_, "9", "shop", "a")
    assert event.record is not None
    assert event.record.name == "a"


def test_an_object_that_lost_our_interest_brings_none(decoding: Decoding) -> None:
    event = decoding.event("MODIFIED", decoding.one(obj("a", boring="1")))
    assert (event.record, event.bad, event.name) == (None, False, "a")


def test_a_deleted_object_needs_only_its_key(decoding: Decoding) -> None:
    gone = obj("a")
    gone["metadata"]["labels"] = 7
    assert decoding.event("DELETED", decoding.one(gone)) == Event("DELETED", "9", "shop", "a")
    assert not decoding.errors


def test_a_bookmark_brings_a_version(decoding: Decoding) -> None:
    mark = decoding.one({"metadata": {"resourceVersion": "12"}}, ["", "", 0, "<unknown>"])
    assert decoding.event("BOOKMARK", mark) == Event("BOOKMARK", "12")


@pytest.mark.parametrize("row", [{"cells": [], "object": None}, None])
def test_a_bookmark_of_a_table_may_have_no_object(row: Any) -> None:
    table = {"kind": "Table", "apiVersion": META, "metadata": {"resourceVersion": "12"}, "rows": [row] if row else []}
    line = json.dumps({"type": "BOOKMARK", "object": table}).encode()
    assert Decoding("table").decoder.event(line) == Event("BOOKMARK", "12")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"code": 410, "reason": "Expired", "metadata": {}, "message": "too old"}, 410),
        ({"code": 500, "reason": "Expired"}, 410),
        ({"code": 500, "reason": "InternalError"}, 500),
        ({"code": "what"}, 0),
        ({}, 0),
    ],
)
def test_an_error_brings_its_code(decoding: Decoding, status: dict[str, Any], code: int) -> None:
    line = json.dumps({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", **status}}).encode()
    assert decoding.decoder.event(line) == Event("ERROR", code=code)


@pytest.mark.parametrize(("labels", "reason"), [({"a": 7}, "type"), ({"raise": "yes"}, "convert")])
def test_a_bad_event_is_counted_and_tells_its_key_and_version(decoding: Decoding, labels: Any, reason: str) -> None:
    bad = obj("a")
    bad["metadata"]["labels"] = labels
    event = decoding.event("MODIFIED", decoding.one(bad))
    assert event == Event("MODIFIED", "9", "shop", "a", bad=True)
    assert decoding.errors == {reason: 1}


def test_an_event_whose_key_is_broken_tells_its_version(decoding: Decoding) -> None:
    broken = decoding.one({"metadata": {"name": 7, "resourceVersion": "9"}})
    assert decoding.event("MODIFIED", broken) == Event("MODIFIED", "9", bad=True)
    assert decoding.errors == {"key": 1}


def test_a_lone_surrogate_in_an_event_is_counted_and_replaced(decoding: Decoding) -> None:
    event = decoding.event("MODIFIED", decoding.one(obj("a", mark="\udc00")))
    assert event.record.mark == "\N{REPLACEMENT CHARACTER}"  # type: ignore[union-attr]
    assert decoding.errors == {"text": 1}


def test_broken_utf8_in_an_event_is_counted_and_replaced(decoding: Decoding) -> None:
    one = decoding.one(obj("a", mark="MARK"))
    if decoding.form == "table":
        one = {"kind": "Table", "apiVersion": META, "rows": [one]}
    line = json.dumps({"type": "ADDED", "object": one}).encode().replace(b"MARK", b"\xff")
    event = decoding.decoder.event(line)
    assert event.record.mark == "\N{REPLACEMENT CHARACTER}"  # type: ignore[union-attr]
    assert decoding.errors == {"text": 1}


@pytest.mark.parametrize("broken", [rb"\ud800", b"\xff"])
def test_broken_text_that_only_the_converter_reads_is_counted_and_replaced(broken: bytes) -> None:
    """An ExternalSecret's annotations stay raw until they are hashed: with U+FFFD, as ESO reads them."""
    [resource] = [one for one in resources(Settings()) if one.name == "externalsecrets"]
    errors = Counter[str]()
    decoder = Decoder(resource, "json", "external-secrets.io/v1", lambda reason: errors.update([reason]))
    version = synced_resource_version(1, None, {"note": "\N{REPLACEMENT CHARACTER}"})
    api = {"apiVersion": "external-secrets.io/v1"}
    one = {**api, "kind": "ExternalSecret", **external_secret(annotations={"note": "MARK"}, version=version)}
    head = {**api, "kind": "ExternalSecretList"}
    listed = decoder.page(json.dumps({**head, "items": [one]}).encode().replace(b"MARK", broken))
    event = decoder.event(json.dumps({"type": "MODIFIED", "object": one}).encode().replace(b"MARK", broken))
    assert [record.applied for record in (*listed.records, event.record)] == [True, True]  # type: ignore[attr-defined]
    assert errors == {"text": 2}


@pytest.mark.parametrize("line", [b"<html>", b"{", b'{"type":"ADDED"}', b"[]", b"null", b'{"type":3,"object":{}}'])
def test_what_is_no_event_is_counted(decoding: Decoding, line: bytes) -> None:
    event = decoding.decoder.event(line)
    assert (event.bad, event.version) == (True, "")
    assert decoding.errors.total() == 1


def test_an_unknown_type_of_event_changes_nothing(decoding: Decoding) -> None:
    assert decoding.event("SHOUTED", decoding.one(obj("a"))) == Event("SHOUTED", "9", bad=True)
    assert decoding.errors == {"type": 1}


def test_the_message_of_an_error_is_nowhere() -> None:
    decoding = Decoding("json")
    with pytest.raises(ApiError) as failure:
        decoding.decoder.page(b'{"kind":"Status","message":"hunter2"}')
    assert "hunter2" not in f"{failure.value} {failure.value.__cause__}"
