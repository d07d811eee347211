"""Chunks in, lines out, however a proxy merged or cut them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LINE_LIMIT = 8 * 1024 * 1024  # etcd takes objects of 1.5 MB by default; JSON and Table may double that


class LineTooLongError(ValueError):
    """A line longer than the limit: what feeds us is not a watch, or not a sane one."""


def split_lines(chunks: Iterable[bytes], limit: int = LINE_LIMIT) -> Iterator[bytes]:
    """Complete lines without their newline; blank ones are left out, and so is an unfinished last one.

    Every byte is copied at most twice, however many lines one chunk holds or however many chunks one line takes. While
    the next chunk is awaited nothing of an earlier line is held: an annotation may carry a value.
    Raises LineTooLongError as soon as a line is known to be longer than `limit` bytes.
    """
    parts: list[bytes] = []
    held = 0
    for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        del chunk
        complete.reverse()
        while complete:
            line = complete.pop()
            if held + len(line) > limit:
                raise LineTooLongError
            if parts:
                parts.append(line)
                line = b"".join(parts)
                parts, held = [], 0
            if line.strip():
                yield line
            del line
        if rest:
            parts.append(rest)
            held += len(rest)
            if held > limit:
                raise LineTooLongError
