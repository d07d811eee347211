"""The Helm chart installed by the real helm on the lab's API server, and the exporter run as it says."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import objects
from tests.lab.build import ensure, ensure_eso_chart
from tests.lab.certificates import Authority
from tests.lab.cluster import Cluster
from tests.lab.installed import Installed, refused_pods, restricted, wait_pods
from tests.lab.loopback import free_port
from tests.lab.monitoring import Prometheus
from tests.lab.rendering import CHART, OPERATOR, Object, RefusedError, helm, objects_of, only, run, template
from tests.lab.waiting import wait_until

KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    (OPERATOR, "ServiceMonitor"),
    (OPERATOR, "PrometheusRule"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
)


class Releases:
    """`helm` on the lab's API server, in a namespace of its own that only takes restricted pods."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._names: list[str] = []

    def helm(self, *arguments: str | Path, values: Object | None = None, kubeconfig: Path | None = None) -> str:
        """Runs helm; returns what it says."""
        where = [f"--kubeconfig={kubeconfig or self.cluster.kubeconfig}", f"--namespace={self.namespace}"]
        given = [] if values is None else ["--values=-"]
        return helm(*arguments, *where, *given, stdin=yaml.safe_dump(values or {}))

    def install(self, name: str, values: Object, *flags: str, kubeconfig: Path | None = None) -> str:
        """Installs the chart; returns its notes."""
        self._names.append(name)
        return self.helm("install", name, CHART, *flags, values=values, kubeconfig=kubeconfig).partition("NOTES:\n")[2]

    def get(self, api_version: str, kind: str, name: str) -> Object:
        """An object of the namespace, which must be there."""
        found = self.cluster.get(objects.reference(api_version, kind, name, self.namespace))
        assert found, f"there is no {kind} {name}"
        return found

    def made_by(self, release: str) -> list[str]:
        """What of a release is on the API server, as `Kind name`."""
        return [
            f"{kind} {one['metadata']['name']}"
            for version, kind in KINDS
            for one in self.cluster.list(version, kind)
            if one["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == release
        ]

    def uninstall(self) -> None:
        """Whatever is still installed."""
        for name in self._names:
            self.helm("uninstall", name, "--ignore-not-found")


@pytest.fixture
def releases(cluster: Cluster, monitoring_kinds: None) -> Iterator[Releases]:
    one = restricted(f"chart-{uuid.uuid4().hex[:6]}")
    cluster.apply(one)
    found = Releases(cluster, one["metadata"]["name"])
    yield found
    found.uninstall()
    cluster.delete(one, wait=False)


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Callable[[Installed], Installed]]:
    """Starts an exporter and ends it with the test."""
    started: list[Installed] = []

    def start(one: Installed) -> Installed:
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


def test_a_release_runs_as_it_was_rendered_and_leaves_nothing_behind(
    releases: Releases, running: Callable[[Installed], Installed], store: str, namespace: str, tmp_path: Path
) -> None:
    port = free_port()
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "config": {"log": {"format": "json"}, "judge": {"never_synced_after": "2m"}},
        "networkPolicy": {"enabled": True, "egress": {"enabled": True}},
        "podDisruptionBudget": {"enabled": True},
    }
    cluster = releases.cluster
    cluster.create(objects.secret(namespace, "by-hand", {"key": "value"}), "kubectl-create")

    notes = releases.install("one", values)

    assert "watches the whole cluster" in notes
    deployment = releases.get("apps/v1", "Deployment", "one-vault-eso-exporter")
    [pod] = wait_pods(cluster, deployment)
    assert pod["spec"]["containers"][0]["image"] == "vault-eso-exporter/vault-eso-exporter:0.1.0"
    assert len(releases.made_by("one")) == len(KINDS) - 1
    exporter = running(Installed(cluster, tmp_path, deployment, port=port))
    assert f"--web.listen-address=127.0.0.1:{port}" in exporter.container["args"]
    assert exporter.answers_probe("livenessProbe")
    assert exporter.answers_probe("readinessProbe")
    exporter.wait_lines("eso_manual_secret_info", namespace=namespace, secret="by-hand")
    assert exporter.lines("eso_secretstore_ready", store=store)
    assert [one.labels for one in exporter.lines("eso_exporter_resource_denied") if one.value] == []

    releases.helm("upgrade", "one", CHART, values={**values, "replicas": 2})
    wait_pods(cluster, deployment, 2)
    releases.helm("uninstall", "one")
    assert releases.made_by("one") == []


