"""The exposition: generations made by the refresher, and bodies spliced from them for scrapes."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from exporter.exposition.blocks import GZIP_HEADER, Block, Codec, Deflater, Run, joined, run, trailer, windows
from exporter.exposition.columns import Frozen
from exporter.exposition.group import Group
from exporter.exposition.lines import Family
from exporter.exposition.opened import Opened
from exporter.exposition.own import END, OwnMetrics, disabled

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class RefreshStats(msgspec.Struct, frozen=True):
    """One refresh: the generation that scrapes see from now on, how many columns changed, and the seconds it took."""

    generation: int
    changed: int
    seconds: float


class Body(msgspec.Struct, frozen=True, weakref=True):
    """One answer to a scrape, immutable and shared: `length` bytes that `parts()` gives piece by piece, as often as asked."""

    length: int
    gzip: bool
    openmetrics: bool
    generation: int
    content_type: str
    _blocks: tuple[Block, ...]
    _trailer: bytes
    _text: Callable[[Block], bytes]

    def parts(self) -> Iterator[bytes]:
        """The bytes. Without gzip each block is opened when its turn comes, unless it is still open (see `Opened`)."""
        if self.gzip:
            yield GZIP_HEADER
            for block in self._blocks:
                yield block.data
            yield self._trailer
        else:
            for block in self._blocks:
                yield self._text(block)

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.parts())


class _Generation(msgspec.Struct, frozen=True):
    """What scrapes see: runs of finished blocks, and between them families that are rendered when scraped."""

    number: int
    pieces: tuple[Run | tuple[Frozen, ...], ...]


def _lasting(generation: _Generation) -> Iterator[Block]:
    """The blocks that the next generation may still have."""
    return (block for piece in generation.pieces if isinstance(piece, Run) for block in piece.blocks)


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
        self._opened = Opened(self._deflater.text)
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
        self._headers = {family: run([self._deflater.block(family.header())]) for family in self._sources}
        self._windows: dict[tuple[int, int], list[Run]] = {}
        self._runs: dict[tuple[int, int], Run] = {}
        self._frozen: dict[tuple[int, int], tuple[Frozen, ...]] = {}
        self._generation = _Generation(0, ())
        # Scrapes: one body is made at a time, by a compressor of its own.
        self._building = threading.Lock()
        self._scrape_deflater = Deflater(self._deflater.codec)
        self._begun = 0
        # Held weakly: a body keeps the blocks of its generation alive, and must not outlive the scrapes that send it.
        self._built: dict[tuple[bool, bool], tuple[int, weakref.ref[Body]]] = {}
        self._volatile: tuple[int, int, dict[int, Run]] = (0, 0, {})

    def refresh(self) -> RefreshStats:
        """Render and compress what changed since the last refresh, and show it to scrapes, all at once."""
        start = time.perf_counter()
        self._opened.rest()
        for group in self._groups:
            group.refresh(self._deflater)
        # Only now: had one of them failed, the next refresh would have to show what the others changed.
        changed = [(position, index) for position, group in enumerate(self._groups) for index in group.changed()]
        for position, index in changed:
            self._collect(position, index)
        number = self._generation.number
        if changed or not number:
            number += 1
            generation = _Generation(number, self._pieces())
            with self.lock:
                self._generation = generation
        return RefreshStats(number, len(changed), time.perf_counter() - start)

    def _collect(self, position: int, index: int) -> None:
        group, source = self._groups[position], (position, index)
        if group.columns[index].rendered_when_scraped:
            self._frozen[source] = tuple(group.frozen(index))
        else:
            self._windows[source] = windows(group.blocks(index), self._windows.get(source, []))
            self._runs[source] = joined(self._windows[source])

    def _pieces(self) -> tuple[Run | tuple[Frozen, ...], ...]:
        pieces: list[Run | tuple[Frozen, ...]] = []
        finished: list[Run] = []
        for family, sources in self._sources.items():
            if not any(self._groups[position].enabled(index) for position, index in sources):
                continue
            finished.append(self._headers[family])
            for source in sources:
                if source in self._runs:
                    finished.append(self._runs[source])
                elif frozen := self._frozen.get(source):
                    pieces += [joined(finished), frozen]
                    finished = []
        pieces.append(joined(finished))
        return tuple(pieces)

    def body(self, *, openmetrics: bool, gzip: bool, now: float) -> Body:
        """The answer to a scrape at `now` (Unix seconds) in the asked format.

        Scrapes that come while one is being made wait for it, and share the next. What a refresh finished is shared by
        all; ages are rendered once a second; the exporter's own metrics anew each time.
        """
        arrived = self._begun
        with self._building:
            begun, built = self._built.get((openmetrics, gzip), (0, None))
            body = built() if built is not None and begun > arrived else None
            if body is None:
                self._begun += 1
                body = self._build(openmetrics, gzip, now)
                self._built[openmetrics, gzip] = (self._begun, weakref.ref(body))
            return body

    def _build(self, openmetrics: bool, gzip: bool, now: float) -> Body:
        with self.lock:
            generation = self._generation
        runs = self._rendered(generation, int(now))
        tail = self._own.text(openmetrics=openmetrics) + (END if openmetrics else b"")
        whole = joined([*runs, run([self._scrape_deflater.block(tail)])] if tail else runs)
        end = trailer(whole)
        return Body(
            length=len(GZIP_HEADER) + whole.packed + len(end) if gzip else whole.size,
            gzip=gzip,
            openmetrics=openmetrics,
            generation=generation.number,
            content_type=OPENMETRICS_TYPE if openmetrics else TEXT_TYPE,
            _blocks=whole.blocks,
            _trailer=end,
            _text=self._deflater.text if gzip else self._opened.asked(_lasting(generation), whole.size),
        )

    def _rendered(self, generation: _Generation, second: int) -> list[Run]:
        """The generation's pieces as runs; those rendered when scraped are good for a second."""
        if self._volatile[:2] != (generation.number, second):
            block = self._scrape_deflater.block
            self._volatile = (
                generation.number,
                second,
                {
                    index: run([block(text) for frozen in piece if (text := frozen(second))])
                    for index, piece in enumerate(generation.pieces)
                    if not isinstance(piece, Run)
                },
            )
        rendered = self._volatile[2]
        return [piece if isinstance(piece, Run) else rendered[i] for i, piece in enumerate(generation.pieces)]
