"""The families of ExternalSecrets, stores, the other kinds of ESO, and ESO itself."""

from __future__ import annotations

from exporter.metrics.spec import ES, PER_ES, SECONDS, STORE, UNIX, FamilySpec, S, declare

EXTERNALSECRET = (
    declare(
        "ExternalSecret",
        "eso_externalsecret_info",
        (
            *ES,
            *S,
            "target",
            "refresh_policy",
            "creation_policy",
            "deletion_policy",
            "cluster_externalsecret",
            "owner",
        ),
        "What an ExternalSecret is: its store, target and policies. Always 1.",
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_store_info",
        (*ES, *S),
        "A store that an ExternalSecret reads from; one series for each. Always 1.",
        per=f"{PER_ES} and store",
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_ready",
        (*ES, *S),
        "1 only when ESO says Ready=True; 0 for False, Unknown and while there is no condition at all.",
        merge="min",
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_status_info",
        (*ES, "status", "reason"),
        "Status and reason of the Ready condition: True, False, Unknown or none. Always 1.",
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_created_timestamp_seconds",
        ES,
        "When the ExternalSecret was created.",
        unit=UNIX,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_ready_transition_timestamp_seconds",
        ES,
        "When the status of Ready last changed.",
        unit=UNIX,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_last_sync_timestamp_seconds",
        ES,
        "When ESO last read the provider for it with success; absent if it never did.",
        unit=UNIX,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_last_sync_age_seconds",
        ES,
        "Seconds since the last sync, computed when scraped; never negative.",
        unit=SECONDS,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_next_sync_timestamp_seconds",
        ES,
        "When ESO reads the provider next; absent where nothing is due.",
        unit=UNIX,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_refresh_interval_seconds",
        ES,
        "The refresh interval; 0 for one that never refreshes by itself.",
        unit=SECONDS,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_sync_deadline_timestamp_seconds",
        ES,
        "From then on a missing sync is a fault; absent where nothing is due.",
        unit=UNIX,
        per=PER_ES,
    ),
    declare(
        "ExternalSecret",
        "eso_externalsecret_problem",
        (*ES, *S, "problem", "error"),
        "A present problem of an ExternalSecret; error is the class of not_ready, else empty. Always 1.",
        per="present problem",
    ),
)

STORES = (
    declare(
        "Stores",
        "eso_secretstore_info",
        (*STORE, "provider", "mount", "kv_version", "auth", "owner"),
        "What a SecretStore or ClusterSecretStore is. Always 1.",
        per="store",
    ),
    declare(
        "Stores",
        "eso_secretstore_ready",
        STORE,
        "1 when ESO says the store is Ready=True, else 0; absent for a store of a foreign controller without a status.",
        merge="min",
        per="store",
    ),
    declare(
        "Stores",
        "eso_secretstore_ready_transition_timestamp_seconds",
        STORE,
        "When the status of the store's Ready last changed.",
        unit=UNIX,
        per="store",
    ),
    declare(
        "Stores",
        "eso_secretstore_externalsecrets",
        (*STORE, "state"),
        "How many ExternalSecrets read from the store, by state: ready, not_ready, unknown.",
        per="store, 3",
    ),
    declare(
        "Stores",
        "eso_secretstore_problem",
        (*STORE, "problem"),
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
        declare(
            chapter,
            f"eso_{kind}_ready",
            _CLUSTER,
            f"1 only when ESO says the {what} is Ready=True; this tells nothing of the objects it made.",
            merge="min",
            per=what,
        ),
        declare(
            chapter,
            f"eso_{kind}_namespaces",
            (*_CLUSTER, "state"),
            f"In how many namespaces ESO has made the {what}'s object, and in how many it failed: provisioned, failed.",
            per=f"{what}, 2",
        ),
        declare(
            chapter,
            f"eso_{kind}_problem",
            (*_CLUSTER, "problem"),
            f"A present problem of a {what}. Always 1.",
            per="present problem",
        ),
    )


OTHER_KINDS = (
    *_spread("clusterexternalsecret", "ClusterExternalSecret"),
    declare(
        "Other ESO kinds",
        "eso_pushsecret_ready",
        ES,
        "1 only when ESO says the PushSecret is Ready=True.",
        merge="min",
        per="PushSecret",
    ),
    declare(
        "Other ESO kinds",
        "eso_pushsecret_last_sync_timestamp_seconds",
        ES,
        "When ESO last pushed it with success; absent if it never did.",
        unit=UNIX,
        per="PushSecret",
    ),
    declare(
        "Other ESO kinds",
        "eso_pushsecret_store_info",
        (*ES, *S),
        "A store that a PushSecret writes to; one series for each. Always 1.",
        per="PushSecret and store",
    ),
    declare(
        "Other ESO kinds",
        "eso_pushsecret_problem",
        (*ES, "problem"),
        "A present problem of a PushSecret. Always 1.",
        per="present problem",
    ),
    *_spread("clusterpushsecret", "ClusterPushSecret"),
    declare(
        "Operator",
        "eso_operator_info",
        ("namespace", "version"),
        "The version of ESO's controller, by the tag of its image or the label of its Deployment. Always 1.",
        per="ESO",
    ),
    declare(
        "Operator",
        "eso_operator_replicas",
        (*_COMPONENT, "state"),
        "Replicas of a part of ESO (controller, webhook, cert-controller), by state: desired, ready.",
        per="component, 2",
    ),
    declare(
        "Operator",
        "eso_operator_problem",
        (*_COMPONENT, "problem"),
        "A present problem of a part of ESO. Always 1.",
        per="present problem",
    ),
)
