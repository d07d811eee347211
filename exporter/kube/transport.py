"""One connection to the API server per thread: dead peers are noticed, and any thread can cut it off at once."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from exporter import __version__
from exporter.config.schema import redact
from exporter.kube import gunzip
from exporter.kube.access import Access, Endpoint
from exporter.kube.failure import ApiError, Interrupted, of_status

USER_AGENT = f"vault-eso-exporter/{__version__}"
READ_SIZE = 64 * 1024
READ_BUFFER = 64
ERROR_BODY_LIMIT = 64 * 1024
PAGE_LIMIT = 64 * 1024 * 1024  # bytes of one decompressed page; a larger one is asked for in smaller parts

_TIMEOUTS = (urllib3.exceptions.TimeoutError, TimeoutError)
_NETWORK_ERRORS = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, gunzip.GzipError)


class Keepalive(NamedTuple):
    """When a peer counts as dead, in seconds: idle + probes · interval = 25 s, which TCP_USER_TIMEOUT holds for unsent
    data too. So a half-open connection is noticed within 30 s, though nothing is ever sent on a watch."""

    idle: int = 10
    interval: int = 5
    probes: int = 3

    def socket_options(self) -> list[tuple[int, int, int]]:
        """For every connection. Options the platform does not know are left out."""
        tcp = [
            ("TCP_NODELAY", 1),
            ("TCP_KEEPIDLE", self.idle),
            ("TCP_KEEPALIVE", self.idle),  # macOS's name of TCP_KEEPIDLE
            ("TCP_KEEPINTVL", self.interval),
            ("TCP_KEEPCNT", self.probes),
            ("TCP_USER_TIMEOUT", 1000 * (self.idle + self.interval * self.probes)),
        ]
        known = [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in tcp if hasattr(socket, name)]
        return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *known]


KEEPALIVE = Keepalive()


class _SmallBuffer:
    """A socket as http.client's response takes it, read through a buffer too small to hold a value for long.

    A watch's connection lives for minutes, and what it read last would stand in the usual 8 kB until the next event.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> Any:
        return self._sock.makefile(mode, buffering=READ_BUFFER)  # type: ignore[call-overload]


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(_SmallBuffer(sock), *arguments, **more)  # type: ignore[arg-type]


class _Registered:
    """Mixed into urllib3's connections: tells the channel of every socket, before and after the TLS handshake."""

    register: Callable[[socket.socket], None]
    sock: Any

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.register(sock)
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.sock is not None:
            self.register(self.sock)


class _PlainConnection(_Registered, HTTPConnection):
    response_class = _Response


class _TlsConnection(_Registered, HTTPSConnection):
    response_class = _Response


