"""Name lookups with a time limit: the C library may think for minutes, a probe must not."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from exporter.vault.addresses import is_forbidden

Found = list[tuple[socket.AddressFamily, tuple[str, int]]]
Getaddrinfo = Callable[[str, int], list[tuple[int, int, int, str, tuple[object, ...]]]]


class NoAddressError(Exception):
    """The name has no address, or none was told in time."""


class ForbiddenAddressError(Exception):
    """The name leads only to addresses that are never asked."""


def _getaddrinfo(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Lookups:
    """One lookup per name at a time, each in a thread of its own that a caller stops waiting for at his limit.

    A lookup that hangs is joined by the next caller instead of started again: never more threads than names.
    """

    def __init__(self, getaddrinfo: Getaddrinfo = _getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Future[Found]] = {}

    def addresses(self, host: str, port: int, limit: float) -> Found:
        """(family, (ip, port)) of a host, in the system's order, without forbidden ones; `limit` in seconds.

        Raises NoAddressError, or ForbiddenAddressError when nothing else is left.
        """
        try:
            found = self._literal(host, port) or self._wait(host, port, limit)
        except (OSError, UnicodeError, FutureTimeoutError) as error:
            raise NoAddressError from error
        allowed = [each for each in found if not is_forbidden(ipaddress.ip_address(each[1][0].partition("%")[0]))]
        if found and not allowed:
            raise ForbiddenAddressError
        if not allowed:
            raise NoAddressError
        return allowed

    def _literal(self, host: str, port: int) -> Found:
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return []
        return [(socket.AF_INET if address.version == 4 else socket.AF_INET6, (str(address), port))]

    def _wait(self, host: str, port: int, limit: float) -> Found:
        key = (host, port)
        with self._lock:
            future = self._running.get(key)
            if future is None:
                future = self._running[key] = Future()
                threading.Thread(target=self._run, args=(key, future), name=f"lookup-{host}", daemon=True).start()
        return future.result(timeout=max(limit, 0.0))

    def _run(self, key: tuple[str, int], future: Future[Found]) -> None:
        found: Found = []
        error: Exception | None = None
        try:
            for family, _, _, _, address in self._getaddrinfo(*key):
                found.append((socket.AddressFamily(family), (str(address[0]), key[1])))
        except Exception as failure:  # noqa: BLE001 - whatever it is, the caller is told, not this thread's owner
            error = failure
        with self._lock:
            self._running.pop(key, None)
        if error is not None:
            future.set_exception(error if isinstance(error, (OSError, UnicodeError)) else OSError("lookup failed"))
        else:
            future.set_result(found)
