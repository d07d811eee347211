"""Why a probe got no answer: the error class of an exception, and the same in words that hold no text of the server."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import IncompleteRead

from exporter.vault.lookup import ForbiddenAddressError, NoAddressError
from exporter.vault.trust import VERIFY_FAULTS, VERIFY_OTHER
from exporter.vault.wire import TooLongError, Wire


def classify(failure: BaseException, wire: Wire, address: str = "") -> tuple[str, str]:
    """(error, detail) of whatever a request raised, by what it is and by how far the connection came."""
    chain = list(_chain(failure))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in chain if isinstance(each, kinds)), None)

    if among(ForbiddenAddressError):
        return "connect", "the name leads only to addresses that are never asked (link-local, metadata)"
    if among(NoAddressError):
        return "dns", f"the name {urlsplit(address).hostname} cannot be resolved"
    if unverifiable := among(ssl.SSLCertVerificationError):
        return "tls_verify", VERIFY_FAULTS.get(getattr(unverifiable, "verify_code", 0), VERIFY_OTHER)
    if among(TooLongError):
        return "decode", "the answer is longer than any of Vault's"
    if among(TimeoutError, requests.Timeout):
        return "timeout", _SILENCE[wire.stage]
    if wire.stage == "tls" or among(ssl.SSLError):
        return "tls_handshake", "no TLS handshake: the server may speak plain http, or ask for a client certificate"
    if among(IncompleteRead, http.client.IncompleteRead):
        return "decode", "the answer ends too early"
    if among(ConnectionRefusedError):
        return "connect", "nothing listens there"
    if wire.stage == "connect" or among(ConnectionError):
        return "connect", "the connection cannot be made or was closed"
    if among(http.client.HTTPException):
        return "not_vault", "the server does not speak HTTP"
    return "decode", "the answer cannot be read"


_SILENCE = {
    "dns": "no address in time",
    "connect": "no connection in time",
    "tls": "no TLS handshake in time",
    "http": "no whole answer in time",
}


def _chain(failure: BaseException) -> Iterator[BaseException]:
    """An exception and all that it wraps: requests and urllib3 put the real one into arguments, reasons and causes."""
    waiting: list[object] = [failure]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
