"""The admission policy of deploy/admission/ on the lab's API server: who is refused, with which words, and who passes."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.lab import objects
from tests.lab.build import ensure
from tests.lab.cluster import ApiError, Cluster
from tests.lab.exporter_process import install_rbac
from tests.lab.openbao import OpenBao
from tests.lab.rendering import Object, RefusedError, helm, kustomize, only, select
from tests.lab.schemas import Schemas
from tests.lab.servers import ROOT, Lab
from tests.lab.waiting import wait_until

ADMISSION = ROOT / "deploy" / "admission"
LABEL = "vault-eso-exporter/manual-secrets"
PLANTED = "planted-9f3c"
ADA = "ada"
SAYS = (
    "Secret {namespace}/{name} would be made by hand. Here the values of Secrets come from Vault: write them there, and add an "
    "ExternalSecret that reads them"
)


class Said(NamedTuple):
    """What kubectl said, and whether it was satisfied."""

    ok: bool
    text: str


def kubectl(cluster: Cluster, *arguments: str, user: str = ADA, groups: tuple[str, ...] = (), stdin: str = "") -> Said:
    """The real kubectl as somebody else; `text` is all that a person would see."""
    who = [f"--as={user}", *(f"--as-group={group}" for group in groups)]
    command = [str(ensure("kubectl")), f"--kubeconfig={cluster.kubeconfig}", *who, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    return Said(done.returncode == 0, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def shipped() -> list[Object]:
    return kustomize(ADMISSION)


@pytest.fixture(scope="module")
def settings(cluster: Cluster, shipped: list[Object]) -> Iterator[Object]:
    """The policy is in force; its ConfigMap. The lab's operator logs in by a certificate, so its name is added to the users."""
    install_rbac(cluster)
    given = only(shipped, "ConfigMap")
    given["data"]["users"] += "external-secrets # the lab's operator\n"
    cluster.apply(*shipped)
    yield given
    for one in shipped:
        cluster.delete(one)


Opened = Callable[[str], str]


