"""The families of Vaults and their nodes."""

from __future__ import annotations

from exporter.metrics.spec import NODE, SECONDS, UNIX, declare

VAULT = (
    declare(
        "Vault",
        "eso_vault_available",
        ("namespace", "vault"),
        "1 when Vault can serve: some node is initialized, unsealed and active (or a standby that knows its leader).",
        merge="min",
        per="Vault",
    ),
    declare("Vault", "eso_vault_up", NODE, "1 when the node answered the health probe.", per="node"),
    declare(
        "Vault",
        "eso_vault_initialized",
        NODE,
        "1 when the node says it is initialized; absent without an answer.",
        per="node",
    ),
    declare(
        "Vault", "eso_vault_sealed", NODE, "1 when the node says it is sealed; absent without an answer.", per="node"
    ),
    declare(
        "Vault",
        "eso_vault_standby",
        NODE,
        "1 when the node says it is a standby; absent without an answer.",
        per="node",
    ),
    declare("Vault", "eso_vault_active", NODE, "1 when the node is active, else 0.", per="node"),
    declare(
        "Vault",
        "eso_vault_tls_verified",
        NODE,
        "1 when the node's certificate was verified, 0 when no known CA could; absent for http.",
        per="node",
    ),
    declare(
        "Vault",
        "eso_vault_info",
        (*NODE, "version", "cluster_name", "cluster_id", "seal_type", "product"),
        "What the node says of itself. Always 1.",
        per="node",
    ),
    declare(
        "Vault",
        "eso_vault_probe_error",
        (*NODE, "error"),
        "Why the probe of a node failed. Always 1.",
        per="failing node",
    ),
    declare(
        "Vault", "eso_vault_probe_duration_seconds", NODE, "How long the last probe took.", unit=SECONDS, per="node"
    ),
    declare(
        "Vault",
        "eso_vault_last_probe_timestamp_seconds",
        NODE,
        "When the node was last probed.",
        unit=UNIX,
        per="node",
    ),
    declare("Vault", "eso_vault_unseal_progress", NODE, "Unseal key shares entered so far.", per="sealed node"),
    declare("Vault", "eso_vault_unseal_threshold", NODE, "Unseal key shares needed.", per="node"),
    declare(
        "Vault",
        "eso_vault_tls_not_after_timestamp_seconds",
        NODE,
        "When the node's certificate ends.",
        unit=UNIX,
        per="node",
    ),
    declare(
        "Vault",
        "eso_vault_clock_offset_seconds",
        NODE,
        "The node's clock less the exporter's, to about a second.",
        unit=SECONDS,
        per="node",
    ),
    declare(
        "Vault",
        "eso_vault_problem",
        (*NODE, "problem", "error"),
        "A present problem of a Vault (node empty) or of one node; error tells why. Always 1.",
        per="present problem",
    ),
)
