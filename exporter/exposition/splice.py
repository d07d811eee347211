"""The exposition: generations made by the refresher, and bodies spliced from them for scrapes."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from exporter.exposition.blocks import FINAL, GZIP_HEADER, Block, Codec, Deflater, Run, joined, run
from exporter.exposition.columns import Frozen
from exporter.exposition.group import Group
from exporter.exposition.lines import Family
from exporter.exposition.own import END, OwnMetrics, disabled

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class RefreshStats(msgspec.Struct, frozen=True):
    """One refresh: the generation that scrapes see from now on, how many columns changed, and the seconds it took."""

    generation: int
    changed: int
    seconds: float


class Body(msgspec.Struct, frozen=True):
    """One answer to a scrape, immutable and shared: `length` bytes that `parts()` gives piece by piece, as often as asked."""

    length: int
    gzip: bool
    openmetrics: bool
    generation: int
    content_type: str
    _blocks: tuple[Block, ...]
    _trailer: bytes
    _deflater: Deflater

    def parts(self) -> Iterator[bytes]:
        """The bytes. Without gzip each block is inflated when its turn comes: one shard's text is in memory at a time."""
        if self.gzip:
            yield GZIP_HEADER
            for block in self._blocks:
                yield block.data
            yield self._trailer
        else:
            for block in self._blocks:
                yield self._deflater.text(block)

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.parts())


class _Volatile(msgspec.Struct, frozen=True):
    """A family that is rendered at scrape time: its header, then each shard."""

    frozen: tuple[Frozen, ...]


class _Generation(msgspec.Struct, frozen=True):
    """What scrapes see: runs of finished blocks, and volatile families between them."""

    number: int
    pieces: tuple[Run | _Volatile, ...]


class Exposition:
    """All families in a fixed order, that of their first column; a family may have columns in several groups.

    `put`, `delete`, `enable` and `refresh` belong to one thread; `body` to any. Scrapes see the last completed
    generation, the same for all families. Raises ValueError when two columns of one family disagree about its help.
    """

    def __init__(
        self,
        groups: Sequence[Group[Any]],
        *,
        disable: Sequence[str] = (),
        own: CollectorRegistry | None = None,
        compress: Codec = "auto",
    ) -> None:
        self.lock = threading.Lock()
        self._groups = tuple(groups)
        self._own = OwnMetrics(own, disable)
        self._deflater = Deflater(compress)
        self._sources: dict[Family, list[tuple[int, int]]] = {}
        for position, group in enumerate(self._groups):
            for index, column in enumerate(group.columns):
                if disabled(column.family.name, disable):
                    group.leave_out(column.family.name)
                else:
                    self._sources.setdefault(column.family, []).append((position, index))
        names = [family.name for family in self._sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the family {name} has two help texts")
        self._headers = {family: self._deflater.block(family.header()) for family in self._sources}
        self._runs: dict[tuple[int, int], Run | _Volatile] = {}
        self._generation = _Generation(0, ())

    def refresh(self) -> RefreshStats:
        """Render and compress what changed since the last refresh, and show it to scrapes, all at once."""
        start = time.perf_counter()
        changed = [(p, index) for p, group in enumerate(self._groups) for index in group.refresh(self._deflater)]
        for source in changed:
            self._runs[source] = self._collect(*source)
        number = self._generation.number
        if changed or not number:
            number += 1
            generation = _Generation(number, self._pieces())
            with self.lock:
                self._generation = generation
        return RefreshStats(number, len(changed), time.perf_counter() - start)

    def _collect(self, position: int, index: int) -> Run | _Volatile:
        group = self._groups[position]
        if group.columns[index].volatile:
            return _Volatile(tuple(group.frozen(index)))
        return run(group.blocks(index))

    def _pieces(self) -> tuple[Run | _Volatile, ...]:
        pieces: list[Run | _Volatile] = []
        static: list[Run] = []
        for family, sources in self._sources.items():
            if not any(self._groups[position].enabled(index) for position, index in sources):
                continue
            static.append(run([self._headers[family]]))
            for source in sources:
                piece = self._runs.get(source)
                if isinstance(piece, Run):
                    static.append(piece)
                elif piece is not None and piece.frozen:
                    pieces += [joined(static), piece]
                    static = []
        pieces.append(joined(static))
        return tuple(pieces)

    def body(self, *, openmetrics: bool, gzip: bool, now: float) -> Body:
        """The answer to a scrape at `now` (Unix seconds) in the asked format."""
        with self.lock:
            generation = self._generation
        deflater = Deflater("zlib" if self._deflater.name == "zlib" else "isal")
        runs: list[Run] = []
        for piece in generation.pieces:
            if isinstance(piece, Run):
                runs.append(piece)
            else:
                runs.append(run([deflater.block(text) for frozen in piece.frozen if (text := frozen(now))]))
        tail = self._own.text(openmetrics=openmetrics) + (END if openmetrics else b"")
        runs.append(run([deflater.block(tail)] if tail else []))
        whole = joined(runs)
        trailer = FINAL + struct.pack("<II", whole.crc, whole.size & 0xFFFFFFFF)
        return Body(
            length=len(GZIP_HEADER) + whole.packed + len(trailer) if gzip else whole.size,
            gzip=gzip,
            openmetrics=openmetrics,
            generation=generation.number,
            content_type=OPENMETRICS_TYPE if openmetrics else TEXT_TYPE,
            _blocks=whole.blocks,
            _trailer=trailer,
            _deflater=self._deflater,
        )