def test_helm_test_scrapes_through_the_service(
    releases: Releases, running: Callable[[Installed], Installed], tmp_path: Path
) -> None:
    port = free_port()
    releases.install("two", {"host": "127.0.0.1", "port": port})
    deployment = releases.get("apps/v1", "Deployment", "two-vault-eso-exporter")
    [hook] = objects_of(releases.helm("get", "hooks", "two"))
    releases.cluster.kubectl("create", "--dry-run=server", "-f-", stdin=json.dumps(hook))  # restricted Pod Security
    [container] = hook["spec"]["containers"]
    [python, flag, script, url] = container["command"]
    assert (python, flag) == ("/app/bin/python", "-c")
    assert url == f"http://two-vault-eso-exporter.{releases.namespace}.svc:10820/metrics"
    here = f"http://127.0.0.1:{port}/metrics"

    def scrape() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, flag, script, here], capture_output=True, text=True, check=False)

    silent = scrape()
    running(Installed(releases.cluster, tmp_path, deployment, port=port))
    heard = scrape()

    assert silent.returncode == 1
    assert "does not answer" in silent.stderr
    assert (heard.returncode, heard.stderr) == (0, "")
    assert "resources are read, 0 are denied, 0 are not in this cluster" in heard.stdout


def test_some_namespaces_with_tls_by_roles_alone(
    releases: Releases, running: Callable[[Installed], Installed], namespace: str, tmp_path: Path
) -> None:
    cluster, port = releases.cluster, free_port()
    certificate = Authority(tmp_path / "authority").server("exporter")
    data = {"tls.crt": certificate.certificate.read_text(), "tls.key": certificate.key.read_text()}
    cluster.apply(objects.secret(releases.namespace, "exporter-tls", data, "kubernetes.io/tls"))
    cluster.create(objects.secret(namespace, "by-hand", {"key": "value"}), "kubectl-create")

    notes = releases.install(
        "three",
        {
            "host": "127.0.0.1",
            "port": port,
            "namespaces": [namespace],
            "rbac": {"clusterScoped": False},
            "web": {"tlsSecret": "exporter-tls"},
        },
    )

    assert f"watches the namespaces {namespace}" in notes
    assert "prometheusRule.alerts.EsoExporterDenied.enabled=false" in notes
    deployment = releases.get("apps/v1", "Deployment", "three-vault-eso-exporter")
    wait_pods(cluster, deployment)
    exporter = running(Installed(cluster, tmp_path / "pod", deployment, port=port, scheme="https"))
    assert exporter.answers_probe("readinessProbe")
    exporter.wait_lines("eso_manual_secret_info", namespace=namespace, secret="by-hand")
    denied = {one.labels["resource"] for one in exporter.lines("eso_exporter_resource_denied") if one.value}
    assert denied == {
        "namespaces",
        "clustersecretstores",
        "clusterexternalsecrets",
        "clusterpushsecrets",
        "clustergenerators",
    }


def test_without_secrets_nothing_is_said_of_them(
    releases: Releases, running: Callable[[Installed], Installed], tmp_path: Path
) -> None:
    port = free_port()
    notes = releases.install("four", {"host": "127.0.0.1", "port": port, "rbac": {"secrets": False}})
    deployment = releases.get("apps/v1", "Deployment", "four-vault-eso-exporter")

    exporter = running(Installed(releases.cluster, tmp_path, deployment, port=port))

    assert "Secrets made by hand are not found" in notes
    assert exporter.lines("eso_exporter_resource_synced", resource="externalsecrets")
    assert exporter.lines("eso_exporter_resource_synced", resource="secrets") == []
    assert exporter.lines("eso_manual_secrets") == []
    account = f"system:serviceaccount:{releases.namespace}:four-vault-eso-exporter"
    may = ["auth", "can-i", "list", "secrets", "--all-namespaces", f"--as={account}"]
    with pytest.raises(RuntimeError):  # kubectl answers no, and ends with 1
        releases.cluster.kubectl(*may)
    assert releases.cluster.kubectl(*may[:3], "externalsecrets.external-secrets.io", *may[4:]).strip() == "yes"


