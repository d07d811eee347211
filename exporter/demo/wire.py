"""One small HTTP/1.1 listener under both doubles: replies, chunked streams, and the ways to misbehave on a socket.

A thread per connection, everything on 127.0.0.1. `Listener.stop()` closes every open connection as a killed server
would, and a later `start()` takes the same port again.
"""

from __future__ import annotations

import contextlib
import http.server
import select
import socket
import sys
import threading
import time
import traceback
import urllib.parse
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

GZIP_FROM = 128 * 1024
"""A real API server compresses answers from this size on (bytes), with level 1."""

GZIP_HEADERS = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))


def gzip_member(data: bytes) -> bytes:
    """`data` as one complete gzip member."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


@dataclass(slots=True)
class Request:
    """One request as it arrived, kept in the log of its server for tests. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)
    status: int = 0
    """What was answered; 0 where the connection was closed or left silent instead."""

    @property
    def watch(self) -> bool:
        return self.query.get("watch") in ("1", "true")


class ClientGoneError(Exception):
    """The other side closed the connection (or the server stops): the exchange is over, nobody needs telling."""


class Exchange:
    """One request and the socket to answer on."""

    def __init__(self, handler: _Handler, request: Request, listener: Listener) -> None:
        self._handler = handler
        self._listener = listener
        self.request = request

    @property
    def accepts_gzip(self) -> bool:
        return "gzip" in self.request.headers.get("accept-encoding", "")

    # -- whole answers ------------------------------------------------------------------------------------------

    def reply(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Answer with `body`, compressed where the client accepts gzip and it is at least `GZIP_FROM` bytes."""
        fields = [("Content-Type", content_type), *headers]
        if len(body) >= GZIP_FROM and self.accepts_gzip:
            body = gzip_member(body)
            fields += GZIP_HEADERS
        fields.append(("Content-Length", str(len(body))))
        self._head(status, fields)
        if self.request.method != "HEAD":
            self.raw(body)

    # -- streams ------------------------------------------------------------------------------------------------

    def begin_stream(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"), *headers])

    def chunk(self, data: bytes) -> None:
        if data:
            self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.raw(b"0\r\n\r\n")

    def cut_chunk(self, data: bytes) -> None:
        """Promise a chunk of `data`, send half of it and close: what a killed server or proxy leaves behind."""
        self.raw(b"%x\r\n%b" % (len(data), data[: len(data) // 2]))
        self.drop()

    # -- misbehaviour -------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close now, whatever was promised."""
        self._handler.close_connection = True
        with contextlib.suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def hold(self, until: Callable[[], bool] = lambda: False) -> None:
        """Send nothing more and keep the socket until the server stops, the client leaves or `until` says so; then close."""
        while not self.over() and not until():
            self._listener.stopping.wait(0.1)
        self.drop()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        if self._listener.stopping.wait(seconds):
            raise ClientGoneError

    def over(self) -> bool:
        """True when the client has closed its side or the server is stopping."""
        if self._listener.stopping.is_set():
            return True
        connection = self._handler.connection
        try:
            readable, _, _ = select.select([connection], [], [], 0)
            return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def raw(self, data: bytes) -> None:
        """Write bytes as they are. Raises ClientGoneError."""
        try:
            self._handler.wfile.write(data)
        except (OSError, ValueError) as error:
            self._handler.close_connection = True
            raise ClientGoneError from error

    def _head(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        self.request.status = status
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", f"Date: {self._handler.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


Answer = Callable[[Exchange], None]


class Listener:
    """Serves `answer` on 127.0.0.1. The port is chosen at the first `start()` (if 0) and kept from then on."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer = answer
        self.port = port
        self.requests: deque[Request] = deque(maxlen=200_000)
        self.stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        if self._server is not None:
            return
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=f"demo-listener-{self.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the listening socket and every connection. Threads that serve one end by themselves at once."""
        server, self._server = self._server, None
        if server is None:
            return
        self.stopping.set()
        server.shutdown()
        server.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Without HTTPServer's reverse look-up of the host name, which can take seconds on a machine without DNS.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A connection that broke is everyday life here; what the double itself does wrong must be seen."""
        if not isinstance(sys.exception(), (OSError, ClientGoneError)):
            traceback.print_exc()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.listener.opened(self.connection)

    def finish(self) -> None:
        self.server.listener.closed(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _serve(self) -> None:
        listener = self.server.listener
        split = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        request = Request(
            method=self.command,
            path=urllib.parse.unquote(split.path),
            query=dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        listener.requests.append(request)
        if request.headers.get("connection", "").lower() == "close":
            self.close_connection = True
        with contextlib.suppress(ClientGoneError):
            listener.answer(Exchange(self, request, listener))
        if listener.stopping.is_set():
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing on stderr: the request log is the record."""
