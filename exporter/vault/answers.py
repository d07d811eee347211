"""What Vault's tokenless endpoints answer, and what every other answer or failure means. Pure.

Labels are made from it, so every text is checked: a server may redact its version and names, or be something else.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

HEALTH_CODES = {
    "activecode": "200",
    "standbycode": "291",
    "performancestandbycode": "292",
    "drsecondarycode": "293",
    "sealedcode": "294",
    "uninitcode": "295",
    "removedcode": "296",
    "haunhealthycode": "297",
}
"""All eight status codes of sys/health, so that a 429 that remains is a quota's. Older servers ignore those they do not
know; the codes are not read back, since a proxy may drop the query: the body decides."""

SEAL_TYPES = frozenset(
    {"shamir", "alicloudkms", "awskms", "azurekeyvault", "gcpckms", "ocikms", "transit", "pkcs11", "kmip", "static",
     "hsm-auto", "wrapper", "multiseal"}
)  # fmt: skip

_VERSION = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}[0-9A-Za-z.+-]{0,40}")
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_CLUSTER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VAULT_ONLY = ("enterprise", "echo_duration_ms", "clock_skew_ms")
"""Fields of sys/health that only newer Vaults have (OpenBao left Vault at 1.14, before them)."""


class NotJsonError(Exception):
    """The body is no JSON object; `begins` tells whether it starts like one."""

    def __init__(self, begins: bool) -> None:
        super().__init__()
        self.begins = begins


class Health(msgspec.Struct, frozen=True):
    """sys/health: the three states always, the rest where the server tells it. `server_time` in Unix seconds."""

    initialized: bool
    sealed: bool
    standby: bool
    dr_secondary: bool = False
    leader_heard: bool | None = None
    version: str = ""
    cluster_name: str = ""
    cluster_id: str = ""
    server_time: float | None = None
    product: str = ""


class SealStatus(msgspec.Struct, frozen=True):
    """sys/seal-status: `seal_type` one of SEAL_TYPES or `other`; unseal keys given and needed, where there are any;
    `openbao` for a field that only OpenBao has (since 2.6)."""

    seal_type: str = ""
    progress: int | None = None
    threshold: int | None = None
    openbao: bool = False


def read_health(body: bytes) -> Health | None:
    """sys/health, none for a JSON object that is something else. Raises NotJsonError."""
    data = _object(body)
    states = tuple(data.get(key) for key in ("initialized", "sealed", "standby"))
    if not all(isinstance(state, bool) for state in states):
        return None
    heard = data.get("ha_connection_healthy")
    clock = data.get("server_time_utc")
    return Health(
        initialized=bool(states[0]),
        sealed=bool(states[1]),
        standby=bool(states[2]),
        dr_secondary=data.get("replication_dr_mode") == "secondary",
        leader_heard=heard if isinstance(heard, bool) else None,
        version=_text(data, "version", _VERSION),
        cluster_name=_text(data, "cluster_name", _CLUSTER_NAME),
        cluster_id=_text(data, "cluster_id", _CLUSTER_ID),
        server_time=float(clock)
        if isinstance(clock, int) and not isinstance(clock, bool) and 0 < clock < 1 << 40
        else None,
        product=_product(data),
    )


def read_seal_status(body: bytes) -> SealStatus:
    """sys/seal-status; empty for a JSON object that is something else. Raises NotJsonError."""
    data = _object(body)
    seal_type = data.get("type")
    threshold = _count(data, "t")
    return SealStatus(
        seal_type=""
        if not isinstance(seal_type, str) or not seal_type
        else seal_type
        if seal_type in SEAL_TYPES
        else "other",
        progress=_count(data, "progress") if threshold else None,
        threshold=threshold or None,  # 0 before it is initialised: no number of keys is known then
        openbao="commit_date" in data,
    )


def read_leader(body: bytes) -> bool:
    """Whether sys/leader names a leader. Raises NotJsonError.

    Where the listener redacts addresses nothing is named; such a standby is judged by `Health.leader_heard`.
    """
    data = _object(body)
    return data.get("is_self") is True or any(
        isinstance(data.get(key), str) and data[key] for key in ("leader_address", "leader_cluster_address")
    )


def judge_status(status: int) -> str:
    """The error class of an answer that is no health, by its HTTP status alone; empty where the body must tell."""
    if status == 429:
        return "rate_limited"
    if 300 <= status < 400:
        return "redirect"
    return "http_status" if status >= 400 else ""


def retry_after(text: str | None) -> float:
    """Seconds of a Retry-After header; 0 for none and for the form that names a date."""
    return float(text) if text and re.fullmatch(r"\d{1,9}", text.strip()) else 0.0


def _product(data: dict[str, Any]) -> str:
    """vault or openbao, as far as sys/health tells: OpenBao's versions begin at 2.0, where Vault's have the newer fields."""
    version = _text(data, "version", _VERSION)
    if any(key in data for key in _VAULT_ONLY) or version.startswith(("0.", "1.")):
        return "vault"
    return "openbao" if version else "vault" if "performance_standby" in data else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonError(body.lstrip()[:1] == b"{") from None
    if not isinstance(data, dict):
        raise NotJsonError(False)
    return data


def _text(data: dict[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = data.get(key)
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def _count(data: dict[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255 else None