@pytest.fixture
def opened(cluster: Cluster, settings: Object) -> Iterator[Opened]:
    """Makes a namespace that opts in with a mode, in which Ada and the operator's shipped account may do what `edit` allows."""
    made = []

    def open_(mode: str) -> str:
        name = f"admission-{mode}-{uuid.uuid4().hex[:6]}"
        one = objects.namespace(name, {LABEL: mode})
        made.append(one)
        binding = {
            **objects.reference("rbac.authorization.k8s.io/v1", "RoleBinding", "people", name),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [
                {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": ADA},
                {"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"},
                {"kind": "ServiceAccount", "name": "cert-manager", "namespace": "cert-manager"},
            ],
        }
        cluster.apply(one, binding)
        probe = ("create", "secret", "generic", "probe", f"--namespace={name}", "--dry-run=server")
        if mode != "audit":  # an audit's policy shows in the log alone; the others are in force by then, too
            wait_until("the policy is in force", lambda: "by hand" in kubectl(cluster, *probe).text)
        return name

    yield open_
    for one in made:
        # At once, not when the namespace is gone: other tests count Secrets made by hand in the whole cluster.
        for secret in cluster.list("v1", "Secret", one["metadata"]["name"]):
            cluster.delete({"apiVersion": "v1", "kind": "Secret", **secret}, wait=False)
        cluster.delete(one, wait=False)


def create(cluster: Cluster, namespace: str, name: str = "by-hand", **who: Any) -> Said:
    """`kubectl create secret`, with a value that nobody may print."""
    literal = f"--from-literal=password={PLANTED}"
    return kubectl(cluster, "create", "secret", "generic", name, f"--namespace={namespace}", literal, **who)


def test_the_policy_is_valid_and_its_expressions_are_well_typed(
    cluster: Cluster, settings: Object, shipped: list[Object], schemas: Schemas
) -> None:
    assert schemas.complaints(shipped) == []
    policy = only(shipped, "ValidatingAdmissionPolicy")

    judged = cluster.wait_for(
        policy, lambda one: one.get("status", {}).get("observedGeneration"), what="is type-checked"
    )

    assert judged["status"].get("typeChecking", {}) == {}
    modes = {one["metadata"]["name"].rpartition("-")[2] for one in select(shipped, "ValidatingAdmissionPolicyBinding")}
    assert modes == {"deny", "warn", "audit"}


def test_a_secret_made_by_hand_is_refused_with_what_to_do(cluster: Cluster, opened: Opened) -> None:
    namespace = opened("deny")

    said = create(cluster, namespace)

    assert not said.ok
    assert SAYS.format(namespace=namespace, name="by-hand") in said.text
    assert f"ask for the line {namespace}/by-hand under exceptions in ConfigMap" in said.text
    assert PLANTED not in said.text
    assert cluster.get(objects.reference("v1", "Secret", "by-hand", namespace)) is None


def test_every_way_to_make_one_is_refused_even_to_an_administrator(cluster: Cluster, opened: Opened) -> None:
    namespace = opened("deny")
    one = objects.secret(namespace, "by-hand", {"password": PLANTED})
    manifest = yaml.safe_dump(one)

    for arguments in (("create", "-f-"), ("apply", "-f-"), ("apply", "--server-side", "-f-")):
        said = kubectl(cluster, *arguments, stdin=manifest)
        assert SAYS.format(namespace=namespace, name="by-hand") in said.text
        assert PLANTED not in said.text
    with pytest.raises(ApiError, match="would be made by hand"):
        cluster.create(one)
    generated = {**one, "metadata": {"generateName": "by-hand-", "namespace": namespace}}
    with pytest.raises(ApiError, match=f"Secret {namespace}/by-hand-"):
        cluster.create(generated)


def test_the_operator_passes_and_its_secret_is_not_edited_by_hand(
    cluster: Cluster, opened: Opened, openbao: OpenBao, store: str
) -> None:
    namespace = opened("deny")
    openbao.put("secret/admission/app", {"password": "first"})
    external = objects.external_secret(namespace, "app", path="admission/app", keys=["password"], interval="1s")
    cluster.apply(external)
    cluster.wait_ready(external)
    secret = objects.reference("v1", "Secret", "app", namespace)

    patch = ("patch", "secret", "app", f"--namespace={namespace}", "--type=merge")
    edited = kubectl(cluster, *patch, "-p", json.dumps({"stringData": {"password": PLANTED}}))
    labelled = kubectl(cluster, "label", "secret", "app", f"--namespace={namespace}", "checked=yes")
    openbao.put("secret/admission/app", {"password": "second"})

    assert SAYS.format(namespace=namespace, name="app") in edited.text
    assert PLANTED not in edited.text
    assert labelled.ok
    # The operator's update passes; that the garbage collector may delete shows when the owner goes.
    cluster.wait_for(secret, lambda one: one["data"]["password"] == "c2Vjb25k", what="is updated by the operator")
    cluster.delete(external)
    cluster.wait_gone(secret)


def test_the_account_that_is_shipped_as_the_operators_passes(cluster: Cluster, opened: Opened) -> None:
    namespace = opened("deny")
    groups = ("system:serviceaccounts", "system:authenticated")

    passed = create(cluster, namespace, user="system:serviceaccount:external-secrets:external-secrets", groups=groups)
    other = create(cluster, namespace, "other", user="system:serviceaccount:cert-manager:cert-manager", groups=groups)

    assert passed.ok
    assert "would be made by hand" in other.text


def test_deleting_one_stays_free(cluster: Cluster, settings: Object, opened: Opened) -> None:
    namespace = opened("warn")
    assert create(cluster, namespace).ok
    cluster.apply(objects.namespace(namespace, {LABEL: "deny"}))
    patch = ("patch", "secret", "by-hand", f"--namespace={namespace}", "-p", '{"stringData": {"password": "other"}}')

    wait_until("deny is in force", lambda: not kubectl(cluster, *patch).ok)
    assert kubectl(cluster, "delete", "secret", "by-hand", f"--namespace={namespace}").ok


def test_a_service_accounts_token_is_filled_in(cluster: Cluster, opened: Opened) -> None:
    namespace = opened("deny")
    cluster.apply(objects.reference("v1", "ServiceAccount", "robot", namespace))
    one = objects.secret(namespace, "robot-token", kind="kubernetes.io/service-account-token")
    one["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "robot"}

    assert kubectl(cluster, "create", "-f-", stdin=yaml.safe_dump(one)).ok
    cluster.wait_for(one, lambda found: found.get("data", {}).get("token"), what="has its token")


def test_a_controllers_secret_passes_and_a_persons_with_the_same_mark_does_not(
    cluster: Cluster, opened: Opened
) -> None:
    namespace = opened("deny")
    owner = cluster.apply(objects.reference("v1", "ServiceAccount", "certificate", namespace))
    one = objects.secret(namespace, "tls", {"password": PLANTED})
    one["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "name": "certificate",
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
    ]
    manifest = yaml.safe_dump(one)

    person = kubectl(cluster, "create", "-f-", stdin=manifest)
    controller = kubectl(
        *(cluster, "create", "-f-"),
        user="system:serviceaccount:cert-manager:cert-manager",
        groups=("system:serviceaccounts",),
        stdin=manifest,
    )

    assert "would be made by hand" in person.text
    assert controller.ok


def test_helm_passes_unless_it_is_told_to_refuse(
    cluster: Cluster, settings: Object, opened: Opened, tmp_path: Path
) -> None:
    namespace = opened("deny")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    template = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: of-the-chart}\nstringData: {password: {{ .Values.password }}}\n"
    )
    (chart / "templates" / "secret.yaml").write_text(template)

    def run(verb: str, value: str) -> str:
        where = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}", f"--kube-as-user={ADA}"]
        return helm(verb, "app", chart, *where, f"--set=password={value}")

    run("install", "first")
    run("upgrade", "second")
    records = [one for one in cluster.list("v1", "Secret", namespace) if one["type"] == "helm.sh/release.v1"]
    assert len(records) == 2
    assert cluster.get(objects.reference("v1", "Secret", "of-the-chart", namespace))

    cluster.apply({**settings, "data": {**settings["data"], "helm": "refuse"}})

    def refused() -> str | None:
        try:
            run("upgrade", uuid.uuid4().hex)
        except RefusedError as error:
            return str(error)
        return None

    try:
        assert "would be made by hand" in wait_until("the change counts", refused)
    finally:
        cluster.apply(settings)


