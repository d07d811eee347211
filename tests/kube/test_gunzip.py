"""Bodies of lists are opened alike by isal and by zlib, and damage is told from an end."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
from isal import isal_zlib

from exporter.kube import gunzip
from exporter.kube.gunzip import GzipError, opened

CONTENT = random.Random(1).randbytes(100) * 5000
PACKED = gzip.compress(CONTENT)


@pytest.fixture(params=[zlib, isal_zlib], ids=["zlib", "isal"], autouse=True)
def library(request, monkeypatch):
    monkeypatch.setattr(gunzip, "library", request.param)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_a_body_in_pieces_of_any_size(size):
    assert b"".join(opened(cut(PACKED, size))) == CONTENT


@pytest.mark.parametrize("size", [1, 65536])
def test_members_that_follow_each_other_are_one_content(size):
    assert b"".join(opened(cut(PACKED + gzip.compress(b"end"), size))) == CONTENT + b"end"


def test_what_follows_the_last_member_is_passed_over():
    assert b"".join(opened([PACKED + bytes(512)])) == CONTENT
    assert b"".join(opened([PACKED, b"padding"])) == CONTENT


def test_a_bomb_comes_in_pieces_that_can_be_counted():
    assert max(map(len, opened([gzip.compress(bytes(20 << 20))]))) <= 1 << 20


def test_nothing_is_no_content():
    assert b"".join(opened([])) == b""


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all", PACKED[:-5], PACKED[:100], PACKED[:60] + b"damage" + PACKED[66:], PACKED[:-8] + bytes(8)],
    ids=["no gzip", "without its end", "half", "damaged", "another checksum"],
)
def test_damage_is_an_error(body):
    with pytest.raises(GzipError):
        b"".join(opened([body]))
