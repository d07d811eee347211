"""The head of an HTTP/1.x request: strict where two readers could disagree, plain sentences where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

MAX_HEAD = 16 * 1024
MAX_LINE = 8 * 1024
MAX_HEADERS = 100
MAX_BODY = 64 * 1024

_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/(\d)\.(\d)\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*\Z")
_ONLY_ONCE = frozenset({"host", "content-length", "transfer-encoding", "authorization"})


class BadRequestError(Exception):
    """A request that cannot be answered: the status and a sentence for whoever sent it. The connection is closed after it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Head(msgspec.Struct, frozen=True):
    """A parsed head. `length` of the body in bytes; `keep_alive` as the client wants it; `expects` 100-continue."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    length: int
    keep_alive: bool
    expects: bool


def end_of_head(buffer: bytearray) -> int:
    """Index after the empty line that ends the head, 0 while it has not come."""
    crlf, lf = buffer.find(b"\n\r\n"), buffer.find(b"\n\n")
    if crlf >= 0 and (lf < 0 or crlf < lf):
        return crlf + 3
    return lf + 2 if lf >= 0 else 0


def parse(raw: bytes) -> Head:
    """Parse a whole head, with its empty line. Raises BadRequestError."""
    lines = [line.removesuffix(b"\r") for line in raw.split(b"\n")]
    first = lines[0]
    if len(first) > MAX_LINE:
        raise BadRequestError(414, f"the request line is longer than {MAX_LINE} bytes")
    match = _REQUEST_LINE.match(first)
    if match is None:
        raise BadRequestError(400, "this is not an HTTP request")
    if match[3] != b"1":
        raise BadRequestError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    headers = _fields(lines[1:])
    modern = match[4] != b"0"
    if modern and "host" not in headers:
        raise BadRequestError(400, "a request of HTTP/1.1 needs a Host header")
    path, query = _target(match[2].decode("ascii"))
    connection = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    return Head(
        method=match[1].decode("ascii"),
        path=path,
        query=query,
        headers=headers,
        length=_length(headers),
        keep_alive="close" not in connection and (modern or "keep-alive" in connection),
        expects=modern and headers.get("expect", "").lower() == "100-continue",
    )


def _fields(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    fields = [line for line in lines if line]
    if len(fields) > MAX_HEADERS:
        raise BadRequestError(431, f"more than {MAX_HEADERS} headers")
    for line in fields:
        match = _FIELD.match(line)
        if match is None:
            raise BadRequestError(400, "a header is not well-formed")
        name, value = match[1].decode("ascii").lower(), match[2].decode("latin-1")
        if name not in headers:
            headers[name] = value
        elif name in _ONLY_ONCE:
            raise BadRequestError(400, f"the header {name} stands twice")
        else:
            headers[name] += f", {value}"
    return headers


def _target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of `/path?query`, or of the absolute form that proxies use."""
    try:
        parts = urlsplit(target) if not target.startswith("/") else urlsplit(f"//host{target}")
        query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=MAX_HEADERS, errors="replace"))
    except ValueError:
        raise BadRequestError(400, "the request target is not well-formed") from None
    if not target.startswith("/") and parts.scheme not in ("http", "https"):
        raise BadRequestError(400, "the request target is not well-formed")
    return unquote(parts.path, errors="replace") or "/", query


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError(411, "a body needs a Content-Length here")
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise BadRequestError(400, "Content-Length is not a number")
    if len(text) > 9 or int(text) > MAX_BODY:
        raise BadRequestError(413, f"the body is larger than {MAX_BODY} bytes")
    return int(text)
