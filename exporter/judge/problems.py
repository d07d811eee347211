"""The closed catalogue of problems, and of the error classes of `not_ready`.

Everything that speaks of a problem (metrics, pages, commands, alerts, runbooks) takes its words from here. Severity info
is for what only editing a manifest can end, so that nobody learns to mute the rest. `heals` tells whether it ends by
itself once its cause is gone ("yes") or somebody must act on the object ("no"). `advice` is the first command to run, with
{namespace} and {name} of the object.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["critical", "warning", "info"]
Heals = Literal["yes", "no"]
Side = Literal["application", "platform", "operator"]


class Entry(msgspec.Struct, frozen=True):
    """One kind of problem; `runbook` is the alert whose page explains it."""

    kind: str
    id: str
    meaning: str
    severity: Severity
    heals: Heals
    advice: str
    runbook: str


class ErrorClass(msgspec.Struct, frozen=True):
    """One class of why an ExternalSecret is not ready; `side` tells who can end it."""

    id: str
    side: Side
    heals: Heals
    meaning: str
    advice: str


_DESCRIBE_ES = "kubectl -n {namespace} describe externalsecret {name}"
_DESCRIBE_STORE = "kubectl describe clustersecretstore {name} (or: kubectl -n {namespace} describe secretstore {name})"
_DESCRIBE_SECRET = "kubectl -n {namespace} describe secret {name}"
_SEAL_STATUS = "curl -s $VAULT_ADDR/v1/sys/seal-status"


def _es(id_: str, severity: Severity, heals: Heals, runbook: str, meaning: str, advice: str = _DESCRIBE_ES) -> Entry:
    return Entry("externalsecret", id_, meaning, severity, heals, advice, runbook)


def _store(id_: str, severity: Severity, heals: Heals, runbook: str, meaning: str) -> Entry:
    return Entry("store", id_, meaning, severity, heals, _DESCRIBE_STORE, runbook)


def _push(id_: str, severity: Severity, heals: Heals, meaning: str) -> Entry:
    advice = "kubectl -n {namespace} describe pushsecret {name}"
    return Entry("pushsecret", id_, meaning, severity, heals, advice, "EsoPushSecretNotReady")


def _spread(kind: str, runbook: str, made: str) -> tuple[Entry, Entry]:
    advice = f"kubectl describe {kind} {{name}}"
    failed = f"ESO could not make its {made} in some namespaces"
    return (
        Entry(kind, "not_ready", "ESO says Ready=False, or has given it no status", "warning", "yes", advice, runbook),
        Entry(kind, "namespaces_failed", failed, "warning", "yes", advice, runbook),
    )


def _operator(id_: str, severity: Severity, meaning: str) -> Entry:
    advice = "kubectl -n {namespace} get deployments,pods"
    return Entry("operator", id_, meaning, severity, "yes", advice, "EsoOperatorDown")


def _secret(id_: str, severity: Severity, heals: Heals, runbook: str, meaning: str) -> Entry:
    return Entry("secret", id_, meaning, severity, heals, _DESCRIBE_SECRET, runbook)


def _vault(id_: str, severity: Severity, runbook: str, meaning: str) -> Entry:
    return Entry("vault", id_, meaning, severity, "no", _SEAL_STATUS, runbook)


_NOT_READY, _NEVER, _OVERDUE = "EsoExternalSecretNotReady", "EsoExternalSecretNeverSynced", "EsoExternalSecretOverdue"
_SILENT = "EsoExternalSecretReadyButBroken"

CATALOGUE: tuple[Entry, ...] = (
    _es("not_ready", "warning", "yes", _NOT_READY, "ESO says Ready=False"),
    _es("never_synced", "warning", "yes", _NEVER, "it has never been synced since it was created"),
    _es("overdue", "warning", "yes", _OVERDUE, "Ready=True, yet the sync that was due has not happened"),
    _es(
        "spec_not_applied", "warning", "yes", _OVERDUE, "its newest spec, labels or annotations were not applied by ESO"
    ),
    _es("target_missing", "warning", "yes", _SILENT, "Ready=True, yet its target Secret does not exist"),
    _es(
        "target_keys_missing", "warning", "yes", _SILENT, "Ready=True, yet keys its spec promises are not in the Secret"
    ),
    _es(
        "deleted_by_policy", "warning", "yes", _SILENT, "Ready=True, yet ESO deleted the Secret (deletionPolicy Delete)"
    ),
    _es("merge_target_missing", "warning", "yes", _SILENT, "Ready=True, yet the Secret it merges into does not exist"),
    _es("retained_empty", "warning", "yes", _SILENT, "Ready=True, yet the provider returned nothing (Secret retained)"),
    _es("immutable_target", "info", "no", _SILENT, "its target is immutable: a new value can never land"),
    _es("nothing_written", "info", "no", _SILENT, "creationPolicy None: nothing is ever written"),
    _es("target_shared", "warning", "no", _SILENT, "another ExternalSecret writes the same Secret"),
    _es("store_missing", "warning", "no", "EsoSecretStoreNotReady", "the store it names does not exist"),
    _es("store_not_ready", "warning", "yes", "EsoSecretStoreNotReady", "the store it reads from is not ready"),
    _es("deleting_stuck", "warning", "no", _SILENT, "its deletion has hung for more than ten minutes"),
    _store("not_ready", "critical", "yes", "EsoSecretStoreNotReady", "ESO cannot use the store"),
    _store(
        "never_validated", "warning", "yes", "EsoSecretStoreNotReady", "ESO has given it no status since its creation"
    ),
    _store("unchecked", "info", "no", "EsoSecretStoreUnchecked", "Ready=True, though ESO never contacted the provider"),
    _store("credentials_missing", "critical", "no", "EsoStoreCredentialsMissing", "a Secret its login needs is absent"),
    _store("unused", "info", "no", "EsoSecretStoreUnchecked", "no ExternalSecret or PushSecret uses it"),
    _push("not_ready", "warning", "yes", "ESO says Ready=False, or has given it no status since its creation"),
    _push("overdue", "warning", "yes", "Ready=True, yet the push that was due has not happened"),
    _push("source_deleted", "warning", "no", "the Secret that it pushes was deleted"),
    *_spread("clusterexternalsecret", "EsoClusterExternalSecretFailed", "ExternalSecret"),
    *_spread("clusterpushsecret", "EsoClusterPushSecretFailed", "PushSecret"),
    _operator("down", "critical", "ESO's controller has no ready replica: nothing is synced any more"),
    _operator("degraded", "warning", "ESO's webhook or cert-controller has no ready replica"),
    _vault("unavailable", "critical", "EsoVaultSealed", "no node is initialized, unsealed and active"),
    _vault("node_sealed", "warning", "EsoVaultSealed", "one node is sealed while another serves"),
    _vault("node_unreachable", "warning", "EsoVaultUnreachable", "one node does not answer while another serves"),
    _secret(
        "manual", "warning", "no", "EsoManualSecretAppeared", "made by hand, not owned by ESO or another controller"
    ),
    _secret(
        "exception_expired", "warning", "no", "EsoManualExceptionExpired", "its accepted exception is past its date"
    ),
    _secret("hand_edited", "warning", "yes", "EsoSecretHandEdited", "somebody changed keys of a Secret that ESO owns"),
    _secret("edit_war", "warning", "no", "EsoSecretHandEdited", "ESO and somebody else write the same keys in turn"),
    _secret(
        "value_in_annotation", "info", "no", "EsoSecretValueInAnnotation", "its last-applied annotation holds values"
    ),
    _secret(
        "leftover", "info", "no", "EsoManualSecretsRemain", "ESO wrote it, but no ExternalSecret targets it any more"
    ),
    _secret(
        "copied_marks", "info", "no", "EsoManualSecretsRemain", "it carries ESO's marks without having been made by ESO"
    ),
    _secret(
        "owner_dangling", "warning", "no", "EsoManualSecretsRemain", "its owner ExternalSecret is gone or another one"
    ),
)

_BY_KEY = {(entry.kind, entry.id): entry for entry in CATALOGUE}


def entry(kind: str, problem: str) -> Entry:
    """The catalogue's entry. Raises KeyError for a problem that is not in it: the list is closed."""
    return _BY_KEY[kind, problem]