def test_pod_security_would_refuse_a_pod_that_is_not_restricted(releases: Releases) -> None:
    releases.install("five", {"securityContext": {"allowPrivilegeEscalation": True}})
    deployment = releases.get("apps/v1", "Deployment", "five-vault-eso-exporter")

    refused = wait_until(
        "a pod is refused", lambda: refused_pods(releases.cluster, deployment["metadata"]["namespace"])
    )
    assert 'violates PodSecurity "restricted' in refused[0]


def test_the_notes_say_which_label_prometheus_misses(releases: Releases) -> None:
    def prometheus(name: str, **spec: Any) -> Object:
        return {**objects.reference(OPERATOR, "Prometheus", name, releases.namespace), "spec": spec}

    picky = prometheus(
        "picky",
        serviceMonitorSelector={"matchLabels": {"release": "kube-prometheus-stack"}},
        serviceMonitorNamespaceSelector={},
        ruleSelector={"matchExpressions": [{"key": "team", "operator": "In", "values": ["platform", "sre"]}]},
        overrideHonorLabels=True,
    )
    elsewhere = prometheus(
        "elsewhere",
        serviceMonitorSelector={},
        serviceMonitorNamespaceSelector={"matchLabels": {"scrape": "yes"}},
        ruleSelector={},
    )
    releases.cluster.apply(picky, elsewhere)
    who = f"Prometheus {releases.namespace}"

    told = releases.install("six", {}, "--dry-run=server")

    assert f"{who}/picky does NOT take our ServiceMonitor" in told
    assert "release: kube-prometheus-stack\n  Set it under serviceMonitor.labels and upgrade." in told
    assert "team: one of platform, sre\n  Set it under prometheusRule.labels" in told
    assert f"{who}/picky overrides honorLabels: set serviceMonitor.honorLabelsForcedOff=true" in told
    assert (
        f"{who}/elsewhere does NOT take our ServiceMonitor: namespace {releases.namespace} misses\n    scrape: yes"
        in told
    )
    assert f"{who}/elsewhere takes our PrometheusRule" in told

    labels = {"release": "kube-prometheus-stack"}
    mended = {
        "serviceMonitor": {"labels": labels, "honorLabelsForcedOff": True},
        "prometheusRule": {"labels": {"team": "sre"}},
    }
    told = releases.install("six", mended, "--dry-run=server")
    assert f"{who}/picky takes our ServiceMonitor" in told
    assert f"{who}/picky takes our PrometheusRule" in told
    assert "overrides honorLabels" not in told


