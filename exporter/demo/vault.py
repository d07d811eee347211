"""`SimulatedVault`: the tokenless endpoints of a Vault, with the bodies and status codes of OpenBao 2.7.2.

One Vault is one or more nodes, each on its own port of 127.0.0.1 with its own seal and its own faults, over one shared
table of paths (names of keys only) that the demo's operator reads in ESO's place.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from exporter.demo.entries import encode
from exporter.demo.wire import Exchange, Listener, Request

_UUIDS = uuid.UUID("2b1ad2d4-3f0c-5a53-8f8e-9be1f0d7a0c4")

# -- faults ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotVault:
    """Something else listens there: an HTML page, status 200."""


@dataclass(frozen=True, slots=True)
class NotVaultJson:
    """Something else listens there: JSON of another kind, status 200."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """307 to another address, as a standby behind a redirecting listener answers."""

    location: str = "http://127.0.0.1:9/v1/sys/health"


@dataclass(frozen=True, slots=True)
class Answer:
    """This status for everything, whatever code the query asked for: 429 is a rate limit quota, 500 a storage error."""

    code: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Drip:
    """The right answer, one byte every `seconds`."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Huge:
    """A right answer with `size` bytes of filling behind it. No Content-Length when `endless`, and then no end."""

    size: int = 200_000
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Accepted and never answered (SIGSTOP, half-open connection)."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Closed without an answer."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are no HTTP."""


VaultFault = NotVault | NotVaultJson | Redirect | Answer | Drip | Huge | Hang | Drop | Garbage

# -- the table of paths -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class PathTable:
    """Which keys each path holds, and since when: everything a demo needs of a KV engine, and no value."""

    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """`mount/path` → names of the keys."""

    def put(self, path: str, keys: Iterable[str]) -> None:
        self.paths[path] = tuple(keys)

    def delete(self, path: str) -> None:
        self.paths.pop(path, None)

    def keys(self, path: str) -> tuple[str, ...] | None:
        return self.paths.get(path)


# -- nodes ------------------------------------------------------------------------------------------------------------


class VaultNode:
    """One server. `sealed` and `fault` may be set at any time; `stop()` frees the port and `start()` takes it again."""

    def __init__(self, vault: SimulatedVault, port: int) -> None:
        self._vault = vault
        self._listener = Listener(self._answer, port)
        self.sealed = False
        self.progress = 0
        self.fault: VaultFault | None = None

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        self._listener.stop()

    @property
    def running(self) -> bool:
        return self._listener.running

    @property
    def url(self) -> str:
        return self._listener.url

    @property
    def requests(self) -> list[Request]:
        """Every request so far, oldest first."""
        return list(self._listener.requests)

    @property
    def active(self) -> bool:
        return self._vault.leader is self

    def seal(self) -> None:
        self.sealed, self.progress = True, 0

    def unseal(self) -> None:
        self.sealed, self.progress = False, 0

    # -- answers ------------------------------------------------------------------------------------------------

    def _answer(self, exchange: Exchange) -> None:
        code, body = self._body(exchange.request)
        headers = [("Cache-Control", "no-store"), ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")]
        match self.fault:
            case NotVault():
                exchange.reply(200, b"<!DOCTYPE html><html><body>Welcome to nginx!</body></html>\n", "text/html")
            case NotVaultJson():
                exchange.reply(200, b'{"status":"UP","groups":["liveness","readiness"]}\n')
            case Redirect(location):
                exchange.reply(307, b"", "text/plain", [("Location", location)])
            case Answer(status, retry_after):
                extra = [] if retry_after is None else [("Retry-After", str(retry_after))]
                message = "request path: rate limit quota exceeded" if status == 429 else ""
                exchange.reply(status, _errors(message), headers=extra)
            case Drip(seconds):
                exchange.begin_stream()
                for byte in body:
                    exchange.chunk(bytes([byte]))
                    exchange.pause(seconds)
                exchange.end_stream()
            case Huge(size, endless):
                exchange.begin_stream()
                exchange.chunk(body[:-2] + b',"filling":"')
                while endless:
                    exchange.chunk(b"x" * 65536)
                exchange.chunk(b"x" * size + b'"}\n')
                exchange.end_stream()
            case Hang():
                exchange.hold(until=lambda: not isinstance(self.fault, Hang))
            case Drop():
                exchange.drop()
            case Garbage():
                exchange.raw(b"\x00\x01\x02SSH-2.0-OpenSSH_9.7\r\n")
                exchange.drop()
            case _:
                exchange.reply(code, body, headers=headers)

    def _body(self, request: Request) -> tuple[int, bytes]:
        if request.method not in ("GET", "HEAD"):
            return 405, _errors("unsupported operation")
        answers: dict[str, Callable[[Request], tuple[int, bytes]]] = {
            "/v1/sys/health": self._health,
            "/v1/sys/seal-status": self._seal_status,
            "/v1/sys/leader": self._leader,
            "/v1/sys/init": self._init,
        }
        answer = answers.get(request.path)
        if answer is not None:
            return answer(request)
        if not request.path.startswith("/v1/"):
            return 404, _errors()
        return (503, _errors("Vault is sealed")) if self._closed else (403, _errors("permission denied"))

    @property
    def _closed(self) -> bool:
        return self.sealed or not self._vault.initialized

    def _health(self, request: Request) -> tuple[int, bytes]:
        if "x-vault-namespace" in request.headers:
            return 400, _errors("operation unavailable in namespaces")
        query = request.query
        try:
            codes = {name: int(query[name]) for name in _HEALTH_CODES if name in query}
        except ValueError:
            return 400, _errors()
        vault = self._vault
        if not vault.initialized:
            state = "uninitcode"
        elif self.sealed:
            state = "sealedcode"
        elif not self.active:
            state = "activecode" if query.get("standbyok") == "true" else "standbycode"
        else:
            state = "activecode"
        body: dict[str, Any] = {
            "initialized": vault.initialized,
            "sealed": self._closed,
            "standby": self._closed or not self.active,
            "replication_performance_mode": "unknown" if self._closed else ("primary" if vault.ha else "disabled"),
            "replication_dr_mode": "unknown" if self._closed else "disabled",
            "server_time_utc": int(vault.clock() + vault.clock_offset),
            "version": vault.version,
        }
        if not self._closed:
            body |= {"cluster_name": vault.cluster_name, "cluster_id": vault.cluster_id}
        return codes.get(state, _HEALTH_CODES[state]), encode(body) + b"\n"

    def _seal_status(self, request: Request) -> tuple[int, bytes]:
        vault = self._vault
        shares, threshold = (vault.shares, vault.threshold) if vault.initialized else (0, 0)
        body: dict[str, Any] = {
            "type": vault.seal_type,
            "initialized": vault.initialized,
            "sealed": self._closed,
            "t": threshold,
            "n": shares,
            "progress": self.progress if self._closed else 0,
            "nonce": str(uuid.uuid5(_UUIDS, f"nonce-{request.at}")) if self._closed and self.progress else "",
            "version": vault.version,
            "commit_date": "2026-07-29T17:10:22Z",
            "migration": False,
        }
        if not self._closed:
            body |= {"cluster_name": vault.cluster_name, "cluster_id": vault.cluster_id}
        body |= {"recovery_seal": vault.seal_type != "shamir", "storage_type": "raft" if vault.ha else "inmem"}
        return 200, encode(body) + b"\n"

    def _leader(self, _request: Request) -> tuple[int, bytes]:
        if self._closed:
            return 503, _errors("Vault is sealed")
        vault, leader = self._vault, self._vault.leader
        body: dict[str, Any] = {"ha_enabled": vault.ha}
        if vault.ha:
            body["is_self"] = leader is self
            if leader is self:
                body["active_time"] = datetime.fromtimestamp(vault.active_since, UTC).isoformat().replace("+00:00", "Z")
            body["leader_address"] = leader.url if leader else ""
            body["leader_cluster_address"] = leader.url.replace("http:", "https:") if leader else ""
            body |= {"raft_committed_index": 120, "raft_applied_index": 120}
        return 200, encode(body) + b"\n"

    def _init(self, request: Request) -> tuple[int, bytes]:
        if "x-vault-namespace" in request.headers:
            return 400, _errors("operation unavailable in namespaces")
        return 200, encode({"initialized": self._vault.initialized}) + b"\n"


_HEALTH_CODES = {"uninitcode": 501, "sealedcode": 503, "standbycode": 429, "activecode": 200}
"""The query parameters OpenBao knows, and the code each state has without them."""


def _errors(*messages: str) -> bytes:
    return encode({"errors": [message for message in messages if message]}) + b"\n"


class SimulatedVault:
    """A Vault of `nodes` nodes; with more than one it is highly available and the first usable node leads.

    `initialized` may be set at any time. `url` is the first node's.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        ports: Mapping[int, int] | None = None,
        initialized: bool = True,
        sealed: bool = False,
        cluster_name: str = "vault-cluster-demo",
        seal_type: str = "shamir",
        shares: int = 5,
        threshold: int = 3,
        version: str = "2.7.2",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.initialized = initialized
        self.cluster_name = cluster_name
        self.cluster_id = str(uuid.uuid5(_UUIDS, cluster_name))
        self.seal_type = seal_type
        self.shares = shares
        self.threshold = threshold
        self.version = version
        self.clock = clock
        self.clock_offset = 0.0
        self.table = PathTable()
        self.leaderless = False
        """True: no node wins the election, all are standby."""
        self.active_since = clock()
        self.nodes = [VaultNode(self, (ports or {}).get(index, 0)) for index in range(nodes)]
        for node in self.nodes:
            node.sealed = sealed

    def start(self) -> SimulatedVault:
        for node in self.nodes:
            node.start()
        return self

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def __enter__(self) -> SimulatedVault:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def seal(self) -> None:
        """Seal every node."""
        for node in self.nodes:
            node.seal()

    def unseal(self, shares: int | None = None) -> None:
        """Unseal every node; with fewer `shares` than the threshold only the progress moves."""
        for node in self.nodes:
            if shares is not None and shares < self.threshold:
                node.progress = shares
            else:
                node.unseal()

    @property
    def ha(self) -> bool:
        return len(self.nodes) > 1

    @property
    def leader(self) -> VaultNode | None:
        if self.leaderless or not self.initialized:
            return None
        return next((node for node in self.nodes if node.running and not node.sealed), None)

    @property
    def usable(self) -> bool:
        """True when a client could read secrets now."""
        return self.leader is not None and not isinstance(self.leader.fault, (Hang, Drop))

    @property
    def url(self) -> str:
        return self.nodes[0].url

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    @property
    def requests(self) -> list[Request]:
        """Every request to any node, oldest first."""
        return sorted((one for node in self.nodes for one in node.requests), key=lambda one: one.at)
