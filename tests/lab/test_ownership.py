"""Secrets as real tools and the real operator make them, and the one class that each of them gets.

Every way has a namespace of its own, so that `eso_secrets{namespace=…}` names its class exactly. What the servers made is
collected in `lab.jsonl` of the test's folder; the fast tests judge its copy in `tests/judge/corpus/`.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import corpus, objects
from tests.lab.build import ensure
from tests.lab.certificates import Authority
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.measured import Measured
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until

SECRET = "subject"
PATH = "ownership/subject"
ACCOUNT_TOKEN = "kubernetes.io/service-account-token"


@dataclass
class Stage:
    """Where Secrets are made."""

    lab: Lab
    cluster: Cluster
    store: str
    exporter: Exporter
    folder: Path

    def reference(self, namespace: str, name: str = SECRET) -> objects.Object:
        return objects.reference("v1", "Secret", name, namespace)

    def external_secret(self, namespace: str, policy: str = "Owner", deletion: str = "Retain") -> objects.Object:
        one = objects.external_secret(
            namespace, SECRET, path=PATH, keys=("password",), store=self.store, creation_policy=policy
        )
        one["spec"]["target"]["deletionPolicy"] = deletion
        return one

    def synced(self, namespace: str, policy: str = "Owner", deletion: str = "Retain") -> None:
        one = self.external_secret(namespace, policy, deletion)
        self.cluster.apply(one)
        self.cluster.wait_ready(one)

    def managers(self, namespace: str, name: str = SECRET) -> list[str]:
        found = self.cluster.get(self.reference(namespace, name))
        assert found is not None
        return [entry["manager"] for entry in found["metadata"]["managedFields"]]

    def kubectl(self, *arguments: str, stdin: str = "") -> None:
        self.cluster.kubectl(*arguments, stdin=stdin)

    def create(self, namespace: str) -> None:
        self.kubectl("-n", namespace, "create", "secret", "generic", SECRET, "--from-literal=password=planted")


@pytest.fixture(scope="module")
def stage(lab: Lab, cluster: Cluster, store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The exporter beside ESO, and a path in Vault."""
    folder = tmp_path_factory.mktemp("ownership")
    lab.openbao.put(f"secret/{PATH}", {"password": "planted"})
    install_rbac(cluster)
    kubeconfig = cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
    exporter = Exporter(folder, kubeconfig)
    exporter.start()
    try:
        yield Stage(lab, cluster, store, exporter, folder)
    finally:
        exporter.stop()


def kubectl_create(stage: Stage, namespace: str) -> None:
    stage.create(namespace)


def kubectl_apply(stage: Stage, namespace: str) -> None:
    stage.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest(namespace)))


def kubectl_server_side_apply(stage: Stage, namespace: str) -> None:
    stage.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", stdin=json.dumps(manifest(namespace)))


def kubectl_edit(stage: Stage, namespace: str) -> None:
    """Edits the Secret of an unrecognised controller: the person who edits makes it manual."""
    stage.cluster.create(manifest(namespace), manager="some-controller")
    editor = stage.folder / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i "s/^data:/data:\\n  edited: eA==/" "$1"\n')
    editor.chmod(0o755)
    subprocess.run(
        [str(ensure("kubectl")), f"--kubeconfig={stage.cluster.kubeconfig}", "-n", namespace, "edit", "secret", SECRET],
        env={**os.environ, "KUBE_EDITOR": str(editor)},
        check=True,
        capture_output=True,
        timeout=60,
    )


def kubectl_patch(stage: Stage, namespace: str) -> None:
    stage.cluster.create(manifest(namespace), manager="some-controller")
    stage.kubectl("-n", namespace, "patch", "secret", SECRET, "-p", '{"stringData":{"patched":"x"}}')


def kubectl_replace(stage: Stage, namespace: str) -> None:
    stage.cluster.create(manifest(namespace), manager="some-controller")
    stage.kubectl("-n", namespace, "replace", "-f", "-", stdin=json.dumps(manifest(namespace, "other")))


