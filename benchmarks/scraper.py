"""A scraping client that costs next to nothing: one kept-alive socket, raw bytes, nothing decoded while the clock runs."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
import zlib
from typing import NamedTuple

ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""

_BUFFER = 1 << 20
_TIMEOUT = 300.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Scrape(NamedTuple):
    """One answer: the seconds from the request's first byte to the body's last, and the body as it came."""

    seconds: float
    body: bytes
    gzip: bool

    @property
    def text(self) -> bytes:
        """The body, opened."""
        return zlib.decompress(self.body, 31) if self.gzip else self.body


class Scraper:
    """Scrapes one /metrics. Connects again when the server has closed, inside the measured time.

    Raises RuntimeError for an answer other than 200, OSError when there is none.
    """

    def __init__(self, port: int, *, gzip: bool, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._socket: socket.socket | None = None
        self._buffer = memoryview(bytearray(_BUFFER))
        coding = "gzip" if gzip else "identity"
        self._request = (
            f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {ACCEPT}\r\nAccept-Encoding: {coding}\r\n"
            "User-Agent: benchmark\r\n\r\n"
        ).encode()

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __call__(self) -> Scrape:
        """One scrape."""
        begun = time.perf_counter()
        fresh = self._socket is None
        try:
            head, parts = self._exchange()
        except OSError:
            if fresh:
                raise
            self.close()  # the server had closed the kept connection, as it may
            head, parts = self._exchange()
        seconds = time.perf_counter() - begun
        status = head.partition(b"\r\n")[0]
        if b" 200 " not in status:
            self.close()
            raise RuntimeError(f"a scrape was answered with {status.decode(errors='replace')}")
        body = b"".join(parts)
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            body = _unchunked(body)
        if b"connection: close" in lowered or lowered.startswith(b"http/1.0"):
            self.close()
        return Scrape(seconds, body, b"content-encoding: gzip" in lowered)

    def _exchange(self) -> tuple[bytes, list[bytes]]:
        sock = self._connected()
        sock.sendall(self._request)
        first = bytearray()
        while (end := first.find(b"\r\n\r\n")) < 0:
            count = sock.recv_into(self._buffer)
            if not count:
                raise ConnectionError("closed before an answer came")
            first += self._buffer[:count]
        head, rest = bytes(first[:end]), bytes(first[end + 4 :])
        parts = [rest]
        length = _LENGTH.search(head)
        if length is not None:
            left = int(length[1]) - len(rest)
            while left > 0:
                count = sock.recv_into(self._buffer)
                if not count:
                    raise ConnectionError("closed in the middle of an answer")
                parts.append(bytes(self._buffer[:count]))
                left -= count
        elif b"chunked" in head.lower():
            tail = rest[-5:]
            while tail != b"0\r\n\r\n":
                count = sock.recv_into(self._buffer)
                if not count:
                    raise ConnectionError("closed in the middle of an answer")
                parts.append(bytes(self._buffer[:count]))
                tail = (tail + parts[-1])[-5:]
        else:
            while count := sock.recv_into(self._buffer):
                parts.append(bytes(self._buffer[:count]))
        return head, parts

    def _connected(self) -> socket.socket:
        if self._socket is None:
            plain = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname="localhost")
        return self._socket


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


def try_scrape(scraper: Scraper) -> Scrape | None:
    """One scrape, None while nobody answers."""
    with contextlib.suppress(OSError, RuntimeError):
        return scraper()
    return None
