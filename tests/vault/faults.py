"""Small servers that answer as no Vault does: every connection is handed to a function, every request is kept."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

ACTIVE = {"initialized": True, "sealed": False, "standby": False, "server_time_utc": 1795455042, "version": "1.21.1"}
STANDBY = {**ACTIVE, "standby": True}
SEALED = {**ACTIVE, "sealed": True, "standby": True}
UNINITIALIZED = {**SEALED, "initialized": False}

Answer = Callable[[str], bytes]
"""From the path of a request to the bytes of the answer; without any the connection is closed."""


class FaultServer:
    """Listens on 127.0.0.1; `requests` are the heads of all requests, `connections` counts the accepted ones."""

    def __init__(
        self, handle: Callable[[socket.socket, FaultServer], None], context: ssl.SSLContext | None = None
    ) -> None:
        self._handle = handle
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []
        self.connections = 0
        self.address = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def closing(self) -> threading.Event:
        return self._closing

    @property
    def paths(self) -> list[str]:
        return [head.split(" ")[1] for head in self.requests]

    def close(self) -> None:
        self._closing.set()
        # Wakes the accepting thread, which a mere close would leave waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def head(self, connection: socket.socket) -> str:
        """The next request's head; empty when the client is gone."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return ""
            head += byte
        self.requests.append(head.decode())
        return self.requests[-1]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    self._handle(wrapped, self)
            else:
                self._handle(connection, self)


def response(
    status: int, body: bytes | dict[str, object], content_type: str = "application/json", **headers: str
) -> bytes:
    """A whole HTTP answer; underscores in header names become hyphens."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode()
        + data
    )


def answering(answer: Answer) -> Callable[[socket.socket, FaultServer], None]:
    """A handler that answers each request of a connection by its path."""
    return in_turn(answer)


def vault(health: dict[str, object], leader: dict[str, object] | bytes = b"") -> Answer:
    """An answer function of a Vault that is in one state."""

    def answer(path: str) -> bytes:
        if "/v1/sys/health" in path:
            return response(200, health)
        if path.endswith("/v1/sys/seal-status"):
            return response(200, {"type": "shamir", "t": 3, "n": 5, "progress": 0})
        return leader if isinstance(leader, bytes) else response(200, leader)

    return answer


def in_turn(*answers: Answer) -> Callable[[socket.socket, FaultServer], None]:
    """A handler like a Service in front of several nodes: each connection meets the next one."""

    def handle(connection: socket.socket, server: FaultServer) -> None:
        mine = answers[(server.connections - 1) % len(answers)]
        while (head := server.head(connection)) and (data := mine(head.split(" ")[1])):
            connection.sendall(data)

    return handle


@contextlib.contextmanager
def serving(
    handle: Callable[[socket.socket, FaultServer], None], context: ssl.SSLContext | None = None
) -> Iterator[FaultServer]:
    """A server that is gone at the end."""
    server = FaultServer(handle, context)
    try:
        yield server
    finally:
        server.close()
