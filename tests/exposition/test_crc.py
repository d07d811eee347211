"""CRC arithmetic against zlib's own."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.crc import ONE, combine, multiply, shift

polynomials = st.integers(min_value=0, max_value=2**32 - 1)


@given(st.binary(max_size=300), st.binary(max_size=3000))
def test_combine_is_the_crc_of_both(first, second):
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_combine_of_a_part_above_a_mebibyte():
    second = bytes(range(256)) * 9000
    assert combine(zlib.crc32(b"x"), zlib.crc32(second), len(second)) == zlib.crc32(b"x" + second)


@given(polynomials, polynomials, polynomials)
def test_multiply_is_a_ring_with_one(a, b, c):
    assert multiply(a, b) == multiply(b, a)
    assert multiply(a, ONE) == a
    assert multiply(multiply(a, b), c) == multiply(a, multiply(b, c))
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)


@given(st.integers(min_value=0, max_value=2**34), st.integers(min_value=0, max_value=2**34))
def test_shifts_add_up(a, b):
    assert multiply(shift(a), shift(b)) == shift(a + b)


def test_shift_by_nothing_and_by_one_byte():
    assert shift(0) == ONE
    assert shift(1) == ONE >> 8
