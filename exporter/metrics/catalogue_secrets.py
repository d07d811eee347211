"""The families of problems across kinds, and of Secrets."""

from __future__ import annotations

from exporter.metrics.spec import UNIX, declare

PROBLEMS = (
    declare(
        "Problems",
        "eso_problem_since_timestamp_seconds",
        ("kind", "namespace", "name", "node", "problem", "basis"),
        "Since when a problem is there; basis object (the object's own time) or observed (first seen by this exporter).",
        unit=UNIX,
        merge="min",
        per="present problem",
    ),
    declare(
        "Problems",
        "eso_problem_info",
        ("namespace", "kind", "problem", "severity", "heals"),
        "The catalogue of problems, a fixed set to join to. Always 1.",
        per="kind of problem",
    ),
    declare(
        "Problems",
        "eso_error_info",
        ("namespace", "error", "owner_side", "heals"),
        "The catalogue of error classes of not_ready, a fixed set to join to. Always 1.",
        per="error class",
    ),
    declare(
        "Problems",
        "eso_namespace_owner_info",
        ("namespace", "owner"),
        "The owner that a Namespace names by its label or annotation. Always 1.",
        per="namespace with an owner",
    ),
)

SECRETS = (
    declare(
        "Secrets",
        "eso_secrets",
        ("namespace", "class"),
        "How many Secrets of each class; each Secret is in exactly one. manual counts all manual ones.",
        per="namespace and class",
    ),
    declare(
        "Secrets",
        "eso_manual_secrets",
        ("namespace",),
        "Surviving manual Secrets, less those with a valid exception; 0 for every judged namespace without any.",
        per="namespace",
    ),
    declare(
        "Secrets",
        "eso_manual_secret_info",
        ("namespace", "secret", "type", "creator", "rule", "exception", "owner"),
        "A manual Secret, who made it and by which rule it counts as manual. Always 1.",
        per="manual Secret",
    ),
    declare(
        "Secrets",
        "eso_manual_secret_created_timestamp_seconds",
        ("namespace", "secret"),
        "When a manual Secret was created.",
        unit=UNIX,
        per="manual Secret",
    ),
    declare(
        "Secrets",
        "eso_secret_problem",
        ("namespace", "secret", "problem"),
        "A present problem of a Secret. Always 1.",
        per="present problem",
    ),
)
