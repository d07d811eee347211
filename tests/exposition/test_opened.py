"""Plain scrapes find open what did not change, as long as they come again and again, and within a bound."""

from __future__ import annotations

from exporter.exposition.blocks import Block, Deflater
from exporter.exposition.opened import KEEP_SECONDS, Opened


class Counted:
    """Blocks, how often they were opened, and a clock."""

    def __init__(self, limit: int = 10**6) -> None:
        self._deflater = Deflater("zlib")
        self.count = 0
        self.now = 0.0
        self.opened = Opened(self._open, limit=limit, clock=lambda: self.now)

    def block(self, text: bytes) -> Block:
        return self._deflater.block(text)

    def _open(self, block: Block) -> bytes:
        self.count += 1
        return self._deflater.text(block)

    def scrape(self, *blocks: Block, own: bytes = b"") -> bytes:
        """One scrape, in which something stands that the next one will not ask for."""
        self.now += 15
        text = self.opened.asked(blocks, sum(block.size for block in blocks))
        return b"".join(map(text, [*blocks, self.block(own)]))


def test_from_the_second_plain_scrape_on_blocks_stay_open():
    counted = Counted()
    blocks = [counted.block(b"one\n"), counted.block(b"two\n")]
    assert counted.scrape(*blocks, own=b"first\n") == b"one\ntwo\nfirst\n"
    assert counted.opened.size == 0
    assert counted.scrape(*blocks, own=b"second\n") == b"one\ntwo\nsecond\n"
    assert counted.opened.size == 8
    counted.count = 0
    assert counted.scrape(*blocks, own=b"third\n") == b"one\ntwo\nthird\n"
    assert counted.count == 1


def test_what_changed_is_opened_and_what_was_is_forgotten():
    counted = Counted()
    steady, old, new = counted.block(b"steady\n"), counted.block(b"old\n"), counted.block(b"newer\n")
    counted.scrape(steady, old)
    counted.scrape(steady, old)
    counted.count = 0
    assert counted.scrape(steady, new) == b"steady\nnewer\n"
    assert counted.count == 2
    assert counted.opened.size == len(b"steady\nnewer\n")


def test_a_client_that_is_slow_keeps_nothing_of_its_old_body_open():
    counted = Counted()
    old, new = counted.block(b"old\n"), counted.block(b"new\n")
    counted.scrape(old)
    slow = counted.opened.asked([old], old.size)
    counted.scrape(new)
    assert slow(old) == b"old\n"
    assert counted.opened.size == len(b"new\n")


def test_more_than_the_limit_is_never_kept():
    counted = Counted(limit=10)
    block = counted.block(b"x" * 11)
    for _ in range(3):
        assert counted.scrape(block) == b"x" * 11
    assert counted.opened.size == 0


def test_after_the_last_plain_scrape_nothing_stays_for_long():
    counted = Counted()
    block = counted.block(b"text\n")
    counted.scrape(block)
    counted.scrape(block)
    counted.now += KEEP_SECONDS
    counted.opened.rest()
    assert counted.opened.size == 5
    counted.now += 1
    counted.opened.rest()
    assert counted.opened.size == 0
    counted.scrape(block)
    assert counted.opened.size == 0
