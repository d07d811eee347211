"""Each problem that ESO's own Ready condition hides, made on the real operator: it appears, and goes when it is mended.

What ESO itself calls a failure is in test_errors.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster, condition
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.keybuzz import PLANTED
from tests.lab.openbao import OpenBao
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until

SOON = 2
"""Seconds: the moments from which on a state is a fault are shortened to these."""

JUDGE = {
    "never_synced_after": SOON,
    "overdue_grace": SOON,
    "absence_after": SOON,
    "never_validated_after": SOON,
    "deleting_stuck_after": SOON,
}


@dataclass
class Stage:
    """One namespace, its path in Vault, and the exporter."""

    lab: Lab
    cluster: Cluster
    openbao: OpenBao
    store: str
    exporter: Exporter
    namespace: str = ""
    undo: list[Callable[[], None]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"silent/{self.namespace}"

    def external_secret(self, name: str = "subject", **spec: Any) -> objects.Object:
        """One that would be healthy but for what `spec` replaces; a `target` is added to, not replaced."""
        target = spec.pop("target", {})
        keys = spec.pop("keys", ("password",))
        store = spec.pop("store", self.store)
        one = objects.external_secret(self.namespace, name, path=self.path, keys=keys, store=store, **spec)
        one["spec"]["target"] |= target
        return one

    def apply(self, name: str = "subject", **spec: Any) -> objects.Object:
        """Applies it and waits until ESO says Ready=True."""
        one = self.external_secret(name, **spec)
        self.cluster.apply(one)
        return self.cluster.wait_ready(one)

    def again(self, name: str = "subject") -> None:
        """Has ESO read the provider now."""
        one = objects.reference(objects.ESO_GROUP, "ExternalSecret", name, self.namespace)
        self.cluster.patch(one, {"metadata": {"annotations": {"again": str(time.time_ns())}}})

    def secret(self, name: str = "subject") -> objects.Object:
        return objects.reference("v1", "Secret", name, self.namespace)

    def create_by_hand(self, name: str = "subject") -> None:
        literal = f"--from-literal=password={PLANTED}"
        self.cluster.kubectl("-n", self.namespace, "create", "secret", "generic", name, literal)

    def reason(self, name: str = "subject") -> str:
        found = self.cluster.get(objects.reference(objects.ESO_GROUP, "ExternalSecret", name, self.namespace))
        assert found is not None
        return str(condition(found).get("reason"))


@pytest.fixture(scope="module")
def running(lab: Lab, cluster: Cluster, store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The exporter beside ESO, with short patience."""
    folder = tmp_path_factory.mktemp("silent")
    install_rbac(cluster)
    kubeconfig = cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
    exporter = Exporter(folder, kubeconfig, settings={"vault": {"discover": "off"}, "judge": JUDGE})
    exporter.start()
    try:
        yield Stage(lab, cluster, lab.openbao, store, exporter)
    finally:
        exporter.stop()


@pytest.fixture
def stage(running: Stage, namespace: str) -> Iterator[Stage]:
    """The exporter, with a namespace and a path of the test's own."""
    one = Stage(running.lab, running.cluster, running.openbao, running.store, running.exporter, namespace)
    one.openbao.put(f"secret/{one.path}", {"password": PLANTED})
    yield one
    for step in reversed(one.undo):
        step()
    one.openbao.delete(f"secret/{one.path}")


# -- ExternalSecrets: each function makes its problem and returns what mends it --------------------------------------

Mend = Callable[[], object]


def deleted_by_policy(stage: Stage) -> Mend:
    stage.apply(target={"deletionPolicy": "Delete"})
    stage.openbao.delete(f"secret/{stage.path}")
    stage.again()
    wait_until("ESO deleted it", lambda: stage.reason() == "SecretDeleted")

    def mend() -> None:
        stage.openbao.put(f"secret/{stage.path}", {"password": PLANTED})
        stage.again()

    return mend


