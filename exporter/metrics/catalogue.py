"""Every family that the exporter prints: name, help, labels, unit. The source of `docs/metrics.md`.

Rules, dashboards and tests may use nothing that is not in here. `merge` tells how two replicas over one cluster are
joined: min for ready, available and since, else max. `per` and `each` give the cost: series per object of that kind.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Type = Literal["gauge", "counter", "histogram"]
Merge = Literal["max", "min", "sum"]

STORE_LABELS = ("store_kind", "store_namespace", "store", "vault")
"""The identity of a store, everywhere the same; written S in the texts."""


class FamilySpec(msgspec.Struct, frozen=True):
    """One family. `group` is the chapter it stands in; `each` series per object of kind `per` (a text for people)."""

    name: str
    help: str
    labels: tuple[str, ...]
    group: str
    unit: str = ""
    type: Type = "gauge"
    merge: Merge = "max"
    per: str = ""


_ES = ("namespace", "name")
_S = STORE_LABELS
_NODE = ("namespace", "vault", "node")
_STORE = ("namespace", *_S)


def _f(
    group: str,
    name: str,
    labels: tuple[str, ...],
    help_: str,
    *,
    unit: str = "",
    merge: Merge = "max",
    per: str = "",
    type_: Type = "gauge",
) -> FamilySpec:
    return FamilySpec(name, help_, labels, group, unit, type_, merge, per)


_SECONDS = "seconds"
_UNIX = "Unix seconds"
_PER_ES = "ExternalSecret"

_EXTERNALSECRET = (
    _f(
        "ExternalSecret",
        "eso_externalsecret_info",
        (
            *_ES,
            *_S,
            "target",
            "refresh_policy",
            "creation_policy",
            "deletion_policy",
            "cluster_externalsecret",
            "owner",
        ),
        "What an ExternalSecret is: its store, target and policies. Always 1.",
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_store_info",
        (*_ES, *_S),
        "A store that an ExternalSecret reads from; one series for each. Always 1.",
        per=f"{_PER_ES} and store",
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_ready",
        (*_ES, *_S),
        "1 only when ESO says Ready=True; 0 for False, Unknown and while there is no condition at all.",
        merge="min",
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_status_info",
        (*_ES, "status", "reason"),
        "Status and reason of the Ready condition: True, False, Unknown or none. Always 1.",
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_created_timestamp_seconds",
        _ES,
        "When the ExternalSecret was created.",
        unit=_UNIX,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_ready_transition_timestamp_seconds",
        _ES,
        "When the status of Ready last changed.",
        unit=_UNIX,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_last_sync_timestamp_seconds",
        _ES,
        "When ESO last read the provider for it with success; absent if it never did.",
        unit=_UNIX,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_last_sync_age_seconds",
        _ES,
        "Seconds since the last sync, computed when scraped; never negative.",
        unit=_SECONDS,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_next_sync_timestamp_seconds",
        _ES,
        "When ESO reads the provider next; absent where nothing is due.",
        unit=_UNIX,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_refresh_interval_seconds",
        _ES,
        "The refresh interval; 0 for one that never refreshes by itself.",
        unit=_SECONDS,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_sync_deadline_timestamp_seconds",
        _ES,
        "From then on a missing sync is a fault; absent where nothing is due.",
        unit=_UNIX,
        per=_PER_ES,
    ),
    _f(
        "ExternalSecret",
        "eso_externalsecret_problem",
        (*_ES, *_S, "problem", "error"),
        "A present problem of an ExternalSecret; error is the class of not_ready, else empty. Always 1.",
        per="present problem",
    ),
)

_STORES = (
    _f(
        "Stores",
        "eso_secretstore_info",
        (*_STORE, "provider", "mount", "kv_version", "auth", "owner"),
        "What a SecretStore or ClusterSecretStore is. Always 1.",
        per="store",
    ),
    _f(
        "Stores",
        "eso_secretstore_ready",
        _STORE,
        "1 when ESO says the store is Ready=True, else 0; absent for a store of a foreign controller without a status.",
        merge="min",
        per="store",
    ),
    _f(
        "Stores",
        "eso_secretstore_ready_transition_timestamp_seconds",
        _STORE,
        "When the status of the store's Ready last changed.",
        unit=_UNIX,
        per="store",
    ),
    _f(
        "Stores",
        "eso_secretstore_externalsecrets",
        (*_STORE, "state"),
        "How many ExternalSecrets read from the store, by state: ready, not_ready, unknown.",
        per="store, 3",
    ),
    _f(
        "Stores",
        "eso_secretstore_problem",
        (*_STORE, "problem"),
        "A present problem of a store. Always 1.",
        per="present problem",
    ),
)

_CLUSTER = ("namespace", "name")
_COMPONENT = ("namespace", "component")


def _spread(kind: str, what: str) -> tuple[FamilySpec, ...]:
    """The three families of what ESO spreads over namespaces; `namespace` is printed empty."""
    chapter = "Other ESO kinds"
    return (
        _f(
            chapter,
            f"eso_{kind}_ready",
            _CLUSTER,
            f"1 only when ESO says the {what} is Ready=True; this tells nothing of the objects it made.",
            merge="min",
            per=what,
        ),
        _f(
            chapter,
            f"eso_{kind}_namespaces",
            (*_CLUSTER, "state"),
            f"In how many namespaces ESO has made the {what}'s object, and in how many it failed: provisioned, failed.",
            per=f"{what}, 2",
        ),
        _f(
            chapter,
            f"eso_{kind}_problem",
            (*_CLUSTER, "problem"),
            f"A present problem of a {what}. Always 1.",
            per="present problem",
        ),
    )


_OTHER_KINDS = (
    *_spread("clusterexternalsecret", "ClusterExternalSecret"),
    _f(
        "Other ESO kinds",
        "eso_pushsecret_ready",
        _ES,
        "1 only when ESO says the PushSecret is Ready=True.",
        merge="min",
        per="PushSecret",
    ),
    _f(
        "Other ESO kinds",
        "eso_pushsecret_last_sync_timestamp_seconds",
        _ES,
        "When ESO last pushed it with success; absent if it never did.",
        unit=_UNIX,
        per="PushSecret",
    ),
    _f(
        "Other ESO kinds",
        "eso_pushsecret_store_info",
        (*_ES, *_S),
        "A store that a PushSecret writes to; one series for each. Always 1.",
        per="PushSecret and store",
    ),
    _f(
        "Other ESO kinds",
        "eso_pushsecret_problem",
        (*_ES, "problem"),
        "A present problem of a PushSecret. Always 1.",
        per="present problem",
    ),
    *_spread("clusterpushsecret", "ClusterPushSecret"),
    _f(
        "Operator",
        "eso_operator_info",
        ("namespace", "version"),
        "The version of ESO's controller, by the tag of its image or the label of its Deployment. Always 1.",
        per="ESO",
    ),
    _f(
        "Operator",
        "eso_operator_replicas",
        (*_COMPONENT, "state"),
        "Replicas of a part of ESO (controller, webhook, cert-controller), by state: desired, ready.",
        per="component, 2",
    ),
    _f(
        "Operator",
        "eso_operator_problem",
        (*_COMPONENT, "problem"),
        "A present problem of a part of ESO. Always 1.",
        per="present problem",
    ),
)

_PROBLEMS = (
    _f(
        "Problems",
        "eso_problem_since_timestamp_seconds",
        ("kind", "namespace", "name", "node", "problem", "basis"),
        "Since when a problem is there; basis object (the object's own time) or observed (first seen by this exporter).",
        unit=_UNIX,
        merge="min",
        per="present problem",
    ),
    _f(
        "Problems",
        "eso_problem_info",
        ("namespace", "kind", "problem", "severity", "heals"),
        "The catalogue of problems, a fixed set to join to. Always 1.",
        per="kind of problem",
    ),
    _f(
        "Problems",
        "eso_error_info",
        ("namespace", "error", "owner_side", "heals"),
        "The catalogue of error classes of not_ready, a fixed set to join to. Always 1.",
        per="error class",
    ),
    _f(
        "Problems",
        "eso_namespace_owner_info",
        ("namespace", "owner"),
        "The owner that a Namespace names by its label or annotation. Always 1.",
        per="namespace with an owner",
    ),
)

_SECRETS = (
    _f(
        "Secrets",
        "eso_secrets",
        ("namespace", "class"),
        "How many Secrets of each class; each Secret is in exactly one. manual counts all manual ones.",
        per="namespace and class",
    ),
    _f(
        "Secrets",
        "eso_manual_secrets",
        ("namespace",),
        "Surviving manual Secrets, less those with a valid exception; 0 for every judged namespace without any.",
        per="namespace",
    ),
    _f(
        "Secrets",
        "eso_manual_secret_info",
        ("namespace", "secret", "type", "creator", "rule", "exception", "owner"),
        "A manual Secret, who made it and by which rule it counts as manual. Always 1.",
        per="manual Secret",
    ),
    _f(
        "Secrets",
        "eso_manual_secret_created_timestamp_seconds",
        ("namespace", "secret"),
        "When a manual Secret was created.",
        unit=_UNIX,
        per="manual Secret",
    ),
    _f(
        "Secrets",
        "eso_secret_problem",
        ("namespace", "secret", "problem"),
        "A present problem of a Secret. Always 1.",
        per="present problem",
    ),
)

_VAULT = (
    _f(
        "Vault",
        "eso_vault_available",
        ("namespace", "vault"),
        "1 when Vault can serve: some node is initialized, unsealed and active (or a standby that knows its leader).",
        merge="min",
        per="Vault",
    ),
    _f("Vault", "eso_vault_up", _NODE, "1 when the node answered the health probe.", per="node"),
    _f(
        "Vault",
        "eso_vault_initialized",
        _NODE,
        "1 when the node says it is initialized; absent without an answer.",
        per="node",
    ),
    _f("Vault", "eso_vault_sealed", _NODE, "1 when the node says it is sealed; absent without an answer.", per="node"),
    _f(
        "Vault",
        "eso_vault_standby",
        _NODE,
        "1 when the node says it is a standby; absent without an answer.",
        per="node",
    ),
    _f("Vault", "eso_vault_active", _NODE, "1 when the node is active, else 0.", per="node"),
    _f(
        "Vault",
        "eso_vault_tls_verified",
        _NODE,
        "1 when the node's certificate was verified, 0 when no known CA could; absent for http.",
        per="node",
    ),
    _f(
        "Vault",
        "eso_vault_info",
        (*_NODE, "version", "cluster_name", "cluster_id", "seal_type", "product"),
        "What the node says of itself. Always 1.",
        per="node",
    ),
    _f(
        "Vault",
        "eso_vault_probe_error",
        (*_NODE, "error"),
        "Why the probe of a node failed. Always 1.",
        per="failing node",
    ),
    _f("Vault", "eso_vault_probe_duration_seconds", _NODE, "How long the last probe took.", unit=_SECONDS, per="node"),
    _f(
        "Vault",
        "eso_vault_last_probe_timestamp_seconds",
        _NODE,
        "When the node was last probed.",
        unit=_UNIX,
        per="node",
    ),
    _f("Vault", "eso_vault_unseal_progress", _NODE, "Unseal key shares entered so far.", per="sealed node"),
    _f("Vault", "eso_vault_unseal_threshold", _NODE, "Unseal key shares needed.", per="node"),
    _f(
        "Vault",
        "eso_vault_tls_not_after_timestamp_seconds",
        _NODE,
        "When the node's certificate ends.",
        unit=_UNIX,
        per="node",
    ),
    _f(
        "Vault",
        "eso_vault_clock_offset_seconds",
        _NODE,
        "The node's clock less the exporter's, to about a second.",
        unit=_SECONDS,
        per="node",
    ),
    _f(
        "Vault",
        "eso_vault_problem",
        (*_NODE, "problem", "error"),
        "A present problem of a Vault (node empty) or of one node; error tells why. Always 1.",
        per="present problem",
    ),
)

_OWN = (
    _f("Exporter", "eso_exporter_build_info", ("version", "python", "revision"), "What is running. Always 1."),
    _f("Exporter", "eso_exporter_resource_synced", ("resource", "scope"),
       "1 after the first complete list of a resource; scope is a namespace where it is watched per namespace.",
       merge="min"),
    _f("Exporter", "eso_exporter_resource_last_contact_timestamp_seconds", ("resource", "scope"),
       "Last proof that the watch lives: an event, a bookmark or a list.", unit=_UNIX),
    _f("Exporter", "eso_exporter_resource_objects", ("resource",), "Objects held of a resource."),
    _f("Exporter", "eso_exporter_resource_denied", ("resource", "scope"),
       "1 while the API server refuses a resource that the configuration asks for."),
    _f("Exporter", "eso_exporter_config_last_reload_successful", (), "1 when the last load of the configuration was good."),
    _f("Exporter", "eso_exporter_config_last_reload_timestamp_seconds", (),
       "When the configuration was last loaded with success.", unit=_UNIX),
    _f("Exporter", "eso_exporter_vault_servers", ("state",),
       "Distinct Vault servers named by stores: probed, not_allowed, refused, excess."),
    _f("Exporter", "eso_exporter_judged_objects", ("kind",), "Objects that were judged: silence is provable."),
    _f("Exporter", "eso_exporter_lists_total", ("resource", "result"), "Lists of a resource.", type_="counter",
       merge="sum"),
    _f("Exporter", "eso_exporter_watch_events_total", ("resource", "type"), "Watch events received.", type_="counter",
       merge="sum"),
    _f("Exporter", "eso_exporter_watch_restarts_total", ("resource", "reason"), "Watches that ended, by reason.",
       type_="counter", merge="sum"),
    _f("Exporter", "eso_exporter_decode_errors_total", ("resource", "reason"),
       "Objects or events that could not be decoded and were skipped.", type_="counter", merge="sum"),
    _f("Exporter", "eso_exporter_vault_requests_total", ("vault", "operation", "code"),
       "Requests to Vault, by status code (0: no answer).", type_="counter", merge="sum"),
    _f("Exporter", "eso_exporter_web_rejected_total", ("reason",), "Connections and scrapes that were turned away.",
       type_="counter", merge="sum"),
    _f("Exporter", "eso_exporter_scrape_duration_seconds", (), "How long answering a scrape took.", unit=_SECONDS,
       type_="histogram", merge="sum"),
    _f("Exporter", "eso_exporter_refresh_duration_seconds", (),
       "How long one round of judging and rendering what changed took.", unit=_SECONDS, type_="histogram", merge="sum"),
)  # fmt: skip

FAMILIES: tuple[FamilySpec, ...] = (*_EXTERNALSECRET, *_STORES, *_OTHER_KINDS, *_PROBLEMS, *_SECRETS, *_VAULT, *_OWN)

_BY_NAME = {spec.name: spec for spec in FAMILIES}


def spec(name: str) -> FamilySpec:
    """The catalogue's entry. Raises KeyError for a family that is not in it."""
    return _BY_NAME[name]
