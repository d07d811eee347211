"""Parsing of request heads."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.head import BadRequestError, end_of_head, parse


def test_a_request():
    head = parse(b"GET /a%20b?x=1&y=&x=2 HTTP/1.1\r\nHost: h\r\nAccept: a\r\naccept:  b \r\n\r\n")
    assert (head.method, head.path, dict(head.query)) == ("GET", "/a b", {"x": "2", "y": ""})
    assert head.headers == {"host": "h", "accept": "a, b"}
    assert (head.length, head.keep_alive, head.expects) == (0, True, False)


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", "", True),
        ("1.1", "close", False),
        ("1.1", "Foo, Close", False),
        ("1.0", "", False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_keep_alive(version, connection, keep_alive):
    raw = f"GET / HTTP/{version}\r\nHost: h\r\nConnection: {connection}\r\n\r\n"
    assert parse(raw.encode()).keep_alive is keep_alive


def test_bare_line_feeds_and_the_absolute_form_are_understood():
    head = parse(b"GET http://exporter:10820/metrics?a=b HTTP/1.1\nHost: h\n\n")
    assert (head.path, dict(head.query)) == ("/metrics", {"a": "b"})
    assert parse(b"GET http://h HTTP/1.0\r\n\r\n").path == "/"
    assert parse(b"GET //evil/x HTTP/1.0\r\n\r\n").path == "//evil/x"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET gopher://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 200 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 120 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \xb2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ],
)
def test_what_is_refused(raw, status):
    with pytest.raises(BadRequestError) as caught:
        parse(raw)
    assert caught.value.status == status
    assert caught.value.sentence


@given(st.binary(max_size=200), st.sampled_from([b"", b"GET / HTTP/1.1\r\nHost: h\r\n", b"GET "]))
def test_no_bytes_break_it(noise, start):
    with contextlib.suppress(BadRequestError):
        parse(start + noise + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("buffer", "end"),
    [(b"", 0), (b"A\r\n\r", 0), (b"A\r\n\r\nB", 5), (b"A\n\nB", 3), (b"A\n\r\nB\n\n", 4), (b"A\n\nB\r\n\r\n", 3)],
)
def test_end_of_head(buffer, end):
    assert end_of_head(bytearray(buffer)) == end
