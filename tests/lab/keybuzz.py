"""The reference scenario (the keybuzz migration) as objects for the lab's cluster and paths for its OpenBao.

Every value carries `PLANTED`, a mark that must never be seen in anything that the exporter says.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.openbao import OpenBao
from tests.lab.servers import VAULT_TOKEN

PLANTED = "planted-8f1c27d0e4-value"

API, CLIENT, AI, OBSERVABILITY = "keybuzz-api-dev", "keybuzz-client-dev", "keybuzz-ai", "observability"
NAMESPACES = (API, CLIENT, AI, OBSERVABILITY)

_PLANS = [f"price_{plan}_{period}" for plan in ("autopilot", "pro", "starter") for period in ("annual", "monthly")]
STRIPE = (
    "api_base_url",
    "app_base_url",
    "price_addon_channel_annual",
    "price_addon_channel_monthly",
    *_PLANS,
    "secret_key",
    "webhook_secret",
)
AUTH = (
    "azure_ad_client_id",
    "azure_ad_client_secret",
    "azure_ad_tenant_id",
    "google_client_id",
    "google_client_secret",
    "nextauth_secret",
    "nextauth_url",
)
SES = ("access_key_id", "from_email", "region", "secret_access_key")


@dataclass(frozen=True)
class Migrated:
    """One Secret that was made by hand and is to come from Vault."""

    namespace: str
    secret: str
    external_secret: str
    path: str
    keys: tuple[str, ...]

    def manifest(self) -> objects.Object:
        """The new ExternalSecret."""
        return objects.external_secret(
            self.namespace, self.external_secret, self.secret, path=self.path, keys=self.keys
        )

    def secret_reference(self) -> objects.Object:
        """The Secret, named."""
        return objects.reference("v1", "Secret", self.secret, self.namespace)


MIGRATION = (
    Migrated(API, "keybuzz-stripe", "keybuzz-stripe-secrets", "keybuzz/stripe", STRIPE),
    Migrated(API, "keybuzz-ses", "keybuzz-ses-secrets", "keybuzz/ses", SES),
    Migrated(CLIENT, "keybuzz-auth", "keybuzz-auth-secrets", "keybuzz/auth", AUTH),
)

# Those of the time before: namespace, name, store, path, keys.
OLDER = (
    (
        API,
        "keybuzz-api-postgres",
        "vault-backend-database",
        "keybuzz-api",
        ("host", "port", "dbname", "username", "password"),
    ),
    (AI, "litellm-secrets", "vault-backend", "litellm", ("master_key", "openai_api_key")),
    (OBSERVABILITY, "alerting-slack", "vault-backend", "alerting/slack", ("webhook_url",)),
    (OBSERVABILITY, "alerting-smtp", "vault-backend", "alerting/smtp", ("username", "password")),
)


def values(keys: tuple[str, ...]) -> dict[str, str]:
    """A planted value for each key."""
    return {key: f"{PLANTED}-{key}" for key in keys}


def fill_vault(openbao: OpenBao) -> None:
    """Writes all paths of the scenario, also the two that no ExternalSecret reads."""
    for one in MIGRATION:
        openbao.put(f"secret/{one.path}", values(one.keys))
    openbao.put("secret/keybuzz/smtp", values(("host", "port", "username", "password", "from_email")))
    openbao.put("secret/keybuzz/redis", values(("host", "password")))
    for _, _, store, path, keys in OLDER:
        if store == "vault-backend":
            openbao.put(f"secret/{path}", values(keys))
        else:
            openbao.put_v1(f"database/{path}", values(keys))


def create_before(cluster: Cluster, server: str) -> None:
    """The state before the migration: stores on `server`, older ExternalSecrets, three Secrets made with kubectl.

    Vault must be filled. Returns when the stores and the older ExternalSecrets are ready.
    """
    stores = [
        objects.vault_store("vault-backend", server, token=VAULT_TOKEN),
        objects.vault_store("vault-backend-database", server, path="database", version="v1", token=VAULT_TOKEN),
    ]
    older = [
        objects.external_secret(space, name, path=path, keys=keys, store=store)
        for space, name, store, path, keys in OLDER
    ]
    cluster.apply(*(objects.namespace(name) for name in NAMESPACES), *stores)
    for reference in stores:
        cluster.wait_ready(
            reference
        )  # first, for an ExternalSecret of a store that is not ready goes into ESO's backoff
    cluster.apply(*older)
    for one in MIGRATION:
        create_by_hand(cluster, one)
    for name, space, secrets in (
        ("keybuzz-api", API, ("keybuzz-stripe", "keybuzz-ses", "keybuzz-api-postgres")),
        ("keybuzz-client", CLIENT, ("keybuzz-auth",)),
    ):
        cluster.apply(objects.deployment(space, name, secrets))
    for reference in older:
        cluster.wait_ready(reference)


def create_by_hand(cluster: Cluster, one: Migrated) -> None:
    """`kubectl create secret`, as people do."""
    literals = [f"--from-literal={key}={value}" for key, value in values(one.keys).items()]
    cluster.kubectl("create", "secret", "generic", one.secret, f"--namespace={one.namespace}", *literals)


def migrate(cluster: Cluster) -> None:
    """Creates the three ExternalSecrets and waits until all are ready."""
    for one in MIGRATION:
        cluster.apply(one.manifest())
    for one in MIGRATION:
        cluster.wait_ready(one.manifest())
