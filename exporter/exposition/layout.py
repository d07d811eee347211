"""Columns over one order of objects: finds what changed, and renders and compresses that and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block, Deflater
from exporter.exposition.columns import Column, Frozen
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
        self.shards: Shards[F] = Shards(len(self.columns), shard_objects)
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
            stale = shard.stale & bit
            if column.volatile:
                shard.frozen[index] = column.freeze(change.ordered()) if shard.facts else None
            elif stale or change.differs(column.render):
                block = shard.blocks[index]
                text = None if stale or block is None else change.edited(column.render, block, deflater)
                if text is None:
                    text = column.render(change.ordered())
                shard.blocks[index] = deflater.block(text, like=block) if text else None
                shard.frozen[index] = column.thaw(text) if text else None
            else:
                continue
            shard.stale &= ~bit
            self._changed.add(index)
        shard.before = {}


class _Change(Generic[F]):
    """What is to be done to one shard."""

    def __init__(self, shard: Shard[F]) -> None:
        self._shard = shard
        self._before = shard.before
        self._old = [facts for facts in self._before.values() if facts is not None]
        self._new = [facts for key in self._before if (facts := shard.facts.get(key)) is not None]
        self._keys: list[str] | None = None

    def _sorted(self) -> list[str]:
        if self._keys is None:
            self._keys = sorted(self._shard.facts)
        return self._keys

    def ordered(self) -> list[F]:
        """All facts in key order."""
        facts = self._shard.facts
        return [facts[key] for key in self._sorted()]

    def differs(self, render: Callable[[Iterable[F]], bytes]) -> bool:
        """Whether the changed objects have other lines than the block has."""
        return render(self._old) != render(self._new)

    def edited(self, render: Callable[[Iterable[F]], bytes], block: Block, deflater: Deflater) -> bytes | None:
        """The block's text with the changed lines replaced; None where rendering all of it is cheaper or simpler."""
        facts = self._shard.facts
        if len(self._before) * EDITED_FRACTION > len(facts):
            return None
        edits: list[tuple[bytes, bytes]] = []
        appended: set[str] = set()
        for key, old in self._before.items():
            new = facts.get(key)
            was = render((old,)) if old is not None else b""
            now = render((new,)) if new is not None else b""
            if was == now:
                continue
            if was:
                edits.append((was, now))
            else:
                appended.add(key)
        if appended and not appended.issuperset(self._sorted()[-len(appended) :]):
            return None
        text = bytearray(deflater.text(block))
        for was, now in edits:
            # A line's own bytes can stand nowhere but at a line's start: quotes and LF are escaped inside label values.
            at = 0 if text.startswith(was) else text.find(b"\n" + was) + 1
            if not at and not text.startswith(was):
                return None
            text[at : at + len(was)] = now
        if appended:
            text += render([facts[key] for key in self._sorted()[-len(appended) :]])
        return bytes(text)
