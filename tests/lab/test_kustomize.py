"""The kustomizations with the real kubectl: built, validated, applied to the lab's API server, and the exporter run as they say."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import blocks
from tests.lab import objects
from tests.lab.build import ensure_eso_chart
from tests.lab.cluster import Cluster
from tests.lab.installed import Installed, restricted, wait_pods
from tests.lab.rendering import KUSTOMIZE, Object, helm, holds, kustomize, only, select
from tests.lab.schemas import Schemas
from tests.lab.servers import ROOT

OVERLAYS = ("dev", "prod")
KEPT = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding")
"""What other tests use as well: `install_rbac` applies the same objects."""


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(overlay: str) -> list[Object]:
    return kustomize(KUSTOMIZE / "overlays" / overlay)


@pytest.fixture(scope="module")
def applied(cluster: Cluster, monitoring_kinds: None, overlay: str, built: list[Object]) -> Iterator[list[Object]]:
    """The overlay as `kubectl apply -k` leaves it on the API server."""
    flags = ("--server-side", "--force-conflicts")
    cluster.kubectl("apply", *flags, "-k", str(KUSTOMIZE / "overlays" / overlay))
    yield built
    for one in built:
        if one["kind"] not in KEPT:
            cluster.delete(one)


def test_it_is_valid(built: list[Object], schemas: Schemas) -> None:
    assert schemas.complaints(built) == []
    assert all("namespace" in one["metadata"] for one in built if one["kind"] not in KEPT or "Account" in one["kind"])


def test_it_may_do_what_the_manifest_allows(built: list[Object]) -> None:
    shipped = [one for one in yaml.safe_load_all((KUSTOMIZE.parent / "rbac.yaml").read_text()) if one]

    for one in shipped:
        assert holds(built, [one])


def test_dev_is_one_pod_without_the_operator_and_prod_is_two_with_it() -> None:
    dev, prod = (kustomize(KUSTOMIZE / "overlays" / one) for one in OVERLAYS)

    assert only(dev, "Deployment")["spec"]["replicas"] == 1
    assert {one["kind"] for one in dev} & {"ServiceMonitor", "PrometheusRule", "NetworkPolicy"} == set()
    assert only(prod, "Deployment")["spec"]["replicas"] == 2
    for kind in ("ServiceMonitor", "PrometheusRule", "NetworkPolicy", "PodDisruptionBudget"):
        assert only(prod, kind)
    assert len(select(prod, "ConfigMap grafana_dashboard")) == 5
    [endpoint] = only(prod, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True
    assert endpoint["relabelings"] == [{"targetLabel": "__tmp_disable_sharding", "replacement": "true"}]
    assert only(prod, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= labels(only(prod, "Service"))


def labels(one: Object) -> Any:
    return one["metadata"]["labels"].items()


def test_the_api_server_takes_it_and_the_exporter_runs_as_it_says(
    cluster: Cluster, applied: list[Object], overlay: str, tmp_path: Path
) -> None:
    deployment = only(applied, "Deployment")
    pods = wait_pods(
        cluster, deployment, deployment["spec"]["replicas"]
    )  # its namespace enforces restricted Pod Security
    exporter = Installed(cluster, tmp_path, deployment)
    assert only(applied, "Service")["spec"]["selector"].items() <= labels(pods[0])

    exporter.start()
    try:
        assert exporter.answers_probe("livenessProbe")
        assert exporter.answers_probe("readinessProbe")
        assert exporter.lines("eso_exporter_build_info")
        assert [one.labels for one in exporter.lines("eso_exporter_resource_denied") if one.value] == []
    finally:
        exporter.stop()
    # Each overlay's own settings have arrived: dev by the environment, prod by the file.
    assert ('"level": "debug"' in exporter.log_text() or "[debug" in exporter.log_text()) is (overlay == "dev")
    assert exporter.log_text().startswith("{") is (overlay == "prod")


def test_the_overlay_on_the_page_is_built_in_any_namespace(tmp_path: Path) -> None:
    for folder in ("alerts", "dashboards/kubernetes", "deploy/kustomize"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    [block, _] = [one for one in blocks("docs/install-kustomize.md") if one.language == "yaml"]
    own = tmp_path / "deploy" / "kustomize" / "overlays" / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(
        block.text.replace("namespace: vault-eso-exporter\n", "namespace: elsewhere\n")
    )
    (own / "config.yaml").write_text("log: {level: debug}\n")

    made = kustomize(own)

    [container] = only(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/vault-eso-exporter:0.1.0"
    assert only(made, "ConfigMap")["data"]["config.yaml"] == "log: {level: debug}\n"
    assert only(made, "ServiceMonitor")["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert only(made, "Namespace")["metadata"]["name"] == "elsewhere"
    assert only(made, "ClusterRoleBinding")["subjects"][0]["namespace"] == "elsewhere"
    assert {one["metadata"].get("namespace", "elsewhere") for one in made} == {"elsewhere"}


@pytest.fixture
def side(cluster: Cluster, tmp_path: Path) -> Iterator[list[Object]]:
    """ESO's own chart, rendered and kustomized with our component, in a namespace of the test; applied."""
    name = f"side-{uuid.uuid4().hex[:6]}"
    flags = ["--set=installCRDs=false", "--set=webhook.create=false", "--set=certController.create=false"]
    folder = KUSTOMIZE / "components" / "sidecar"
    rendered = helm("template", "external-secrets", ensure_eso_chart(), "--namespace=external-secrets", *flags)
    (tmp_path / "eso.yaml").write_text(rendered)
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": name,
        "resources": ["eso.yaml"],
        "components": [str(Path("../" * len(tmp_path.resolve().parts[1:])) / str(folder).lstrip("/"))],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    made = kustomize(tmp_path)
    # Another name than that of the role which install_rbac binds to another account: both live in one cluster here.
    for one in made:
        if one["kind"].startswith("ClusterRole") and one["metadata"]["name"] == "vault-eso-exporter":
            one["metadata"]["name"] = name
            if "roleRef" in one:
                one["roleRef"]["name"] = name
    namespace = restricted(name)
    cluster.apply(namespace, *made)
    yield made
    for one in made:
        cluster.delete(one, wait=False)
    cluster.delete(namespace, wait=False)


