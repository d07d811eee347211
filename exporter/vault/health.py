"""One probe of one address: what the node says, or why it said nothing. No token, no trace in the audit log."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

import msgspec
import requests

from exporter.vault.answers import (
    HEALTH_CODES,
    Health,
    NotJsonError,
    SealStatus,
    judge_status,
    read_health,
    read_leader,
    read_seal_status,
    retry_after,
)
from exporter.vault.configured import Target
from exporter.vault.failures import classify
from exporter.vault.lookup import Lookups
from exporter.vault.observation import CAUSES, ERRORS, Observation
from exporter.vault.trust import CaError, TrustMemory, known_ca, not_after, unverified, verifying
from exporter.vault.wire import TokenlessAdapter, Wire, shown_certificate

__all__ = ["CAUSES", "ERRORS", "Observation", "probe"]

HEALTH, SEAL_STATUS, LEADER = "health", "seal-status", "leader"
AGAIN = 2
"""How often a bad answer of an address that may lead to several nodes is asked again."""
AGAIN_SHARE = 0.5
"""The limit of each further attempt as a share of the first one's: a probe ends within twice its limit."""

_LOOKUPS = Lookups()
Count = Callable[[str, str, str], None]
"""Called for each request with (vault, operation, HTTP status); NO_ANSWER where no answer could be read."""
NO_ANSWER = "0"


def probe(
    target: Target,
    timeout: float,
    clock: Callable[[], float] = time.time,
    *,
    memory: TrustMemory | None = None,
    lookups: Lookups = _LOOKUPS,
    count: Count | None = None,
) -> Observation:
    """Ask one target; never raises. Takes at most `timeout` seconds, an address with bad answers at most twice that."""
    run = _Run(target, clock, memory or TrustMemory(), lookups, count)
    seen = [run.attempt(timeout)]
    if not target.configured_nodes:
        while seen[-1].cause not in ("", "rate_limited") and len(seen) <= AGAIN:
            seen.append(run.attempt(timeout * AGAIN_SHARE))
    last = seen[-1]
    if last.cause in ("", "rate_limited"):
        bad = tuple(each.cause for each in seen[:-1]) if last.cause == "" else ()
        return msgspec.structs.replace(last, attempts=len(seen), bad_attempts=bad)
    return msgspec.structs.replace(min(seen, key=lambda each: CAUSES.index(each.cause)), at=last.at, attempts=len(seen))


class _ProbeError(Exception):
    """An answer that is none: its class, its words, its status."""

    def __init__(self, error: str, detail: str = "", status: int = 0, after: float | None = None) -> None:
        super().__init__(error)
        self.error, self.detail, self.status, self.after = error, detail, status, after


