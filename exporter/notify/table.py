"""The alerts of the direct road: the same names, severities, waiting times and labels as in `alerts/rules.yaml`.

A test reads that file and fails on any difference, and when an alert of it stands neither here nor in `STAYS`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from exporter.inventory import changes

VAULT = "vault"
MINUTE = 60.0
HOUR = 3600.0

Severity = Literal["critical", "warning", "info"]


class Alert(msgspec.Struct, frozen=True):
    """One alert at one severity.

    `wait` and `keep` are the rule's `for` and `keep_firing_for`, in seconds. `labels` are those that a rule may give it
    beside alertname, severity and external labels: where one would be empty, it is absent. `kind` is what it is read
    from: while objects of that kind cannot be read, it neither begins nor ends.
    """

    name: str
    severity: Severity
    wait: float
    keep: float
    labels: tuple[str, ...]
    kind: str


_STORE = ("store_kind", "store_namespace", "store", "vault", "namespace", "owner")
_ONE = ("namespace", "name", "store_kind", "store_namespace", "store", "vault", "owner")
_DIGEST = ("namespace", "owner")
_NODE = ("vault", "node")

SEALED = Alert("EsoVaultSealed", "critical", 1 * MINUTE, 5 * MINUTE, ("vault",), VAULT)
UNINITIALIZED = Alert("EsoVaultUninitialized", "critical", 2 * MINUTE, 5 * MINUTE, ("vault",), VAULT)
UNREACHABLE = Alert("EsoVaultUnreachable", "critical", 3 * MINUTE, 5 * MINUTE, ("vault",), VAULT)
NO_ACTIVE = Alert("EsoVaultNoActiveNode", "critical", 2 * MINUTE, 5 * MINUTE, ("vault",), VAULT)
NODE_SEALED = Alert("EsoVaultSealed", "warning", 5 * MINUTE, 5 * MINUTE, _NODE, VAULT)
NODE_UNINITIALIZED = Alert("EsoVaultUninitialized", "warning", 5 * MINUTE, 5 * MINUTE, _NODE, VAULT)
NODE_UNREACHABLE = Alert("EsoVaultUnreachable", "warning", 5 * MINUTE, 5 * MINUTE, _NODE, VAULT)
TLS_ENDS = Alert("EsoVaultTLSExpiring", "critical", 15 * MINUTE, 15 * MINUTE, _NODE, VAULT)
TLS_ENDS_LATER = Alert("EsoVaultTLSExpiring", "warning", 1 * HOUR, 15 * MINUTE, _NODE, VAULT)

CREDENTIALS = Alert("EsoStoreCredentialsMissing", "critical", 2 * MINUTE, 5 * MINUTE, _STORE, changes.STORE)
CREDENTIALS_UNUSED = Alert("EsoStoreCredentialsMissing", "warning", 10 * MINUTE, 5 * MINUTE, _STORE, changes.STORE)
STORE = Alert("EsoSecretStoreNotReady", "critical", 5 * MINUTE, 5 * MINUTE, _STORE, changes.STORE)
STORE_UNUSED = Alert("EsoSecretStoreNotReady", "warning", 10 * MINUTE, 5 * MINUTE, _STORE, changes.STORE)
STORES_UNCHECKED = Alert("EsoSecretStoreUnchecked", "info", 1 * HOUR, 15 * MINUTE, _DIGEST, changes.STORE)

_ES = changes.EXTERNALSECRET
MANY_LOST = Alert("EsoExternalSecretsNotReady", "critical", 10 * MINUTE, 10 * MINUTE, _STORE, _ES)
MANY_NOT_READY = Alert("EsoExternalSecretsNotReady", "warning", 10 * MINUTE, 10 * MINUTE, _STORE, _ES)
WILL_NOT_HEAL = Alert("EsoExternalSecretWillNotHeal", "warning", 12 * MINUTE, 10 * MINUTE, _ONE, _ES)
NOT_READY = Alert("EsoExternalSecretNotReady", "warning", 15 * MINUTE, 10 * MINUTE, _ONE, _ES)
LONG_LOST = Alert("EsoExternalSecretNotReady", "critical", 15 * MINUTE, 10 * MINUTE, _ONE, _ES)
MANY_OVERDUE = Alert("EsoExternalSecretsOverdue", "critical", 5 * MINUTE, 10 * MINUTE, (), _ES)
OVERDUE = Alert("EsoExternalSecretOverdue", "warning", 10 * MINUTE, 10 * MINUTE, _ONE, _ES)
NEVER_SYNCED = Alert("EsoExternalSecretNeverSynced", "warning", 10 * MINUTE, 10 * MINUTE, _ONE, _ES)
BROKEN = Alert("EsoExternalSecretReadyButBroken", "warning", 15 * MINUTE, 10 * MINUTE, _ONE, _ES)
CANNOT_CHANGE = Alert("EsoExternalSecretReadyButBroken", "info", 1 * HOUR, 15 * MINUTE, _DIGEST, _ES)

_PART = ("namespace", "component", "owner")
OPERATOR_DOWN = Alert("EsoOperatorDown", "critical", 10 * MINUTE, 5 * MINUTE, _PART, changes.OPERATOR)
OPERATOR_DEGRADED = Alert("EsoOperatorDown", "warning", 15 * MINUTE, 5 * MINUTE, _PART, changes.OPERATOR)

PUSH = Alert(
    "EsoPushSecretNotReady", "warning", 15 * MINUTE, 10 * MINUTE, ("namespace", "name", "owner"), changes.PUSHSECRET
)
CLUSTER_ES = Alert(
    "EsoClusterExternalSecretFailed", "warning", 10 * MINUTE, 10 * MINUTE, ("name",), changes.CLUSTER_EXTERNALSECRET
)
CLUSTER_PUSH = Alert(
    "EsoClusterPushSecretFailed", "warning", 10 * MINUTE, 10 * MINUTE, ("name",), changes.CLUSTER_PUSHSECRET
)

APPEARED = Alert("EsoManualSecretAppeared", "warning", 5 * MINUTE, 15 * MINUTE, _DIGEST, changes.SECRET)
REMAIN = Alert("EsoManualSecretsRemain", "info", 1 * HOUR, 15 * MINUTE, _DIGEST, changes.SECRET)
EXPIRED = Alert("EsoManualExceptionExpired", "warning", 5 * MINUTE, 15 * MINUTE, _DIGEST, changes.SECRET)
EDITED = Alert(
    "EsoSecretHandEdited", "warning", 10 * MINUTE, 10 * MINUTE, ("namespace", "secret", "owner"), changes.SECRET
)
VALUE_SHOWN = Alert("EsoSecretValueInAnnotation", "info", 1 * HOUR, 15 * MINUTE, _DIGEST, changes.SECRET)

ALERTS: tuple[Alert, ...] = (
    SEALED, UNINITIALIZED, UNREACHABLE, NO_ACTIVE, NODE_SEALED, NODE_UNINITIALIZED, NODE_UNREACHABLE, TLS_ENDS, TLS_ENDS_LATER,
    CREDENTIALS, CREDENTIALS_UNUSED, STORE, STORE_UNUSED, STORES_UNCHECKED,
    MANY_LOST, MANY_NOT_READY, WILL_NOT_HEAL, NOT_READY, LONG_LOST,
    OPERATOR_DOWN, OPERATOR_DEGRADED, MANY_OVERDUE, OVERDUE, NEVER_SYNCED, BROKEN, CANNOT_CHANGE,
    PUSH, CLUSTER_ES, CLUSTER_PUSH, APPEARED, REMAIN, EXPIRED, EDITED, VALUE_SHOWN,
)  # fmt: skip
"""In the order in which they are worked out: parents before the children that they silence."""

STAYS: dict[str, str] = {
    "EsoVaultClusterChanged": "compares a day of history",
    "EsoExternalSecretFlapping": "counts changes over an hour",
    "EsoExporterAbsent": "nobody can tell his own absence: the heartbeat stands for it",
    "EsoExporterGone": "nobody can tell his own absence: the heartbeat stands for it",
    "EsoExporterBlind": "a blind exporter withholds the heartbeat",
    "EsoExporterDenied": "is told by eso_exporter_resource_denied alone: it is about the exporter, not about what it watches",
    "EsoExporterDecodeErrors": "counts over an hour",
    "EsoExporterConfigReloadFailed": "is about the exporter, not about what it watches",
    "EsoVaultNotWatched": "is about the exporter's configuration",
    "EsoOperatorNotFound": "is about the exporter's configuration",
    "EsoLabelsClobbered": "is about Prometheus",
}
"""Alerts of the rules that stay with Prometheus, and why."""

HEARTBEAT = "EsoExporterHeartbeat"
"""Sent for as long as the exporter sees everything that it is asked to watch; it has no rule."""
HEARTBEAT_SEVERITY = "none"