def merge_target_missing(stage: Stage) -> Mend:
    stage.apply(creation_policy="Merge")
    assert stage.reason() == "SecretMissing"

    def mend() -> None:
        stage.create_by_hand()
        stage.again()

    return mend


def retained_empty(stage: Stage) -> Mend:
    stage.openbao.put(f"secret/{stage.path}/below", {"password": PLANTED})
    stage.undo.append(lambda: stage.openbao.delete(f"secret/{stage.path}/below"))
    nothing = [{"find": {"path": stage.path, "name": {"regexp": "nothing-is-called-so"}}}]
    made = stage.apply(data=[], dataFrom=nothing)
    assert "retained" in condition(made)["message"]
    return lambda: stage.apply(dataFrom=[])


def nothing_written(stage: Stage) -> Mend:
    stage.apply(creation_policy="None")
    return lambda: stage.apply(creation_policy="Owner")


def immutable_target(stage: Stage) -> Mend:
    stage.apply(target={"immutable": True})
    return lambda: stage.cluster.delete(stage.external_secret())


def target_missing(stage: Stage) -> Mend:
    """creationPolicy Orphan: ESO looks at its target only when a refresh is due."""
    stage.apply(creation_policy="Orphan")
    stage.cluster.delete(stage.secret())
    return stage.again


def target_keys_missing(stage: Stage) -> Mend:
    """deletionPolicy Merge: a key that the provider does not have is left out, and all is said to be well."""
    stage.create_by_hand("other")
    missing = {"secretKey": "user", "remoteRef": {"key": f"{stage.path}-nowhere", "property": "user"}}
    there = {"secretKey": "password", "remoteRef": {"key": stage.path, "property": "password"}}
    stage.apply(data=[there, missing], target={"deletionPolicy": "Merge"})
    assert stage.reason() == "SecretSynced"
    return lambda: stage.apply(data=[there], target={"deletionPolicy": "Merge"})


def spec_not_applied(stage: Stage) -> Mend:
    """refreshInterval 0: ESO never reads again, not even when the spec changes."""
    stage.apply(interval="0")
    more = stage.external_secret(interval="0", target={"template": {"metadata": {"labels": {"new": "1"}}}})
    stage.cluster.apply(more)
    return lambda: stage.apply(interval="1h", target={"template": {"metadata": {"labels": {"new": "1"}}}})


def target_shared(stage: Stage) -> Mend:
    for name in ("subject", "second"):
        stage.apply(name, creation_policy="Orphan", target={"name": "one-for-both"})
    return lambda: stage.cluster.delete(stage.external_secret("second"))


def store_missing(stage: Stage) -> Mend:
    stage.cluster.apply(stage.external_secret(store="no-such-store"))
    return stage.apply


def store_not_ready(stage: Stage) -> Mend:
    wrong = {"name": "wrong", "key": "token"}
    stage.cluster.apply(objects.secret(stage.namespace, "wrong", {"token": "s.nonsense"}))
    own = objects.vault_store("own", stage.openbao.address, token=wrong, namespace=stage.namespace)
    stage.cluster.apply(own)
    stage.cluster.wait_ready(own, "False")
    one = stage.external_secret()
    one["spec"]["secretStoreRef"] = {"name": "own", "kind": "SecretStore"}
    stage.cluster.apply(one)
    return stage.apply


def never_synced(stage: Stage) -> Mend:
    stage.cluster.apply(stage.external_secret(keys=("not-there",)))
    return stage.apply


def deleting_stuck(stage: Stage) -> Mend:
    """A finalizer whose controller is gone."""
    made = stage.apply()
    kept = made["metadata"].get("finalizers", [])
    one = objects.reference(objects.ESO_GROUP, "ExternalSecret", "subject", stage.namespace)
    stage.cluster.patch(one, {"metadata": {"finalizers": [*kept, "example.com/gone"]}})
    stage.cluster.delete(one, wait=False)

    def mend() -> None:
        found = stage.cluster.get(one)
        assert found is not None
        left = [name for name in found["metadata"]["finalizers"] if name != "example.com/gone"]
        stage.cluster.patch(one, {"metadata": {"finalizers": left}})

    return mend


