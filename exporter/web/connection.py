"""One client's socket: whole requests in, whole answers out, each before its deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from exporter.web.head import MAX_HEAD, BadRequestError, Head, end_of_head, parse

_RECEIVE = 16 * 1024
# A batch bounds what a client that stops reading makes us hold; IOV_MAX is 1024 on Linux.
_BATCH_BYTES = 256 * 1024
_BATCH_PARTS = 512
#: A client that takes nothing for so long has stalled: what the answer holds back from others is released.
STALL_SECONDS = 0.005


class SilentError(Exception):
    """The client closed, or sent nothing at all in time: no answer is due."""


class Connection:
    """A connected socket and the moment it last moved a byte.

    `waiting`: its worker waits for the client, not the client for us. Reading and writing belong to the worker; `cut`
    may be called by any thread and makes the worker's call fail.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.moved = time.monotonic()
        self.waiting = True
        self.answering = False
        self._buffer = bytearray()
        self._swap = threading.Lock()

    def cut(self) -> None:
        """End both directions at once; `close` is still the worker's."""
        # Not SSLSocket.shutdown, which would take the TLS state away under the worker's hands.
        with self._swap, contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def handshake(self, context: ssl.SSLContext, seconds: float) -> None:
        """Become a TLS connection. Raises OSError (ssl.SSLError, TimeoutError)."""
        self.sock.settimeout(seconds)
        with self._swap:
            secure = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
            self.sock = secure
        secure.do_handshake()
        self.moved = time.monotonic()

    def certificate(self) -> dict[str, object] | None:
        """The client's verified certificate as ssl gives it; None without one."""
        return dict(self.sock.getpeercert() or {}) if isinstance(self.sock, ssl.SSLSocket) else None

    def say(self, text: bytes, seconds: float) -> None:
        """Send a few bytes past TLS, and end: for a client that does not speak it."""
        plain = socket.socket
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            plain.send(self.sock, text)
            plain.shutdown(self.sock, socket.SHUT_WR)
            plain.settimeout(self.sock, _left(deadline))
            while plain.recv(self.sock, _RECEIVE):
                plain.settimeout(self.sock, _left(deadline))

    def head(self, first_byte: float, whole: float) -> Head:
        """The next request's head, whose first byte must come within `first_byte` seconds, and all of it within `whole` more.

        Raises SilentError when nothing came, TimeoutError when not all of it came, BadRequestError, OSError.
        """
        self.waiting = True
        deadline = time.monotonic() + first_byte
        while not self._buffer:
            try:
                self._receive(deadline)
            except TimeoutError:
                raise SilentError from None
            # Empty lines before a request are allowed (RFC 9112 §2.2).
            self._buffer = bytearray(self._buffer.lstrip(b"\r\n"))
        deadline = time.monotonic() + whole
        while not (end := end_of_head(self._buffer)):
            if len(self._buffer) > MAX_HEAD:
                break
            self._receive(deadline)
        if not end or end > MAX_HEAD:
            raise BadRequestError(431, f"the head of the request is larger than {MAX_HEAD} bytes")
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        return parse(raw)

    def body(self, head: Head, seconds: float) -> bytes:
        """The request's body. Raises TimeoutError, OSError."""
        deadline = time.monotonic() + seconds
        if head.expects and len(self._buffer) < head.length:
            self.send([b"HTTP/1.1 100 Continue\r\n\r\n"], seconds, seconds)
        while len(self._buffer) < head.length:
            self._receive(deadline)
        content = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        return content

    def _receive(self, deadline: float) -> None:
        self.sock.settimeout(_left(deadline))
        data = self.sock.recv(_RECEIVE)
        if not data:
            raise SilentError
        self.moved = time.monotonic()
        self._buffer += data

    def send(
        self, parts: Iterable[bytes], stall: float, whole: float, stalled: Callable[[], None] = lambda: None
    ) -> None:
        """Send all parts, never more than `stall` seconds without a byte taken, and in `whole` seconds.

        `stalled` is called each time the client has taken nothing for STALL_SECONDS. Raises TimeoutError, OSError.
        """
        self.waiting = True
        end = time.monotonic() + whole
        tls = isinstance(self.sock, ssl.SSLSocket)
        for batch in _batches(parts):
            pending: list[bytes | memoryview] = [b"".join(batch)] if tls else list(batch)
            while pending:
                sent = self._send_some(pending, min(time.monotonic() + stall, end), stalled, tls)
                _drop(pending, sent)

    def _send_some(
        self, pending: list[bytes | memoryview], deadline: float, stalled: Callable[[], None], tls: bool
    ) -> int:
        self.sock.settimeout(min(STALL_SECONDS, _left(deadline)))
        while True:
            try:
                sent = self.sock.send(pending[0]) if tls else self.sock.sendmsg(pending)
            except TimeoutError:
                stalled()
                self.sock.settimeout(_left(deadline))
            else:
                self.moved = time.monotonic()
                return sent

    def linger(self, seconds: float) -> None:
        """Say that nothing more comes, and read what the client still sends, so that it gets to see the answer."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError, SilentError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
            for _ in range(64):
                self._receive(deadline)
                self._buffer.clear()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _batches(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += len(part)
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_PARTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _drop(pending: list[bytes | memoryview], sent: int) -> None:
    """Take `sent` bytes off the front."""
    whole = 0
    while whole < len(pending) and sent >= len(pending[whole]):
        sent -= len(pending[whole])
        whole += 1
    del pending[:whole]
    if sent:
        pending[0] = memoryview(pending[0])[sent:]
