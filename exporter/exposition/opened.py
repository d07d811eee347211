"""Texts of blocks, kept open for those who scrape without gzip again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from exporter.exposition.blocks import Block

LIMIT = 32 * 1024 * 1024
"""Bytes: an exposition of more is opened block by block for each plain scrape, as one of less is for the first."""

KEEP_SECONDS = 150.0
"""A plain scrape within so many seconds of another finds open what did not change."""


class Opened:
    """Opening blocks takes two thirds of a plain scrape. Prometheus asks for gzip and keeps nothing open; nor does a look
    with curl, since texts are kept only from the second plain scrape on. `asked` is for one thread at a time."""

    def __init__(
        self, open_: Callable[[Block], bytes], *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = open_
        self._limit = limit
        self._clock = clock
        self._asked: float | None = None
        self._lock = threading.Lock()
        # By id, each with the block itself, so that no other can get its id.
        self._texts: dict[int, tuple[Block, bytes]] = {}
        self._wanted: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        with self._lock:
            return sum(len(text) for _, text in self._texts.values())

    def asked(self, blocks: Iterable[Block], size: int) -> Callable[[Block], bytes]:
        """A plain scrape of `size` bytes, of which `blocks` may be asked for again; gives what opens them.

        Texts of other blocks are forgotten.
        """
        now = self._clock()
        again = self._asked is not None and now - self._asked <= KEEP_SECONDS
        self._asked = now
        if not again or size > self._limit:
            self._forget()
            return self._open
        wanted = frozenset(map(id, blocks))
        with self._lock:
            self._wanted = wanted
            self._texts = {key: kept for key, kept in self._texts.items() if key in wanted}
        return self._text

    def rest(self) -> None:
        """Forgets everything once nobody has asked for long."""
        if self._texts and (self._asked is None or self._clock() - self._asked > KEEP_SECONDS):
            self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._wanted, self._texts = frozenset(), {}

    def _text(self, block: Block) -> bytes:
        kept = self._texts.get(id(block))
        if kept is not None and kept[0] is block:
            return kept[1]
        text = self._open(block)
        with self._lock:
            if id(block) in self._wanted:
                self._texts[id(block)] = (block, text)
        return text
