"""The settings seen as a tree of types: which keys there are, what each may hold, and how a text becomes its value.

Everything is derived from `exporter.config.settings`, so a new field there is at once a key of the configuration file.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec.inspect as inspect

from exporter.config.duration import format_duration, parse_duration
from exporter.config.settings import Settings

SettingPath = tuple[str, ...]
"""Where a setting stands, e.g. `("web", "listen_address")`; written with a dot between."""

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def _root() -> inspect.StructType:
    root = inspect.type_info(Settings)
    if not isinstance(root, inspect.StructType):
        raise TypeError("Settings is a struct")
    return root


ROOT = _root()


def plain(kind: inspect.Type) -> inspect.Type:
    """The type without the note (`Annotated[…, Meta(extra=…)]`) around it."""
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def note(kind: inspect.Type) -> dict[str, Any]:
    """The note around a type: `{"unit": "seconds"}` for a duration, `{"file": True}` for a path, else empty."""
    return (kind.extra or {}) if isinstance(kind, inspect.Metadata) else {}


SECTIONS: dict[str, inspect.StructType] = {
    field.name: field.type for field in ROOT.fields if isinstance(field.type, inspect.StructType)
}
"""The sections of the configuration file, in the order of their definition."""

SETTINGS: dict[SettingPath, inspect.Field] = {
    (section, field.name): field for section, struct in SECTIONS.items() for field in struct.fields
}
"""Every setting of every section."""


def dotted(path: SettingPath) -> str:
    """`("vault", "servers[0]", "address")` as `vault.servers[0].address`."""
    return ".".join(path)


def types_of(struct: inspect.StructType) -> dict[str, inspect.Type]:
    """The type of each key of a mapping."""
    return {field.name: field.type for field in struct.fields}


def redact(text: str) -> str:
    """`text` with the user and password of any URL replaced by `***`."""
    return _USERINFO.sub("***@", text)


def quote(value: str) -> str:
    """A value as an error shows it: redacted, on one line, cut at 60 characters."""
    shown = redact(value)
    return json.dumps(shown if len(shown) <= 60 else shown[:57] + "…", ensure_ascii=False)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean X?` for the known name most like `word`, or an empty string."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {match[0]}?" if match else ""


def describe(kind: inspect.Type) -> str:
    """What a value of this type looks like, to stand after "must be"."""
    inner = plain(kind)
    match inner:
        case inspect.FloatType() if note(kind).get("unit") == "seconds":
            return "a duration such as 30s or 1h30m" + _bounds(inner, duration=True)
        case inspect.FloatType():
            return "a number" + _bounds(inner)
        case inspect.IntType():
            return "a whole number" + _bounds(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(str(value) for value in inner.values)
        case inspect.VarTupleType() if isinstance(plain(inner.item_type), inspect.StructType):
            return "a list of mappings"
        case inspect.VarTupleType():
            return "a list"
        case inspect.DictType() | inspect.StructType():
            return "a mapping"
        case _:
            return "the path of a file" if note(kind).get("file") else "text"


def _bounds(kind: inspect.FloatType | inspect.IntType, duration: bool = False) -> str:
    show = format_duration if duration else str
    words = (("at least", kind.ge), ("more than", kind.gt), ("at most", kind.le))
    said = [f"{word} {show(limit)}" for word, limit in words if limit is not None and (word, limit) != ("at least", 0)]
    return (", " if said else "") + " and ".join(said)


def parse(kind: inspect.Type, text: str, base: Path | None = None) -> Any:
    """The value of a scalar setting written as `text`.

    A relative file path is taken from `base` when one is given. Raises ValueError, whose message is what stands after the
    setting's name: `must be a whole number, not "many"`.
    """
    inner = plain(kind)
    value: Any = None
    match inner:
        case inspect.StrType() if note(kind).get("file") and text:
            path = Path(text).expanduser()
            value = str(base / path if base else path)
        case inspect.StrType():
            value = text
        case inspect.BoolType():
            word = text.strip().lower()
            value = True if word in _TRUE else False if word in _FALSE else None
        case inspect.LiteralType():
            value = text if text in inner.values else None
        case inspect.IntType():
            value = int(text) if re.fullmatch(r"\s*\d{1,18}\s*", text, re.ASCII) else None
            value = _within(inner, value)
        case inspect.FloatType():
            number = re.fullmatch(r"\s*\d+(\.\d*)?\s*", text, re.ASCII)
            seconds = note(kind).get("unit") == "seconds"
            value = parse_duration(text) if seconds else float(text) if number else None
            value = _within(inner, value)
        case _:
            raise TypeError(f"a {type(inner).__name__} is not a scalar")
    if value is None:
        raise ValueError(f"must be {describe(kind)}, not {quote(text)}")
    return value


def _within(kind: inspect.FloatType | inspect.IntType, value: float | None) -> float | None:
    if value is None:
        return None
    low = (kind.ge is None or value >= kind.ge) and (kind.gt is None or value > kind.gt)
    return value if low and (kind.le is None or value <= kind.le) else None