def test_the_sidecar_stands_in_the_pod_of_esos_own_chart_and_cannot_stop_it(
    cluster: Cluster, side: list[Object], schemas: Schemas, tmp_path: Path
) -> None:
    deployment = only(side, "Deployment")
    eso, ours = deployment["spec"]["template"]["spec"]["containers"]

    assert schemas.complaints(side) == []
    assert (eso["name"], ours["name"]) == ("external-secrets", "vault-eso-exporter")
    assert "readinessProbe" not in ours
    assert ours["resources"]["limits"]["memory"]
    [pod] = wait_pods(cluster, deployment)
    assert len(pod["spec"]["containers"]) == 2
    assert only(side, "Service vault-eso-exporter")["spec"]["selector"].items() <= labels(pod)
    exporter = Installed(cluster, tmp_path / "pod", deployment, "vault-eso-exporter")
    exporter.start()
    try:
        assert exporter.lines("eso_exporter_build_info")
        # As ESO's account: what that may not read by itself is added by our role.
        assert [one.labels for one in exporter.lines("eso_exporter_resource_denied") if one.value] == []
    finally:
        exporter.stop()


def test_without_our_role_esos_account_could_not_watch_all(
    cluster: Cluster, side: list[Object], tmp_path: Path
) -> None:
    deployment = only(side, "Deployment")
    account = f"system:serviceaccount:{deployment['metadata']['namespace']}:external-secrets"
    [binding] = [one for one in select(side, "ClusterRoleBinding") if one["metadata"]["name"].startswith("side-")]

    def may_list(resource: str) -> bool:
        review = {
            **objects.reference("authorization.k8s.io/v1", "SubjectAccessReview", ""),
            "spec": {"user": account, "resourceAttributes": {"verb": "list", "resource": resource, "group": ""}},
        }
        return bool(cluster.create(review)["status"]["allowed"])

    assert may_list("events")
    cluster.delete(binding)
    assert may_list("secrets")
    assert not may_list("events")
