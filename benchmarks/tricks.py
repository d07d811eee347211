"""Starts our exporter with one trick off: `python -m benchmarks.tricks TRICK serve …`. The exporter itself has no such switches.

Each trick is taken out at the seam where it is put in, before anything is built; `none` takes nothing out. In all of them
threads tell their names to the kernel, so that the CPU of each can be read from outside.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from exporter.cli.run import run
from exporter.exposition import splice
from exporter.exposition.columns import Column, Frozen

_PR_SET_NAME = 15


def _defaults(type_: type) -> dict[str, Any]:
    """The defaults of a constructor's keywords, to be changed."""
    defaults: dict[str, Any] = type_.__init__.__kwdefaults__  # type: ignore[misc]
    return defaults


def _zlib() -> None:
    """Blocks are compressed with Python's own zlib, level 1: what a machine without isal does."""
    _defaults(splice.Exposition)["compress"] = "zlib"


class _Whole:
    """A body that was compressed in one go."""

    gzip = True

    def __init__(self, body: splice.Body) -> None:
        from isal import igzip

        self._data = igzip.compress(b"".join(body.parts()), 1)
        self.length = len(self._data)
        self.openmetrics, self.content_type = body.openmetrics, body.content_type

    def parts(self) -> Iterator[bytes]:
        yield self._data

    def read(self) -> bytes:
        return self._data


def _one_shot() -> None:
    """Each gzip answer is compressed as a whole (with isal), not spliced from blocks."""
    spliced: Callable[..., Any] = splice.Exposition.body

    def body(self: splice.Exposition, *, openmetrics: bool, gzip: bool, now: float) -> Any:
        plain = spliced(self, openmetrics=openmetrics, gzip=False, now=now)
        return _Whole(plain) if gzip else plain

    splice.Exposition.body = body  # type: ignore[method-assign]


def _rendered_at_scrape() -> None:
    """Nothing is rendered before it is asked for: each scrape renders and compresses every line."""
    _defaults(Column)["volatile"] = True

    def freeze(self: Column[Any], facts: list[Any]) -> Frozen:
        kept = tuple(facts)
        render = self.render
        return lambda _now: render(kept)

    Column.freeze = freeze  # type: ignore[method-assign]


def _stock() -> None:
    """What Python's standard library would do: each answer rendered anew and compressed with zlib, level 9."""
    _rendered_at_scrape()
    _zlib()
    spliced: Callable[..., Any] = splice.Exposition.body

    def body(self: splice.Exposition, *, openmetrics: bool, gzip: bool, now: float) -> Any:
        plain = spliced(self, openmetrics=openmetrics, gzip=False, now=now)
        if not gzip:
            return plain
        whole = _Whole.__new__(_Whole)
        whole._data = zlib.compress(b"".join(plain.parts()), 9, 31)
        whole.length = len(whole._data)
        whole.openmetrics, whole.content_type = plain.openmetrics, plain.content_type
        return whole

    splice.Exposition.body = body  # type: ignore[method-assign]


TRICKS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "zlib": _zlib,
    "one-shot": _one_shot,
    "rendered-at-scrape": _rendered_at_scrape,
    "stock": _stock,
}


def _name_threads() -> None:
    """Python tells the kernel the names of its threads from 3.14 on only."""
    prctl = ctypes.CDLL(None).prctl
    begin: Callable[[Any], None] = threading.Thread.run

    def named(self: threading.Thread) -> None:
        prctl(_PR_SET_NAME, self.name.encode()[:15], 0, 0, 0)
        begin(self)

    threading.Thread.run = named  # type: ignore[method-assign]


if __name__ == "__main__":
    TRICKS[sys.argv[1]]()
    _name_threads()
    sys.exit(run(sys.argv[2:]))