def test_who_may_do_nothing_beyond_a_namespace_can_install_it_there(releases: Releases, tmp_path: Path) -> None:
    cluster = releases.cluster
    account = objects.reference("v1", "ServiceAccount", "deployer", releases.namespace)
    binding = {
        **objects.reference("rbac.authorization.k8s.io/v1", "RoleBinding", "deployer", releases.namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": releases.namespace}],
    }
    cluster.apply(account, binding)
    deployer = cluster.service_account_kubeconfig(tmp_path / "deployer", releases.namespace, "deployer")
    values = {
        "namespaces": [releases.namespace],
        "rbac": {"create": False},
        "serviceMonitor": {"enabled": False},
        "prometheusRule": {"enabled": False},
    }

    notes = releases.install("seven", values, kubeconfig=deployer)

    assert "See the first result" in notes
    with pytest.raises(RefusedError, match="forbidden"):
        releases.install("eight", {}, kubeconfig=deployer)


def test_as_a_sidecar_it_stands_in_the_pod_of_esos_own_chart(
    releases: Releases, running: Callable[[Installed], Installed], tmp_path: Path
) -> None:
    cluster, port = releases.cluster, free_port()
    notes = releases.install("side", {"mode": "sidecar", "host": "127.0.0.1", "port": port})
    additions = yaml.safe_load(notes[notes.index("extraContainers:") : notes.index("See the first result")])
    values = {"installCRDs": False, "webhook": {"create": False}, "certController": {"create": False}, **additions}
    eso = helm(
        *("template", "external-secrets", ensure_eso_chart(), f"--namespace={releases.namespace}", "--values=-"),
        stdin=yaml.safe_dump(values),
    )
    made = objects_of(eso)

    for one in made:
        cluster.apply(one)
    try:
        deployment = releases.get("apps/v1", "Deployment", "external-secrets")
        [pod] = wait_pods(cluster, deployment)
        assert [one["name"] for one in pod["spec"]["containers"]] == ["external-secrets", "vault-eso-exporter"]
        assert "readinessProbe" not in pod["spec"]["containers"][1]
        service = releases.get("v1", "Service", "side-vault-eso-exporter")
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        exporter = running(Installed(cluster, tmp_path, deployment, "vault-eso-exporter", port=port))
        assert exporter.lines("eso_exporter_build_info")
        assert [one.labels for one in exporter.lines("eso_exporter_resource_denied") if one.value] == []
    finally:
        for one in made:
            cluster.delete(one, wait=False)


class Relabelled(Prometheus):
    """A Prometheus that scrapes one target as the operator would for a monitor's endpoint."""

    endpoint: Object
    exporter: str

    def _write(self, *_: Any, **__: Any) -> None:
        names = {"targetLabel": "target_label", "sourceLabels": "source_labels"}
        job = {
            "job_name": "exporter",
            "honor_labels": self.endpoint["honorLabels"],
            "scrape_interval": "1s",
            "fallback_scrape_protocol": "PrometheusText0.0.4",
            "static_configs": [
                {"targets": [self.exporter], "labels": {"namespace": "of-the-exporter", "pod": "x", "service": "y"}}
            ],
            "relabel_configs": [
                {names.get(key, key): value for key, value in rule.items()} for rule in self.endpoint["relabelings"]
            ],
        }
        self._configuration.write_text(yaml.safe_dump({"scrape_configs": [job]}))


@pytest.mark.parametrize(("forced_off", "kept"), [(False, True), (True, True), (None, False)])
def test_where_prometheus_overrides_honor_labels_ours_survive(
    forced_off: bool | None, kept: bool, namespace: str, tmp_path: Path
) -> None:
    # None: honorLabels off, and nothing done about it, to see that the option is what saves our label.
    values = {"serviceMonitor": {"honorLabels": not forced_off, "honorLabelsForcedOff": bool(forced_off)}}
    [endpoint] = only(template(values), "ServiceMonitor")["spec"]["endpoints"]
    if forced_off is None:
        endpoint["honorLabels"] = False
    page = tmp_path / "metrics"
    page.write_text(f'# TYPE eso_manual_secrets gauge\neso_manual_secrets{{namespace="{namespace}"}} 1\n')
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind=127.0.0.1", f"--directory={tmp_path}", str(port := free_port())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    Relabelled.endpoint, Relabelled.exporter = endpoint, f"127.0.0.1:{port}"
    prometheus = Relabelled(tmp_path, "relabelled")
    try:
        prometheus.start()
        [found] = prometheus.wait_for("eso_manual_secrets")
    finally:
        prometheus.kill()
        server.kill()
        server.wait()

    assert found.labels["namespace"] == (namespace if kept else "of-the-exporter")
    assert ("exported_namespace" in found.labels) is not kept


def test_the_alerts_of_the_chart_are_good_rules(tmp_path: Path) -> None:
    alerts = {"EsoManualExceptionExpired": {"severity": "info", "for": "1h"}, "EsoVaultNotWatched": {"enabled": False}}
    rule = only(template({"prometheusRule": {"alerts": alerts, "ruleLabels": {"team": "sre"}}}), "PrometheusRule")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))

    assert "SUCCESS" in run([ensure("promtool"), "check", "rules", file])