def python_client(stage: Stage, namespace: str) -> None:
    """The kubernetes package in a process of its own, as a person's script would use it."""
    script = (
        "import sys\nfrom kubernetes import client, config\n"
        "config.load_kube_config(sys.argv[1])\n"
        "body = client.V1Secret(metadata=client.V1ObjectMeta(name=sys.argv[3]), string_data={'password': 'planted'})\n"
        "client.CoreV1Api().create_namespaced_secret(sys.argv[2], body)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(stage.cluster.kubeconfig), namespace, SECRET],
        check=True,
        capture_output=True,
        timeout=60,
    )


def unrecognised(stage: Stage, namespace: str) -> None:
    stage.cluster.create(manifest(namespace), manager="some-controller")


def service_account_token(stage: Stage, namespace: str) -> None:
    stage.cluster.apply(objects.reference("v1", "ServiceAccount", "robot", namespace))
    one = stage.reference(namespace)
    one["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "robot"}
    stage.cluster.create({**one, "type": ACCOUNT_TOKEN}, manager="kubectl-create")
    stage.cluster.wait_for(
        stage.reference(namespace), lambda found: "token" in found.get("data", {}), what="with a token"
    )


def owned_by_a_custom_kind(stage: Stage, namespace: str) -> None:
    one = manifest(namespace)
    one["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "0" * 8}]
    # The garbage collector would take it at once if its owner could be looked up and were missing.
    one["metadata"]["ownerReferences"][0] |= {"apiVersion": "vendor.invalid/v1", "kind": "Widget"}
    stage.cluster.create(one, manager="widget-controller")


def helm(stage: Stage, namespace: str) -> None:
    """A chart that installs one Secret: its release record is another."""
    chart = stage.folder / "chart"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    template = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {SECRET}}}\nstringData: {{password: planted}}\n"
    (chart / "templates" / "secret.yaml").write_text(template)
    subprocess.run(
        [
            str(ensure("helm")),
            "install",
            "tiny",
            str(chart),
            "-n",
            namespace,
            f"--kubeconfig={stage.cluster.kubeconfig}",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )


def store_credential(stage: Stage, namespace: str) -> None:
    stage.create(namespace)
    token = {"name": SECRET, "key": "password"}
    stage.cluster.apply(objects.vault_store("own", stage.lab.openbao.address, token=token, namespace=namespace))


def eso_owner(stage: Stage, namespace: str) -> None:
    stage.synced(namespace)


def eso_owner_with_copied_marks(stage: Stage, namespace: str) -> None:
    """ESO copies labels and annotations of Helm, Argo CD and Flux from the ExternalSecret onto the Secret."""
    one = stage.external_secret(namespace)
    one["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm", "kustomize.toolkit.fluxcd.io/name": "apps"}
    one["metadata"]["annotations"] = {
        "meta.helm.sh/release-name": "x",
        "argocd.argoproj.io/tracking-id": f"app:external-secrets.io/ExternalSecret:{namespace}/{SECRET}",
    }
    stage.cluster.apply(one)
    stage.cluster.wait_ready(one)
    found = stage.cluster.get(stage.reference(namespace))
    assert found is not None
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm", "ESO copies it"


def eso_applied_with_kubectl(stage: Stage, namespace: str) -> None:
    one = stage.external_secret(namespace)
    stage.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(one))
    stage.cluster.wait_ready(one)


def eso_takes_over_a_manual_secret(stage: Stage, namespace: str) -> None:
    stage.create(namespace)
    stage.synced(namespace)


def eso_merge(stage: Stage, namespace: str) -> None:
    stage.create(namespace)
    stage.synced(namespace, "Merge")


def eso_orphan(stage: Stage, namespace: str) -> None:
    stage.synced(namespace, "Orphan")


def eso_none(stage: Stage, namespace: str) -> None:
    """creationPolicy None writes nothing: what a person made stays a person's."""
    stage.create(namespace)
    stage.synced(namespace, "None")


