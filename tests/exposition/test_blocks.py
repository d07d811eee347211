"""Blocks and the gzip member that is spliced of them."""

from __future__ import annotations

import builtins
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip

from exporter.exposition.blocks import GZIP_HEADER, Deflater, joined, run, trailer, windows

DEFLATERS = {codec: Deflater(codec) for codec in ("isal", "zlib")}

texts = st.lists(st.one_of(st.binary(max_size=200), st.binary(max_size=4).map(lambda part: part * 3000)), max_size=8)
codecs = st.sampled_from(["isal", "zlib"])


def member(whole):
    return GZIP_HEADER + b"".join([block.data for block in whole.blocks]) + trailer(whole)


@given(texts, codecs, st.integers(min_value=0, max_value=8))
def test_any_splice_is_one_member_for_every_decoder(parts, codec, cut):
    blocks = [DEFLATERS[codec].block(part) for part in parts]
    whole = joined([run(blocks[:cut]), run([]), run(blocks[cut:])])
    packed, text = member(whole), b"".join(parts)
    assert gzip.decompress(packed) == igzip.decompress(packed) == text
    assert whole.size == len(text)
    assert whole.packed == sum(len(block.data) for block in blocks)
    one = zlib.decompressobj(31)
    # What curl and httpx do: stop at the end of the first member.
    assert b"".join([one.decompress(packed[i : i + 7]) for i in range(0, len(packed), 7)]) == text
    assert one.eof
    assert one.unused_data == b""


@given(st.binary(max_size=5000), codecs)
def test_a_block_opens_to_its_text(text, codec):
    block = DEFLATERS[codec].block(text)
    assert DEFLATERS["isal"].text(block) == DEFLATERS["zlib"].text(block) == text


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_power_of_another_block_is_taken_only_if_sizes_agree(old, new):
    deflater = DEFLATERS["zlib"]
    assert deflater.block(new, like=deflater.block(old)) == deflater.block(new)


def test_windows_that_did_not_change_are_taken_over():
    blocks = [DEFLATERS["zlib"].block(b"%d\n" % number) for number in range(40)]
    before = windows(blocks, [])
    changed = [*blocks[:20], DEFLATERS["zlib"].block(b"new\n"), *blocks[21:]]
    after = windows(changed, before)
    assert [new is old for new, old in zip(after, before, strict=True)] == [True, False, True]
    assert joined(after) == run(changed)


def test_without_isal_zlib_does_it(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "isal":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert Deflater("auto").codec == "zlib"
    with pytest.raises(ImportError):
        Deflater("isal")
