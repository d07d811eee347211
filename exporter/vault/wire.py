"""The connection of one probe: a total deadline, a limit of bytes, no forbidden address, no proxy, no redirect.

requests and urllib3 know timeouts per read only, so a server that drips bytes holds them for ever. Here every read of the
socket gets what is left of the deadline. Names are resolved here and the addresses found are the ones connected to, so a
name cannot lead elsewhere after it was looked at.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from hvac.adapters import RawAdapter
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from exporter.vault.addresses import DEFAULT_PORTS
from exporter.vault.lookup import Lookups

MAX_BODY = 64 * 1024
"""Bytes of one answer's body; a longer one is cut and not read as JSON."""
MAX_RECEIVED = 4 * MAX_BODY
"""Bytes of one connection, with all headers."""
MAX_ADDRESSES = 8
USER_AGENT = "vault-eso-exporter"


class TooLongError(Exception):
    """The server sends more than an answer of Vault can be."""


class Wire:
    """How far one attempt came and what is left to it; shared by its sockets.

    `stage` is what is going on (dns, connect, tls, http), `ready` the monotonic moment when the connection stood,
    `certificate` the server's own in DER.
    """

    def __init__(self, ends: float, lookups: Lookups) -> None:
        self.ends = ends
        self.lookups = lookups
        self.stage = "dns"
        self.ready = 0.0
        self.certificate: bytes | None = None
        self._left = MAX_RECEIVED

    def remaining(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the probe's deadline has passed")
        return left

    def received(self, count: int) -> None:
        """Note bytes read. Raises TooLongError past MAX_RECEIVED."""
        self._left -= count
        if self._left < 0:
            raise TooLongError

    def dial(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of a name that answers. Raises NoAddressError, ForbiddenAddressError, OSError."""
        self.stage = "dns"
        found = self.lookups.addresses(host, port, self.remaining())[:MAX_ADDRESSES]
        self.stage = "connect"
        failure: OSError = OSError("no address")
        for tried, (family, address) in enumerate(found):
            sock = TimedSocket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(self.remaining() / (len(found) - tried))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self.remaining())
            except OSError as error:
                sock.close()
                failure = error
                continue
            sock.wire = self
            return sock
        raise failure


class TimedSocket(socket.socket):
    """A socket whose reads end with its wire's deadline."""

    wire: Wire | None = None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if self.wire is None:
            return super().recv_into(buffer, nbytes, flags)
        self.settimeout(self.wire.remaining())
        count = super().recv_into(buffer, nbytes, flags)
        self.wire.received(count)
        return count


class TimedTlsSocket(ssl.SSLSocket):
    """The same over TLS; the handshake itself keeps to the timeout that `dial` left on the socket."""

    wire: Wire | None = None

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if self.wire is None:
            return super().recv_into(buffer, nbytes, flags)
        self.settimeout(self.wire.remaining())
        count = super().recv_into(buffer, nbytes, flags)
        self.wire.received(count)
        return count


class _PlainConnection(HTTPConnection):
    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire

    def _new_conn(self) -> socket.socket:
        sock = self._wire.dial(self._dns_host, self.port)
        self._wire.stage, self._wire.ready = "http", time.monotonic()
        return sock


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire

    def _new_conn(self) -> socket.socket:
        sock = self._wire.dial(self._dns_host, self.port)
        self._wire.stage = "tls"
        return sock

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, TimedTlsSocket):
            self._wire.certificate = self.sock.getpeercert(binary_form=True)
            self.sock.wire = self._wire
        self._wire.stage, self._wire.ready = "http", time.monotonic()


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def _validate_conn(self, conn: Any) -> None:
        # urllib3's own warns of every unverified request; eso_vault_tls_verified says it instead.
        if conn.is_closed:
            conn.connect()


class _Transport(HTTPAdapter):
    """Sends everything to the one pool made for this attempt; requests' own ideas of TLS and proxies stay out."""

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> urllib3.HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        return None

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Session(requests.Session):
    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"})
        transport = _Transport(pool)
        self.adapters.clear()
        self.mount("http://", transport)
        self.mount("https://", transport)

    def get_redirect_target(self, _resp: requests.Response) -> str | None:
        # Not following is not enough: requests would read the whole body and prepare the next request all the same.
        return None


class TokenlessAdapter(RawAdapter):  # type: ignore[misc] # hvac has no types
    """hvac's raw adapter for the endpoints that need no login: GET only, no token, no namespace, no redirects.

    Health answers 400 to a namespace header. Answers hold at most MAX_BODY bytes, already read. Raises TooLongError, and what
    requests and urllib3 raise.
    """

    def __init__(self, address: str, wire: Wire, context: ssl.SSLContext | None, server_name: str = "") -> None:
        self._wire = wire
        session = _Session(pool(address, wire, context, server_name))
        super().__init__(base_uri=address, token="", session=session, allow_redirects=False, ignore_exceptions=True)

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        if method.lower() != "get":
            raise ValueError("probes only read")
        limit = self._wire.remaining()
        response: requests.Response = super().request(method, url, stream=True, timeout=(limit, limit), **kwargs)
        body = response.raw.read(MAX_BODY + 1, decode_content=False)
        if len(body) > MAX_BODY:
            raise TooLongError
        response._content = body
        return response


def pool(address: str, wire: Wire, context: ssl.SSLContext | None, server_name: str = "") -> urllib3.HTTPConnectionPool:
    """A pool of one connection to a canonical address, over TLS when a context is given."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    if context is None:
        return _PlainPool(host, port, maxsize=1, retries=False, wire=wire)
    context.sslsocket_class = TimedTlsSocket
    return _TlsPool(
        host, port, maxsize=1, retries=False, wire=wire, ssl_context=context, server_hostname=server_name or None
    )


def shown_certificate(address: str, wire: Wire, context: ssl.SSLContext, server_name: str = "") -> bytes | None:
    """The certificate a server shows in a handshake after which nothing is asked; none when there is no handshake."""
    connection = _TlsConnection(
        urlsplit(address).hostname or "",
        urlsplit(address).port or DEFAULT_PORTS["https"],
        wire=wire,
        ssl_context=context,
        server_hostname=server_name or None,
    )
    try:
        connection.connect()
    except Exception:  # noqa: BLE001 - the probe has already failed; this only adds what it can
        return None
    finally:
        connection.close()
    return wire.certificate