def eso_orphan_then_deleted(stage: Stage, namespace: str) -> None:
    stage.synced(namespace, "Orphan")
    stage.cluster.delete(stage.external_secret(namespace))


def eso_deleted_without_cascade(stage: Stage, namespace: str) -> None:
    stage.synced(namespace)
    stage.kubectl("-n", namespace, "delete", "externalsecret", SECRET, "--cascade=orphan")


def eso_deletion_policy_delete(stage: Stage, namespace: str) -> None:
    stage.synced(namespace, deletion="Delete")


def eso_deletion_policy_merge(stage: Stage, namespace: str) -> None:
    stage.create(namespace)
    stage.synced(namespace, "Merge", "Merge")


def restored_copy(stage: Stage, namespace: str) -> None:
    """Its metadata comes back as it was, written by a restore tool, while ESO stands still."""
    stage.synced(namespace)
    found = stage.cluster.get(stage.reference(namespace))
    assert found is not None
    stage.lab.eso.pause()
    try:
        stage.cluster.delete(stage.reference(namespace))
        kept = {key: found["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
        stage.cluster.create({**found, "metadata": kept}, manager="velero-server")
        stage.exporter.wait_lines("eso_secrets", namespace=namespace, **{"class": "eso_owned"})
    finally:
        stage.lab.eso.resume()


def marks_copied_by_hand(stage: Stage, namespace: str) -> None:
    """A person saves ESO's Secret under another name: ESO's marks come with it."""
    stage.synced(namespace)
    found = stage.cluster.get(stage.reference(namespace))
    assert found is not None
    labels = {key: value for key, value in found["metadata"]["labels"].items() if not key.endswith("/created-by")}
    copy = {"apiVersion": "v1", "kind": "Secret", "data": found["data"]}
    copy["metadata"] = {"name": "copy", "labels": labels, "annotations": found["metadata"]["annotations"]}
    stage.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(copy))


def eso_target_renamed(stage: Stage, namespace: str) -> None:
    """creationPolicy Orphan: the Secret of the old name stays behind."""
    stage.synced(namespace, "Orphan")
    renamed = stage.external_secret(namespace, "Orphan")
    renamed["spec"]["target"]["name"] = "renamed"
    stage.cluster.apply(renamed)
    stage.cluster.wait_for(stage.reference(namespace, "renamed"))


def eso_owned_target_renamed(stage: Stage, namespace: str) -> None:
    """creationPolicy Owner: ESO takes the old one away itself."""
    stage.synced(namespace)
    renamed = stage.external_secret(namespace)
    renamed["spec"]["target"]["name"] = "renamed"
    stage.cluster.apply(renamed)
    stage.cluster.wait_for(stage.reference(namespace, "renamed"))
    stage.cluster.wait_gone(stage.reference(namespace))


def eso_with_a_template(stage: Stage, namespace: str) -> None:
    """A template has its own labels and type; nothing of the ExternalSecret is copied."""
    one = stage.external_secret(namespace)
    template = {"type": "kubernetes.io/basic-auth", "data": {"username": "me", "password": "{{ .password }}"}}
    one["spec"]["target"]["template"] = template | {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}
    stage.cluster.apply(one)
    stage.cluster.wait_ready(one)


def eso_of_a_long_name(stage: Stage, namespace: str) -> None:
    """Its field manager is a hash."""
    one = stage.external_secret(namespace)
    one["metadata"]["name"] = "a-name-of-more-than-twenty-seven-bytes"
    stage.cluster.apply(one)
    stage.cluster.wait_ready(one)


def eso_merge_into_a_helm_secret(stage: Stage, namespace: str) -> None:
    helm(stage, namespace)
    stage.synced(namespace, "Merge")


def template_source(stage: Stage, namespace: str) -> None:
    """A Secret made by hand that holds the template of an ExternalSecret."""
    stage.kubectl("-n", namespace, "create", "secret", "generic", "template", "--from-literal=made={{ .password }}")
    one = stage.external_secret(namespace)
    source = {"secret": {"name": "template", "items": [{"key": "made"}]}}
    one["spec"]["target"]["template"] = {"templateFrom": [source]}
    stage.cluster.apply(one)
    stage.cluster.wait_ready(one)


def kubectl_create_tls(stage: Stage, namespace: str) -> None:
    made = Authority(stage.folder / "by-hand", "by hand").server("web")
    files = (f"--cert={made.certificate}", f"--key={made.key}")
    stage.kubectl("-n", namespace, "create", "secret", "tls", SECRET, *files)


def kubectl_create_registry(stage: Stage, namespace: str) -> None:
    login = ("--docker-server=registry.invalid", "--docker-username=me", "--docker-password=planted")
    stage.kubectl("-n", namespace, "create", "secret", "docker-registry", SECRET, *login)


def kubectl_label(stage: Stage, namespace: str) -> None:
    """A label is no value: a Secret of an unrecognised controller stays that."""
    unrecognised(stage, namespace)
    stage.kubectl("-n", namespace, "label", "secret", SECRET, "looked-at=yes")


def owned_by_a_configmap(stage: Stage, namespace: str) -> None:
    """A person has it collected together with something else: no controller made it."""
    made = stage.cluster.create(objects.reference("v1", "ConfigMap", "with", namespace))
    one = manifest(namespace)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "with", "uid": made["metadata"]["uid"]}
    one["metadata"]["ownerReferences"] = [owner]
    stage.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(one))


