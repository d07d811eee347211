"""Opens the gzip bodies of lists, with isal where it is installed: several times as fast as Python's own zlib."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

_GZIP = 31
_CHUNK = 1 << 20

library: Any = zlib
try:
    from isal import isal_zlib

    library = isal_zlib
except ImportError:
    pass


class GzipError(Exception):
    """The body is no gzip, is damaged, or ends in the middle."""


def opened(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The content, in pieces of at most 1 MiB so that a bomb can be noticed. Members may follow each other; what follows
    them and is none is passed over, as others do. Raises GzipError."""
    member = library.decompressobj(_GZIP)
    begun, members = False, 0
    try:
        for part in parts:
            while part:
                begun = True
                yield member.decompress(part, _CHUNK)
                part = member.unconsumed_tail
                if member.eof:
                    part = member.unused_data
                    member = library.decompressobj(_GZIP)
                    begun = False
                    members += 1
    except library.error as error:
        if members:
            return
        raise GzipError from error
    if begun and not members:
        raise GzipError
