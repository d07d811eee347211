"""What a group renders: one column per family, over the facts of many objects at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from exporter.exposition.lines import Family

F = TypeVar("F")

#: What a volatile column keeps of a shard between refreshes: called with the moment of the scrape (Unix seconds), it gives the lines.
Frozen = Callable[[float], bytes]


class Column(Generic[F]):
    """One family of a group.

    `render(facts of many objects)` gives the lines of all of them (none to many each), without HELP and TYPE; every
    line starts with the family's name and ends with LF, and the lines of one object depend on its facts only.
    A volatile column's `render(facts, now)` is called when scraped, with the facts of the last completed generation.
    """

    def __init__(self, family: Family, render: Callable[..., bytes], *, volatile: bool = False) -> None:
        self.family = family
        self.render: Callable[..., bytes] = render
        self.volatile = volatile

    def freeze(self, facts: list[F]) -> Frozen | None:
        """For a volatile column: what a scrape calls to get the lines of these objects; None when there are none."""
        kept = tuple(facts)
        render = self.render
        return (lambda now: render(kept, now)) if kept else None


class AgeColumn(Column[F]):
    """Seconds since a moment of each object, whole and never negative; objects without the moment have no line.

    `label(fact)` gives the label bytes (see `labels`), `since(fact)` the moment in Unix seconds, or None. The lines of
    a shard are one template with a `%d` per object, so that a scrape only fills in numbers.
    """

    def __init__(self, family: Family, label: Callable[[F], bytes], since: Callable[[F], float | None]) -> None:
        super().__init__(family, self._lines, volatile=True)
        self._label = label
        self._since = since

    def freeze(self, facts: list[F]) -> Frozen | None:
        start = self.family.name.encode() + b"%b %%d\n"
        lines: list[bytes] = []
        moments: list[int] = []
        for fact in facts:
            moment = self._since(fact)
            if moment is not None:
                lines.append(start % self._label(fact).replace(b"%", b"%%"))
                moments.append(int(moment))
        if not lines:
            return None
        return _Ages(b"".join(lines), tuple(moments))

    def _lines(self, facts: Iterable[F], now: float) -> bytes:
        frozen = self.freeze(list(facts))
        return frozen(now) if frozen else b""


class _Ages:
    """A shard's age lines: the template and the moments that fill it."""

    __slots__ = ("_latest", "_moments", "_template")

    def __init__(self, template: bytes, moments: tuple[int, ...]) -> None:
        self._template = template
        self._moments = moments
        self._latest = max(moments)

    def __call__(self, now: float) -> bytes:
        second = int(now)
        if second >= self._latest:
            return self._template % tuple(map(second.__sub__, self._moments))
        return self._template % tuple([max(0, second - moment) for moment in self._moments])


AnyColumn = Column[Any]
