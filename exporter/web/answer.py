"""An answer on its way out: head, length, and the body piece by piece."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import NamedTuple

from exporter.web.messages import Response


def _nothing() -> None:
    """Nobody waits."""


class Answer(NamedTuple):
    """What is sent: `parts()` gives `length` bytes. `stalled` is called when the client stops reading, `finished` always."""

    status: int
    headers: Mapping[str, str]
    length: int
    parts: Callable[[], Iterable[bytes]]
    stalled: Callable[[], None] = _nothing
    finished: Callable[[], None] = _nothing

    @classmethod
    def of(cls, response: Response) -> Answer:
        """A route's response."""
        headers = {"Content-Type": response.content_type, **response.headers}
        return cls(response.status, headers, len(response.body), lambda: [response.body] if response.body else [])

    def head(self, extra: Mapping[str, str], *, keep_alive: bool, now: float) -> bytes:
        """Status line and headers. `extra` (the web configuration's) stands over the answer's own."""
        headers = {
            "Date": formatdate(now, usegmt=True),
            "X-Content-Type-Options": "nosniff",
            **self.headers,
            **extra,
            "Content-Length": str(self.length),
            "Connection": "keep-alive" if keep_alive else "close",
        }
        lines = [f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", errors="replace")
