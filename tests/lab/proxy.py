"""A reverse proxy on loopback that records what a client asked: put between the exporter and a server, it proves requests."""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.lab.loopback import LOOPBACK

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_TOKEN_HEADERS = {"authorization", "x-vault-token", "cookie"}
_IDLE = 300.0


@dataclass(frozen=True)
class Request:
    """One recorded request; of its headers the names (lower case), and the value of Accept only."""

    method: str
    target: str  # path and query, as sent
    headers: frozenset[str]
    accept: str
    body_size: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The target's query."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def carried_token(self) -> bool:
        """Whether a header that carries a credential was there, whatever its value."""
        return bool(self.headers & _TOKEN_HEADERS)


class RecordingProxy:
    """Listens on plain HTTP and hands every request on to `upstream` (http or https) as it is; streams answers."""

    def __init__(self, upstream: str, authority: Path | None = None) -> None:
        self._upstream = urlsplit(upstream)
        self._tls = ssl.create_default_context(cafile=authority) if self._upstream.scheme == "https" else None
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stops to listen; answers that still stream are cut."""
        self._server.shutdown()
        self._server.server_close()

    def requests(self) -> list[Request]:
        """What was asked so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def record(self, request: Request) -> None:
        """Adds a request to the record."""
        with self._lock:
            self._requests.append(request)

    def connect(self) -> http.client.HTTPConnection:
        """A new connection to the server behind."""
        host, port = str(self._upstream.hostname), self._upstream.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=_IDLE, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=_IDLE)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: RecordingProxy

    def handle(self) -> None:
        with suppress(OSError):  # either side may go at any time: servers are killed and clients time out
            super().handle()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        names = frozenset(name.lower() for name in self.headers)
        self.proxy.record(Request(self.command, self.path, names, self.headers.get("Accept") or "", len(body)))
        behind = self.proxy.connect()
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            behind.request(self.command, self.path, body=body or None, headers=headers)
            self._answer(behind.getresponse())
        except (OSError, http.client.HTTPException):
            # As when nothing listens there: the client sees its connection end without an answer.
            self.close_connection = True
        finally:
            behind.close()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        streamed = answer.getheader("Content-Length") is None and answer.status not in (204, 304)
        if streamed:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "HEAD":
            return
        while piece := answer.read1(65_536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if streamed else piece)
        if streamed:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = do_SCAN = _forward  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
