"""The lab itself behaves as a cluster, a Vault and a Prometheus do: what every other test here stands on."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import objects
from tests.lab.cluster import ApiError, Cluster
from tests.lab.control_plane import ApiServer
from tests.lab.loopback import new_session
from tests.lab.monitoring import Prometheus
from tests.lab.openbao import OpenBao
from tests.lab.proxy import RecordingProxy
from tests.lab.servers import ROOT, BareCluster, Lab
from tests.lab.waiting import NotYetError, wait_until


def test_eso_writes_a_secret_from_openbao(cluster: Cluster, openbao: OpenBao, store: str, namespace: str) -> None:
    openbao.put("secret/lab/ses", {"region": "eu-west-1", "from_email": "a@b.example"})
    cluster.apply(objects.external_secret(namespace, "ses", "mail", path="lab/ses", store=store))

    synced = cluster.wait_ready(objects.reference(objects.ESO_GROUP, "ExternalSecret", "ses", namespace))
    made = cluster.get(objects.reference("v1", "Secret", "mail", namespace))

    assert synced["status"]["refreshTime"]
    assert made is not None
    assert base64.b64decode(made["data"]["region"]) == b"eu-west-1"
    assert made["metadata"]["ownerReferences"][0]["kind"] == "ExternalSecret"


def test_eso_reads_the_kv_v1_engine(cluster: Cluster, openbao: OpenBao, lab: Lab, namespace: str) -> None:
    openbao.put_v1("database/lab", {"username": "u", "password": "p"})
    openbao_token = openbao.token("eso")
    cluster.apply(objects.secret(namespace, "login", {"token": openbao_token}))
    token = {"name": "login", "key": "token"}
    cluster.apply(
        objects.vault_store("own", openbao.address, path="database", version="v1", token=token, namespace=namespace)
    )
    es = objects.external_secret(
        namespace, "db", path="lab", keys=["username", "password"], store="own", store_kind="SecretStore"
    )
    cluster.apply(es)

    cluster.wait_ready(es)
    made = cluster.get(objects.reference("v1", "Secret", "db", namespace))

    assert made is not None
    assert sorted(made["data"]) == ["password", "username"]


def test_a_missing_path_is_told_in_the_condition(cluster: Cluster, store: str, namespace: str) -> None:
    es = objects.external_secret(namespace, "nowhere", path="lab/not-there", store=store)
    cluster.apply(es)

    failed = cluster.wait_ready(es, "False")

    assert failed["status"]["conditions"][0]["reason"] == "SecretSyncedError"


def test_deleting_an_external_secret_takes_its_secret_along(
    cluster: Cluster, openbao: OpenBao, store: str, namespace: str
) -> None:
    openbao.put("secret/lab/short", {"key": "value"})
    es = objects.external_secret(namespace, "short", path="lab/short", store=store)
    cluster.apply(es)
    cluster.wait_ready(es)

    cluster.delete(es)

    cluster.wait_gone(objects.reference("v1", "Secret", "short", namespace))


def test_openbao_seals_and_unseals(openbao: OpenBao) -> None:
    openbao.seal()
    try:
        sealed = openbao.health()
    finally:
        openbao.unseal()
    unsealed = openbao.health()

    assert (sealed["code"], sealed["sealed"], sealed["initialized"]) == (503, True, True)
    assert (unsealed["code"], unsealed["sealed"], unsealed["standby"]) == (200, False, False)


def test_openbao_keeps_its_data_and_port_over_a_restart(openbao: OpenBao) -> None:
    openbao.put("secret/lab/kept", {"key": "value"})
    address = openbao.address

    openbao.restart()

    assert openbao.address == address
    assert openbao.health()["code"] == 200
    assert any(event["request"]["path"] == "secret/data/lab/kept" for event in openbao.audit_events())


def test_the_audit_log_tells_who_listed_what(cluster: Cluster, lab: Lab) -> None:
    cluster.list("v1", "ConfigMap")

    def seen() -> bool:
        events = lab.apiserver.audit_events("lab-admin")
        return any((event.verb, event.resource, event.code) == ("list", "configmaps", 200) for event in events)

    wait_until("the audit log holds the list", seen)


def test_rbac_is_on(cluster: Cluster, lab: Lab, namespace: str) -> None:
    cluster.apply(objects.reference("v1", "ServiceAccount", "nobody", namespace))
    token = cluster.service_account_token(namespace, "nobody")
    session = new_session()
    session.verify = str(lab.apiserver.authority.certificate)
    session.headers["Authorization"] = f"Bearer {token}"

    assert session.get(f"{lab.apiserver.address}/api/v1/secrets", timeout=10).status_code == 403
    assert session.get(f"{lab.apiserver.address}/version", timeout=10).status_code == 200


def test_kubectl_leaves_its_own_mark(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "secret", "generic", "by-hand", f"--namespace={namespace}", "--from-literal=key=value")
    made = cluster.get(objects.reference("v1", "Secret", "by-hand", namespace))

    assert made is not None
    assert made["metadata"]["managedFields"][0]["manager"] == "kubectl-create"


def test_prometheus_scrapes_every_second(prometheus: Prometheus, lab: Lab) -> None:
    prometheus.configure({"eso": lab.eso.metrics_address})
    try:
        prometheus.wait_for_value('up{job="eso"}', 1)
        prometheus.wait_for('count_over_time(up{job="eso"}[10s])', lambda found: found.values >= [5])
    finally:
        prometheus.configure({})


def test_an_alert_of_prometheus_reaches_alertmanager(prometheus: Prometheus, lab: Lab, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: lab, rules: [{alert: Always, expr: vector(1), labels: {severity: info}}]}]")
    prometheus.configure({}, [rules], [lab.alertmanager.target])
    try:
        [alert] = wait_until("Alertmanager holds the alert", lambda: lab.alertmanager.alerts() or None)
    finally:
        prometheus.configure({})

    assert alert["labels"] == {"alertname": "Always", "severity": "info"}


def test_a_frozen_server_is_there_and_says_nothing(lab: Lab) -> None:
    lab.openbao.pause()
    try:
        with pytest.raises(Exception, match="timed out"):
            new_session().get(f"{lab.openbao.address}/v1/sys/health", timeout=0.5)
        assert lab.openbao.running
    finally:
        lab.openbao.resume()
    # A node that was frozen for long enough has lost its leadership, and takes a moment to get it back.
    wait_until("OpenBao is active again", lambda: lab.openbao.health()["code"] == 200)


def test_the_proxy_records_requests_and_streams_watches(lab: Lab, namespace: str) -> None:
    proxy = RecordingProxy(lab.apiserver.address, lab.apiserver.authority.certificate)
    proxy.start()
    session = new_session()
    try:
        session.headers["Authorization"] = f"Bearer {_reader(lab.cluster, namespace)}"
        path = f"/api/v1/namespaces/{namespace}/configmaps?watch=1"
        with session.get(
            proxy.address + path, stream=True, timeout=10, headers={"Accept": "application/json"}
        ) as watch:
            lines = watch.iter_lines(chunk_size=None)
            lab.cluster.apply({**objects.reference("v1", "ConfigMap", "seen", namespace), "data": {"a": "b"}})
            assert any(b'"name":"seen"' in line for line, _ in zip(lines, range(10), strict=False))
    finally:
        session.close()
        proxy.stop()

    [request] = proxy.requests()
    assert (request.method, request.target, request.accept) == ("GET", path, "application/json")
    assert request.query == {"watch": ["1"]}
    assert request.carried_token


def test_a_bare_cluster_has_no_crds(bare_cluster: BareCluster) -> None:
    assert bare_cluster.cluster.list("v1", "Namespace")
    with pytest.raises(ApiError, match="404"):
        bare_cluster.cluster.list(objects.ESO_GROUP, "ExternalSecret")


def test_a_server_dies_with_the_test_runner(tmp_path: Path) -> None:
    start = f"from pathlib import Path; from tests.lab.control_plane import Etcd; e = Etcd(Path({str(tmp_path)!r}))"
    script = f"{start}; e.start(); print(e.pid, flush=True); import signal; signal.pause()"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        server = Path("/proc", runner.stdout.readline().strip(), "stat")
        assert server.exists()
        runner.kill()

    # Gone, or dead and not yet collected by whoever collects orphans here.
    wait_until("etcd is dead", lambda: not server.exists() or server.read_text().rpartition(")")[2].split()[0] == "Z")


def test_waiting_in_vain_tells_what_for() -> None:
    def look() -> bool:
        raise LookupError("nothing there")

    with pytest.raises(NotYetError, match=r"for: the moon \(LookupError: nothing there\)"):
        wait_until("the moon", look, timeout=0)


def test_a_process_that_ends_at_once_says_its_last_words(lab: Lab, tmp_path: Path) -> None:
    class Broken(ApiServer):
        def command(self) -> list[str]:
            return [*map(str, super().command()), "--no-such-flag"]

    with pytest.raises(RuntimeError, match="no-such-flag"):
        Broken(tmp_path, lab.etcd, "broken").start()


def _reader(cluster: Cluster, namespace: str) -> str:
    """The token of a new ServiceAccount that may read the namespace's ConfigMaps."""
    role = {
        **objects.reference("rbac.authorization.k8s.io/v1", "Role", "reader", namespace),
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        **objects.reference("rbac.authorization.k8s.io/v1", "RoleBinding", "reader", namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    }
    cluster.apply(objects.reference("v1", "ServiceAccount", "reader", namespace), role, binding)
    return cluster.service_account_token(namespace, "reader")