def bootstrap_token(stage: Stage, namespace: str) -> None:
    one = {**stage.reference(namespace), "type": "bootstrap.kubernetes.io/token"}
    stage.cluster.create({**one, "stringData": {"token-id": "abcdef"}}, manager="kubeadm")


def manifest(namespace: str, value: str = "planted") -> objects.Object:
    """A Secret as a person writes it down."""
    data = {"password": base64.b64encode(value.encode()).decode()}
    return {**objects.reference("v1", "Secret", SECRET, namespace), "type": "Opaque", "data": data}


Maker = Callable[[Stage, str], None]
WAYS: tuple[tuple[Maker, dict[str, int], str], ...] = (
    # (how it is made, classes in its namespace, creator of the manual one)
    (kubectl_create, {"manual": 1}, "kubectl-create"),
    (kubectl_apply, {"manual": 1}, "kubectl-apply"),
    (kubectl_server_side_apply, {"manual": 1}, "kubectl-apply"),
    (kubectl_edit, {"manual": 1}, "kubectl-edit"),
    (kubectl_patch, {"manual": 1}, "kubectl-patch"),
    (kubectl_replace, {"manual": 1}, "kubectl-replace"),
    (python_client, {"manual": 1}, "python"),
    (unrecognised, {"unknown": 1}, ""),
    (service_account_token, {"system": 1}, ""),
    (owned_by_a_custom_kind, {"controller": 1}, ""),
    (helm, {"helm": 1, "system": 1}, ""),
    (store_credential, {"bootstrap": 1}, ""),
    (eso_owner, {"eso_owned": 1}, ""),
    (eso_owner_with_copied_marks, {"eso_owned": 1}, ""),
    (eso_applied_with_kubectl, {"eso_owned": 1}, ""),
    (eso_takes_over_a_manual_secret, {"eso_owned": 1}, ""),
    (eso_merge, {"eso_merged": 1}, ""),
    (eso_orphan, {"eso_orphan": 1}, ""),
    (eso_none, {"manual": 1}, "kubectl-create"),
    (eso_orphan_then_deleted, {"eso_leftover": 1}, ""),
    (eso_deleted_without_cascade, {"eso_leftover": 1}, ""),
    (eso_deletion_policy_delete, {"eso_owned": 1}, ""),
    (eso_deletion_policy_merge, {"eso_merged": 1}, ""),
    (restored_copy, {"eso_owned": 1}, ""),
    (marks_copied_by_hand, {"eso_owned": 1, "manual": 1}, "kubectl-create"),
    (eso_target_renamed, {"eso_leftover": 1, "eso_orphan": 1}, ""),
    (eso_owned_target_renamed, {"eso_owned": 1}, ""),
    (eso_with_a_template, {"eso_owned": 1}, ""),
    (eso_of_a_long_name, {"eso_owned": 1}, ""),
    (eso_merge_into_a_helm_secret, {"eso_merged": 1, "system": 1}, ""),
    (template_source, {"bootstrap": 1, "eso_owned": 1}, ""),
    (kubectl_create_tls, {"manual": 1}, "kubectl-create"),
    (kubectl_create_registry, {"manual": 1}, "kubectl-create"),
    (kubectl_label, {"unknown": 1}, ""),
    (owned_by_a_configmap, {"manual": 1}, "kubectl-create"),
    (bootstrap_token, {"system": 1}, ""),
)


