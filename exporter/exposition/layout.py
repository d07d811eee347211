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

    def refresh(self, deflater: Deflater) -> set[int]:
        """Bring every block up to date; gives the columns that changed."""
        shards = self.shards
        if shards.settle():
            self._changed.update(range(len(self.columns)))
        while shards.touched:
            shard = next(iter(shards.touched))
            try:
                self._render(shard, deflater)
            except BaseException:
                # What its blocks hold is unknown now: the next refresh renders all of it.
                shard.outdate()
                raise
            del shards.touched[shard]
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
                text = column.render(change.ordered()) if shard.stale & bit else change.text(column, block, deflater)
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
        if block is None or len(keys) > len(self._facts) // 2:
            return column.render(self.ordered())
        facts, render = self._facts, column.render
        edits: list[tuple[bytes, bytes]] = []
        inserted: list[str] = []
        for key in keys:
            old, new = self._before[key], facts.get(key)
            was = render((old,)) if old is not None else b""
            if not was:
                inserted.append(key)
            elif was != (now := render((new,)) if new is not None else b""):
                edits.append((was, now))
                if len(edits) * EDITED_FRACTION > len(facts):
                    return render(self.ordered())
        tail = self.ordered_keys()[-len(inserted) :] if inserted else []
        appended = render([facts[key] for key in tail]) if set(tail) == set(inserted) else None
        if appended is None:
            # Objects came somewhere in between; unless this column has no lines of theirs.
            if any(render((new,)) for key in inserted if (new := facts.get(key)) is not None):
                return render(self.ordered())
            appended = b""
        if not edits and not appended:
            return None
        text = _replaced(deflater.text(block), edits)
        return render(self.ordered()) if text is None else text + appended

    def _differing(self, column: Column[F]) -> list[str]:
        """The objects whose lines may differ from those in the column's block."""
        facts, same = self._facts, column.same
        changed, olds, news = [], [], []
        for key, old in self._before.items():
            new = facts.get(key)
            if old is not None:
                if new is not None and same(old, new):
                    continue
                olds.append(old)
            if new is not None:
                news.append(new)
            changed.append(key)
        if column.reads is None and column.render(olds) == column.render(news):
            return []
        return changed


def _replaced(text: bytes, edits: list[tuple[bytes, bytes]]) -> bytes | None:
    """`text` with whole lines replaced; None when one of them is not there."""
    edited = bytearray(text)
    for was, now in edits:
        # A line's own bytes can stand nowhere but at a line's start: quotes and LF are escaped inside label values.
        at = 0 if edited.startswith(was) else edited.find(b"\n" + was) + 1
        if not at and not edited.startswith(was):
            return None
        edited[at : at + len(was)] = now
    return bytes(edited)