EXTERNAL_SECRETS = (
    deleted_by_policy,
    merge_target_missing,
    retained_empty,
    nothing_written,
    immutable_target,
    target_missing,
    target_keys_missing,
    spec_not_applied,
    target_shared,
    store_missing,
    store_not_ready,
    never_synced,
    deleting_stuck,
)


@pytest.mark.parametrize("make", EXTERNAL_SECRETS, ids=lambda make: make.__name__)
def test_a_problem_of_an_external_secret(stage: Stage, make: Callable[[Stage], Mend]) -> None:
    where = {"namespace": stage.namespace, "name": "subject", "problem": make.__name__}
    mend = make(stage)
    [line] = stage.exporter.wait_lines("eso_externalsecret_problem", **where)
    [since] = stage.exporter.wait_lines("eso_problem_since_timestamp_seconds", kind="externalsecret", **where)
    assert line.labels["error"] == ""
    assert since.value > 0
    mend()
    stage.exporter.wait_gone("eso_externalsecret_problem", timeout=60, **where)


def test_one_that_merges_into_a_secret_whose_keys_another_writes(stage: Stage) -> None:
    """ESO says Ready of both, and each undoes what the other wrote."""
    stage.apply("second", creation_policy="Orphan", target={"name": "one-for-both"})
    stage.apply(creation_policy="Merge", target={"name": "one-for-both"})
    for name in ("subject", "second"):
        where = {"namespace": stage.namespace, "name": name}
        stage.exporter.wait_lines("eso_externalsecret_problem", problem="target_shared", **where)
        [ready] = stage.exporter.lines("eso_externalsecret_ready", **where)
        assert ready.value == 1
    stage.cluster.delete(stage.external_secret("second"))
    stage.exporter.wait_gone("eso_externalsecret_problem", namespace=stage.namespace, name="subject")


# -- stores ----------------------------------------------------------------------------------------------------------


def _store_problem(stage: Stage, problem: str) -> dict[str, str]:
    return {"store_namespace": stage.namespace, "store": "own", "problem": problem}


def test_a_store_that_cannot_log_in_is_not_ready(stage: Stage) -> None:
    token = {"name": "token", "key": "token"}
    stage.cluster.apply(objects.secret(stage.namespace, "token", {"token": "s.nonsense"}))
    own = objects.vault_store("own", stage.openbao.address, token=token, namespace=stage.namespace)
    stage.cluster.apply(own)
    where = _store_problem(stage, "not_ready")
    stage.exporter.wait_lines("eso_secretstore_problem", **where)
    stage.cluster.apply(objects.secret(stage.namespace, "token", {"token": stage.openbao.token("eso")}))
    stage.cluster.patch(own, {"metadata": {"annotations": {"look": "again"}}})
    stage.exporter.wait_gone("eso_secretstore_problem", timeout=60, **where)


def test_a_store_that_nobody_validates(stage: Stage) -> None:
    """ESO stands still; a store of another controller's is none of ours."""
    token = {"name": "token", "key": "token"}
    stage.cluster.apply(objects.secret(stage.namespace, "token", {"token": stage.openbao.token("eso")}))
    own = objects.vault_store("own", stage.openbao.address, token=token, namespace=stage.namespace)
    foreign = objects.vault_store("foreign", stage.openbao.address, token=token, namespace=stage.namespace)
    foreign["spec"]["controller"] = "another"
    where = _store_problem(stage, "never_validated")
    stage.lab.eso.pause()
    try:
        stage.cluster.apply(own, foreign)
        stage.exporter.wait_lines("eso_secretstore_problem", **where)
    finally:
        stage.lab.eso.resume()
    stage.exporter.wait_gone("eso_secretstore_problem", timeout=60, **where)
    assert stage.exporter.lines("eso_secretstore_info", store_namespace=stage.namespace, store="foreign")
    assert not stage.exporter.lines("eso_secretstore_ready", store_namespace=stage.namespace, store="foreign")
    assert not stage.exporter.lines("eso_secretstore_problem", store="foreign", problem="never_validated")


