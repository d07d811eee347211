"""Columns over one order of objects: finds what changed, and renders and compresses that and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block, Deflater
from exporter.exposition.columns import Column, Frozen, agreement
from exporter.exposition.shards import Shard, Shards

F = TypeVar("F")

#: A block is edited when at most one of so many of its objects changed: opening it costs about as much as rendering 25 lines,
#: and each edit as much as ten.
EDITED_FRACTION = 16
_LF = ord("\n")


class Layout(Generic[F]):
    """Columns that share one order of objects, and so one set of shards."""

    def __init__(self, columns: Sequence[Column[F]], shard_objects: int) -> None:
        self.columns = tuple(columns)
        self.enabled = [True] * len(self.columns)
        reads = {name for column in columns for name in column.reads or ()}
        known = all(column.reads is not None for column in columns)
        self.shards: Shards[F] = Shards(len(self.columns), shard_objects, agreement(sorted(reads) if known else None))
        self._changed: set[int] = set()

    def enable(self, index: int, on: bool) -> None:
        """Switch a column."""
        if self.enabled[index] == on:
            return
        self.enabled[index] = on
        self._changed.add(index)
        for shard in self.shards.all:
            shard.stale |= 1 << index
            shard.blocks[index] = shard.frozen[index] = None
            if on:
                self.shards.touched[shard] = None

    def blocks(self, index: int) -> list[Block]:
        """A column's blocks, in order."""
        return [block for shard in self.shards.all if (block := shard.blocks[index]) is not None]

    def frozen(self, index: int) -> list[Frozen]:
        """The same for a column that is rendered when scraped."""
        return [frozen for shard in self.shards.all if (frozen := shard.frozen[index]) is not None]

    def refresh(self, deflater: Deflater) -> None:
        """Bring every block up to date."""
        shards = self.shards
        if shards.settle():
            self._changed.update(range(len(self.columns)))
        while shards.touched:
            shard = next(iter(shards.touched))
            try:
                self._render(shard, deflater)
            except BaseException:
                # Out of memory, say: what its blocks hold is unknown now, and the next refresh renders all of it.
                shard.outdate()
                raise
            del shards.touched[shard]

    def changed(self) -> set[int]:
        """The columns that refreshes changed since this was asked last."""
        changed, self._changed = self._changed, set()
        return changed

    def _render(self, shard: Shard[F], deflater: Deflater) -> None:
        change = _Change(shard)
        for index, column in enumerate(self.columns):
            bit = 1 << index
            if not self.enabled[index]:
                shard.stale |= bit
                continue
            block = shard.blocks[index]
            if column.volatile:
                shard.frozen[index] = column.freeze(change.ordered()) if shard.facts else None
            else:
                text = column.lines(change.ordered()) if shard.stale & bit else change.text(column, block, deflater)
                if text is None:
                    continue
                shard.blocks[index] = deflater.block(text, like=block) if text else None
                shard.frozen[index] = column.thaw(text) if text else None
            shard.stale &= ~bit
            self._changed.add(index)
        shard.before = {}


class _Change(Generic[F]):
    """What is to be done to one shard."""

    def __init__(self, shard: Shard[F]) -> None:
        self._facts = shard.facts
        self._before = shard.before
        self._sorted: list[str] | None = None

    def ordered_keys(self) -> list[str]:
        """All keys, sorted."""
        if self._sorted is None:
            self._sorted = sorted(self._facts)
        return self._sorted

    def ordered(self) -> list[F]:
        """All facts in key order."""
        facts = self._facts
        return [facts[key] for key in self.ordered_keys()]

    def text(self, column: Column[F], block: Block | None, deflater: Deflater) -> bytes | None:
        """The column's text after the changes; None when it is as before."""
        keys = self._differing(column)
        if not keys:
            return None
        if block is None or len(keys) * EDITED_FRACTION > len(self._facts) + EDITED_FRACTION:
            return column.lines(self.ordered())
        facts, before, render = self._facts, self._before, column.lines
        gone = [old for key in keys if key not in facts and (old := before[key]) is not None]
        inserted: list[str] = []
        edits: list[tuple[bytes, bytes]] = []
        if len(gone) == len(keys):
            edits = [(line + b"\n", b"") for line in render(gone).split(b"\n")[:-1]]
        else:
            for key in keys:
                old, new = before[key], facts.get(key)
                was = render((old,)) if old is not None else b""
                if not was:
                    inserted.append(key)
                elif was != (now := render((new,)) if new is not None else b""):
                    edits.append((was, now))
        appended = self._appended(inserted, column)
        if appended is None:
            return render(self.ordered())
        if not edits and not appended:
            return None
        text = _replaced(deflater.text(block), edits)
        return render(self.ordered()) if text is None else text + appended

    def _appended(self, inserted: list[str], column: Column[F]) -> bytes | None:
        """The lines of objects that come after all others; None when one with lines comes in between."""
        facts = self._facts
        if not inserted:
            return b""
        if set(inserted) == set(self.ordered_keys()[-len(inserted) :]):
            return column.lines([facts[key] for key in inserted])
        return None if column.lines([facts[key] for key in inserted if key in facts]) else b""

    def _differing(self, column: Column[F]) -> list[str]:
        """The objects whose lines may differ from those in the column's block, in key order."""
        facts, same = self._facts, column.same
        changed, olds, news = [], [], []
        for key, old in self._before.items():
            new = facts.get(key)
            if old is not None and new is not None:
                if same(old, new):
                    continue
                olds.append(old)
                news.append(new)
            elif old is None and new is None:
                continue
            changed.append(key)
        if column.reads is None and len(olds) == len(changed) and column.lines(olds) == column.lines(news):
            return []
        changed.sort()
        return changed


def _replaced(text: bytes, edits: list[tuple[bytes, bytes]]) -> bytes | None:
    """`text` with whole lines replaced, which come in this order; None when one of them is not there."""
    pieces: list[bytes] = []
    at = 0
    for was, now in edits:
        # A line's own bytes stand nowhere but at a line's start: quotes and LF are escaped inside label values.
        found = text.find(was, at)
        if found < 0 or (found and text[found - 1] != _LF):
            return None
        pieces += (text[at:found], now)
        at = found + len(was)
    pieces.append(text[at:])
    return b"".join(pieces)