class Channel:
    """GET requests, one at a time, over one kept-alive connection. `interrupt` may be called from any thread."""

    def __init__(self, access: Access, connect_timeout: float, keepalive: Keepalive) -> None:
        self._access = access
        self._connect_timeout = connect_timeout
        self._keepalive = keepalive
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._interrupted = False
        self._endpoint: Endpoint | None = None
        self._pools: urllib3.PoolManager | None = None

    def get(
        self, path: str, query: dict[str, str], *, accept: str, read_timeout: float, gzip: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """The answer, if its status is 200 and it is JSON; its body is yet to be read and the caller closes it.

        A 401 makes the credentials be read again, at once and once. Redirects are not followed.
        Raises ApiError for everything else, Interrupted when cut off.
        """
        for last in (False, True):
            generation, credentials = self._access.headers()
            headers = {"Accept": accept, "User-Agent": USER_AGENT, **credentials}
            headers["Accept-Encoding"] = "gzip" if gzip else "identity"
            with self._mapped(path, generation):
                response = self._open(path, query, headers, read_timeout)
            if response.status == 200:
                _check_json(response, path)
                return response
            with self._mapped(path, generation):
                response.read(ERROR_BODY_LIMIT)
                response.close()
            failure = of_status(response.status, path, response.headers.get("Retry-After"))
            if failure.reason != "unauthorized" or last or not self._access.reload(generation):
                raise failure
        raise AssertionError("unreachable")

    def body(self, response: urllib3.BaseHTTPResponse, path: str) -> bytes:
        """The whole body, decompressed. Raises ApiError "size" past PAGE_LIMIT, else as `get` does."""
        parts: list[bytes] = []
        size = 0
        with self._mapped(path), contextlib.closing(response):
            packed = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
            read = iter(lambda: response.read(READ_SIZE, decode_content=not packed), b"")
            for part in gunzip.opened(read) if packed else read:
                parts.append(part)
                size += len(part)
                if size > PAGE_LIMIT:
                    raise ApiError("size", f"{path}: more than {PAGE_LIMIT >> 20} MiB", status=response.status)
        return b"".join(parts)

    def chunks(self, response: urllib3.BaseHTTPResponse, path: str) -> Iterator[bytes]:
        """What arrives, as it arrives, until the server ends the stream. Raises as `get` does.

        read1 and not stream(): that waits for the end of a chunk which a proxy announced but did not yet fill.
        """
        with contextlib.closing(response):
            while True:
                with self._mapped(path):
                    chunk = response.read1(READ_SIZE, decode_content=True)
                if not chunk:
                    return
                yield chunk
                del chunk

    def interrupt(self) -> None:
        """Cut off whatever is under way, and let nothing begin again. Returns at once."""
        with self._lock:
            self._interrupted = True
            sockets = list(self._sockets)
        for sock in sockets:
            _shut(sock)

    def close(self) -> None:
        """Close the connection. Called by the channel's own thread, at its end."""
        if self._pools is not None:
            self._pools.clear()
            self._pools = None

    @property
    def interrupted(self) -> bool:
        return self._interrupted

    def _open(
        self, path: str, query: dict[str, str], headers: dict[str, str], read_timeout: float
    ) -> urllib3.BaseHTTPResponse:
        pools = self._pool_manager()
        if self._interrupted:
            raise Interrupted
        assert self._endpoint is not None
        url = f"{self._endpoint.host}{path}"
        return pools.urlopen(
            "GET",
            f"{url}?{urlencode(query)}" if query else url,
            headers=headers,
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=self._connect_timeout, read=read_timeout),
        )

    def _pool_manager(self) -> urllib3.PoolManager:
        endpoint = self._access.endpoint
        if self._pools is None or self._endpoint is not endpoint:
            self.close()
            self._endpoint = endpoint
            self._pools = _pool_manager(endpoint, self._keepalive)
            pool: Any = self._pools.connection_from_url(endpoint.host)
            base = _TlsConnection if pool.scheme == "https" else _PlainConnection
            pool.ConnectionCls = type("Connection", (base,), {"register": staticmethod(self._register)})
        return self._pools

    def _register(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
            interrupted = self._interrupted
        if interrupted:
            _shut(sock)

    @contextlib.contextmanager
    def _mapped(self, path: str, generation: int | None = None) -> Iterator[None]:
        """The many errors of sockets, TLS, HTTP and gzip become Interrupted or a ApiError without their text."""
        try:
            yield
        except _NETWORK_ERRORS as error:
            if self._interrupted:
                raise Interrupted from error
            if generation is not None and _is_tls(error):
                self._access.reload(generation)  # the CA or our certificate may have been replaced; used next time
            # Which server it was is the first question of whoever reads it.
            detail = f"{redact(self._endpoint.host) if self._endpoint else ''}{path}: {_name(error)}"
            if isinstance(error, _TIMEOUTS) and not isinstance(error, urllib3.exceptions.NewConnectionError):
                raise ApiError("timeout", detail) from error
            raise ApiError("network", detail) from error
        if self._interrupted:
            raise Interrupted


def _pool_manager(endpoint: Endpoint, keepalive: Keepalive) -> urllib3.PoolManager:
    arguments: dict[str, Any] = {"num_pools": 2, "maxsize": 1, "socket_options": keepalive.socket_options()}
    if endpoint.ssl_context is not None:
        arguments["ssl_context"] = endpoint.ssl_context
        arguments["server_hostname"] = endpoint.server_hostname
        if endpoint.assert_hostname is not None:
            arguments["assert_hostname"] = endpoint.assert_hostname
    if endpoint.proxy is None:
        return urllib3.PoolManager(**arguments)
    if endpoint.proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(endpoint.proxy, **arguments)
    return urllib3.ProxyManager(endpoint.proxy, proxy_headers=endpoint.proxy_headers, **arguments)


def _check_json(response: urllib3.BaseHTTPResponse, path: str) -> None:
    kind = response.headers.get("Content-Type", "")
    if "json" not in kind.lower():
        response.close()
        raise ApiError(
            "error", f"{path}: the answer is not JSON; is this a Kubernetes API server?", status=response.status
        )


def _shut(sock: socket.socket) -> None:
    # The method of the plain socket: SSLSocket's own would take the TLS object away from the thread that reads.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _is_tls(error: BaseException) -> bool:
    return isinstance(error, (urllib3.exceptions.SSLError, ssl.SSLError))


def _name(error: BaseException) -> str:
    """The class of the error, with the operating system's word for it where there is one; never a text that may quote."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not verified ({cause.verify_message})"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
