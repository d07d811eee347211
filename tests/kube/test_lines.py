from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kube.lines import LineTooLongError, split_lines

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"x")), max_size=12)


@given(lines=LINES, cuts=st.lists(st.integers(0, 400), max_size=20), newline=st.sampled_from([b"\n", b"\r\n"]))
def test_lines_survive_any_cutting_and_merging(lines: list[bytes], cuts: list[int], newline: bytes) -> None:
    data = newline.join([*lines, b""])
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[start:end] for start, end in itertools.pairwise(at)]
    assert [line.strip() for line in split_lines(chunks)] == [line.strip() for line in lines if line.strip()]


def test_an_unfinished_last_line_is_no_line() -> None:
    assert list(split_lines([b'{"a":1}\n{"b"', b":2"])) == [b'{"a":1}']


def test_many_lines_in_one_chunk_and_one_line_in_many_chunks() -> None:
    assert list(split_lines([b"a\n" * 10_000])) == [b"a"] * 10_000
    assert list(split_lines([b"a"] * 10_000 + [b"\n"])) == [b"a" * 10_000]


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6 + b"\n"]]
)
def test_a_line_past_the_limit_is_refused_before_it_is_whole(chunks: list[bytes]) -> None:
    with pytest.raises(LineTooLongError):
        list(split_lines(chunks, limit=10))


def test_a_line_at_the_limit_passes() -> None:
    assert list(split_lines([b"x" * 10, b"\n"], limit=10)) == [b"x" * 10]
