"""What a route gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


class Request(msgspec.Struct, frozen=True):
    """One request: `path` is percent-decoded, `query` holds the last value of each name, header names are lower-case.

    `body` is at most 64 kB; `authorization` and cookies stay in `headers` and must not be logged.
    """

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Response(msgspec.Struct, frozen=True):
    """One answer. The server adds Date, Content-Length and the headers of the web configuration."""

    status: int = 200
    body: bytes = b""
    content_type: str = PLAIN
    headers: Mapping[str, str] = {}


Route = Callable[[Request], Response]
"""Answers one request. Called in a worker's thread; what it raises becomes a 500 without details."""


def sentence(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A one-line answer for people."""
    return Response(status, text.encode(errors="replace") + b"\n", headers=headers or {})
