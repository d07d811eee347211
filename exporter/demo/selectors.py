"""Label and field selectors, as the API server reads them from a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from exporter.demo.kinds import Kind

Labels = Mapping[str, str]


class BadSelectorError(ValueError):
    """The server would answer 400 with this message."""


_SET = re.compile(r"^(?P<key>\S+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)$")


def label_selector(text: str) -> Callable[[Labels], bool] | None:
    """A predicate over labels, None for the empty selector. Forms: `k=v k==v k!=v k !k k in (a,b) k notin (a,b)`."""
    tests = [_label_test(part.strip()) for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    if not tests:
        return None
    return lambda labels: all(test(labels) for test in tests)


def _label_test(part: str) -> Callable[[Labels], bool]:
    if match := _SET.match(part):
        key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in wanted
        return lambda labels: labels.get(key) not in wanted
    if "!=" in part:
        key, _, value = (piece.strip() for piece in part.partition("!="))
        return lambda labels: labels.get(key) != value
    if "=" in part:
        key, _, value = part.replace("==", "=").partition("=")
        return lambda labels: labels.get(key.strip()) == value.strip()
    if part.startswith("!"):
        return lambda labels: part[1:].strip() not in labels
    if " " in part:
        raise BadSelectorError(f"unable to parse requirement: {part!r}")
    return lambda labels: part in labels


def field_selector(kind: Kind, text: str) -> Callable[[Mapping[str, Any]], bool] | None:
    """A predicate over whole objects, None for the empty selector. Raises BadSelectorError for an unknown field."""
    known = ("metadata.name", "metadata.namespace", *(name.removeprefix(".") for name in kind.selectable))
    tests: list[tuple[str, bool, str]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = re.match(r"^([^!=]+)(==|!=|=)(.*)$", part)
        if match is None:
            raise BadSelectorError(f"invalid field selector: {part!r}")
        field, operator, value = match.groups()
        if field.removeprefix(".") not in known:
            raise BadSelectorError(f"field label not supported: {field}")
        tests.append((field.removeprefix("."), operator != "!=", value))
    if not tests:
        return None
    return lambda obj: all((field_value(kind, obj, field) == value) is equal for field, equal, value in tests)


def field_value(kind: Kind, obj: Mapping[str, Any], field: str) -> str:
    """What a field selector compares with; empty where the object has no such field."""
    if kind.plural == "events" and field == "source":
        field = "source.component"
    value: Any = obj
    for step in field.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
