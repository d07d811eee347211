"""One Alertmanager's API, version 2: every request has a limit in time and bytes, follows no redirect and uses no proxy.

The paths and forms are those of Alertmanager's `api/v2/openapi.yaml`; tried on 0.25 and on the newest build.
"""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from exporter import __version__
from exporter.config.settings import AlertmanagerSettings
from exporter.errors import ConfigError

REASONS = ("dns", "connect", "tls", "timeout", "refused", "http_status", "credentials", "answer")
"""Why a request failed: the values of the label `reason`. `refused` is an answer 4xx, `answer` one that makes no sense."""

HIDDEN = (401, 403, 404, 405)
"""Statuses by which a proxy hides `/api/v2/status`."""
UNACCEPTABLE = (400, 413, 422)
"""Statuses that blame what was sent: the same again brings the same answer."""

MAX_ANSWER = 16 << 20
"""Bytes of the longest answer that is read: the list of alerts that fired before we started."""
MAX_CREDENTIALS = 64 << 10
RETRY_AFTER_MAX = 60.0


class RequestFailedError(Exception):
    """A request that brought nothing: `reason` is one of REASONS, the text one sentence for the log, without secrets.

    `status` is that of the answer, 0 without one; `retry_after` the seconds for which it asks to be left alone.
    """

    def __init__(self, reason: str, sentence: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


class Held(NamedTuple):
    """An alert that an Alertmanager holds; times are Unix seconds."""

    labels: dict[str, str]
    starts: float
    ends: float


class _Held(msgspec.Struct, rename="camel"):
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime


class _Status(msgspec.Struct):
    uptime: str = ""


def check(settings: AlertmanagerSettings) -> None:
    """Whether every file that the settings name can be used. Raises ConfigError."""
    tls(settings)
    if settings.urls:
        try:
            _credentials(settings)
        except RequestFailedError as error:
            raise ConfigError(f"{error}; correct the file, or the setting that names it.") from None


def tls(settings: AlertmanagerSettings) -> ssl.SSLContext:
    """What verifies an Alertmanager's certificate and shows ours. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"The file alertmanager.ca_file ({settings.ca_file}) cannot be used: it must hold certificates in PEM form."
        ) from None
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        except (OSError, ssl.SSLError):
            raise ConfigError(
                f"alertmanager.cert_file ({settings.cert_file}) and alertmanager.key_file cannot be used: they must hold a "
                "certificate and its key in PEM form."
            ) from None
    return context


def shown(url: str) -> str:
    """How an Alertmanager is called in metrics and logs: host, port and path."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.rstrip('/')}"


class Api:
    """Requests to one Alertmanager. For one thread. Everything raises RequestFailedError."""

    def __init__(self, url: str, settings: AlertmanagerSettings) -> None:
        self.name = shown(url)
        self._base = url.rstrip("/") + "/api/v2"
        self._settings = settings
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=tls(settings))

    def post(self, alerts: bytes) -> None:
        """Hands over alerts, a JSON list."""
        self._ask("POST", "/alerts", alerts)

    def started(self) -> str:
        """When it was started, in its own words; "" when it does not tell (an older one, or a proxy that hides it)."""
        try:
            return msgspec.json.decode(self._ask("GET", "/status"), type=_Status).uptime
        except msgspec.DecodeError:
            raise RequestFailedError("answer", f"{self.name} answers with something that is no status") from None
        except RequestFailedError as error:
            if error.status in HIDDEN:
                return ""
            raise

    def held(self, matchers: Iterable[str]) -> list[Held]:
        """The alerts it holds that fit all matchers (`name="value"`, `name=~"pattern"`)."""
        query = "&".join(f"filter={quote(matcher, safe='')}" for matcher in matchers)
        try:
            found = msgspec.json.decode(self._ask("GET", f"/alerts?{query}"), type=list[_Held])
            return [Held(one.labels, one.starts_at.timestamp(), one.ends_at.timestamp()) for one in found]
        except msgspec.DecodeError:
            raise RequestFailedError(
                "answer", f"{self.name} answers with something that is no list of alerts"
            ) from None

    def close(self) -> None:
        """Drops the connection."""
        self._pool.clear()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        deadline = time.monotonic() + self._settings.timeout
        headers = {"User-Agent": f"vault-eso-exporter/{__version__}", **_credentials(self._settings)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method,
                self._base + path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=self._settings.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                content = self._read(answer, deadline)
            finally:
                # A connection of which not everything was read cannot be used again.
                answer.close() if answer.status >= 300 else answer.release_conn()
        except HTTPError as error:
            raise _failed(self.name, error) from None
        if answer.status >= 300:
            raise RequestFailedError(
                "refused" if 400 <= answer.status < 500 and answer.status not in (408, 429) else "http_status",
                f"{self.name} answers {method} {path.partition('?')[0]} with {answer.status}",
                answer.status,
                _retry_after(answer.headers),
            )
        return content

    def _read(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        found = bytearray()
        for chunk in answer.stream(64 << 10):
            found += chunk
            if len(found) > MAX_ANSWER:
                answer.close()
                raise RequestFailedError("answer", f"{self.name} answers with more than {MAX_ANSWER >> 20} MiB")
            if time.monotonic() > deadline:
                answer.close()
                raise RequestFailedError("timeout", f"{self.name} did not finish its answer in time")
        return bytes(found)


def _credentials(settings: AlertmanagerSettings) -> dict[str, str]:
    if settings.bearer_token_file:
        return {"Authorization": f"Bearer {_secret(settings.bearer_token_file)}"}
    if settings.username:
        pair = f"{settings.username}:{_secret(settings.password_file)}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _secret(name: str) -> str:
    try:
        with Path(name).open(encoding="utf-8") as file:
            text = file.read(MAX_CREDENTIALS).strip()
    except (OSError, UnicodeDecodeError):
        raise RequestFailedError("credentials", f"The credentials file {name} cannot be read") from None
    if not text or not text.isprintable() or not text.isascii():
        raise RequestFailedError("credentials", f"The credentials file {name} holds no single line of text") from None
    return text


def _failed(name: str, error: HTTPError) -> RequestFailedError:
    """The class of a failure: of the exception's type only, its text may hold anything."""
    cause: BaseException | None = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, NameResolutionError):
        return RequestFailedError("dns", f"the name of {name} does not resolve")
    if isinstance(cause, SSLError):
        return RequestFailedError("tls", f"no TLS connection to {name}: its certificate is not trusted, or ours is not")
    if isinstance(cause, NewConnectionError):  # of which urllib3 makes a kind of ConnectTimeoutError
        return RequestFailedError("connect", f"no connection to {name}")
    if isinstance(cause, ConnectTimeoutError | ReadTimeoutError):
        return RequestFailedError("timeout", f"{name} did not answer in time")
    return RequestFailedError("connect", f"the connection to {name} broke off")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_MAX) if text.isdecimal() and len(text) < 9 else None
