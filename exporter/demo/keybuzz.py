"""The keybuzz story: three Secrets made by hand move to Vault, and then things go wrong as they do in life.

Names and counts are those of the migration the exporter was first asked for.
"""

from __future__ import annotations

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import Object, managed, owned, stamp, synced_version
from exporter.demo.scenario import Scenario, Step, World
from exporter.demo.vault import SimulatedVault

API, CLIENT, AI, OBSERVABILITY, ESO = (
    "keybuzz-api-dev",
    "keybuzz-client-dev",
    "keybuzz-ai",
    "observability",
    "external-secrets",
)
NAMESPACES = (API, CLIENT, AI, OBSERVABILITY, ESO, "default", "kube-system")

PATHS: dict[str, tuple[str, ...]] = {
    "secret/keybuzz/stripe": (
        "api_base_url",
        "app_base_url",
        "price_addon_channel_annual",
        "price_addon_channel_monthly",
        "price_autopilot_annual",
        "price_autopilot_monthly",
        "price_pro_annual",
        "price_pro_monthly",
        "price_starter_annual",
        "price_starter_monthly",
        "secret_key",
        "webhook_secret",
    ),
    "secret/keybuzz/auth": (
        "azure_ad_client_id",
        "azure_ad_client_secret",
        "azure_ad_tenant_id",
        "google_client_id",
        "google_client_secret",
        "nextauth_secret",
        "nextauth_url",
    ),
    "secret/keybuzz/ses": ("access_key_id", "from_email", "region", "secret_access_key"),
    "secret/keybuzz/smtp": ("from_email", "host", "password", "port", "username"),
    "secret/keybuzz/redis": ("password", "url"),
    "secret/keybuzz/litellm": ("database_url", "master_key", "openai_api_key"),
    "secret/observability/slack": ("webhook_url",),
    "database/keybuzz/api-postgres": ("database", "host", "password", "port", "username"),
}
"""What is in Vault at the start: `mount/path` → names of keys. Nobody reads smtp and redis."""

PAGERDUTY = "secret/observability/pagerduty"
"""The path that is not in Vault yet: alerting-pagerduty fails until somebody writes it."""

MANUAL = (
    (API, "keybuzz-stripe", "secret/keybuzz/stripe"),
    (API, "keybuzz-ses", "secret/keybuzz/ses"),
    (CLIENT, "keybuzz-auth", "secret/keybuzz/auth"),
)
"""The three Secrets made by hand, with the path that replaces each."""


# -- start state ----------------------------------------------------------------------------------------------------


def start_state(cluster: SimulatedCluster, vault: SimulatedVault) -> None:
    """The DEV cluster before the migration: something ready, something not ready, something manual, one sealed node.

    Stable: with or without the demo's operator nothing changes by itself for the next minutes. Ages are relative to the
    cluster's clock, so that they look the same whenever it runs.
    """
    now = cluster.clock()
    for path, keys in PATHS.items():
        vault.table.put(path, keys)
    if len(vault.nodes) > 2:
        # Restarted two hours ago, and nobody unsealed it: Vault as a whole still serves.
        vault.nodes[-1].seal()
    for name in NAMESPACES:
        cluster.apply(workloads.namespace(name))
    _operator(cluster, now)
    _stores(cluster, vault, now)
    for namespace, name, path in MANUAL:
        cluster.apply(objects.manual_secret(namespace, name, PATHS[path], created=now - 212 * 86400))
    _synced(cluster, postgres(), "database/keybuzz/api-postgres", now, minutes=12)
    _synced(cluster, litellm(), "secret/keybuzz/litellm", now, minutes=31)
    _synced(cluster, alerting("slack"), "secret/observability/slack", now, minutes=47)
    _failing(cluster, alerting("pagerduty"), now)
    cluster.apply(workloads.deployment(API, "keybuzz-api", env_from=["keybuzz-stripe", "keybuzz-ses"]))
    cluster.apply(workloads.deployment(CLIENT, "keybuzz-client", env_from=["keybuzz-auth"]))
    cluster.apply(workloads.deployment(AI, "litellm", env={"LITELLM_MASTER_KEY": ("litellm-secrets", "master_key")}))
    cluster.apply(objects.helm_release(API, "keybuzz-api", revision=14, created=now - 9 * 86400))