def _e(id_: str, side: Side, heals: Heals, meaning: str, advice: str) -> ErrorClass:
    return ErrorClass(id_, side, heals, meaning, advice)


_FIX_KEY = "compare spec.data[].remoteRef with the paths in Vault: vault kv metadata get <mount>/<path>"
_FIX_ACCESS = "check the role and policy that the store logs in with: vault token capabilities <path>"
_FIX_SPEC = "kubectl -n {namespace} edit externalsecret {name}"

ERRORS: tuple[ErrorClass, ...] = (
    _e("store_missing", "application", "no", "the store it names does not exist", _FIX_SPEC),
    _e("store_not_ready", "platform", "yes", "the store is not ready", _DESCRIBE_STORE),
    _e("store_denied", "platform", "no", "the store does not admit this namespace or this ESO", _DESCRIBE_STORE),
    _e("permission_denied", "platform", "yes", "the provider refuses the path to the store's login", _FIX_ACCESS),
    _e("auth_failed", "platform", "yes", "the store cannot log in", _FIX_ACCESS),
    _e("vault_sealed", "platform", "yes", "Vault is sealed", _SEAL_STATUS),
    _e("vault_unavailable", "platform", "yes", "Vault answers with a server error", _SEAL_STATUS),
    _e("rate_limited", "platform", "yes", "the provider limits the request rate", _DESCRIBE_ES),
    _e("path_missing", "application", "yes", "the path does not exist in the provider", _FIX_KEY),
    _e("property_missing", "application", "yes", "the path has no such property", _FIX_KEY),
    _e("decode_error", "application", "yes", "a value could not be decoded as the spec says", _FIX_SPEC),
    _e("template_error", "application", "yes", "the template could not be executed", _FIX_SPEC),
    _e("invalid_keys", "application", "yes", "a key of the Secret would have an invalid name", _FIX_SPEC),
    _e("generator_error", "application", "yes", "the generator failed", _DESCRIBE_ES),
    _e("tls", "platform", "yes", "the provider's certificate is not trusted", _DESCRIBE_STORE),
    _e("dns", "platform", "yes", "the provider's name does not resolve", _DESCRIBE_STORE),
    _e("timeout", "platform", "yes", "the provider did not answer in time", _DESCRIBE_STORE),
    _e("connection_refused", "platform", "yes", "no connection to the provider can be made", _DESCRIBE_STORE),
    _e("api_error", "operator", "yes", "ESO could not write to the Kubernetes API", _DESCRIBE_ES),
    _e("owned_by_other", "application", "no", "another ExternalSecret owns the target", _FIX_SPEC),
    _e("ownership_conflict", "application", "no", "another controller owns the target", _FIX_SPEC),
    _e("immutable_target", "application", "no", "the target Secret is immutable", _FIX_SPEC),
    _e("delete_conflict", "application", "no", "deletionPolicy Delete needs creationPolicy Owner", _FIX_SPEC),
    _e("invalid_target", "application", "no", "the target's manifest is not allowed", _FIX_SPEC),
    _e("other", "operator", "yes", "an error that no pattern knows", _DESCRIBE_ES),
    _e("unknown", "operator", "yes", "no Event tells why any more", _DESCRIBE_ES),
)

ERROR_IDS: frozenset[str] = frozenset(error.id for error in ERRORS)
