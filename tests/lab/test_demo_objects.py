"""The demo's builders beside the real kubectl, ESO and OpenBao: they leave what those leave."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from exporter.demo import objects as demo
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import synced_version
from exporter.demo.operator import Operator
from exporter.demo.vault import SimulatedVault
from tests.lab import objects
from tests.lab.cluster import Cluster, condition
from tests.lab.openbao import OpenBao

Object = dict[str, Any]

KEYS = {"user": "u", "password": "p"}


@pytest.fixture
def path(openbao: OpenBao) -> str:
    openbao.put("secret/conformance/db", KEYS)
    return "conformance/db"


def marks(secret: Object) -> Object:
    """What of a Secret tells who made it: everything but times, versions, ids, hashes and values."""
    metadata = secret["metadata"]
    annotations = {
        key: "<hash>" if key.endswith("data-hash") else re.sub(r'"(stringData|data)":\{.*?\}', "<values>", value)
        for key, value in metadata.get("annotations", {}).items()
    }
    managers = [
        {key: value for key, value in entry.items() if key != "time"} for entry in metadata.get("managedFields", [])
    ]
    return {
        "labels": metadata.get("labels"),
        "annotations": annotations,
        "ownerReferences": metadata.get("ownerReferences"),
        "managedFields": sorted(managers, key=lambda entry: str(entry["manager"])),
        "type": secret["type"],
        "keys": sorted(secret.get("data", {})),
    }


def in_order(value: Object) -> Object:
    """The same with the annotation of `kubectl apply` read, for the order of its keys says nothing."""
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    if applied in value["annotations"]:
        values = value["annotations"][applied].replace("<values>", '"<values>":0')
        value["annotations"][applied] = json.loads(values)
    return value


def test_a_secret_that_eso_made(cluster: Cluster, store: str, namespace: str, path: str) -> None:
    es = objects.external_secret(namespace, "fresh", path=path)
    cluster.apply(es)
    stored = cluster.wait_ready(es)
    real = cluster.get(objects.secret(namespace, "fresh"))
    assert real
    assert marks(demo.eso_secret(stored, KEYS)) == marks(real)


@pytest.mark.parametrize("changed", [[], ["password"]])
def test_a_secret_that_eso_took_over(
    cluster: Cluster, store: str, namespace: str, path: str, changed: list[str]
) -> None:
    values = [f"--from-literal={key}={'other' if key in changed else value}" for key, value in KEYS.items()]
    name = "equal" if not changed else "different"
    cluster.kubectl("create", "secret", "generic", name, "-n", namespace, *values, "--from-literal=extra=x")
    before = cluster.get(objects.secret(namespace, name))
    assert before
    es = objects.external_secret(namespace, name, path=path)
    cluster.apply(es)
    stored = cluster.wait_ready(es)
    real = cluster.get(objects.secret(namespace, name))
    assert real
    assert marks(demo.eso_secret(stored, KEYS, taken_over=before, changed=changed)) == marks(real)


def test_a_secret_made_with_kubectl_create(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "secret", "generic", "made", "-n", namespace, "--from-literal=a=1", "--from-literal=b=2")
    real = cluster.get(objects.secret(namespace, "made"))
    assert real
    assert marks(demo.manual_secret(namespace, "made", ["a", "b"])) == marks(real)


def test_a_secret_made_with_kubectl_apply_and_then_patched(cluster: Cluster, namespace: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "applied", "namespace": namespace},
        "type": "Opaque",
        "data": {"a": "MQ=="},
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    real = cluster.get(objects.secret(namespace, "applied"))
    assert real
    by_apply = "kubectl-client-side-apply"
    assert in_order(marks(demo.manual_secret(namespace, "applied", ["a"], manager=by_apply))) == in_order(marks(real))
    cluster.kubectl("patch", "secret", "applied", "-n", namespace, "-p", '{"stringData":{"a":"2"}}')
    real = cluster.get(objects.secret(namespace, "applied"))
    assert real
    edited = demo.manual_secret(namespace, "applied", ["a"], manager=by_apply, edited=2e9, editor="kubectl-patch")
    assert in_order(marks(edited)) == in_order(marks(real))


FAILURES = {
    "no-path": {"path": "conformance/none"},
    "no-property": {"path": "conformance/db", "keys": ["nope"]},
    "no-store": {"path": "conformance/db", "store": "gone"},
}


def test_statuses_and_events_of_the_operator(cluster: Cluster, store: str, namespace: str, path: str) -> None:
    """The same ExternalSecrets for ESO and for the demo's operator: the same conditions, reasons, messages and Events."""
    double = SimulatedCluster()
    vault = SimulatedVault()
    vault.start()
    try:
        vault.table.put(f"secret/{path}", KEYS)
        double.apply(demo.cluster_secret_store("vault-backend", demo.vault_provider(vault.url)))
        for name, options in {"good": {"path": path}, **FAILURES}.items():
            es = objects.external_secret(namespace, name, **options)
            cluster.apply(es)
            stood = cluster.wait_ready(es, "True" if name == "good" else "False")
            double.apply({key: value for key, value in stood.items() if key != "status"})
            Operator(double, [vault]).reconcile()
            made = double.get("externalsecrets", namespace, name)
            assert made
            assert status(made) == status(stood), name
            assert event(double.objects("events", namespace), name) == event(
                cluster.list("v1", "Event", namespace), name
            )
    finally:
        vault.stop()


def status(es: Object) -> Object:
    told = condition(es)
    metadata = es["metadata"]
    synced = synced_version(metadata["generation"], metadata.get("labels", {}), metadata.get("annotations", {}))
    return {
        "fields": sorted(es["status"]),
        "binding": es["status"]["binding"],
        "refreshed": es["status"]["refreshTime"] is not None,
        "synced": es["status"].get("syncedResourceVersion") in (None, synced),
        "condition": {key: value for key, value in told.items() if key != "lastTransitionTime"},
    }


def event(events: list[Object], name: str) -> Object:
    """The first Event about this ExternalSecret, without times, ids and counts."""
    found = next(one for one in events if one["involvedObject"]["name"] == name)
    about = {key: value for key, value in found["involvedObject"].items() if key != "resourceVersion"}
    same = ("type", "reason", "message", "source", "reportingComponent")
    return {"about": about, **{key: found[key] for key in same}}


def test_vaults_answers(openbao: OpenBao) -> None:
    """Sealed and not: the same codes, the same fields of the same types, with all codes overridden as the probe does."""
    overridden = "?sealedcode=299&uninitcode=299&standbycode=299&activecode=200"
    paths = [f"/v1/sys/{name}" for name in ("health", "seal-status", "leader", "init")]
    paths += ["/v1/sys/health" + overridden, "/v1/sys/health?activecode=no", "/v1/secret/data/x"]
    with SimulatedVault(nodes=2) as vault:
        compare(openbao, vault, paths)
        openbao.seal()
        try:
            vault.seal()
            compare(openbao, vault, paths)
        finally:
            openbao.unseal()


def compare(openbao: OpenBao, vault: SimulatedVault, paths: list[str]) -> None:
    for path in paths:
        real, double = (requests.get(address + path, timeout=10) for address in (openbao.address, vault.url))
        assert double.status_code == real.status_code, path
        assert shape(double.json()) == shape(real.json()), path
        for name in ("Content-Type", "Cache-Control"):
            assert double.headers[name] == real.headers[name], path


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(one) for key, one in sorted(value.items())}
    return value if isinstance(value, (bool, list)) else type(value).__name__
