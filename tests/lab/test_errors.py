"""Why: every error class that the real operator can be brought to, told by the exporter within 30 s of ESO's Event.

The messages under tests/eso/testdata were collected here: each run leaves them in `messages.jsonl` of its folder.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, RBAC, Exporter, install_rbac
from tests.lab.failing import CASES, Case, Failing
from tests.lab.keybuzz import PLANTED
from tests.lab.servers import Lab, manifests
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # ESO's own client takes 70 s to give a silent provider up

PROBLEM = "eso_externalsecret_problem"


class Stage:
    """The failing ExternalSecrets, and the exporter that watches them."""

    def __init__(self, cluster: Cluster, exporter: Exporter, namespace: str, folder: Path) -> None:
        self.cluster = cluster
        self.exporter = exporter
        self.namespace = namespace
        self.folder = folder

    def events(self, name: str) -> list[dict[str, Any]]:
        """The Warning Events of an ExternalSecret."""
        found = self.cluster.list("v1", "Event", self.namespace)
        return [one for one in found if one["involvedObject"]["name"] == name and one["reason"] == "UpdateFailed"]

    def wait_event(self, name: str) -> dict[str, Any]:
        """Waits for ESO to tell why an ExternalSecret fails; its newest Event."""

        def newest() -> dict[str, Any] | None:
            return max(self.events(name), key=lambda one: str(one["lastTimestamp"]), default=None)

        return wait_until(f"ESO's Event of {name}", newest, timeout=200)

    def deletions(self) -> float:
        """How many deleted Events the exporter has seen."""
        lines = self.exporter.lines("eso_exporter_watch_events_total", resource="events", type="DELETED")
        return sum(line.value for line in lines)

    def errors(self, name: str) -> set[str]:
        """The classes that the exporter tells of an ExternalSecret now."""
        lines = self.exporter.lines(PROBLEM, namespace=self.namespace, name=name, problem="not_ready")
        return {line.labels["error"] for line in lines}


@pytest.fixture(scope="module")
def stage(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Everything fails, and the exporter runs by the rights of deploy/rbac.yaml."""
    folder, cluster = tmp_path_factory.mktemp("errors"), lab.cluster
    namespace = f"errors-{uuid.uuid4().hex[:6]}"
    cluster.apply(objects.namespace(namespace))
    install_rbac(cluster)
    kubeconfig = cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
    exporter = Exporter(folder, kubeconfig, settings={"vault": {"discover": "off"}})
    exporter.start()
    try:
        with Failing(lab, folder, namespace).provoked():
            yield Stage(cluster, exporter, namespace, folder)
    finally:
        exporter.stop()
        cluster.delete(objects.namespace(namespace), wait=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_class_of_a_failure_is_told(stage: Stage, case: Case) -> None:
    message = stage.wait_event(case.name)["message"]
    with (stage.folder / "messages.jsonl").open("a") as collected:
        collected.write(json.dumps([case.name, case.error, message]) + "\n")

    told = wait_until(f"a class of {case.name}", lambda: stage.errors(case.name) - {"unknown"} or None, timeout=30)

    assert told == {case.error}, message


def test_a_value_in_a_message_is_told_nowhere(stage: Stage) -> None:
    assert PLANTED in stage.wait_event("template-value")["message"], "the test plants a value in an Event"
    wait_until("the Event has come", lambda: stage.errors("template-value") == {"template_error"})

    assert PLANTED not in stage.exporter.get("/metrics")
    assert PLANTED not in stage.exporter.get("/")
    assert PLANTED not in stage.exporter.log_text()


def test_a_class_outlives_its_event_and_ends_with_the_failure(stage: Stage) -> None:
    name = "template-parse"
    wait_until("its class is told", lambda: stage.errors(name) == {"template_error"})
    before = stage.deletions()
    for event in stage.events(name):
        stage.cluster.delete({"apiVersion": "v1", "kind": "Event", **event})
    wait_until("the exporter has seen it go", lambda: stage.deletions() > before)
    assert stage.errors(name) == {"template_error"}

    mended = objects.reference(objects.ESO_GROUP, "ExternalSecret", name, stage.namespace)
    stage.cluster.patch(mended, {"spec": {"target": {"template": {"data": {"made": "{{ .password }}"}}}}})
    stage.cluster.wait_ready(mended)
    stage.exporter.wait_gone(PROBLEM, namespace=stage.namespace, name=name, problem="not_ready")


DENIED = {"events", "deployments", "serviceaccounts", "pushsecrets", "clustergenerators"}


@pytest.fixture
def blind(stage: Stage, lab: Lab) -> Iterator[Exporter]:
    """An exporter that may read everything but `DENIED`."""
    cluster = lab.cluster
    account = objects.reference("v1", "ServiceAccount", "blind", stage.namespace)
    [role] = [one for one in manifests(RBAC) if one["kind"] == "ClusterRole"]
    name = f"{stage.namespace}-blind"
    role["metadata"] = {"name": name}
    for rule in role["rules"]:
        rule["resources"] = [one for one in rule["resources"] if one not in DENIED] or ["none"]
    group = "rbac.authorization.k8s.io"
    binding = {
        **objects.reference(f"{group}/v1", "ClusterRoleBinding", name),
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "blind", "namespace": stage.namespace}],
    }
    cluster.apply(account, role, binding)
    kubeconfig = cluster.service_account_kubeconfig(stage.folder / "blind.kubeconfig", stage.namespace, "blind")
    exporter = Exporter(stage.folder, kubeconfig, settings={"vault": {"discover": "off"}}, name="blind")
    try:
        exporter.start()
        yield exporter
    finally:
        exporter.stop()
        for one in (binding, role):
            cluster.delete(one, wait=False)


def test_rights_that_are_missing_darken_only_what_they_are_for(stage: Stage, blind: Exporter) -> None:
    denied = {line.labels["resource"] for line in blind.lines("eso_exporter_resource_denied") if line.value}
    assert denied == DENIED
    here = {"namespace": stage.namespace, "problem": "not_ready"}
    told = {line.labels["name"]: line.labels["error"] for line in blind.lines(PROBLEM, **here)}
    seeing = {line.labels["name"]: line.labels["error"] for line in stage.exporter.lines(PROBLEM, **here)}
    assert told.keys() == seeing.keys()
    # Conditions and stores still tell why; what only an Event knows is unknown.
    assert (told["owned"], told["store-missing"], told["store-not-ready"]) == (
        "owned_by_other",
        "store_missing",
        "store_not_ready",
    )
    assert told["path-missing"] == "unknown"
    for family in ("eso_secretstore_ready", "eso_manual_secrets", "eso_clusterexternalsecret_ready"):
        assert f"# TYPE {family} " in blind.get("/metrics")
    assert "# TYPE eso_operator_replicas " not in blind.get("/metrics")
    assert "# TYPE eso_pushsecret_ready " not in blind.get("/metrics")
