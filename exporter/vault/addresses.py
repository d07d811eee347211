"""The address of a Vault: one spelling for each server, and the addresses that are never asked.

ESO hands `spec.provider.vault.server` to Vault's Go client, which keeps scheme, host, port and path, joins the path with
`/v1/…` (so a trailing slash means nothing) and drops query and fragment. `canonical` does the same, and gives two
spellings of one server one text.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import socket
from urllib.parse import urlsplit

import idna

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LABEL = 253
"""Longest host[:port][/path] in bytes that may become a label."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "fe80::/10",  # link-local
        "100.100.100.200/32",  # metadata service of Alibaba Cloud
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # metadata service of Oracle Cloud
        "fd00:ec2::254/128",  # metadata service of AWS over IPv6
        "fd20:ce::254/128",  # metadata service of Google Cloud over IPv6
        "224.0.0.0/4",  # multicast
        "ff00::/8",  # multicast
        "255.255.255.255/32",  # broadcast
    )
)
EMBEDDING = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "64:ff9b::/96", "64:ff9b:1::/96")  # IPv4-compatible, NAT64: the last 32 bits are IPv4
)

_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def canonical(url: str) -> str:
    """The one spelling of a server, `scheme://host[:port][/path]`, or an empty text when it is no usable http(s) address.

    Scheme and host in lower case, IP addresses in their usual form (also decimal, hexadecimal and octal IPv4),
    the scheme's default port left out, path cleaned and without trailing slash; user, query and fragment dropped.
    """
    if not url.isprintable() or " " in url or "\\" in url:
        return ""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), _host(parts.hostname or ""), parts.port
    except ValueError:
        return ""
    path = posixpath.normpath("/" + parts.path.lstrip("/")).rstrip("/")
    if scheme not in DEFAULT_PORTS or not host or port == 0 or not _PATH.fullmatch(path):
        return ""
    netloc = host if port is None or port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{netloc}{path}" if len(netloc) + len(path) <= MAX_LABEL else ""


def label(server: str) -> str:
    """host[:port][/path] of a canonical address: how a server is called that nobody named."""
    return server.partition("://")[2]


def netlocs(server: str) -> tuple[str, ...]:
    """host:port of a canonical address, and the bare host too when it uses its scheme's default port."""
    scheme, _, rest = server.partition("://")
    netloc = rest.partition("/")[0]
    if re.search(r":\d+$", netloc) and not netloc.endswith("]"):
        return (netloc,)
    return (netloc, f"{netloc}:{DEFAULT_PORTS[scheme]}")


def forbidden(server: str) -> bool:
    """Whether a canonical address spells out an IP address that is never asked."""
    host = urlsplit(server).hostname or ""
    try:
        return is_forbidden(ipaddress.ip_address(host))
    except ValueError:
        return False


def is_forbidden(address: Address) -> bool:
    """Whether an IP address is link-local, multicast or a cloud's metadata service, also when wrapped into IPv6."""
    return any(
        each in network
        for each in (address, *_embedded(address))
        for network in FORBIDDEN
        if each.version == network.version
    )


def _embedded(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in EMBEDDING):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(each for each in found if each is not None)


def _host(host: str) -> str:
    if ":" in host:
        address = ipaddress.IPv6Address(host)  # with a zone ("%eth0"): link-local only, so the zone may go
        return f"[{ipaddress.IPv6Address(int(address)).compressed}]"
    host = host.rstrip(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            return ""
    if not _HOST.fullmatch(host):
        return ""
    try:
        # What the C library reads as IPv4 (2852039166, 0xa9fea9fe, 169.254.43518) is resolved without any lookup.
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host
