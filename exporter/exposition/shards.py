"""Which object stands in which shard: ranges of sorted keys that split when they grow and join when they shrink.

Keys are `namespace/name`, so neighbours share most of their text, which is what makes blocks small; and a shard's lines
are in key order, so the whole text does not depend on the order in which objects came, or on where shards were split.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block
from exporter.exposition.columns import Frozen

F = TypeVar("F")

#: Above this many shards, shards grow instead: a scrape's cost and the compression's loss follow the number of blocks.
MOST_SHARDS = 256

#: `Shard.stale` of a shard all of whose columns must be rendered.
ALL = -1


class Shard(Generic[F]):
    """Objects whose keys lie in one range, and what is rendered of them per column.

    `before` holds, for each object changed since the last refresh, the facts that are in the blocks (None: not there);
    `stale` is a bit set of the columns whose block must be rendered anew, whatever changed.
    """

    __slots__ = ("before", "blocks", "facts", "frozen", "stale")

    def __init__(self, columns: int) -> None:
        self.facts: dict[str, F] = {}
        self.blocks: list[Block | None] = [None] * columns
        self.frozen: list[Frozen | None] = [None] * columns
        self.before: dict[str, F | None] = {}
        self.stale = ALL

    def outdate(self) -> None:
        """Everything has to be rendered."""
        self.stale = ALL
        self.before = {}


class Shards(Generic[F]):
    """All shards, in key order, never none; `touched` are those that a refresh has to look at.

    `same(old, new)` tells that no line depends on the difference: the new facts are kept, and nothing is touched.
    """

    def __init__(self, columns: int, objects: int, same: Callable[[F, F], bool]) -> None:
        self._columns = columns
        self._objects = objects
        self._same = same
        self._count = 0
        self._highest = ""
        self.touched: dict[Shard[F], None] = {}
        self.all: list[Shard[F]] = [Shard(columns)]
        self._bounds: list[str] = [""]
        self._removed = False

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        """How many objects a shard should hold now."""
        return max(self._objects, self._count // MOST_SHARDS)

    def of(self, key: str) -> Shard[F]:
        """The shard whose range holds `key`."""
        return self.all[bisect_right(self._bounds, key) - 1]

    def put(self, key: str, facts: F) -> None:
        """Insert or replace."""
        index = bisect_right(self._bounds, key) - 1
        shard = self.all[index]
        old = shard.facts.get(key)
        if old is None:
            self._count += 1
            if key > self._highest:
                self._highest = key
                # Lists come in key order, and moments grow: shards at the growing end are filled, and never split.
                if len(shard.facts) >= self.capacity:
                    index, shard = self._add(key)
        shard.facts[key] = facts
        if old is not None and self._same(old, facts):
            return
        self.touched[shard] = None
        if shard.stale != ALL:
            shard.before.setdefault(key, old)
        if old is None and len(shard.facts) > 2 * self.capacity:
            self._split(index)

    def delete(self, key: str) -> None:
        """Remove; an unknown key is nothing."""
        index = bisect_right(self._bounds, key) - 1
        shard = self.all[index]
        old = shard.facts.pop(key, None)
        if old is None:
            return
        self._count -= 1
        if not shard.facts and len(self.all) > 1:
            self._remove(index)
            return
        self.touched[shard] = None
        if shard.stale != ALL:
            shard.before.setdefault(key, old)

    def _add(self, first: str) -> tuple[int, Shard[F]]:
        shard: Shard[F] = Shard(self._columns)
        self.all.append(shard)
        self._bounds.append(first)
        return len(self.all) - 1, shard

    def _split(self, index: int) -> None:
        shard = self.all[index]
        keys = sorted(shard.facts)
        middle = len(keys) // 2
        right: Shard[F] = Shard(self._columns)
        for key in keys[middle:]:
            right.facts[key] = shard.facts.pop(key)
        shard.outdate()
        self.all.insert(index + 1, right)
        self._bounds.insert(index + 1, keys[middle])
        self.touched[right] = None
        self.touched[shard] = None

    def _remove(self, index: int) -> None:
        self.touched.pop(self.all.pop(index), None)
        self._bounds.pop(index)
        self._bounds[0] = ""
        self._removed = True

    def settle(self) -> bool:
        """Join neighbours if there are more than twice the shards needed. True when shards went away since the last call."""
        if len(self.all) > 2 * (self._count // self.capacity + 1):
            self._join()
        removed, self._removed = self._removed, False
        return removed

    def _join(self) -> None:
        shards, bounds = [self.all[0]], [self._bounds[0]]
        for shard, bound in zip(self.all[1:], self._bounds[1:], strict=True):
            last = shards[-1]
            if len(last.facts) + len(shard.facts) > self.capacity:
                shards.append(shard)
                bounds.append(bound)
                continue
            last.facts.update(shard.facts)
            last.outdate()
            self.touched[last] = None
            self.touched.pop(shard, None)
            self._removed = True
        self.all, self._bounds = shards, bounds
