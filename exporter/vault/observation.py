"""What one probe saw of one node, and what that means for whoever wants to read from it."""

from __future__ import annotations

import msgspec

ERRORS = (
    "dns", "connect", "tls_verify", "tls_handshake", "timeout", "redirect", "http_status", "rate_limited", "decode", "not_vault",
)  # fmt: skip
"""Why a probe got no answer: the values of the label `error` of eso_vault_probe_error."""

CAUSES = ("no_active", "sealed", "uninitialized", "unreachable")
"""Why a Vault does not serve, the most telling first: what the nodes that answered say stands over silence."""


class Observation(msgspec.Struct, frozen=True):
    """What one probe saw. States are None, texts empty where the node did not tell them.

    `at`: Unix seconds at its end; `duration`: seconds of the attempt that counts, in all its requests.
    `error`: one of ERRORS, empty for an answer (or, with `up`, rate_limited: a later request met a quota);
    `detail`: the same for people, from a closed set; `http_status` 0 without an HTTP answer.
    `tls_verified`: None for plain http or without a connection. `clock_offset`: node's clock less ours, ± 1 s.
    `leader_known`: of a standby at an address, whether it knows a leader. `retry_after`: seconds to keep away.
    `attempts`: how often the address was asked; `bad_attempts`: causes of the bad ones when another one was good.
    """

    vault: str
    node: str
    at: float
    duration: float
    up: bool
    address: str = ""
    configured_node: bool = False
    error: str = ""
    detail: str = ""
    http_status: int = 0
    initialized: bool | None = None
    sealed: bool | None = None
    standby: bool | None = None
    dr_secondary: bool = False
    leader_known: bool | None = None
    version: str = ""
    cluster_name: str = ""
    cluster_id: str = ""
    seal_type: str = ""
    product: str = ""
    progress: int | None = None
    threshold: int | None = None
    tls_verified: bool | None = None
    tls_not_after: float | None = None
    clock_offset: float | None = None
    retry_after: float | None = None
    attempts: int = 1
    bad_attempts: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Initialized, unsealed and the one that serves: sealed nodes call themselves standby as well."""
        return bool(self.initialized) and self.sealed is False and self.standby is False and not self.dr_secondary

    @property
    def cause(self) -> str:
        """Empty when this answer is good, else one of CAUSES, or rate_limited: nothing is known but that it lives.

        Good is an active node; at an address that may lead to any node also a standby that knows a leader.
        """
        if not self.up:
            return "rate_limited" if self.error == "rate_limited" else "unreachable"
        if not self.initialized:
            return "uninitialized"
        if self.sealed:
            return "sealed"
        if self.active or (not self.configured_node and self.leader_known and not self.dr_secondary):
            return ""
        # A standby at an address whose question for the leader met a quota: it may serve or not.
        unknown = not self.configured_node and self.leader_known is None and self.error == "rate_limited"
        return "rate_limited" if unknown else "no_active"
