"""ClusterExternalSecrets, PushSecrets, ClusterPushSecrets, generators, accounts and ESO's Deployments, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster, condition
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.objects import ESO_GROUP, Object
from tests.lab.openbao import OpenBao
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until

ALPHA = "external-secrets.io/v1alpha1"
GENERATORS = "generators.external-secrets.io/v1alpha1"


@pytest.fixture(scope="module")
def exporter(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """The exporter, by the rights of deploy/rbac.yaml."""
    folder = tmp_path_factory.mktemp("kinds")
    install_rbac(lab.cluster)
    kubeconfig = lab.cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
    running = Exporter(folder, kubeconfig, settings={"vault": {"discover": "off"}})
    running.start()
    try:
        yield running
        errors = [line for line in running.lines("eso_exporter_decode_errors_total") if line.value]
        assert not errors, "everything that real servers sent could be decoded"
    finally:
        running.stop()


@pytest.fixture
def teams(cluster: Cluster, namespace: str) -> Iterator[list[str]]:
    """Two namespaces that one selector finds."""
    made = [objects.namespace(f"{namespace}-{name}", labels={"teams-of": namespace}) for name in ("red", "green")]
    cluster.apply(*made)
    yield [one["metadata"]["name"] for one in made]
    for one in made:
        cluster.delete(one, wait=False)


def value(exporter: Exporter, family: str, **labels: str) -> float | None:
    """The value of the one such sample, None while there is none."""
    lines = exporter.lines(family, **labels)
    return lines[0].value if len(lines) == 1 else None


def wait_value(exporter: Exporter, wanted: float, family: str, **labels: str) -> None:
    wait_until(f"{family} {labels} is {wanted}", lambda: value(exporter, family, **labels) == wanted)


@pytest.fixture
def push_store(cluster: Cluster, openbao: OpenBao, namespace: str) -> str:
    """A SecretStore by which ESO may write."""
    openbao.policy("push", 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }')
    cluster.apply(objects.secret(namespace, "push-token", {"token": openbao.token("push")}))
    token = {"name": "push-token", "key": "token"}
    store = objects.vault_store("push", openbao.address, token=token, namespace=namespace)
    cluster.apply(store)
    cluster.wait_ready(store)
    return "push"


def push_spec(namespace: str, store: str, source: str) -> Object:
    match = {"secretKey": "key", "remoteRef": {"remoteKey": f"pushed/{namespace}", "property": "key"}}
    return {
        "refreshInterval": "1h",
        "secretStoreRefs": [{"name": store, "kind": "SecretStore"}],
        "selector": {"secret": {"name": source}},
        "data": [{"match": match}],
    }


def test_a_pushsecret_that_works_and_one_without_its_source(
    exporter: Exporter, cluster: Cluster, namespace: str, push_store: str
) -> None:
    cluster.apply(objects.secret(namespace, "source", {"key": "value"}))
    for name, source in (("works", "source"), ("sourceless", "nowhere")):
        one = objects.reference(ALPHA, "PushSecret", name, namespace)
        cluster.apply({**one, "spec": push_spec(namespace, push_store, source)})
    works = cluster.wait_ready(objects.reference(ALPHA, "PushSecret", "works", namespace))
    sourceless = cluster.wait_ready(objects.reference(ALPHA, "PushSecret", "sourceless", namespace), "False")

    wait_value(exporter, 1, "eso_pushsecret_ready", namespace=namespace, name="works")
    wait_value(exporter, 0, "eso_pushsecret_ready", namespace=namespace, name="sourceless")
    [named] = exporter.wait_lines("eso_pushsecret_store_info", namespace=namespace, name="works")
    assert (named.labels["store_namespace"], named.labels["store"]) == (namespace, push_store)
    [problem] = exporter.lines("eso_pushsecret_problem", namespace=namespace)
    assert (problem.labels["name"], problem.labels["problem"]) == ("sourceless", "not_ready")
    assert works["status"]["refreshTime"]
    assert condition(sourceless)["message"] not in exporter.get("/metrics")


def test_a_clusterexternalsecret_that_fails_in_one_namespace(
    exporter: Exporter, cluster: Cluster, openbao: OpenBao, store: str, namespace: str, teams: list[str]
) -> None:
    openbao.put("secret/spread", {"key": "value"})
    template = objects.external_secret("", "x", path="spread", keys=("key",), store=store)["spec"]
    template["target"] = {"name": "spread"}
    in_the_way = objects.external_secret(teams[1], namespace, "other", path="spread", keys=("key",), store=store)
    cluster.apply(in_the_way)
    one = objects.reference(ESO_GROUP, "ClusterExternalSecret", namespace)
    selectors = [{"matchLabels": {"teams-of": namespace}}]
    cluster.apply({**one, "spec": {"externalSecretSpec": template, "namespaceSelectors": selectors}})
    try:
        wait_value(exporter, 1, "eso_clusterexternalsecret_namespaces", name=namespace, state="failed")
        wait_value(exporter, 0, "eso_clusterexternalsecret_ready", namespace="", name=namespace)
        states = {
            line.labels["state"]: line.value
            for line in exporter.wait_lines("eso_clusterexternalsecret_namespaces", name=namespace)
        }
        assert states == {"provisioned": 1, "failed": 1}
        problems = exporter.lines("eso_clusterexternalsecret_problem", name=namespace)
        assert {line.labels["problem"] for line in problems} == {"not_ready", "namespaces_failed"}
        [made] = exporter.wait_lines("eso_externalsecret_info", namespace=teams[0], name=namespace)
        assert made.labels["cluster_externalsecret"] == namespace

        cluster.delete(in_the_way)
        cluster.patch(one, {"metadata": {"annotations": {"look": "again"}}})
        wait_value(exporter, 1, "eso_clusterexternalsecret_ready", namespace="", name=namespace)
        exporter.wait_gone("eso_clusterexternalsecret_problem", name=namespace)
    finally:
        cluster.delete(one)
    exporter.wait_gone("eso_clusterexternalsecret_ready", name=namespace)


def test_a_clusterpushsecret(
    exporter: Exporter, cluster: Cluster, namespace: str, teams: list[str], push_store: str
) -> None:
    one = objects.reference(ALPHA, "ClusterPushSecret", namespace)
    selectors = [{"matchLabels": {"teams-of": namespace}}]
    spec = {"pushSecretSpec": push_spec(namespace, push_store, "source"), "namespaceSelectors": selectors}
    cluster.apply({**one, "spec": spec})
    try:
        wait_value(exporter, 1, "eso_clusterpushsecret_ready", namespace="", name=namespace)
        wait_value(exporter, 2, "eso_clusterpushsecret_namespaces", name=namespace, state="provisioned")
        # What it made fails by itself: there is no such store in the namespaces.
        for team in teams:
            wait_value(exporter, 0, "eso_pushsecret_ready", namespace=team)
    finally:
        cluster.delete(one)
    exporter.wait_gone("eso_clusterpushsecret_ready", name=namespace)


def test_secrets_that_generators_log_in_by(exporter: Exporter, cluster: Cluster, namespace: str) -> None:
    for name in ("by-own", "by-cluster", "by-nobody"):
        cluster.create(objects.secret(namespace, name, {"token": "value"}), manager="kubectl-create")
    exporter.wait_lines("eso_manual_secret_info", namespace=namespace, secret="by-nobody")

    def spec(secret: str) -> dict[str, Any]:
        auth = {"tokenSecretRef": {"name": secret, "key": "token"}}
        return {"path": "database/creds/x", "provider": {"server": "http://127.0.0.1:1", "auth": auth}}

    own = {**objects.reference(GENERATORS, "VaultDynamicSecret", "own", namespace), "spec": spec("by-own")}
    wide = {
        **objects.reference(GENERATORS, "ClusterGenerator", namespace),
        "spec": {"kind": "VaultDynamicSecret", "generator": {"vaultDynamicSecretSpec": spec("by-cluster")}},
    }
    ref = {"apiVersion": GENERATORS, "kind": "ClusterGenerator", "name": namespace}
    user = {
        **objects.reference(ESO_GROUP, "ExternalSecret", "user", namespace),
        "spec": {"dataFrom": [{"sourceRef": {"generatorRef": ref}}]},
    }
    cluster.apply(own, wide, user)
    try:
        for name in ("by-own", "by-cluster"):
            exporter.wait_gone("eso_manual_secret_info", namespace=namespace, secret=name)
        wait_value(exporter, 2, "eso_secrets", **{"namespace": namespace, "class": "bootstrap"})
        assert exporter.lines("eso_manual_secret_info", namespace=namespace, secret="by-nobody")
    finally:
        cluster.delete(wide)


def test_the_account_that_a_store_logs_in_with(exporter: Exporter, cluster: Cluster, namespace: str) -> None:
    store = objects.vault_store("by-account", "http://127.0.0.1:1", token={}, namespace=namespace)
    auth = {"mountPath": "kubernetes", "role": "eso", "serviceAccountRef": {"name": "eso"}}
    store["spec"]["provider"]["vault"]["auth"] = {"kubernetes": auth}
    cluster.apply(store)
    missing = {"store_namespace": namespace, "store": "by-account", "problem": "credentials_missing"}
    exporter.wait_lines("eso_secretstore_problem", **missing)
    cluster.apply(objects.reference("v1", "ServiceAccount", "eso", namespace))
    exporter.wait_gone("eso_secretstore_problem", **missing)


def test_esos_own_deployments(exporter: Exporter, cluster: Cluster, namespace: str) -> None:
    deployment = objects.deployment(namespace, "external-secrets")
    deployment["metadata"]["labels"] = {"app.kubernetes.io/name": "external-secrets"}
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = "registry.invalid/external-secrets:v0.20.4"
    cluster.apply(deployment, objects.deployment(namespace, "another"))
    where = {"namespace": namespace, "component": "controller"}
    wait_value(exporter, 1, "eso_operator_problem", problem="down", **where)
    wait_value(exporter, 1, "eso_operator_info", namespace=namespace, version="v0.20.4")

    # There is no kubelet here: the test says what one would.
    [pod] = wait_until(
        "its Pod is there",
        lambda: (
            [
                one
                for one in cluster.list("v1", "Pod", namespace)
                if one["metadata"]["labels"].get("app.kubernetes.io/name") == "external-secrets"
            ]
            or None
        ),
    )
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.patch({"apiVersion": "v1", "kind": "Pod", **pod}, {"status": ready}, subresource="status")
    wait_value(exporter, 1, "eso_operator_replicas", state="ready", **where)
    exporter.wait_gone("eso_operator_problem", **where)

    cluster.patch(deployment, {"spec": {"replicas": 0}})
    wait_value(exporter, 1, "eso_operator_problem", problem="down", **where)
    cluster.delete(deployment)
    for family in ("eso_operator_problem", "eso_operator_replicas"):
        exporter.wait_gone(family, **where)
