"""A web server on a free port, and clients for it: polite ones and raw sockets."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from exporter.config.settings import WebSettings
from exporter.exposition.families import Exposition
from exporter.web.counters import REASONS
from exporter.web.messages import Request, Response, Route, sentence
from exporter.web.server import WebServer
from tests.exposition.things import Thing, shown

PATIENCE = 30.0
#: Limits that a polite client keeps on the busiest machine; tests of hostile ones set shorter limits.
LIMITS = {"header_timeout": PATIENCE, "idle_timeout": PATIENCE}


def echo(request: Request) -> Response:
    """Tells what it was asked."""
    return Response(body=f"{request.method} {request.path} {dict(request.query)} ".encode() + request.body)


def broken(_: Request) -> Response:
    raise RuntimeError("hidden reason")


ROUTES: Mapping[str, Route] = {
    "/": lambda _: sentence(200, "landing"),
    "/echo": echo,
    "POST /echo": echo,
    "/tree/": echo,
    "/broken": broken,
}


class Serving:
    """A running server with its registry."""

    def __init__(self, server: WebServer, registry: CollectorRegistry) -> None:
        self.server = server
        self.registry = registry
        self.host, self.port = server.address

    def rejected(self, reason: str) -> float:
        assert reason in REASONS
        return self.registry.get_sample_value("eso_exporter_web_rejected_total", {"reason": reason}) or 0.0

    def connect(self, **options: Any) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE, **options)

    def connect_tls(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=context)

    def raw(self, receive_buffer: int = 0) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        sock.connect((self.host, self.port))
        return sock

    def get(self, path: str = "/metrics", method: str = "GET", body: bytes | None = None, **headers: str) -> Got:
        with contextlib.closing(self.connect()) as connection:
            return got(connection, path, method, body, headers)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until it holds; fails after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.01)

    def wait_empty(self) -> None:
        self.wait_until(lambda: self.server.connections == 0)


class Got:
    """A response that has been read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()


def got(
    connection: http.client.HTTPConnection,
    path: str = "/metrics",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Got:
    names = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    connection.request(method, path, body, names)
    return Got(connection.getresponse())


@contextlib.contextmanager
def serving(exposition: Any = None, routes: Mapping[str, Route] = ROUTES, **settings: Any) -> Iterator[Serving]:
    """A server that is shut down at the end."""
    registry = CollectorRegistry()
    options = {"listen_address": "127.0.0.1:0", **LIMITS, **settings}
    made = exposition if exposition is not None else shown(Thing("a", "x", sync=1))
    server = WebServer(WebSettings(**options), routes, made, registry)
    server.start()
    try:
        yield Serving(server, registry)
    finally:
        server.shutdown(1.0)


def large() -> Exposition:
    """About 25 MB of plain text, more than the kernel takes for a client that does not read."""
    return shown(*(Thing("a", f"{i:04d}{'x' * 4000}") for i in range(6000)))


def exchange(sock: socket.socket, request: bytes) -> bytes:
    """Send, and read until the server closes."""
    sock.sendall(request)
    return rest(sock)


def rest(sock: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    received = bytearray()
    while chunk := sock.recv(65536):
        received += chunk
    return bytes(received)