@pytest.mark.parametrize(("make", "classes", "creator"), WAYS, ids=[way[0].__name__ for way in WAYS])
def test_each_secret_gets_its_class(
    stage: Stage, namespace: str, make: Maker, classes: dict[str, int], creator: str
) -> None:
    make(stage, namespace)

    def as_expected() -> bool | None:
        counted = {
            line.labels["class"]: line.value for line in stage.exporter.lines("eso_secrets", namespace=namespace)
        }
        return {class_: count for class_, count in counted.items() if count} == classes or None

    wait_until(f"{namespace}: {classes}", as_expected, timeout=30)
    found = stage.exporter.lines("eso_manual_secret_info", namespace=namespace)
    assert [line.labels["creator"] for line in found] == ([creator] if creator else [])
    now = corpus.seen(stage.cluster, namespace, make.__name__, classes, creator)
    with (stage.folder / "lab.jsonl").open("a") as collected:
        collected.write(json.dumps(now, sort_keys=True) + "\n")
    if make is not restored_copy:  # ESO takes it over again, sooner or later
        assert corpus.shape(now) == corpus.shape(corpus.of(make.__name__)), "the corpus is what real servers make"


def test_the_corpus_has_all_of_these_and_no_others() -> None:
    assert [one["way"] for one in corpus.read()] == [make.__name__ for make, _, _ in WAYS]


def test_a_hand_over_to_eso_is_no_edit(stage: Stage, namespace: str) -> None:
    eso_takes_over_a_manual_secret(stage, namespace)
    assert "kubectl-create" in stage.managers(namespace), "kubectl's older entry keeps the key"
    stage.exporter.wait_lines("eso_secrets", namespace=namespace, **{"class": "eso_owned"})
    assert stage.exporter.lines("eso_secret_problem", namespace=namespace) == []


def test_a_patch_while_eso_stands_still_is_a_hand_edit_until_eso_heals_it(
    stage: Stage, namespace: str, measured: Measured
) -> None:
    stage.synced(namespace)
    time.sleep(1.1)  # managedFields tell whole seconds: an edit in the second of ESO's own write cannot be told from it
    stage.lab.eso.pause()
    try:
        stage.kubectl("-n", namespace, "patch", "secret", SECRET, "-p", '{"stringData":{"password":"changed"}}')
        with measured("managed key patched → hand_edited in /metrics", contract=2):
            stage.exporter.wait_lines("eso_secret_problem", namespace=namespace, problem="hand_edited")
    finally:
        stage.lab.eso.resume()
    stage.exporter.wait_gone("eso_secret_problem", namespace=namespace, problem="hand_edited", timeout=60)


def test_an_edit_again_and_again_is_a_war(stage: Stage, namespace: str) -> None:
    """Somebody's controller writes what ESO heals each time."""
    stage.synced(namespace)
    for turn in range(10):
        time.sleep(1.1)  # see above
        stage.kubectl(
            "-n", namespace, "patch", "secret", SECRET, "-p", f'{{"stringData":{{"password":"turn-{turn}"}}}}'
        )
        if stage.exporter.lines("eso_secret_problem", namespace=namespace, problem="edit_war"):
            break
    [line] = stage.exporter.wait_lines("eso_secret_problem", namespace=namespace, problem="edit_war")
    assert line.labels["secret"] == SECRET