def test_a_store_that_eso_calls_ready_without_having_tried_it(stage: Stage) -> None:
    name = f"{stage.namespace}-referent"
    referent = objects.vault_store(name, "http://127.0.0.1:1", token={"name": "nowhere", "key": "token"})
    stage.cluster.apply(referent)
    stage.undo.append(lambda: stage.cluster.delete(referent))
    stage.cluster.wait_ready(referent)  # nothing listens there, and no such Secret exists
    stage.exporter.wait_lines("eso_secretstore_problem", store=name, problem="unchecked")
    assert not stage.exporter.lines("eso_secretstore_problem", store=stage.store, problem="unchecked")


def test_the_credentials_of_a_store_vanish(stage: Stage) -> None:
    token = {"name": "token", "key": "token"}
    made = objects.secret(stage.namespace, "token", {"token": stage.openbao.token("eso")})
    own = objects.vault_store("own", stage.openbao.address, token=token, namespace=stage.namespace)
    stage.cluster.apply(made, own)
    stage.cluster.wait_ready(own)
    where = _store_problem(stage, "credentials_missing")
    stage.cluster.delete(stage.secret("token"))
    stage.exporter.wait_lines("eso_secretstore_problem", **where)
    stage.cluster.apply(made)
    stage.exporter.wait_gone("eso_secretstore_problem", **where)


# -- Secrets ---------------------------------------------------------------------------------------------------------


def test_values_in_an_annotation_are_told_and_never_shown(stage: Stage) -> None:
    manifest = {**stage.secret("applied"), "type": "Opaque", "stringData": {"password": PLANTED}}
    stage.cluster.kubectl("-n", stage.namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    made = stage.cluster.get(stage.secret("applied"))
    assert made is not None
    assert PLANTED in json.dumps(made["metadata"]["annotations"]), "kubectl writes the value there"
    where = {"namespace": stage.namespace, "secret": "applied", "problem": "value_in_annotation"}
    stage.exporter.wait_lines("eso_secret_problem", **where)
    assert PLANTED not in stage.exporter.get("/metrics") + stage.exporter.get("/") + stage.exporter.log_text()
    key = "kubectl.kubernetes.io/last-applied-configuration"
    stage.cluster.patch(stage.secret("applied"), {"metadata": {"annotations": {key: None}}})
    stage.exporter.wait_gone("eso_secret_problem", **where)


def test_values_in_a_condition_are_shown_nowhere(stage: Stage) -> None:
    """A provider's words, as a PushSecret's condition carries them."""
    one = objects.reference("external-secrets.io/v1alpha1", "PushSecret", "told", stage.namespace)
    spec = {"secretStoreRefs": [{"name": stage.store, "kind": "ClusterSecretStore"}]}
    spec["selector"] = {"secret": {"name": "nowhere"}}  # type: ignore[assignment]
    stage.lab.eso.pause()
    try:
        stage.cluster.apply({**one, "spec": spec})
        words = {
            "type": "Ready",
            "status": "False",
            "reason": "Errored",
            "message": f"set secret failed: {PLANTED}: permission denied",
            "lastTransitionTime": "2026-05-28T20:25:00Z",
        }
        stage.cluster.patch(one, {"status": {"conditions": [words]}}, subresource="status")
        stage.exporter.wait_lines("eso_pushsecret_problem", namespace=stage.namespace, name="told", problem="not_ready")
        assert PLANTED not in stage.exporter.get("/metrics") + stage.exporter.get("/") + stage.exporter.log_text()
    finally:
        stage.cluster.delete(one, wait=False)
        stage.lab.eso.resume()