def test_a_listed_exception_passes_as_long_as_it_is_listed(cluster: Cluster, settings: Object, opened: Opened) -> None:
    namespace = opened("deny")
    listed = f"# by SEC-1412\n{namespace}/legacy-*  # until March\nother/name\n"
    cluster.apply({**settings, "data": {**settings["data"], "exceptions": listed}})

    wait_until("the exception counts", lambda: create(cluster, namespace, "legacy-licence").ok)
    assert not create(cluster, namespace, "by-hand").ok
    cluster.apply(settings)
    wait_until("it counts no more", lambda: not create(cluster, namespace, f"legacy-{uuid.uuid4().hex[:6]}").ok)


def test_warn_lets_it_pass_and_says_the_same(cluster: Cluster, opened: Opened, lab: Lab) -> None:
    namespace = opened("warn")

    said = create(cluster, namespace)

    assert said.ok
    assert "Warning: " in said.text
    assert SAYS.format(namespace=namespace, name="by-hand") in said.text
    assert PLANTED not in said.text
    assert "would be made by hand" in audited(lab, namespace)


def test_audit_lets_it_pass_in_silence_and_writes_it_down(cluster: Cluster, opened: Opened, lab: Lab) -> None:
    namespace = opened("audit")

    def written_down() -> str:
        said = create(cluster, namespace, f"by-hand-{uuid.uuid4().hex[:6]}")
        assert said.ok
        assert "by hand." not in said.text
        return audited(lab, namespace)

    text = wait_until("the audit log tells of it", written_down)

    assert "would be made by hand" in text
    assert f"{ADA} for {namespace}/by-hand" in text
    assert PLANTED not in lab.apiserver.audit_log.read_text()


def audited(lab: Lab, namespace: str) -> str:
    """What the policy wrote into the audit log about Secrets made in a namespace."""
    with lab.apiserver.audit_log.open() as log:
        lines = [json.loads(line) for line in log if f'"namespace":"{namespace}"' in line and line.endswith("\n")]
    found = [
        one.get("annotations", {}) for one in lines if one["verb"] == "create" and "dryRun" not in one["requestURI"]
    ]
    return "\n".join(str(value) for one in found for key, value in one.items() if "admission" in key or "manual" in key)


def test_a_namespace_that_does_not_opt_in_is_left_alone(cluster: Cluster, settings: Object, namespace: str) -> None:
    one = objects.secret(namespace, "by-hand", {"password": PLANTED})

    assert cluster.create(one, "kubectl-create")["metadata"]["name"] == "by-hand"


def test_without_its_settings_the_policy_stops_nobody(cluster: Cluster, settings: Object, opened: Opened) -> None:
    namespace = opened("deny")
    cluster.delete(settings)
    try:
        wait_until("it lets pass", lambda: create(cluster, namespace, f"by-hand-{uuid.uuid4().hex[:6]}").ok)
    finally:
        cluster.apply(settings)
