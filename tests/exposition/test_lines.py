"""One line: escaping, label order, numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import Family, escape, labels, number
from tests.exposition.hostile import hostile


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("plain", b"plain"),
        ('a"b', b'a\\"b'),
        ("a\\b", b"a\\\\b"),
        ("a\nb", b"a\\nb"),
        ('\\"\n', b'\\\\\\"\\n'),
        ("\\n", b"\\\\n"),
        ("a\rb\x00\u2028", b"a\rb\x00\xe2\x80\xa8"),
        ("é🔑", "é🔑".encode()),
        ("a\ud800b", b"a?b"),
    ],
)
def test_escape(value, escaped):
    assert escape(value) == escaped


def test_labels_keep_their_order_and_empty_values():
    assert labels(b="2", a="", c='"') == b'{b="2",a="",c="\\""}'


def test_no_labels_no_braces():
    assert labels() == b""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0"),
        (1780300123, b"1780300123"),
        (1780300123.0, b"1780300123"),
        (-3.0, b"-3"),
        (True, b"1"),
        (False, b"0"),
        (0.5, b"0.5"),
        (1e22, b"1e+22"),
        (10**30, b"1000000000000000000000000000000"),
        (math.nan, b"NaN"),
        (math.inf, b"+Inf"),
        (-math.inf, b"-Inf"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@given(st.one_of(st.integers(min_value=-(2**53), max_value=2**53), st.floats(allow_nan=False)))
def test_both_parsers_read_the_number_back(value):
    line = b"# TYPE x gauge\nx " + number(value) + b"\n"
    for family in (*parse_text(line.decode()), *parse_openmetrics(line.decode() + "# EOF\n")):
        assert [sample.value for sample in family.samples] == [value]


@given(hostile)
def test_both_parsers_read_the_label_back(value):
    line = b"# TYPE x gauge\nx" + labels(a=value, b="end") + b" 1\n"
    expected = {"a": value.encode(errors="replace").decode(), "b": "end"}
    for family in (*parse_text(line.decode()), *parse_openmetrics(line.decode() + "# EOF\n")):
        assert [sample.labels for sample in family.samples] == [expected]


def test_header_escapes_the_help_text():
    assert Family("a", "one\\two\nthree").header() == b"# HELP a one\\\\two\\nthree\n# TYPE a gauge\n"


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a\n", "é"])
def test_a_family_needs_a_metric_name(name):
    with pytest.raises(ValueError, match="not a metric name"):
        Family(name, "Help.")
