"""What a group renders: one column per family, over the facts of many objects at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, eq
from typing import Any, Generic, TypeVar

import structlog

from exporter.exposition.lines import Family

log = structlog.stdlib.get_logger(__name__)

F = TypeVar("F")

#: A renderer that fails on an object fails each time that object's shard is rendered: it is told no more often than this.
_TOLD = 3

#: A shard's lines that depend on the moment of the scrape: called with it (Unix seconds), gives them.
Frozen = Callable[[float], bytes]


def agreement(reads: Sequence[str] | None) -> Callable[[Any, Any], bool]:
    """Whether two facts agree in these attributes (None: in all). A part that both share is not looked into."""
    if reads is None:
        return eq
    parts: dict[str, list[str]] = {}
    for name in reads:
        first, _, rest = name.partition(".")
        parts.setdefault(first, []).append(rest)
    whole = [first for first, rests in parts.items() if "" in rests]
    inner = [(attrgetter(first), agreement(rests)) for first, rests in parts.items() if "" not in rests]
    read = attrgetter(*whole) if whole else None

    def agree(old: Any, new: Any) -> bool:
        if read is not None and read(old) != read(new):
            return False
        for part, same in inner:
            of_old, of_new = part(old), part(new)
            if of_old is not of_new and not same(of_old, of_new):
                return False
        return True

    return agree


class Column(Generic[F]):
    """One family of a group.

    `render(facts of many objects)` gives the lines of all of them (none to many each), without HELP and TYPE. Every line
    starts with the family's name and ends with LF, and the lines of one object depend on its facts alone.

    `volatile`: `render(facts, now)` is called when scraped instead, with the facts of the last completed generation.
    `moving`: the lines change whenever the object's moment does (see Group), as those of a last sync do.
    `reads`: names of all attributes of the facts that `render` looks at ("record.name" for one of an attribute's); facts
    that agree in them are not even rendered to find out whether their lines differ. Without it any difference is looked into.
    """

    def __init__(
        self,
        family: Family,
        render: Callable[..., bytes],
        *,
        volatile: bool = False,
        moving: bool = False,
        reads: Sequence[str] | None = None,
    ) -> None:
        self.family = family
        self.render: Callable[..., bytes] = render
        self.volatile = volatile
        self.moving = moving
        self.reads = None if reads is None else tuple(reads)
        self.same = agreement(self.reads)
        self._failures = 0

    def lines(self, facts: Sequence[F], *now: float) -> bytes:
        """What `render` gives; an object that it fails on is left out, so that a defect there hides that object only."""
        try:
            return self.render(facts, *now)
        except Exception as error:
            if len(facts) != 1:
                return b"".join([self.lines((each,), *now) for each in facts])
            self._failures += 1
            if self._failures <= _TOLD:
                log.error("an object cannot be shown; please report it", family=self.family.name, exc_info=error)
            return b""

    @property
    def rendered_when_scraped(self) -> bool:
        """Whether a scrape renders this family, rather than splice finished blocks."""
        return self.volatile

    def freeze(self, facts: list[F]) -> Frozen:
        """A volatile column's lines of these objects, to come."""
        kept = tuple(facts)
        return lambda now: self.lines(kept, now)

    def thaw(self, text: bytes) -> Frozen | None:  # noqa: ARG002
        """What a scrape makes of a shard's rendered lines; None: it takes them as they are."""
        return None


class AgeColumn(Column[F]):
    """Whole seconds since a moment of each object, never negative; an object without the moment has no line.

    `label(fact)` gives the label bytes (see `labels`), `since(fact)` the moment in Unix seconds or None. Blocks hold the
    moments, which change only with the objects; a scrape turns them into ages by filling in one template per shard.
    """

    def __init__(
        self,
        family: Family,
        label: Callable[[F], bytes],
        since: Callable[[F], float | None],
        *,
        moving: bool = False,
        reads: Sequence[str] | None = None,
    ) -> None:
        line = family.name.encode() + b"%b %d\n"

        def render(facts: Iterable[F]) -> bytes:
            return b"".join([line % (label(f), moment) for f in facts if (moment := since(f)) is not None])

        super().__init__(family, render, moving=moving, reads=reads)

    @property
    def rendered_when_scraped(self) -> bool:
        return True

    def thaw(self, text: bytes) -> Frozen | None:
        return Ages(text)


class Ages:
    """A shard's age lines, made from its lines of moments: a template, and the moments that fill it."""

    __slots__ = ("_latest", "_moments", "_template")

    # LF is escaped inside label values, so this matches at the end of lines only.
    _MOMENT = re.compile(rb" (-?[0-9]+)\n")

    def __init__(self, text: bytes) -> None:
        self._moments = tuple(map(int, self._MOMENT.findall(text)))
        self._template = self._MOMENT.sub(b" %d\n", text.replace(b"%", b"%%"))
        self._latest = max(self._moments, default=0)

    def __call__(self, now: float) -> bytes:
        second = int(now)
        if second >= self._latest:
            return self._template % tuple(map(second.__sub__, self._moments))
        return self._template % tuple([max(0, second - moment) for moment in self._moments])
