"""The builders make objects as ESO and kubectl leave them."""

from __future__ import annotations

import json

import pytest

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import field_manager, object_hash, synced_version

# Vectors from ESO's own tests and a real object (reference/eso.md section 3.2).


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default/test-es", "a8e09351ea392b727f69f63683b28619fbed1174f572e728706a9ea8"),
        ("keybuzz/stripe", "15752ac9a081ba3d9f932c1a1091b5839bc210883e7aa6be4a707841"),
    ],
)
def test_created_by(text: str, expected: str) -> None:
    assert object_hash(text) == expected


def test_synced_version() -> None:
    assert synced_version(1, {}, {}) == "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"
    labels, annotations = {"team": "pay", "app": "api"}, {"external-secrets.io/force-sync": "1"}
    assert synced_version(3, labels, annotations) == "3-328bc1b7343f0ab377f09318b0288f76bd8fe67826b077168fe12704"


def test_long_field_managers_are_hashed() -> None:
    assert field_manager("a" * 27) == "externalsecrets.external-secrets.io/" + "a" * 27
    assert field_manager("a" * 28).endswith("sha3/52a6f48b37cd3535ef771a530c08d9cc4b78350ccdd33f2405e22ebb")


def test_an_eso_secret_is_owned_and_labelled_and_lists_its_keys() -> None:
    cluster = SimulatedCluster()
    es = cluster.apply(objects.external_secret("shop", "db", target="db-login", labels={"team": "pay"}))
    made = objects.eso_secret(es, ["user", "password"])
    metadata = made["metadata"]
    assert metadata["name"] == "db-login"
    assert metadata["labels"] == {
        "team": "pay",
        "reconcile.external-secrets.io/managed": "true",
        "reconcile.external-secrets.io/created-by": object_hash("shop/db"),
    }
    (reference,) = metadata["ownerReferences"]
    assert (reference["kind"], reference["uid"], reference["controller"]) == (
        "ExternalSecret",
        es["metadata"]["uid"],
        True,
    )
    (entry,) = metadata["managedFields"]
    assert entry["manager"] == "externalsecrets.external-secrets.io/db"
    assert set(entry["fieldsV1"]["f:data"]) == {".", "f:password", "f:user"}
    assert made["data"] == {"password": "", "user": ""}


def test_merge_neither_owns_nor_wipes() -> None:
    cluster = SimulatedCluster()
    es = cluster.apply(objects.external_secret("shop", "db", creation_policy="Merge"))
    before = cluster.apply(objects.manual_secret("shop", "db", ["theirs"]))
    made = objects.eso_secret(es, ["ours"], taken_over=before)
    assert "ownerReferences" not in made["metadata"]
    assert "reconcile.external-secrets.io/created-by" not in made["metadata"]["labels"]
    assert set(made["data"]) == {"ours", "theirs"}


def test_taking_over_equal_values_leaves_the_keys_to_kubectl() -> None:
    cluster = SimulatedCluster()
    es = cluster.apply(objects.external_secret("shop", "db"))
    before = cluster.apply(objects.manual_secret("shop", "db", ["password"]))
    made = cluster.apply(objects.eso_secret(es, ["password"], taken_over=before, written=1_790_000_000))
    assert made["metadata"]["uid"] == before["metadata"]["uid"]
    kubectl, eso = made["metadata"]["managedFields"]
    assert (kubectl["manager"], "f:password" in kubectl["fieldsV1"]["f:data"]) == ("kubectl-create", True)
    assert (eso["manager"], "f:data" in eso["fieldsV1"]) == ("externalsecrets.external-secrets.io/db", False)
    assert kubectl["time"] < eso["time"]


def test_taking_over_moves_changed_keys_and_forgets_wiped_ones() -> None:
    cluster = SimulatedCluster()
    es = cluster.apply(objects.external_secret("shop", "db"))
    before = cluster.apply(objects.manual_secret("shop", "db", ["password", "user", "old"]))
    made = objects.eso_secret(es, ["password", "user"], taken_over=before, changed=["password"])
    kubectl, eso = (entry["fieldsV1"]["f:data"] for entry in made["metadata"]["managedFields"])
    assert (set(kubectl), set(eso)) == ({".", "f:user"}, {"f:password"})


def test_an_applied_secret_carries_its_manifest_but_no_value() -> None:
    made = objects.manual_secret("shop", "db", ["password"], manager="kubectl-client-side-apply")
    manifest = json.loads(made["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert (manifest["kind"], manifest["data"]) == ("Secret", {"password": ""})


def test_an_edit_moves_the_keys_to_the_editor() -> None:
    made = objects.manual_secret("shop", "db", ["password"], edited=1_790_000_000)
    first, second = made["metadata"]["managedFields"]
    assert first["fieldsV1"]["f:data"] == {}
    assert (second["manager"], second["fieldsV1"]) == ("kubectl-edit", {"f:data": {"f:password": {}}})


def test_a_synced_external_secret_agrees_with_itself() -> None:
    made = objects.external_secret("shop", "db", ready="True", refreshed=1_790_000_000, labels={"a": "b"}, generation=2)
    status = made["status"]
    assert status["syncedResourceVersion"] == synced_version(2, {"a": "b"}, {})
    assert status["refreshTime"] == "2026-09-21T14:13:20Z"
    assert status["binding"] == {"name": "db"}
    assert status["conditions"][0]["reason"] == "SecretSynced"
    failed = objects.external_secret("shop", "db", ready="False", since=1_790_000_000)
    assert failed["status"]["refreshTime"] is None
    assert "syncedResourceVersion" not in failed["status"]
    assert "status" not in objects.external_secret("shop", "db")


def test_what_other_controllers_leave() -> None:
    release = objects.helm_release("shop", "web", revision=3)
    assert (release["metadata"]["name"], release["type"]) == ("sh.helm.release.v1.web.v3", "helm.sh/release.v1")
    chart = objects.helm_secret("shop", "web-tls", ["tls.crt"], "web")
    assert chart["metadata"]["annotations"]["meta.helm.sh/release-name"] == "web"
    token = objects.token_secret("shop", "robot")
    assert token["type"] == "kubernetes.io/service-account-token"
    assert token["metadata"]["annotations"]["kubernetes.io/service-account.name"] == "robot"
    store = objects.secret_store("shop", "own", objects.vault_provider("http://v", None, "v1"), controller="other")
    assert (store["metadata"]["namespace"], store["spec"]["controller"]) == ("shop", "other")
    assert "path" not in store["spec"]["provider"]["vault"]


def test_a_deployment_names_the_secrets_it_reads() -> None:
    made = workloads.deployment(
        "shop", "api", replicas=2, ready=1, env_from=["a"], env={"X": ("b", "key")}, volumes=["c"]
    )
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["envFrom"][0]["secretRef"]["name"] == "a"
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "b", "key": "key"}
    assert pod["volumes"][0]["secret"]["secretName"] == "c"
    assert made["status"]["conditions"][0]["status"] == "False"
