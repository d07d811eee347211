"""Compressed blocks that can be put one after the other, in any choice and order, inside one gzip member.

A block is raw deflate that ends in a full flush: byte-aligned, without the final bit, and without references to what
stands before it. Ten header bytes, any blocks, an empty final block, and the CRC and length of the whole make one ordinary
gzip member. (Concatenated members would be simpler, but `curl --compressed` and httpx silently stop after the first.)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

import msgspec

from exporter.exposition.crc import multiply, shift

Codec = Literal["auto", "isal", "zlib"]

# Magic, deflate, no flags, no time (equal content gives equal bytes), fastest algorithm, unknown system.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_FINAL = b"\x03\x00"
_RAW = -15
_LEVEL = 1


class Block(msgspec.Struct, frozen=True, gc=False):
    """Deflated text; `crc` and `size` are those of the text, `power` is x^(8·size) (see crc.py)."""

    data: bytes
    crc: int
    size: int
    power: int


class _Stream(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


class Deflater:
    """Makes and opens blocks with isal (an order of magnitude faster) or zlib, both at level 1.

    `block` is for one thread at a time, `text` for any. Raises ImportError when isal is asked for and not installed.
    """

    def __init__(self, codec: Codec = "auto") -> None:
        library: Any = zlib
        if codec != "zlib":
            try:
                from isal import isal_zlib

                library = isal_zlib
            except ImportError:
                if codec == "isal":
                    raise
        self.codec: Codec = "zlib" if library is zlib else "isal"
        self._stream: _Stream = library.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        self._crc32: Callable[[bytes], int] = library.crc32
        self._decompress: Callable[..., bytes] = library.decompress

    def block(self, text: bytes, like: Block | None = None) -> Block:
        """`text` as a block. `like` may be any block; one of equal size saves a little."""
        size = len(text)
        # One stream serves all blocks: a full flush forgets what was before it.
        data = self._stream.compress(text) + self._stream.flush(zlib.Z_FULL_FLUSH)
        power = like.power if like is not None and like.size == size else shift(size)
        return Block(data, self._crc32(text), size, power)

    def text(self, block: Block) -> bytes:
        """The text of a block."""
        return self._decompress(block.data + _FINAL, wbits=_RAW, bufsize=block.size or 1)


class Run(msgspec.Struct, frozen=True):
    """Blocks that follow each other; CRC, size and power are those of their joined text, `packed` counts deflated bytes."""

    blocks: tuple[Block, ...] = ()
    crc: int = 0
    size: int = 0
    power: int = shift(0)
    packed: int = 0


EMPTY = Run()

#: Blocks are joined in windows of so many, and windows that did not change are taken over.
_WINDOW = 16


def run(blocks: Iterable[Block]) -> Run:
    """A run of these blocks: one product per block."""
    kept = tuple(blocks)
    total = size = packed = 0
    for block in kept:
        total = multiply(total, block.power) ^ block.crc if total else block.crc
        size += block.size
        packed += len(block.data)
    return Run(kept, total, size, shift(size), packed)


def joined(runs: Iterable[Run]) -> Run:
    """Runs put one after the other: one product per run."""
    blocks: list[Block] = []
    total = size = packed = 0
    for each in runs:
        blocks += each.blocks
        total = multiply(total, each.power) ^ each.crc if total else each.crc
        size += each.size
        packed += each.packed
    return Run(tuple(blocks), total, size, shift(size), packed)


def windows(blocks: list[Block], before: list[Run]) -> list[Run]:
    """Runs of a few blocks each, those of `before` where their blocks are the same."""
    runs = []
    for number, start in enumerate(range(0, len(blocks), _WINDOW)):
        window = tuple(blocks[start : start + _WINDOW])
        same = number < len(before) and before[number].blocks == window
        runs.append(before[number] if same else run(window))
    return runs


def trailer(whole: Run) -> bytes:
    """What ends a gzip member of this content: an empty final block, the CRC, and the size."""
    return _FINAL + struct.pack("<II", whole.crc, whole.size & 0xFFFFFFFF)
