"""The API server as the rest of the exporter knows it: channels for reflectors, its version, and what it serves."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple, TypeVar

import msgspec

from exporter.config.settings import KubernetesSettings
from exporter.kube.access import Access
from exporter.kube.failure import ApiError
from exporter.kube.transport import KEEPALIVE, Channel, Keepalive

T = TypeVar("T")

DISCOVERY_HOLDS = 5.0  # seconds: hundreds of reflectors of a missing CRD ask at once
READ_TIMEOUT = 10.0


class _GroupVersion(msgspec.Struct, rename="camel"):
    version: str


class _Group(msgspec.Struct):
    kind: str = ""
    versions: list[_GroupVersion] = []


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


class _Answer(NamedTuple):
    until: float
    versions: tuple[str, ...]


class KubeClient:
    """One API server. Safe to use from all threads.

    Raises ConfigError when there is no way to a server, or the one chosen cannot be used. Nothing is sent yet.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        *,
        access: Access | None = None,
        keepalive: Keepalive = KEEPALIVE,
    ) -> None:
        self._settings = settings
        self._access = access or Access.from_settings(settings)
        self._keepalive = keepalive
        self._discovery = self.channel()
        self._lock = threading.Lock()
        self._groups: dict[str, _Answer] = {}

    @property
    def host(self) -> str:
        """The server's URL."""
        return self._access.endpoint.host

    def channel(self) -> Channel:
        """A connection for one thread: a list or a watch at a time."""
        return Channel(self._access, self._settings.connect_timeout, self._keepalive)

    def server_version(self) -> str:
        """`v1.37.2`. Raises ApiError."""
        with self._lock:
            return self._get("/version", _Version).git_version

    def discover(self, group: str) -> tuple[str, ...]:
        """The served versions of an API group, the server's preferred one first; () if it does not serve the group.

        Answers are kept for DISCOVERY_HOLDS seconds. Raises ApiError and Interrupted.
        """
        with self._lock:
            known = self._groups.get(group)
            if known is not None and time.monotonic() < known.until:
                return known.versions
            try:
                versions = tuple(entry.version for entry in self._get(f"/apis/{group}", _Group).versions)
            except ApiError as error:
                if error.reason != "absent":
                    raise
                versions = ()
            self._groups[group] = _Answer(time.monotonic() + DISCOVERY_HOLDS, versions)
            return versions

    def close(self) -> None:
        """Cut off discovery. Reflectors close their own channels."""
        self._discovery.interrupt()

    def _get(self, path: str, type_: type[T]) -> T:
        response = self._discovery.get(path, {}, accept="application/json", read_timeout=READ_TIMEOUT)
        try:
            return msgspec.json.decode(self._discovery.body(response, path), type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ApiError("error", f"{path}: not the answer of a Kubernetes API server") from error
