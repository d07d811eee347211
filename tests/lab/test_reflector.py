"""Reflectors on a real API server and a real etcd of their own: what only the real ones do."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.kube.backoff import Pace
from exporter.kube.resource import Cells, Form, Resource
from tests.kube.doubles import Thing, ThingWire, Watched, eventually, thing_resource, to_thing
from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.loopback import new_session
from tests.lab.servers import BareCluster, install_crds

pytestmark = pytest.mark.timeout(300)

PACE = Pace(
    first=0.1,
    ceiling=1.0,
    absent_every=1.0,
    absent_grace=2.0,
    denied_grace=2.0,
    denied_list_every=2.0,
    watch_read_slack=2.0,
)
SECRETS = thing_resource("secrets")
EXTERNAL = thing_resource(
    "externalsecrets", group="external-secrets.io", form="json", versions=("v1", "v1beta1"), optional=True
)
NAMESPACES = thing_resource("namespaces", namespaced=False, form="metadata")
EVERYTHING = (NAMESPACES, SECRETS, EXTERNAL)
SHOP = "shop"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareCluster]:
    """etcd and API server of this module's own, to be killed and compacted, with ESO's CRDs."""
    started = BareCluster(tmp_path_factory.mktemp("reflector"))
    try:
        started.start()
        install_crds(started.cluster)
        yield started
    finally:
        started.stop()


@pytest.fixture
def cluster(own: BareCluster) -> Cluster:
    """Its administrator. Namespace `shop` holds five Secrets and five ExternalSecrets, `steady-0` to `steady-4`."""
    admin = own.cluster
    admin.apply(objects.namespace(SHOP))
    put(admin, *(f"steady-{number}" for number in range(5)), "leaves")
    for reference in (secret("comes"), external("comes")):
        admin.delete(reference)
    return admin


def secret(name: str) -> dict[str, Any]:
    return objects.secret(SHOP, name, {"a": "1", "b": "2"})


def external(name: str) -> dict[str, Any]:
    return objects.external_secret(SHOP, name, path="some/path")


def put(cluster: Cluster, *names: str) -> None:
    for name in names:
        cluster.apply(secret(name), external(name))


def change_everything(cluster: Cluster) -> None:
    put(cluster, "comes")
    for reference in (secret("leaves"), external("leaves")):
        cluster.delete(reference)


def watching(cluster: Cluster, tmp_path: Path, *resources: Resource, **settings: Any) -> Watched:
    chosen: dict[str, Any] = {"pace": PACE, "page_size": 3, "watch_timeout": 4.0, **settings}
    return Watched(chosen.pop("kubeconfig", cluster.kubeconfig), tmp_path, resources or EVERYTHING, **chosen)


def assert_converged(watched: Watched, cluster: Cluster, tmp_path: Path) -> None:
    """What is held is what a process holds that starts now, and nothing that was there all the time was ever away."""
    for resource in ("secrets", "externalsecrets"):
        eventually(lambda: "comes" in watched.sinks[resource].names, f"{resource} come", 60)  # noqa: B023
        eventually(lambda: "leaves" not in watched.sinks[resource].names, f"{resource} leave", 60)  # noqa: B023
        assert {name for _, name in watched.sinks[resource].removed} <= {"leaves"}
    with watching(cluster, tmp_path) as fresh:
        fresh.synced()
        assert watched.records == fresh.records
    assert watched.watcher.alive()


def compact(own: BareCluster) -> None:
    """Make etcd forget everything but the present."""
    session = new_session()
    status = session.post(f"{own.etcd.address}/v3/maintenance/status", json={}, timeout=10).json()
    now = status["header"]["revision"]
    done = session.post(f"{own.etcd.address}/v3/kv/compaction", json={"revision": now, "physical": True}, timeout=10)
    assert done.status_code == 200, done.text


# Forms


def test_a_real_table_tells_type_and_number_of_keys(cluster: Cluster, tmp_path: Path) -> None:
    with watching(cluster, tmp_path) as watched:
        watched.synced()
        cells = {name: record.cells for (_, name), record in watched.sinks["secrets"].records.items()}
        assert cells["steady-0"] == Cells("Opaque", 2)
        one = objects.secret(SHOP, "watched", {"only": "one"}, "example.com/kind")
        cluster.apply(one)
        eventually(lambda: "watched" in watched.sinks["secrets"].names)
        assert watched.sinks["secrets"].records[SHOP, "watched"].cells == Cells("example.com/kind", 1)
        cluster.delete(one)
        eventually(lambda: "watched" not in watched.sinks["secrets"].names)
        assert watched.observer.decode_errors == {}


@pytest.mark.parametrize("form", ["table", "metadata", "json"])
def test_real_bookmarks_of_every_form(form: Form, cluster: Cluster, tmp_path: Path) -> None:
    """They come two seconds before the end of a watch, for resources in which something has happened."""
    resource = EXTERNAL if form == "json" else thing_resource("secrets", form=form)
    with watching(cluster, tmp_path, resource, watch_timeout=8.0) as watched:
        watched.synced()
        put(cluster, "comes")
        eventually(lambda: "comes" in watched.sinks[resource.name].names)
        eventually(lambda: watched.observer.events[resource.name, "BOOKMARK"], "a bookmark", 60)
        assert watched.observer.decode_errors == {}
        assert watched.observer.restarts[resource.name, "replay"] == 0
        assert (watched.sinks[resource.name].records[SHOP, "comes"].cells == Cells("Opaque", 2)) == (form == "table")


def test_only_lists_and_watches_are_asked_for(own: BareCluster, cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(*account("auditor", ["secrets", "namespaces", "externalsecrets"]))
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "auditor", SHOP, "auditor")
    with watching(cluster, tmp_path, kubeconfig=kubeconfig) as watched:
        watched.synced()
        change_everything(cluster)
        assert_converged(watched, cluster, tmp_path)
    events = own.apiserver.audit_events(f"system:serviceaccount:{SHOP}:auditor")
    assert {event.verb for event in events if event.resource} == {"list", "watch"}
    assert {event.resource for event in events if event.resource} == {"secrets", "namespaces", "externalsecrets"}
    assert {event.uri for event in events if not event.resource} == {"/apis/external-secrets.io"}


# Faults


def test_after_the_api_server_was_killed(own: BareCluster, cluster: Cluster, tmp_path: Path) -> None:
    with watching(cluster, tmp_path) as watched:
        watched.synced()
        own.apiserver.kill()
        eventually(lambda: all(status.last_error for status in watched.watcher.statuses()), "noticed")
        assert all(status.synced for status in watched.watcher.statuses())
        own.apiserver.start()
        change_everything(cluster)
        assert_converged(watched, cluster, tmp_path)


def test_after_the_api_server_was_frozen(own: BareCluster, cluster: Cluster, tmp_path: Path) -> None:
    """Its kernel answers for it, so only the silence tells."""
    with watching(cluster, tmp_path) as watched:
        watched.synced()
        own.apiserver.pause()
        try:
            eventually(lambda: watched.observer.restarts["secrets", "timeout"], "noticed", 60)
        finally:
            own.apiserver.resume()
        change_everything(cluster)
        assert_converged(watched, cluster, tmp_path)


def test_after_etcd_was_compacted_while_the_api_server_was_away(
    own: BareCluster, cluster: Cluster, tmp_path: Path
) -> None:
    """The new API server knows nothing of what was before it: a real 410."""
    slow = dataclasses.replace(PACE, first=3.0, ceiling=3.0, random=lambda: 1.0)
    with watching(cluster, tmp_path, pace=slow, watch_timeout=600.0) as watched:
        watched.synced()
        own.apiserver.restart()
        change_everything(cluster)
        compact(own)
        assert_converged(watched, cluster, tmp_path)
        assert sum(watched.observer.restarts[one.name, "gone"] for one in EVERYTHING) >= 1


def test_after_a_continue_token_became_too_old(own: BareCluster, cluster: Cluster, tmp_path: Path) -> None:
    """etcd and the API server forget between the first page and the second."""
    first_page, go_on = threading.Event(), threading.Event()

    def convert(wire: ThingWire, cells: Cells) -> Thing | None:
        first_page.set()
        go_on.wait(60)
        return to_thing(wire, cells)

    with watching(cluster, tmp_path, thing_resource("secrets", convert=convert), page_size=2) as watched:
        first_page.wait(60)
        change_everything(cluster)
        compact(own)
        own.apiserver.restart()  # its cache would remember for another five minutes
        go_on.set()
        eventually(lambda: watched.status("secrets").synced, "synced", 90)
        assert watched.observer.lists["secrets", "gone"] >= 1
        assert "comes" in watched.sinks["secrets"].names
        assert watched.sinks["secrets"].names >= {f"steady-{number}" for number in range(5)}


def test_after_a_definition_was_removed_and_installed_again(own: BareCluster, cluster: Cluster, tmp_path: Path) -> None:
    definition = cluster.get(
        objects.reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "externalsecrets.external-secrets.io")
    )
    assert definition is not None
    with watching(cluster, tmp_path) as watched:
        watched.synced()
        cluster.delete(definition)
        status = watched.status("externalsecrets")
        eventually(lambda: status.absent and not status.synced, "absent", 60)
        assert watched.sinks["externalsecrets"].records == {}
        install_crds(cluster)
        put(cluster, "steady-0", "comes")
        eventually(lambda: status.synced, "found again", 60)
        eventually(lambda: watched.sinks["externalsecrets"].names == {"steady-0", "comes"}, "", 60)
        assert watched.sinks["secrets"].removed == []


# Rights


def account(name: str, resources: list[str]) -> list[dict[str, Any]]:
    """A ServiceAccount in `shop` that may list and watch these everywhere."""
    rbac = "rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["", "external-secrets.io"], "resources": resources, "verbs": ["list", "watch"]}]
    role = {**objects.reference(rbac, "ClusterRole", name), "rules": rules}
    return [
        objects.reference("v1", "ServiceAccount", name, SHOP),
        role,
        bind(name, "ClusterRoleBinding", "ClusterRole"),
    ]


def bind(name: str, kind: str, role_kind: str, namespace: str = "") -> dict[str, Any]:
    return {
        **objects.reference("rbac.authorization.k8s.io/v1", kind, name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SHOP}],
    }


def test_a_right_that_comes_and_goes(cluster: Cluster, tmp_path: Path) -> None:
    service_account, role, binding = account("newcomer", ["namespaces", "externalsecrets"])
    cluster.apply(service_account, role, binding)
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "newcomer", SHOP, "newcomer")
    with watching(cluster, tmp_path, kubeconfig=kubeconfig) as watched:
        secrets, others = watched.status("secrets"), watched.status("externalsecrets")
        eventually(lambda: secrets.denied and others.synced)
        assert not secrets.synced
        role["rules"][0]["resources"].append("secrets")
        cluster.apply(role)
        eventually(lambda: secrets.synced and not secrets.denied, "granted", 60)
        role["rules"][0]["resources"].remove("secrets")
        cluster.apply(role)
        eventually(lambda: secrets.denied and not secrets.synced, "taken away", 60)
        assert watched.sinks["secrets"].records == {}
        assert others.synced


def test_roles_of_namespaces_are_enough(cluster: Cluster, tmp_path: Path) -> None:
    """No ClusterRole: two namespaces by their Roles, a third without one, and namespaces known by name only."""
    rbac = "rbac.authorization.k8s.io/v1"
    cluster.apply(objects.reference("v1", "ServiceAccount", "tenant", SHOP))
    for name in ("one", "two", "three"):
        cluster.apply(objects.namespace(name), objects.secret(name, f"of-{name}", {"a": "1"}))
    for name in ("one", "two"):
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}]
        cluster.apply({**objects.reference(rbac, "Role", "tenant", name), "rules": rules})
        cluster.apply(bind("tenant", "RoleBinding", "Role", name))
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "tenant", SHOP, "tenant")
    with watching(
        cluster,
        tmp_path,
        NAMESPACES,
        SECRETS,
        kubeconfig=kubeconfig,
        namespaces=("one", "two", "three"),
        namespace_record=lambda name: Thing("", name, "by name"),
    ) as watched:
        eventually(lambda: watched.sinks["secrets"].names == {"of-one", "of-two"})
        eventually(lambda: watched.status("secrets", "three").denied)
        eventually(lambda: watched.sinks["namespaces"].names == {"one", "two", "three"})
        cluster.apply(objects.secret("two", "comes", {"a": "1"}))
        eventually(lambda: "comes" in watched.sinks["secrets"].names)


def test_after_the_token_was_rotated(cluster: Cluster, tmp_path: Path) -> None:
    """The account is made anew, so that the old token is worth nothing; the file holds the new one."""
    made = account("rotated", ["secrets", "namespaces", "externalsecrets"])
    cluster.apply(*made)
    token = tmp_path / "token"
    token.write_text(cluster.service_account_token(SHOP, "rotated"))
    kubeconfig = cluster.service_account_kubeconfig(tmp_path / "rotated", SHOP, "rotated")
    text = kubeconfig.read_text()
    line = next(line for line in text.splitlines() if "token:" in line)
    kubeconfig.write_text(text.replace(line, line.split("token:")[0] + f"tokenFile: {token}"))
    with watching(cluster, tmp_path, kubeconfig=kubeconfig, watch_timeout=1.0) as watched:
        watched.synced()
        cluster.delete(made[0])
        cluster.apply(made[0])
        eventually(lambda: watched.observer.restarts["secrets", "unauthorized"], "the old token is refused", 60)
        token.write_text(cluster.service_account_token(SHOP, "rotated"))
        change_everything(cluster)
        assert_converged(watched, cluster, tmp_path)