def _operator(cluster: SimulatedCluster, now: float) -> None:
    for component in workloads.COMPONENTS:
        cluster.apply(workloads.eso_deployment(component))
    cluster.apply(workloads.service_account(ESO, "external-secrets"))
    cluster.apply(objects.helm_release(ESO, "external-secrets", revision=3, created=now - 80 * 86400))
    # The webhook's certificate: an empty Secret of the chart, filled by the cert-controller.
    certificate = ("ca.crt", "ca.key", "tls.crt", "tls.key")
    webhook = objects.helm_secret(ESO, "external-secrets-webhook", certificate, "external-secrets")
    webhook["metadata"]["labels"]["external-secrets.io/component"] = "webhook"
    webhook["metadata"]["managedFields"][0]["fieldsV1"].pop("f:data")
    filled = managed("external-secrets", now - 80 * 86400, {"f:data": owned(certificate)})
    webhook["metadata"]["managedFields"].append(filled)
    cluster.apply(webhook)


def _stores(cluster: SimulatedCluster, vault: SimulatedVault, now: float) -> None:
    since = now - 80 * 86400
    backend = objects.vault_provider(vault.url, "secret", "v2")
    database = objects.vault_provider(vault.url, "database", "v1")
    cluster.apply(objects.cluster_secret_store("vault-backend", backend, since=since, created=since))
    cluster.apply(objects.cluster_secret_store("vault-backend-database", database, since=since, created=since))


def _synced(cluster: SimulatedCluster, es: Object, path: str, now: float, minutes: float) -> None:
    """A healthy ExternalSecret, last read from Vault so many minutes ago, and its Secret."""
    created, refreshed = now - 60 * 86400, now - minutes * 60
    es["metadata"]["creationTimestamp"] = stamp(created)
    name = es["spec"]["target"].get("name", es["metadata"]["name"])
    es["status"] = {
        "binding": {"name": name},
        "conditions": [objects.condition("True", "SecretSynced", "secret synced", created)],
        "refreshTime": stamp(refreshed),
        "syncedResourceVersion": synced_version(1, {}, {}),
    }
    stored = cluster.apply(es)
    keys = [item["secretKey"] for item in es["spec"].get("data", [])] or PATHS[path]
    cluster.apply(objects.eso_secret(stored, keys, created=created))


def _failing(cluster: SimulatedCluster, es: Object, now: float) -> None:
    since = now - 26 * 60
    es["metadata"]["creationTimestamp"] = stamp(since)
    message = "could not get secret data from provider"
    es["status"] = {
        "binding": {"name": ""},
        "conditions": [objects.condition("False", "SecretSyncedError", message, since)],
        "refreshTime": None,
    }
    stored = cluster.apply(es)
    error = "error processing spec.dataFrom[0].extract, err: Secret does not exist"
    cluster.apply(workloads.event(stored, "Warning", "UpdateFailed", error, now - 240, count=9))


# -- the manifests --------------------------------------------------------------------------------------------------


def postgres() -> Object:
    keys = {name: ("keybuzz/api-postgres", name) for name in PATHS["database/keybuzz/api-postgres"]}
    return objects.external_secret(API, "keybuzz-api-postgres", store="vault-backend-database", data=keys)


def litellm() -> Object:
    return objects.external_secret(AI, "litellm-secrets", extract="keybuzz/litellm")


def alerting(channel: str) -> Object:
    return objects.external_secret(OBSERVABILITY, f"alerting-{channel}", extract=f"observability/{channel}")


def migrated(namespace: str, target: str, path: str) -> Object:
    """keybuzz-<name>-secrets.yaml: one key of the Secret for each property of the path."""
    key = path.removeprefix("secret/")
    data = {name: (key, name) for name in PATHS[path]}
    return objects.external_secret(namespace, f"{target}-secrets", target=target, data=data, created=None)


# -- what happens ---------------------------------------------------------------------------------------------------


def migrate(world: World, target: str) -> None:
    namespace, name, path = next(one for one in MANUAL if one[1] == target)
    world.cluster.delete("secrets", namespace, name)
    world.cluster.apply(migrated(namespace, name, path))


