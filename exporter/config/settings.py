"""Every setting of the exporter, typed, in one place.

Flags stand over environment variables, these over the configuration file, this over the defaults below.
Durations are seconds. All structs are frozen: a reload makes a new `Settings` and swaps it in whole.

The limits in the types hold for what a person writes (file, environment, flags: `exporter.config.values`); a struct made in
code is not checked, so that a test may choose a deadline of a tenth of a second.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_SECONDS = {"unit": "seconds"}

Seconds = Annotated[float, Meta(ge=0, extra=_SECONDS)]
"""A duration; 0 is allowed."""

PositiveSeconds = Annotated[float, Meta(gt=0, extra=_SECONDS)]
"""A duration that cannot be 0: a time limit."""

Count = Annotated[int, Meta(ge=1)]
"""How many of something; at least one."""

FilePath = Annotated[str, Meta(extra={"file": True})]
"""The path of a file: `~` is the home directory; one written in the configuration file is relative to that file."""

DiscoverMode = Literal["cluster", "all", "off"]
SecretsMode = Literal["metadata", "off"]
OwnershipResult = Literal["system", "controller", "bootstrap", "helm", "gitops", "manual", "unknown"]
"""The classes of `exporter.eso.ownership.CLASSES` that a rule of a user may give: ESO's own are never a matter of opinion."""


class KubernetesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the API server is reached and which part of the cluster is watched."""

    kubeconfig: FilePath = ""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    namespace_selector: str = ""
    page_size: Annotated[int, Meta(ge=1, le=10_000)] = 500
    watch_timeout: Annotated[float, Meta(ge=1, le=250, extra=_SECONDS)] = 180.0
    connect_timeout: PositiveSeconds = 5.0


class VaultNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configured node of a Vault: `server_name` is the name its certificate must carry, if not the address's host."""

    name: str
    address: str
    server_name: str = ""


class VaultServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configured Vault.

    `address` is the server as stores name it (aliases: other spellings of it); `nodes`, when given, are probed
    instead of it; `ca_file` or `ca` (PEM) verifies its certificate.
    """

    name: str
    address: str = ""
    aliases: tuple[str, ...] = ()
    nodes: tuple[VaultNode, ...] = ()
    ca_file: FilePath = ""
    ca: str = ""


class VaultSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which Vault servers are probed, and how. Tenants' stores never steer us: see `discover` and `allow`."""

    servers: tuple[VaultServer, ...] = ()
    discover: DiscoverMode = "cluster"
    allow: tuple[str, ...] = ()
    interval: Annotated[float, Meta(ge=1, extra=_SECONDS)] = 10.0
    timeout: PositiveSeconds = 4.0
    max_servers: Count = 50


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server."""

    listen_address: str = ":10820"
    config_file: FilePath = ""
    enable_reload: bool = False
    max_connections: Count = 64
    max_scrapes: Count = 8
    header_timeout: PositiveSeconds = 10.0
    idle_timeout: PositiveSeconds = 30.0


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What /metrics holds: families whose name matches a glob of `disable` are left out."""

    disable: tuple[str, ...] = ()
    age: bool = True


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Logs go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class JudgeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Moments from which on a state is a fault.

    The sync deadline is last sync + max(overdue_factor · interval, interval + overdue_grace); `absence_after` is how long
    an object that another one needs may be missing before that is said (watches are not ordered among each other).
    """

    never_synced_after: Seconds = 300.0
    overdue_factor: Annotated[float, Meta(ge=1)] = 2.0
    overdue_grace: Seconds = 900.0
    absence_after: Seconds = 10.0
    never_validated_after: Seconds = 600.0
    deleting_stuck_after: Seconds = 600.0


class SecretsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether Secrets are watched (as metadata, never with values); `namespaces` overrides the mode for one namespace."""

    mode: SecretsMode = "metadata"
    namespaces: dict[str, SecretsMode] = {}
    exclude_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease", "external-secrets")


class OwnershipRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of the ownership table that users can extend: the first rule whose every given condition holds decides.

    Conditions (all that are given must hold; globs): `type`, `secret`, `namespace`, `label` (key or key=value),
    `annotation` (key), `owner_kind` (Kind or Kind.group), `manager` (a field manager).
    """

    name: str
    result: OwnershipResult
    type: str = ""
    secret: str = ""
    namespace: str = ""
    label: str = ""
    annotation: str = ""
    owner_kind: str = ""
    manager: str = ""


class OwnershipException(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A manual Secret that somebody accepted: until (a date, YYYY-MM-DD; empty: for ever), by whom and why."""

    id: str
    namespace: str
    secret: str
    reason: str
    owner: str = ""
    until: str = ""


class OwnershipSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ownership of Secrets: extra rules (evaluated before the built-in table of other controllers) and exceptions."""

    rules: tuple[OwnershipRule, ...] = ()
    exceptions: tuple[OwnershipException, ...] = ()


class OwnerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `owner` label: the first of these label or annotation keys found on the object, then on its Namespace."""

    keys: tuple[str, ...] = ("team", "owner", "app.kubernetes.io/team")
    max_length: Count = 63


class OperatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where ESO's own Deployments are found: `namespace` empty means anywhere."""

    namespace: str = ""
    controller: str = "app.kubernetes.io/name=external-secrets"
    webhook: str = "app.kubernetes.io/name=external-secrets-webhook"
    cert_controller: str = "app.kubernetes.io/name=external-secrets-cert-controller"


class AlertmanagerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The direct road to Alertmanager: off while `urls` is empty.

    Each of `urls` gets every alert, with `labels` added (what Prometheus adds as external labels). Alerts are worked out
    every `interval` and end by themselves `resolve_timeout` after they were last sent. Passwords and tokens come from files
    only, read again for each request. `time_scale` multiplies every `for`, `keep_firing_for` and window of the rules.
    """

    urls: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    interval: Annotated[float, Meta(ge=1, extra=_SECONDS)] = 15.0
    resolve_timeout: Annotated[float, Meta(ge=4, extra=_SECONDS)] = 300.0
    timeout: PositiveSeconds = 10.0
    bearer_token_file: FilePath = ""
    username: str = ""
    password_file: FilePath = ""
    ca_file: FilePath = ""
    cert_file: FilePath = ""
    key_file: FilePath = ""
    exclude_namespaces: tuple[str, ...] = ()
    runbook_url: str = "https://github.com/vault-eso-exporter/vault-eso-exporter/blob/main/docs/runbooks/{alert}.md"
    dashboard_url: str = ""
    time_scale: Annotated[float, Meta(gt=0, le=1)] = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    kubernetes: KubernetesSettings = KubernetesSettings()
    vault: VaultSettings = VaultSettings()
    web: WebSettings = WebSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    judge: JudgeSettings = JudgeSettings()
    secrets: SecretsSettings = SecretsSettings()
    ownership: OwnershipSettings = OwnershipSettings()
    owner: OwnerSettings = OwnerSettings()
    operator: OperatorSettings = OperatorSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
