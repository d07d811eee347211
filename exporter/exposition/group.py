"""Objects of one kind and their families, as the refresher fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from exporter.exposition.blocks import Block, Deflater
from exporter.exposition.columns import Column, Frozen
from exporter.exposition.layout import Layout

F = TypeVar("F")


class Group(Generic[F]):
    """Objects of one kind that share sharding; each object is in one shard of each layout.

    Facts must be immutable and comparable. Everything here is for the refresher thread alone; scrapes see only what the
    exposition took over at the end of a refresh.

    With `moment(facts)` (Unix seconds, None for never), columns marked `moving` are laid out by it instead of by key.
    What syncs every hour then leaves one shard and enters another together with those that synced beside it: a refresh
    opens a few blocks of these families, not nearly all of them. It costs about 200 bytes an object.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column[F]],
        *,
        shard_objects: int = 400,
        moment: Callable[[F], float | None] | None = None,
    ) -> None:
        self.name = name
        self.columns = tuple(columns)
        self._moment = moment if any(column.moving for column in columns) else None
        moves = [bool(self._moment) and column.moving for column in columns]
        self._steady = Layout([c for c, moving in zip(columns, moves, strict=True) if not moving], shard_objects)
        self._moving = Layout([c for c, moving in zip(columns, moves, strict=True) if moving], shard_objects)
        self._places: list[tuple[Layout[F], int]] = []
        for index, moving in enumerate(moves):
            self._places.append((self._moving if moving else self._steady, moves[:index].count(moving)))
        self._index = {column.family.name: index for index, column in enumerate(columns)}
        if len(self._index) != len(columns):
            raise ValueError(f"the group {name} has two columns of one family")
        self._left_out: set[str] = set()

    def put(self, key: str, facts: F) -> None:
        """Insert or replace an object. The next refresh renders only those of its columns whose lines differ."""
        if self._moment is not None:
            place = self._place(key, facts)
            old = self.get(key)
            if old is not None and (was := self._place(key, old)) != place:
                self._moving.shards.delete(was)
            self._moving.shards.put(place, facts)
        self._steady.shards.put(key, facts)

    def delete(self, key: str) -> None:
        """Remove an object; an unknown key is nothing."""
        if self._moment is not None and (old := self.get(key)) is not None:
            self._moving.shards.delete(self._place(key, old))
        self._steady.shards.delete(key)

    def _place(self, key: str, facts: F) -> str:
        """The sort key of the moving layout: those without a moment first, then by second."""
        assert self._moment is not None
        moment = self._moment(facts)
        return f"/{key}" if moment is None else f"{max(0, int(moment)):010x}/{key}"

    def get(self, key: str) -> F | None:
        """The newest facts of an object."""
        return self._steady.shards.of(key).facts.get(key)

    def __len__(self) -> int:
        return len(self._steady.shards)

    def keys(self) -> Iterator[str]:
        """All keys, in order from shard to shard."""
        for shard in self._steady.shards.all:
            yield from shard.facts

    def values(self) -> Iterator[F]:
        """The newest facts of all objects, in the order of their keys from shard to shard."""
        for shard in self._steady.shards.all:
            yield from shard.facts.values()

    def enable(self, family_name: str, on: bool) -> None:
        """Switch a column. A family that is off everywhere is absent, its header too; one that is on without samples
        shows its header alone ("looked at, none found"). Raises KeyError for a family the group does not have."""
        layout, index = self._places[self._index[family_name]]
        layout.enable(index, on and family_name not in self._left_out)

    def leave_out(self, family_name: str) -> None:
        """Switch a column off for good (`--metrics.disable`): `enable` cannot bring it back."""
        self._left_out.add(family_name)
        self.enable(family_name, False)

    def enabled(self, index: int) -> bool:
        """Whether the column is on."""
        layout, place = self._places[index]
        return layout.enabled[place]

    def blocks(self, index: int) -> list[Block]:
        """The blocks of a column, in order."""
        layout, place = self._places[index]
        return layout.blocks(place)

    def frozen(self, index: int) -> list[Frozen]:
        """What renders a column's shards when scraped, in order."""
        layout, place = self._places[index]
        return layout.frozen(place)

    def refresh(self, deflater: Deflater) -> None:
        """Bring all blocks up to date."""
        self._steady.refresh(deflater)
        self._moving.refresh(deflater)

    def changed(self) -> list[int]:
        """The columns that refreshes changed since this was asked last."""
        changed = {layout: layout.changed() for layout in (self._steady, self._moving)}
        return [index for index, (layout, place) in enumerate(self._places) if place in changed[layout]]
