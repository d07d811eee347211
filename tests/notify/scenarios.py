"""States of a cluster, one for each alert and for each parent with its children, through which both roads are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.config.settings import OwnershipException
from tests.kinds import deployment, event, push_secret, spread
from tests.notify.road import ACTIVE, GONE, SEALED, STANDBY, UNINITIALIZED, Road
from tests.world import NOW, World, external_secret, owned, secret, store

DAY = 86_400.0
FAILING: dict[str, Any] = {"ready": "False", "reason": "SecretSyncedError", "interval": "1000h0m0s", "transition": NOW}
ACCEPTED = OwnershipException(id="SEC-1", namespace="shop", secret="accepted", reason="moves soon", until="2026-05-01")
"""Past its date at NOW."""
Scenario = Callable[[Road], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(change: Scenario) -> Scenario:
    """One more."""
    SCENARIOS[change.__name__] = change
    return change


def healthy() -> Road:
    """A namespace with an owner, a store of the cluster, a Vault that serves, one ExternalSecret and its Secret."""
    world = World(excluded=("external-secrets",), exceptions=(ACCEPTED,))
    world.namespace("shop", labels={"team": "red"})
    world.namespace("external-secrets", "bare")
    world.add("clustersecretstores", store())
    add(world, "db")
    world.add("secrets", secret("vault-token", "external-secrets"))
    world.add("deployments", deployment())
    road = Road(world)
    road.vault(ACTIVE)
    return road


def add(world: World, *names: str, namespace: str = "shop", **given: Any) -> None:
    """ExternalSecrets with their Secrets; healthy ones are not due for a thousand hours."""
    world.add(
        "externalsecrets", *(external_secret(name, namespace, **{"interval": "1000h0m0s", **given}) for name in names)
    )
    world.add("secrets", *(owned(name, namespace, es=name) for name in names))


@scenario
def nothing_wrong(road: Road) -> None: ...


@scenario
def vault_sealed_with_everything_behind_it(road: Road) -> None:
    road.vault(a=SEALED, b=SEALED)
    add(road.world, *(f"app-{number}" for number in range(5)), **FAILING)
    road.world.add("clustersecretstores", store(ready="False", transition=NOW))
    road.world.add("pushsecrets", push_secret(ready="False", transition=NOW))


@scenario
def vault_uninitialized(road: Road) -> None:
    road.vault(UNINITIALIZED)


@scenario
def vault_without_leader(road: Road) -> None:
    road.vault(a=STANDBY, b=STANDBY)


@scenario
def vault_unreachable_that_never_answered(road: Road) -> None:
    road.vault(GONE)


@scenario
def vault_unreachable_and_its_store_suffers(road: Road) -> None:
    road.vault(a=GONE, b=GONE)
    road.world.add("clustersecretstores", store(ready="False", transition=NOW))


@scenario
def nodes_of_a_vault(road: Road) -> None:
    road.vault(a=ACTIVE, b=SEALED, c=UNINITIALIZED, d=GONE)


@scenario
def certificates(road: Road) -> None:
    soon, later = {**ACTIVE, "tls_not_after": NOW + DAY}, {**STANDBY, "tls_not_after": NOW + 10 * DAY}
    road.vault(a=soon, b=later)


@scenario
def stores(road: Road) -> None:
    road.world.add(
        "secretstores",
        store("never", "shop", ready="", created=NOW - DAY, provider={"fake": {"data": []}}),
        store("unused", "shop", provider={"fake": {"data": []}}),
        store("no-token", "bare", ready="False", transition=NOW, provider=_provider("gone")),
    )
    road.world.add("clustersecretstores", store("idle"), store("referent", reason="ValidationUnknown"))


def _provider(token: str) -> dict[str, Any]:
    auth = {"tokenSecretRef": {"name": token, "namespace": "external-secrets", "key": "token"}}
    return {"vault": {"server": "https://vault:8200", "path": "secret", "version": "v2", "auth": auth}}


@scenario
def store_of_a_namespace_in_use(road: Road) -> None:
    road.world.add("secretstores", store("own", "shop", ready="False", transition=NOW))
    ref = {"secretStoreRef": {"name": "own", "kind": "SecretStore"}}
    add(road.world, "a", "b", "c", spec=ref, **FAILING)


@scenario
def store_without_credentials_in_use(road: Road) -> None:
    road.world.add("clustersecretstores", store(ready="False", transition=NOW, provider=_provider("gone")))
    add(road.world, "a", **FAILING)


@scenario
def store_that_does_not_exist(road: Road) -> None:
    add(road.world, "lost", spec={"secretStoreRef": {"name": "gone", "kind": "ClusterSecretStore"}}, **FAILING)


@scenario
def store_of_another_provider(road: Road) -> None:
    road.world.add("clustersecretstores", store("fake", ready="False", transition=NOW, provider={"fake": {"data": []}}))
    add(road.world, "db2", spec={"secretStoreRef": {"name": "fake", "kind": "ClusterSecretStore"}})


@scenario
def one_fails(road: Road) -> None:
    road.world.add("externalsecrets", *(external_secret(f"fine-{n}", interval="1000h0m0s") for n in range(9)))
    road.world.add("secrets", *(owned(f"fine-{n}", es=f"fine-{n}") for n in range(9)))
    add(road.world, "bad", **FAILING)
    add(road.world, "bad", namespace="bare", **{**FAILING, "synced": None})


@scenario
def one_fails_that_does_not_heal(road: Road) -> None:
    message = "target is owned by another ExternalSecret"
    add(road.world, "bad", message=message, **FAILING)
    road.world.add("events", event("bad", message=message, when=NOW))
    add(road.world, *(f"fine-{number}" for number in range(9)))


@scenario
def several_stores_of_one(road: Road) -> None:
    road.world.add("clustersecretstores", store("second", ready="False", transition=NOW))
    items = [
        {"secretKey": "a", "remoteRef": {"key": "x"}},
        {
            "secretKey": "b",
            "remoteRef": {"key": "x"},
            "sourceRef": {"storeRef": {"name": "second", "kind": "ClusterSecretStore"}},
        },
    ]
    add(road.world, "both", spec={"data": items}, **FAILING)


@scenario
def many_fail(road: Road) -> None:
    add(road.world, *(f"app-{number}" for number in range(4)), **FAILING)


@scenario
def many_long_dead_and_one_that_stopped(road: Road) -> None:
    dead = {**FAILING, "transition": NOW - 30 * DAY, "synced": NOW - 31 * DAY}
    add(road.world, *(f"app-{number}" for number in range(4)), **dead)
    add(road.world, "bad", **FAILING)


@scenario
def one_overdue(road: Road) -> None:
    late = {"interval": "1m0s", "synced": NOW - 2 * DAY}
    add(road.world, "late", **late)
    add(road.world, *(f"fine-{number}" for number in range(9)))


@scenario
def a_fifth_overdue(road: Road) -> None:
    add(road.world, "a", "b", "c", interval="1m0s", synced=NOW - 2 * DAY)
    add(road.world, *(f"fine-{number}" for number in range(9)))


@scenario
def operator_down_and_all_overdue(road: Road) -> None:
    add(road.world, "a", "b", "c", interval="1m0s", synced=NOW - 2 * DAY)
    road.world.add(
        "deployments",
        deployment(ready=0, transition=NOW),
        deployment("external-secrets-webhook", ready=0, transition=NOW),
    )


@scenario
def never_synced_and_broken(road: Road) -> None:
    road.world.add("externalsecrets", external_secret("new", ready="", synced=None, created=NOW - DAY))
    road.world.add("externalsecrets", external_secret("targetless", interval="1000h0m0s"))
    road.world.add("externalsecrets", external_secret("nothing", policy="None", interval="1000h0m0s"))


@scenario
def other_kinds(road: Road) -> None:
    road.world.add("pushsecrets", push_secret(ready="False", transition=NOW))
    road.world.add("clusterexternalsecrets", spread("spread", failed=("red",)))
    road.world.add("clusterpushsecrets", spread("pushes", failed=("red",)))


@scenario
def secrets(road: Road) -> None:
    world = road.world
    world.add("secrets", secret("young", created=NOW), secret("old", created=NOW - 3 * DAY), secret("young", "bare"))
    world.add("secrets", owned("db", entries=[("kubectl-patch", NOW, ("password",))]))
    applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"kind":"Secret","data":{"password":"eA=="}}'}
    world.add("secrets", secret("shown", created=NOW - 3 * DAY, annotations=applied))
    world.add("secrets", owned("orphan", es="gone"), secret("accepted", created=NOW - 90 * DAY))
