"""Which certificates a probe trusts, and what it reads from the one it is shown.

The rules are those of ESO's Go client, so that the probe fails where ESO would: names only from subject alternative
names, any certificate of the bundle is an anchor (also an intermediate), no demands on extensions of private CAs.
"""

from __future__ import annotations

import functools
import hashlib
import ssl
from pathlib import Path

MAX_CA_BYTES = 1 << 20

VERIFY_FAULTS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed and not in the known CA",
    19: "the certificate's root is not in the known CA",
    20: "the certificate's issuer is not in the known CA",
    21: "the certificate's issuer is not in the known CA",
    62: "the certificate is for another host name",
    64: "the certificate is for another IP address",
}
"""OpenSSL's verification codes as words for people; all others are `VERIFY_OTHER`."""
VERIFY_OTHER = "the certificate does not verify"


class CaError(Exception):
    """A CA bundle cannot be used; its text is part of a sentence."""


def known_ca(pem: bytes, file: str) -> bytes:
    """The PEM bundle of the CA that a server must have, empty when none is known. Raises CaError."""
    if file:
        try:
            with Path(file).open("rb") as stream:
                pem += b"\n" + stream.read(MAX_CA_BYTES)
        except OSError as error:
            raise CaError(f"the file {file} cannot be read ({error.strerror or 'error'})") from None
    if pem:
        verifying(pem)
    return pem


@functools.lru_cache(maxsize=128)
def verifying(pem: bytes) -> ssl.SSLContext:
    """A context that verifies against a PEM bundle, or against the system's trust store when it is empty. Raises CaError."""
    context = _context()
    try:
        if pem:
            context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError):
        raise CaError("it holds no certificate in PEM form") from None
    return context


@functools.lru_cache(maxsize=1)
def unverified() -> ssl.SSLContext:
    """A context that takes any certificate: nothing secret is ever sent over it."""
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def not_after(certificate: bytes | None) -> float | None:
    """The end of a DER certificate as Unix seconds; none when there is none or it cannot be read."""
    if not certificate:
        return None
    from cryptography import x509  # 8 MB, which only those need whose Vaults speak TLS

    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except (ValueError, x509.InvalidVersion):
        return None


class TrustMemory:
    """What one target showed when nobody told its CA and the system's trust store did not know it.

    Asking the trust store again each time would make the server log a refused handshake at every probe. So the probe
    goes straight to the unverified connection while the server shows the same certificate, for `ask_again` seconds.
    """

    ask_again = 3600.0

    def __init__(self) -> None:
        self._unknown: str = ""
        self._until = 0.0

    def unknown(self, now: float) -> bool:
        """Whether the trust store need not be asked at `now` (monotonic seconds)."""
        return bool(self._unknown) and now < self._until

    def saw(self, certificate: bytes | None, now: float) -> None:
        """Note the certificate of an unverified connection: another one than before is to be verified next time."""
        shown = hashlib.sha256(certificate or b"").hexdigest()
        if self._unknown and shown != self._unknown:
            self._unknown = ""
        else:
            if not self.unknown(now):
                self._until = now + self.ask_again
            self._unknown = shown
