"""Bad input that only real servers can give: each ends in one clear sentence, and in nothing else being dark."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, RBAC, Exporter, install_rbac
from tests.lab.kubeconfig import write_kubeconfig
from tests.lab.loopback import LOOPBACK, free_port
from tests.lab.openbao import OpenBao
from tests.lab.servers import BareCluster, Lab, install_crds, manifests
from tests.lab.waiting import wait_until

RBAC_GROUP = "rbac.authorization.k8s.io/v1"
MANUAL_FAMILIES = ("eso_secrets", "eso_manual_secrets", "eso_manual_secret_info", "eso_secret_problem")

Start = Callable[..., Exporter]


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Start]:
    """Makes exporters (not started), and ends them after the test."""
    made: list[Exporter] = []

    def make(kubeconfig: Path, *arguments: str) -> Exporter:
        made.append(Exporter(tmp_path, kubeconfig, arguments=arguments, name=f"exporter-{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def told(one: Exporter, *words: str) -> str:
    """Waits until one log record holds all these words (whatever their case); returns it."""

    def look() -> str | None:
        lines = one.log_text().splitlines()
        return next((line for line in lines if all(word.lower() in line.lower() for word in words)), None)

    return wait_until(f"{one.name} says {words}", look)


def test_without_the_right_to_secrets_the_other_families_work(
    cluster: Cluster, openbao: OpenBao, store: str, namespace: str, exporter: Start, tmp_path: Path
) -> None:
    openbao.put("secret/lab/fine", {"key": "value"})
    es = objects.external_secret(namespace, "fine", path="lab/fine", store=store)
    cluster.apply(es)
    cluster.wait_ready(es)
    account = _account_without_secrets(cluster, namespace)
    started = exporter(cluster.service_account_kubeconfig(tmp_path / "kubeconfig", namespace, account))

    started.start()  # ready: every resource that it may read has been listed

    assert [line.value for line in started.wait_lines("eso_externalsecret_ready", namespace=namespace)] == [1]
    assert [line.value for line in started.lines("eso_exporter_resource_denied", resource="secrets")] == [1]
    assert not [
        line
        for line in started.lines("eso_exporter_resource_denied")
        if line.value and line.labels["resource"] != "secrets"
    ]
    assert [name for name in MANUAL_FAMILIES if started.lines(name)] == []
    # Nobody may conclude from a Secret that cannot be seen that it is missing.
    assert not started.lines("eso_externalsecret_problem", namespace=namespace, problem="target_missing")
    assert "secrets" in told(started, "secrets", "403")
    assert "Traceback" not in started.log_text()

    _grant_secrets(cluster, account)
    assert [line.value for line in started.wait_lines("eso_manual_secrets", namespace=namespace, timeout=90)] == [0]
    assert not [line for line in started.lines("eso_exporter_resource_denied") if line.value]


def test_the_operators_crds_may_come_later(bare_cluster: BareCluster, exporter: Start, tmp_path: Path) -> None:
    cluster = bare_cluster.cluster
    install_rbac(cluster)
    cluster.create(objects.secret("default", "by-hand", {"key": "value"}), manager="kubectl-create")
    started = exporter(cluster.service_account_kubeconfig(tmp_path / "kubeconfig", NAMESPACE, ACCOUNT))

    started.spawn()
    started.wait_serving()

    told(started, "externalsecrets", "crd")
    assert started.wait_lines("eso_exporter_resource_synced", resource="namespaces")[0].value == 1
    assert not [
        line for line in started.lines("eso_exporter_resource_synced", resource="externalsecrets") if line.value
    ]
    # Who owns a Secret cannot be judged without the ExternalSecrets: absent, not "all are manual".
    assert not started.lines("eso_externalsecret_ready")

    install_crds(cluster)
    cluster.apply(objects.external_secret("default", "first", path="a/b", store="none"))

    [ready] = started.wait_lines("eso_externalsecret_ready", namespace="default", name="first", timeout=90)
    assert ready.value == 0
    started.wait_ready()
    assert [line.value for line in started.wait_lines("eso_manual_secrets", namespace="default")] == [1]
    assert "Traceback" not in started.log_text()


def test_an_api_server_that_cannot_be_reached_is_named_and_awaited(
    lab: Lab, cluster: Cluster, exporter: Start, tmp_path: Path
) -> None:
    nowhere = f"https://{LOOPBACK}:{free_port()}"
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", nowhere, lab.apiserver.authority.certificate, {"token": "t"})
    started = exporter(kubeconfig)

    started.spawn()
    started.wait_serving()

    record = json.loads(told(started, nowhere.removeprefix("https://")))
    assert record["level"] in ("warning", "error")
    assert started.status("/-/ready") == 503
    assert started.status("/-/healthy") == 200
    assert not started.lines("eso_externalsecret_ready")
    assert not [line for line in started.lines("eso_exporter_resource_synced") if line.value]
    assert "Traceback" not in started.log_text()
    assert started.stop() == 0


def test_a_token_that_the_api_server_does_not_know_is_told(lab: Lab, exporter: Start, tmp_path: Path) -> None:
    kubeconfig = lab.apiserver.kubeconfig(tmp_path / "kubeconfig", {"token": "nobody-knows-this-token"})
    started = exporter(kubeconfig)

    started.spawn()
    started.wait_serving()

    told(started, "401")
    assert started.status("/-/ready") == 503
    assert "nobody-knows-this-token" not in started.log_text()
    assert "Traceback" not in started.log_text()


class _Friendly(BaseHTTPRequestHandler):
    """Answers everything with 200 and a page, as many a proxy does for a host it does not know."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>Welcome</title>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def friendly_server() -> Iterator[str]:
    """The address of a web server that is no Vault and answers everything."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Friendly)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_vault_address_that_is_not_a_vault_is_told(
    lab: Lab, cluster: Cluster, friendly_server: str, exporter: Start, tmp_path: Path
) -> None:
    install_rbac(cluster)
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "kubeconfig", NAMESPACE, ACCOUNT)
    # Another API answers 404 to every path of Vault's; a friendly web server answers 200 with a page.
    addresses = {"other-api": (lab.prometheus.address, "http_status"), "web": (friendly_server, "not_vault")}
    started = exporter(kubeconfig, *(f"--vault={name}={address}" for name, (address, _) in addresses.items()))

    started.start()

    for name, (address, error) in addresses.items():
        [found] = started.wait_lines("eso_vault_probe_error", vault=name)
        assert found.labels["error"] == error
        assert [line.value for line in started.lines("eso_vault_up", vault=name)] == [0]
        assert [line.value for line in started.lines("eso_vault_available", vault=name)] == [0]
        assert not started.lines("eso_vault_sealed", vault=name)
        told(started, address, error)
    assert "Traceback" not in started.log_text()


def test_a_port_in_use_is_one_sentence(lab: Lab, cluster: Cluster, exporter: Start, tmp_path: Path) -> None:
    install_rbac(cluster)
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "kubeconfig", NAMESPACE, ACCOUNT)
    started = exporter(kubeconfig)
    started.port = lab.prometheus.port
    started.target = f"{LOOPBACK}:{lab.prometheus.port}"

    started.spawn()
    code = wait_until("the exporter has ended", lambda: started.exit_code)

    assert code in (1, 2)
    assert str(lab.prometheus.port) in started.log_text()
    assert "Traceback" not in started.log_text()


def _account_without_secrets(cluster: Cluster, namespace: str) -> str:
    """An account with the shipped role less Secrets."""
    [shipped] = [one for one in manifests(RBAC) if one["kind"] == "ClusterRole"]
    name = f"no-secrets-{namespace}"[:60].rstrip("-")
    role = copy.deepcopy(shipped)
    role["metadata"]["name"] = name
    for rule in role["rules"]:
        rule["resources"] = [resource for resource in rule["resources"] if resource != "secrets"]
    cluster.apply(objects.reference("v1", "ServiceAccount", name, namespace), role, _binding(name, name, namespace))
    return name


def _grant_secrets(cluster: Cluster, account: str) -> None:
    """Gives the account the missing right, as an administrator would who read the log."""
    [binding] = [one for one in cluster.list(RBAC_GROUP, "ClusterRoleBinding") if one["metadata"]["name"] == account]
    role = {
        **objects.reference(RBAC_GROUP, "ClusterRole", f"{account}-more"),
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}],
    }
    cluster.apply(role, _binding(f"{account}-more", account, binding["subjects"][0]["namespace"]))


def _binding(role: str, account: str, namespace: str) -> objects.Object:
    return {
        **objects.reference(RBAC_GROUP, "ClusterRoleBinding", role),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
