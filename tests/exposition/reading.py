"""For tests of columns that name what they read: does `render` look at nothing else?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from exporter.exposition.families import Column


class _Recorder:
    """Stands in for facts, and for structs inside them, and notes which attributes are looked at."""

    def __init__(self, value: Any, seen: set[str], path: str = "") -> None:
        self._value, self._seen, self._path = value, seen, path

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._value, name)
        path = self._path + name
        if isinstance(value, msgspec.Struct):
            return _Recorder(value, self._seen, f"{path}.")
        self._seen.add(path)
        return value


def undeclared(column: Column[Any], facts: Iterable[Any]) -> set[str]:
    """Attributes (dotted) that the column's render looks at and `reads` does not name, neither whole nor by what holds them."""
    seen: set[str] = set()
    column.render([_Recorder(each, seen) for each in facts])
    named = {name for read in column.reads or () for name in (read, f"{read}.")}
    return {
        path for path in seen if not any(path == name or (name[-1] == "." and path.startswith(name)) for name in named)
    }
