"""Which object stands in which shard: ranges of sorted keys that split when they grow and join when they shrink.

Keys are `namespace/name`, so neighbours share most of their text, which is what makes blocks small; and a shard's lines
are in key order, so the whole text does not depend on the order in which objects came, or on where shards were split.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block
from exporter.exposition.columns import Frozen

F = TypeVar("F")

#: Above this many shards, shards grow instead: a scrape's cost and the compression's loss follow the number of blocks.
MOST_SHARDS = 256


class Shard(Generic[F]):
    """Objects whose keys lie in one range, and their block per column.

    `before` holds, for each object changed since the last refresh, the facts that are in the blocks (None: not there);
    `stale` is a bit set of the columns whose block must be rendered anew, whatever changed.
    """

    __slots__ = ("before", "blocks", "facts", "frozen", "stale")

    def __init__(self, columns: int) -> None:
        self.facts: dict[str, F] = {}
        self.blocks: list[Block | None] = [None] * columns
        self.frozen: dict[int, Frozen] = {}
        self.before: dict[str, F | None] = {}
        self.stale = -1

    def ordered(self) -> list[F]:
        """The facts in key order."""
        facts = self.facts
        return [facts[key] for key in sorted(facts)]


class Shards(Generic[F]):
    """All shards of a group, in key order, never none. `touched` are those that a refresh has to look at."""

    def __init__(self, columns: int, objects: int) -> None:
        self._columns = columns
        self._objects = objects
        self._count = 0
        self.touched: dict[Shard[F], None] = {}
        first: Shard[F] = Shard(columns)
        self.all: list[Shard[F]] = [first]
        self._bounds: list[str] = [""]

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
        """Insert or replace; equal facts touch nothing."""
        index = bisect_right(self._bounds, key) - 1
        shard = self.all[index]
        old = shard.facts.get(key)
        if old is None:
            self._count += 1
        elif old == facts:
            return
        shard.before.setdefault(key, old)
        shard.facts[key] = facts
        self.touched[shard] = None
        if old is None and len(shard.facts) > 2 * self.capacity:
            self._split(index)

    def delete(self, key: str) -> None:
        """Remove; an unknown key is nothing."""
        shard = self.of(key)
        old = shard.facts.pop(key, None)
        if old is not None:
            self._count -= 1
            shard.before.setdefault(key, old)
            self.touched[shard] = None

    def _split(self, index: int) -> None:
        shard = self.all[index]
        keys = sorted(shard.facts)
        # Lists come in key order: at the growing end the left part stays full, so that a first list leaves full shards.
        middle = keys[len(keys) // 2]
        right: Shard[F] = Shard(self._columns)
        for key in keys[len(keys) // 2 :]:
            right.facts[key] = shard.facts.pop(key)
        shard.before.clear()
        shard.stale = -1
        self.all.insert(index + 1, right)
        self._bounds.insert(index + 1, middle)
        self.touched[right] = None
        self.touched[shard] = None

    def settle(self) -> bool:
        """Join neighbours when there are more than twice the shards needed; True when a shard went away."""
        if len(self.all) <= 2 * (self._count // self.capacity + 1):
            return False
        shards, bounds = [self.all[0]], [self._bounds[0]]
        for shard, bound in zip(self.all[1:], self._bounds[1:], strict=True):
            last = shards[-1]
            if len(last.facts) + len(shard.facts) > self.capacity:
                shards.append(shard)
                bounds.append(bound)
                continue
            last.facts.update(shard.facts)
            last.before.clear()
            last.stale = -1
            self.touched[last] = None
            self.touched.pop(shard, None)
        joined = len(shards) < len(self.all)
        self.all, self._bounds = shards, bounds
        return joined