def write_pagerduty(world: World) -> None:
    """Write the missing path, and have ESO look at once (`kubectl annotate … force-sync`)."""
    world.vault.table.put(PAGERDUTY, ("routing_key",))
    sync = {"external-secrets.io/force-sync": str(int(world.cluster.clock()))}
    world.cluster.change(
        "externalsecrets",
        OBSERVABILITY,
        "alerting-pagerduty",
        lambda es: es["metadata"].setdefault("annotations", {}).update(sync),
    )


def point_ses_to(world: World, key: str) -> None:
    def repoint(es: Object) -> None:
        for item in es["spec"]["data"]:
            item["remoteRef"]["key"] = key

    world.cluster.change("externalsecrets", API, "keybuzz-ses-secrets", repoint)


def hand_made(world: World) -> None:
    keys = ("secret_key",)
    world.cluster.apply(objects.manual_secret(API, "stripe-hotfix", keys, created=world.cluster.clock()))


_MANUAL = "eso_manual_secrets"
_SES = 'eso_externalsecret_ready{name="keybuzz-ses-secrets"}'

STORY = Scenario(
    name="keybuzz",
    text=(
        "The keybuzz DEV cluster before its migration: three Secrets made by hand, older ExternalSecrets in place, one of "
        "them failing because nobody has written its path yet, and one Vault node left sealed after a restart."
    ),
    start=lambda world: start_state(world.cluster, world.vault),
    steps=(
        Step(
            15,
            "migration 1 of 3",
            "keybuzz-stripe is deleted and an ExternalSecret takes its place: ESO writes it again from Vault.",
            (
                f"sum({_MANUAL}) goes from 3 to 2",
                'eso_externalsecret_ready{name="keybuzz-stripe-secrets"} appears as 1',
            ),
            lambda world: migrate(world, "keybuzz-stripe"),
        ),
        Step(
            10,
            "migration 2 of 3",
            "keybuzz-ses follows.",
            (f"sum({_MANUAL}) goes from 2 to 1", f"{_SES} appears as 1"),
            lambda world: migrate(world, "keybuzz-ses"),
        ),
        Step(
            10,
            "migration 3 of 3",
            "keybuzz-auth follows: no Secret is made by hand any more.",
            (f"sum({_MANUAL}) is 0, and every namespace still has its sample",),
            lambda world: migrate(world, "keybuzz-auth"),
        ),
        Step(
            15,
            "the missing path is written",
            "Somebody writes secret/observability/pagerduty, and alerting-pagerduty heals.",
            (
                'eso_externalsecret_ready{name="alerting-pagerduty"} goes from 0 to 1',
                'eso_externalsecret_problem{name="alerting-pagerduty"} is gone',
            ),
            write_pagerduty,
        ),
        Step(
            15,
            "Vault is sealed",
            "All nodes are sealed for a minute. ESO will not notice before its next refresh, up to an hour later.",
            (
                "eso_vault_sealed is 1 and eso_vault_available is 0 within 15 s",
                "eso_externalsecret_ready still says 1: that is why Vault is asked directly",
            ),
            lambda world: world.vault.seal(),
        ),
        Step(
            60,
            "Vault is unsealed",
            "All nodes are unsealed again, the forgotten one too.",
            ("eso_vault_available is back at 1", "eso_vault_sealed is 0 on every node"),
            lambda world: world.vault.unseal(),
        ),
        Step(
            15,
            "an ExternalSecret breaks",
            "keybuzz-ses-secrets is edited to a path that does not exist.",
            (f"{_SES} is 0", 'eso_externalsecret_status_info{reason="SecretSyncedError"}'),
            lambda world: point_ses_to(world, "keybuzz/sse"),
        ),
        Step(
            30,
            "it heals",
            "The typing error is corrected.",
            (f"{_SES} is 1 again",),
            lambda world: point_ses_to(world, "keybuzz/ses"),
        ),
        Step(
            15,
            "a Secret by hand",
            "Somebody in a hurry runs kubectl create secret generic stripe-hotfix.",
            (f'{_MANUAL}{{namespace="{API}"}} is 1', 'eso_manual_secret_info{creator="kubectl-create"}'),
            hand_made,
        ),
        Step(
            30,
            "and is cleaned up",
            "The hand-made Secret is deleted: its series go with it, and zero are left.",
            (f"sum({_MANUAL}) is 0 again",),
            lambda world: world.cluster.delete("secrets", API, "stripe-hotfix"),
        ),
    ),
)
