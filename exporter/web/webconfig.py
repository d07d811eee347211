"""`--web.config.file` in exporter-toolkit's format: TLS, basic authentication, headers, rate limit; read again when it changes."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
import yaml

from exporter.config.duration import parse_duration
from exporter.errors import ConfigError
from exporter.web.messages import Request, Response, sentence
from exporter.web.tls import TLSServerConfig, context
from exporter.web.users import BusyError, Users

log = structlog.stdlib.get_logger(__name__)

#: Files are looked at no more often than this.
CHECK_SECONDS = 1.0

#: The headers that can be set, and their values where they are few.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}


_REALM = 'Basic realm="vault-eso-exporter", charset="UTF-8"'


class _HTTP(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    http2: bool = True
    headers: dict[str, str] = {}


class _Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interval: str | int = 0
    burst: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tls_server_config: TLSServerConfig = TLSServerConfig()
    http_server_config: _HTTP = _HTTP()
    basic_auth_users: dict[str, str] = {}
    rate_limit: _Rate = _Rate()


class Limiter:
    """A token bucket: one request per `interval` seconds, and up to `burst` at once; no limit for an interval of 0."""

    def __init__(self, interval: float, burst: int) -> None:
        self._interval = interval
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether a request may pass."""
        if not self._interval:
            return True
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) / self._interval)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class WebConfig:
    """One state of the file. `context` None: plain HTTP. `sans`: names of which a client certificate must carry one."""

    def __init__(self, file: _File, base: Path) -> None:
        tls = file.tls_server_config
        self.context: ssl.SSLContext | None = context(tls, base) if tls.on() else None
        self.sans = tls.client_allowed_sans
        self.headers = _headers(file.http_server_config.headers)
        self._users = Users(file.basic_auth_users)
        self._limiter = _limiter(file.rate_limit)

    def refusal(self, request: Request) -> tuple[str, Response] | None:
        """Why this request is not answered (a reason of counters.REASONS), and what is answered instead; None: it may pass."""
        if not self._limiter.take():
            return "rate_limit", sentence(429, "too many requests", {"Retry-After": "1"})
        try:
            if not self._users or self._users.allow(request.headers.get("authorization", "")):
                return None
        except BusyError:
            return "unauthorized", sentence(503, "too many log-ins at once", {"Retry-After": "1"})
        return "unauthorized", sentence(401, "user name and password, please", {"WWW-Authenticate": _REALM})


class WebConfigFile:
    """The newest usable state of the file at `name` (empty: no file, plain HTTP).

    Raises ConfigError when the first state is not usable; later ones are logged, and the state before stays.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(name) if name else None
        self._lock = threading.Lock()
        self._checked = time.monotonic()
        self._files: list[Path] = []
        if self._path is None:
            self._config = WebConfig(_File(), Path())
            return
        self._files = [self._path]
        self._config = self._load(self._path)
        self._seen = [_stamp(path) for path in self._files]

    def current(self) -> WebConfig:
        """The state to use for a new connection or request."""
        due = self._path is not None and time.monotonic() - self._checked >= CHECK_SECONDS
        # Who comes while another one looks takes what there is.
        if self._path is not None and due and self._lock.acquire(blocking=False):
            try:
                self._check(self._path)
            finally:
                self._checked = time.monotonic()
                self._lock.release()
        return self._config

    def _check(self, path: Path) -> None:
        found = [_stamp(each) for each in self._files]
        if found == self._seen:
            return
        try:
            self._config = self._load(path)
        except ConfigError as error:
            log.error("the web configuration cannot be used, the old one stays", reason=str(error))
        else:
            log.info("the web configuration was read anew", file=str(path))
        # Also after a failure, so that it is told once; a file that was touched while it was read is read again.
        self._seen = found if len(found) == len(self._files) else [_stamp(each) for each in self._files]

    def _load(self, path: Path) -> WebConfig:
        try:
            file = _parse(path)
            self._files = [path, *file.tls_server_config.files(path.parent)]
            return WebConfig(file, path.parent)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


def _parse(path: Path) -> _File:
    try:
        content = yaml.load(path.read_bytes(), Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"line {line}: {error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, ValueError):
        raise ConfigError("not YAML") from None
    try:
        return msgspec.convert(_given(content or {}), _File)
    except msgspec.ValidationError as error:
        # Its messages name keys and types, never values.
        raise ConfigError(str(error).replace(" - at `$.", " - at `").replace(" - at `$`", "")) from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _given(content: Any) -> Any:
    """Without what has no value: an empty key is as if it were not there."""
    if isinstance(content, dict):
        return {key: _given(value) for key, value in content.items() if value is not None}
    return content


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name not in HEADERS:
            raise ConfigError(f"http_server_config.headers: {name} cannot be set; these can: {', '.join(HEADERS)}")
        if HEADERS[name] and value.lower() not in ("", *HEADERS[name]):
            raise ConfigError(f"http_server_config.headers.{name} must be {' or '.join(HEADERS[name])}")
        if not value.isprintable() or not value.isascii():
            raise ConfigError(f"http_server_config.headers.{name} must be printable ASCII")
    return {name: value for name, value in headers.items() if value}


def _limiter(rate: _Rate) -> Limiter:
    interval = parse_duration(str(rate.interval))
    # A bare number would be nanoseconds to exporter-toolkit.
    if interval is None or (interval and isinstance(rate.interval, int)):
        raise ConfigError("rate_limit.interval must be a duration with its unit, such as 500ms or 1s")
    if rate.burst < 0 or (interval and not rate.burst):
        raise ConfigError("rate_limit.burst must be at least 1")
    return Limiter(interval, rate.burst)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