class _Run:
    """The attempts of one probe."""

    def __init__(
        self, target: Target, clock: Callable[[], float], memory: TrustMemory, lookups: Lookups, count: Count | None
    ) -> None:
        self._target, self._clock, self._memory, self._lookups, self._count = target, clock, memory, lookups, count

    def attempt(self, limit: float) -> Observation:
        """One attempt over fresh connections."""
        started = time.monotonic()
        ends = started + limit
        facts: dict[str, object] = {}
        try:
            facts = (
                self._over_tls(ends) if self._target.address.startswith("https:") else self._ask(self._wire(ends), None)
            )
        except _ProbeError as failure:
            facts = {"up": False, "error": failure.error, "detail": failure.detail, "http_status": failure.status}
            if failure.error == "rate_limited":
                facts["retry_after"] = failure.after
            if failure.error == "tls_verify":
                shown = shown_certificate(
                    self._target.address, self._wire(ends), unverified(), self._target.server_name
                )
                facts |= {"tls_verified": False, "tls_not_after": not_after(shown)}
        return Observation(
            vault=self._target.vault,
            node=self._target.node,
            address=self._target.address,
            configured_node=self._target.configured_nodes,
            at=self._clock(),
            duration=time.monotonic() - started,
            **facts,  # type: ignore[arg-type] # the names are Observation's own
        )

    def _wire(self, ends: float) -> Wire:
        return Wire(ends, self._lookups)

    def _over_tls(self, ends: float) -> dict[str, object]:
        """With a known CA the certificate must verify; without one the system's trust store is tried, then none."""
        try:
            pem = known_ca(self._target.ca_pem, self._target.ca_file)
        except CaError as error:
            raise _ProbeError("tls_verify", f"the known CA cannot be used: {error}") from None
        if pem or not self._memory.unknown(time.monotonic()):
            try:
                return self._ask(self._wire(ends), verifying(pem)) | {"tls_verified": True}
            except _ProbeError as failure:
                if pem or failure.error != "tls_verify":
                    raise
        wire = self._wire(ends)
        try:
            return self._ask(wire, unverified()) | {"tls_verified": False}
        finally:
            if wire.certificate:
                self._memory.saw(wire.certificate, time.monotonic())

    def _ask(self, wire: Wire, context: ssl.SSLContext | None) -> dict[str, object]:
        """The facts of one node over one connection. Raises _ProbeError when it gives no health."""
        adapter = TokenlessAdapter(self._target.address, wire, context, self._target.server_name)
        try:
            health = self._health(adapter, wire)
            received = self._clock() - (time.monotonic() - wire.ready) / 2
            facts: dict[str, object] = {
                "up": True,
                "initialized": health.initialized,
                "sealed": health.sealed,
                "standby": health.standby,
                "dr_secondary": health.dr_secondary,
                "version": health.version,
                "cluster_name": health.cluster_name,
                "cluster_id": health.cluster_id,
                "product": health.product,
                "tls_not_after": not_after(wire.certificate),
                "clock_offset": None if health.server_time is None else health.server_time - received,
            }
            return facts | self._more(adapter, wire, health)
        finally:
            adapter.close()

    def _health(self, adapter: TokenlessAdapter, wire: Wire) -> Health:
        response = self._get(adapter, wire, HEALTH, HEALTH_CODES)
        try:
            health = read_health(response.content)
        except NotJsonError as error:
            health, not_vault = None, not error.begins
        else:
            not_vault = True
        if health is not None:
            return health
        raise _refusal(response) or _ProbeError(
            *(("not_vault", "the answer is not Vault's") if not_vault else ("decode", "the answer is broken JSON")),
            response.status_code,
        )

    def _more(self, adapter: TokenlessAdapter, wire: Wire, health: Health) -> dict[str, object]:
        """What seal-status and leader add. Their failures take nothing from a node that gave its health."""
        facts: dict[str, object] = {}
        try:
            seal = read_seal_status(self._good(self._get(adapter, wire, SEAL_STATUS)))
        except (_ProbeError, NotJsonError) as failure:
            facts |= _quota(failure)
            seal = SealStatus()
        facts |= {"seal_type": seal.seal_type, "progress": seal.progress, "threshold": seal.threshold}
        if seal.openbao:
            facts["product"] = "openbao"
        if health.standby and health.initialized and not health.sealed and not self._target.configured_nodes:
            facts["leader_known"] = health.leader_heard
            if health.leader_heard is None:
                try:
                    facts["leader_known"] = read_leader(self._good(self._get(adapter, wire, LEADER)))
                except (_ProbeError, NotJsonError) as failure:
                    facts |= _quota(failure)
        return facts

    def _good(self, response: requests.Response) -> bytes:
        if failure := _refusal(response):
            raise failure
        return response.content

    def _get(
        self, adapter: TokenlessAdapter, wire: Wire, operation: str, params: dict[str, str] | None = None
    ) -> requests.Response:
        try:
            response: requests.Response = adapter.get(f"/v1/sys/{operation}", params=params)
        except Exception as error:  # noqa: BLE001 - whatever a hostile server provokes becomes a class, never a dead thread
            failure = classify(error, wire, self._target.address)
            self._counted(operation, NO_ANSWER)
            raise _ProbeError(*failure) from None
        status = response.status_code
        self._counted(operation, str(status) if 100 <= status <= 599 else "other")
        return response

    def _counted(self, operation: str, code: str) -> None:
        if self._count:
            self._count(self._target.vault, operation, code)


def _refusal(response: requests.Response) -> _ProbeError | None:
    status = response.status_code
    error = judge_status(status)
    if not error:
        return None
    detail = {
        "redirect": "the server redirects; name the address it redirects to",
        "rate_limited": "a rate limit quota of the server refused the probe",
    }.get(error, f"the server answered HTTP status {status}")
    return _ProbeError(error, detail, status, retry_after(response.headers.get("Retry-After")))


def _quota(failure: Exception) -> dict[str, object]:
    if isinstance(failure, _ProbeError) and failure.error == "rate_limited":
        return {"error": "rate_limited", "detail": failure.detail, "retry_after": failure.after}
    return {}
