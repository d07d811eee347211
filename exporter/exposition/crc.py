"""CRC-32 of concatenated parts out of the parts' own CRCs (what zlib's crc32_combine does; Python's zlib lacks it before 3.15).

CRCs are polynomials over GF(2) modulo the CRC-32 polynomial, bit-reflected: bit 31 is x^0. Appending n bytes multiplies
the CRC before them by x^(8n); so a part carries that power beside its CRC, and joining two parts costs one product.
"""

from __future__ import annotations

_POLYNOMIAL = 0xEDB88320
ONE = 1 << 31


def _times_x(value: int) -> int:
    return (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)


def _nibble_reductions() -> tuple[int, ...]:
    table = []
    for low in range(16):
        value = low
        for _ in range(4):
            value = _times_x(value)
        table.append(value)
    return tuple(table)


_REDUCE = _nibble_reductions()


def multiply(a: int, b: int) -> int:
    """The product of two polynomials modulo the CRC-32 polynomial (four bits at a time: about 2 µs)."""
    b1 = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
    b2 = (b1 >> 1) ^ (_POLYNOMIAL if b1 & 1 else 0)
    b3 = (b2 >> 1) ^ (_POLYNOMIAL if b2 & 1 else 0)
    b23, b01 = b2 ^ b3, b ^ b1
    times = (
        0, b3, b2, b23, b1, b1 ^ b3, b1 ^ b2, b1 ^ b23,
        b, b ^ b3, b ^ b2, b ^ b23, b01, b01 ^ b3, b01 ^ b2, b01 ^ b23,
    )  # fmt: skip
    reduce = _REDUCE
    r = times[a & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 4) & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 8) & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 12) & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 16) & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 20) & 15]
    r = (r >> 4) ^ reduce[r & 15] ^ times[(a >> 24) & 15]
    return (r >> 4) ^ reduce[r & 15] ^ times[a >> 28]


def _powers(step: int) -> tuple[int, ...]:
    """step^0 … step^1023."""
    table = [ONE]
    for _ in range(1023):
        table.append(multiply(table[-1], step))
    return tuple(table)


# x^(8n) for n = low + 1024 · middle + 1024² · high: one product for a block (below 1 MiB), two for a whole body.
_BYTE = 1 << 23  # x^8
_LOW = _powers(_BYTE)
_MIDDLE = _powers(multiply(_LOW[1023], _BYTE))
_HIGH = _powers(multiply(_MIDDLE[1023], _MIDDLE[1]))
_LIMIT = 1 << 30


def shift(length: int) -> int:
    """x^(8·length): what a CRC is multiplied by when `length` bytes follow it."""
    power = multiply(_LOW[length & 1023], _MIDDLE[(length >> 10) & 1023])
    if length >= 1 << 20:
        power = multiply(power, _HIGH[(length >> 20) & 1023])
        for _ in range(length // _LIMIT):
            power = multiply(power, multiply(_HIGH[1023], _HIGH[1]))
    return power


def combine(first: int, second: int, second_length: int) -> int:
    """The CRC-32 of two joined parts, from theirs and the second one's length in bytes."""
    return multiply(first, shift(second_length)) ^ second
