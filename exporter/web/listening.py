"""Where the server listens: `host:port`, `:port` (every address, both families) or `[v6]:port`."""

from __future__ import annotations

import errno
import socket

from exporter.errors import ConfigError, ExporterError

#: Connections that the kernel holds for us until they are accepted.
BACKLOG = 128


def split(address: str) -> tuple[str, int]:
    """Host and port; the host is empty for every address. Raises ConfigError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and host[0] != "["):
        raise ConfigError(f"the listen address must be host:port, :port or [v6]:port, not {address!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(address: str) -> socket.socket:
    """A listening socket. Raises ConfigError for an address that is none, ExporterError when it cannot be had."""
    host, port = split(address)
    try:
        if not host:
            return _everywhere(port)
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ExporterError(_sentence(address, error)) from None


def _everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            # IPv6 is compiled in, yet switched off on this machine.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("", port), backlog=BACKLOG)


def _sentence(address: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {address}: the port is in use; end what uses it, or choose another with --web.listen-address"
    if error.errno == errno.EACCES:
        return f"cannot listen on {address}: not permitted; choose a port above 1023 with --web.listen-address"
    reason = error.strerror or str(error)
    return f"cannot listen on {address}: {reason}; choose another address with --web.listen-address"
