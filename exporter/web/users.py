"""Basic authentication with bcrypt hashes, which are slow on purpose: what was verified once is remembered."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

from exporter.errors import ConfigError

_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_REMEMBERED = 100
_WAITING = 8
# Of a password that nobody has, so that an unknown user takes as long as a known one.
_NOBODY = b"$2b$10$abcdefghijklmnopqrstuuGgvGYbAXTrGtFFH1hkXh5wfOOmn/2Vu"


class BusyError(Exception):
    """Too many passwords are being checked already."""


class Users:
    """Names and bcrypt hashes. Raises ConfigError for what is no bcrypt hash."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        for name, text in hashes.items():
            if not _HASH.fullmatch(text):
                raise ConfigError(
                    f"basic_auth_users.{name}: not a bcrypt hash; make one with `htpasswd -nBC 10 {name}`"
                )
        # `x` and `y` mark old PHP and htpasswd; the algorithm is the same.
        self._hashes = {name: re.sub(r"^\$2[xy]", "$2b", text).encode() for name, text in hashes.items()}
        self._secret = os.urandom(32)
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._lock = threading.Lock()
        # One at a time, and few in line: guesses must neither take the machine nor hold all connections; who is
        # remembered does not wait for them.
        self._slow = threading.Lock()
        self._line = threading.BoundedSemaphore(_WAITING)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def allow(self, authorization: str) -> bool:
        """Whether an Authorization header names a user and the right password. Raises BusyError."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        return bool(colon) and self._verify(name, password)

    def _verify(self, name: bytes, password: bytes) -> bool:
        known_hash = self._hashes.get(name.decode(errors="replace"))
        expected = known_hash if known_hash is not None else _NOBODY
        # Keyed, so that what is remembered tells nothing; its lookup takes no time that depends on the password.
        mark = hmac.digest(self._secret, b"\0".join((hashlib.sha256(name).digest(), expected, password)), "sha256")
        with self._lock:
            known = self._known.get(mark)
        if known is None:
            if not self._line.acquire(blocking=False):
                raise BusyError
            try:
                with self._slow:
                    known = _check(password, expected) and known_hash is not None
            finally:
                self._line.release()
            with self._lock:
                self._known[mark] = known
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return known


def _check(password: bytes, expected: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, expected)
    except ValueError:
        # More than 72 bytes, or a NUL: no password that bcrypt can have hashed.
        return False
