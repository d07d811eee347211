"""Objects of one kind and their families: what changed is found, rendered and compressed shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block, Deflater
from exporter.exposition.columns import Column, Frozen
from exporter.exposition.shards import Shard, Shards

F = TypeVar("F")


class Group(Generic[F]):
    """Objects of one kind that share sharding; each object is in one shard, in all its columns.

    Facts must be immutable and comparable. Everything here is for the refresher thread alone; scrapes see only what the
    exposition took over at the end of a refresh.
    """

    def __init__(self, name: str, columns: Sequence[Column[F]], *, shard_objects: int = 400) -> None:
        names = [column.family.name for column in columns]
        if len(set(names)) != len(names):
            raise ValueError(f"the group {name} has two columns of one family")
        self.name = name
        self.columns = tuple(columns)
        self._index = {family: index for index, family in enumerate(names)}
        self._enabled = [True] * len(names)
        self._switched: set[int] = set()
        self._left_out: set[int] = set()
        self._shards: Shards[F] = Shards(len(names), shard_objects)

    def put(self, key: str, facts: F) -> None:
        """Insert or replace an object. The next refresh renders only those of its columns whose lines differ."""
        self._shards.put(key, facts)

    def delete(self, key: str) -> None:
        """Remove an object; an unknown key is nothing."""
        self._shards.delete(key)

    def get(self, key: str) -> F | None:
        """The newest facts of an object."""
        return self._shards.of(key).facts.get(key)

    def __len__(self) -> int:
        return len(self._shards)

    def keys(self) -> Iterator[str]:
        """All keys, in order from shard to shard."""
        for shard in self._shards.all:
            yield from shard.facts

    def enable(self, family_name: str, on: bool) -> None:
        """Switch a column. A family that is off everywhere is absent, its header too; one that is on without samples
        shows its header alone ("looked at, none found"). Raises KeyError for a family the group does not have."""
        index = self._index[family_name]
        if self._enabled[index] == on or index in self._left_out:
            return
        self._enabled[index] = on
        self._switched.add(index)
        for shard in self._shards.all:
            shard.stale |= 1 << index
            shard.blocks[index] = None
            shard.frozen.pop(index, None)
            if on:
                self._shards.touched[shard] = None

    def leave_out(self, family_name: str) -> None:
        """Switch a column off for good (`--metrics.disable`): `enable` cannot bring it back."""
        self.enable(family_name, False)
        self._left_out.add(self._index[family_name])

    def enabled(self, index: int) -> bool:
        """Whether the column is on."""
        return self._enabled[index]

    def blocks(self, index: int) -> list[Block]:
        """The blocks of a column, in key order."""
        return [block for shard in self._shards.all if (block := shard.blocks[index]) is not None]

    def frozen(self, index: int) -> list[Frozen]:
        """What renders a volatile column's shards, in key order."""
        return [frozen for shard in self._shards.all if (frozen := shard.frozen.get(index)) is not None]

    def refresh(self, deflater: Deflater) -> set[int]:
        """Bring all blocks up to date; gives the indexes of the columns that changed."""
        changed, self._switched = self._switched, set()
        shards = self._shards
        if shards.settle():
            changed.update(range(len(self.columns)))
        while shards.touched:
            shard = next(iter(shards.touched))
            try:
                changed |= self._render(shard, deflater)
            except BaseException:
                # Whatever this shard holds now is unknown: the next refresh renders all of it.
                shard.stale = -1
                self._switched |= changed
                raise
            del shards.touched[shard]
        return changed

    def _render(self, shard: Shard[F], deflater: Deflater) -> set[int]:
        before, shard.before = shard.before, {}
        old = [facts for facts in before.values() if facts is not None]
        new = [facts for key in before if (facts := shard.facts.get(key)) is not None]
        changed: set[int] = set()
        ordered: list[F] | None = None
        for index, column in enumerate(self.columns):
            stale = shard.stale >> index & 1
            if not self._enabled[index]:
                shard.stale |= 1 << index
                continue
            if not stale and not column.volatile and column.render(old) == column.render(new):
                continue
            if ordered is None:
                ordered = shard.ordered()
            changed.add(index)
            if column.volatile:
                frozen = column.freeze(ordered)
                if frozen is None:
                    shard.frozen.pop(index, None)
                else:
                    shard.frozen[index] = frozen
            else:
                text = column.render(ordered)
                shard.blocks[index] = deflater.block(text) if text else None
            shard.stale &= ~(1 << index)
        return changed
