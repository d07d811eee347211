from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kube.envelope import mend, with_kind


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (rb'"\ud800"', '"\N{REPLACEMENT CHARACTER}"'),
        (rb'"\uDC00 after"', '"\N{REPLACEMENT CHARACTER} after"'),
        (rb'"\ud83d\ude00"', '"\N{GRINNING FACE}"'),
        (rb'"\ud83d\ud83d\ude00"', '"\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"'),
        (rb'"\\ud800"', r'"\\ud800"'),
        (rb'"\\\ud800"', '"\\\\\N{REPLACEMENT CHARACTER}"'),
        (b'"\xff\xfe"', '"\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"'),
        (b'"\xed\xa0\x80"', '"\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"'),
    ],
)
def test_what_is_not_unicode_becomes_the_replacement_character(text: bytes, mended: str) -> None:
    assert msgspec.json.decode(mend(text)) == json.loads(mended)


@given(st.text())
def test_good_text_is_left_alone(text: str) -> None:
    for data in (json.dumps(text).encode(), msgspec.json.encode(text)):
        assert msgspec.json.decode(mend(data)) == text


@given(st.lists(st.one_of(st.text(), st.integers(0xD800, 0xDFFF).map(chr)), max_size=8).map("".join))
def test_mended_text_can_always_be_decoded(text: str) -> None:
    assert isinstance(msgspec.json.decode(mend(json.dumps(text).encode())), str)


class Plain(msgspec.Struct, frozen=True, gc=False):
    name: str


class Kinded(msgspec.Struct):
    kind: str = ""


def test_an_item_learns_its_kind() -> None:
    decoded = msgspec.json.decode(b'{"kind":"Secret","name":"a"}', type=with_kind(Plain))
    assert (decoded.kind, decoded.name, isinstance(decoded, Plain)) == ("Secret", "a", True)  # type: ignore[attr-defined]
    assert with_kind(Kinded) is Kinded
