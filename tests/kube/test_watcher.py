"""The whole cluster, some namespaces, a selector; and the lives of threads."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.settings import KubernetesSettings
from exporter.demo import faults, objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.errors import ConfigError
from exporter.kube.client import KubeClient
from exporter.kube.watcher import Watcher
from tests.kube.doubles import QUICK, CountingObserver, DictSink, Thing, Watched, eventually, thing_resource
from tests.kube.kubeconfig import write_kubeconfig

REFUSED = faults.Status(403)
NAMESPACES = thing_resource("namespaces", namespaced=False, form="metadata")
STORES = thing_resource(
    "clustersecretstores", group="external-secrets.io", form="json", namespaced=False, optional=True
)
SECRETS = thing_resource("secrets")
EXTERNAL = thing_resource("externalsecrets", group="external-secrets.io", form="json", optional=True)
EVERYTHING = (NAMESPACES, STORES, SECRETS, EXTERNAL)


def team(cluster: SimulatedCluster, name: str, **labels: str) -> None:
    cluster.apply(workloads.namespace(name, labels=labels))
    cluster.apply(objects.secret(name, f"of-{name}"))
    cluster.apply(objects.external_secret(name, f"of-{name}"))


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(bookmark_every=0.5) as cluster:
        for name in ("red", "green", "blue"):
            team(cluster, name, team=name, watched="yes" if name != "blue" else "no")
        cluster.apply(objects.cluster_secret_store("vault", objects.vault_provider("http://vault.example.com:8200")))
        yield cluster


def scopes(watched: Watched, resource: str = "secrets") -> set[str]:
    return {status.scope for status in watched.watcher.statuses() if status.resource == resource}


# The whole cluster


def test_the_whole_cluster_is_one_reflector_a_resource(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING) as watched:
        watched.synced()
        assert [(status.resource, status.scope) for status in watched.watcher.statuses()] == [
            ("namespaces", ""),
            ("clustersecretstores", ""),
            ("secrets", ""),
            ("externalsecrets", ""),
        ]
        assert watched.sinks["secrets"].names == {"of-red", "of-green", "of-blue"}
        eventually(lambda: watched.changes >= 4, "told of each")


def test_contact_and_version_are_told(cluster: SimulatedCluster, tmp_path: Path) -> None:
    before = time.time()
    with Watched(cluster, tmp_path, EVERYTHING) as watched:
        watched.synced()
        for status in watched.watcher.statuses():
            assert status.version == "v1"
            assert status.last_contact is not None
            assert status.last_contact >= before - 1


def test_a_bookmark_is_a_contact(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, [SECRETS], watch_timeout=60.0) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets")
        eventually(lambda: watched.observer.events["secrets", "BOOKMARK"] > 0)
        seen = watched.status("secrets").last_contact
        eventually(lambda: watched.status("secrets").last_contact > seen)


# Some namespaces


def test_named_namespaces_are_watched_one_by_one(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red", "green")) as watched:
        watched.synced()
        assert scopes(watched) == scopes(watched, "externalsecrets") == {"red", "green"}
        assert scopes(watched, "clustersecretstores") == {""}
        assert watched.sinks["secrets"].names == {"of-red", "of-green"}
        assert watched.sinks["namespaces"].names == {"red", "green"}
        paths = {request.path for request in cluster.requests}
        assert "/api/v1/secrets" not in paths
        assert "/api/v1/namespaces/red/secrets" in paths


def test_other_namespaces_that_come_and_go_are_not_ours(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red", "later")) as watched:
        watched.synced()
        cluster.wait_for_watches("namespaces")
        team(cluster, "other")
        cluster.delete_namespace("blue")
        team(cluster, "later")
        eventually(lambda: watched.sinks["namespaces"].names == {"red", "later"})
        eventually(lambda: "of-later" in watched.sinks["secrets"].names)
        assert watched.sinks["namespaces"].removed == []


def test_a_forbidden_namespace_darkens_only_itself(cluster: SimulatedCluster, tmp_path: Path) -> None:
    forbidden = cluster.faults.inject(REFUSED, namespace="green")
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red", "green")) as watched:
        eventually(lambda: watched.status("secrets", "green").denied)
        eventually(lambda: watched.status("secrets", "red").synced)
        assert not watched.status("secrets", "green").synced
        assert not watched.status("secrets", "red").denied
        assert watched.sinks["secrets"].names == {"of-red"}
        forbidden.clear()
        watched.synced()
        eventually(lambda: not watched.status("secrets", "green").denied)
        assert watched.sinks["secrets"].names == {"of-red", "of-green"}


def test_a_namespace_that_becomes_forbidden_is_forgotten_after_a_grace(
    cluster: SimulatedCluster, tmp_path: Path
) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red", "green")) as watched:
        watched.synced()
        cluster.faults.inject(REFUSED, namespace="green")
        eventually(lambda: not watched.status("secrets", "green").synced)
        assert watched.status("secrets", "green").denied
        assert watched.sinks["secrets"].names == {"of-red"}
        assert "of-red" not in {name for _, name in watched.sinks["secrets"].removed}


def test_a_deleted_namespace_darkens_only_itself_and_may_return(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red", "green")) as watched:
        watched.synced()
        cluster.wait_for_watches("secrets", "externalsecrets", "namespaces")
        cluster.delete_namespace("green")
        eventually(lambda: watched.sinks["secrets"].names == {"of-red"})
        eventually(lambda: watched.sinks["namespaces"].names == {"red"})
        team(cluster, "green")
        eventually(lambda: watched.sinks["secrets"].names == {"of-red", "of-green"})
        eventually(lambda: watched.sinks["namespaces"].names == {"red", "green"})
        assert watched.status("secrets", "red").synced


def test_named_namespaces_count_as_existing_where_they_may_not_be_listed(
    cluster: SimulatedCluster, tmp_path: Path
) -> None:
    forbidden = cluster.faults.inject(REFUSED, "namespaces")
    make = Thing
    with Watched(
        cluster,
        tmp_path,
        EVERYTHING,
        namespaces=("red", "nowhere"),
        namespace_record=lambda name: make("", name, "by name"),
    ) as watched:
        eventually(lambda: watched.status("namespaces").denied)
        watched.synced()
        assert {record.name: record.mark for record in watched.sinks["namespaces"].records.values()} == {
            "red": "by name",
            "nowhere": "by name",
        }
        forbidden.clear()
        eventually(lambda: watched.sinks["namespaces"].names == {"red"})
        eventually(lambda: not watched.status("namespaces").denied)


def test_without_a_stand_in_refused_namespaces_are_not_known(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(REFUSED, "namespaces")
    with Watched(cluster, tmp_path, EVERYTHING, namespaces=("red",)) as watched:
        eventually(lambda: watched.status("namespaces").denied)
        assert not watched.status("namespaces").synced
        assert watched.sinks["namespaces"].names == set()
        eventually(lambda: watched.status("secrets", "red").synced)


# A selector


def test_selected_namespaces_are_followed(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespace_selector="watched=yes") as watched:
        eventually(lambda: scopes(watched) == {"red", "green"})
        watched.synced()
        assert watched.sinks["secrets"].names == {"of-red", "of-green"}
        assert watched.sinks["namespaces"].names == {"red", "green"}

        cluster.wait_for_watches("namespaces")
        team(cluster, "blue", watched="yes")  # comes into the selection
        team(cluster, "red", watched="no")  # leaves it
        eventually(lambda: watched.sinks["secrets"].names == {"of-green", "of-blue"})
        eventually(lambda: watched.sinks["externalsecrets"].names == {"of-green", "of-blue"})
        assert scopes(watched) == {"green", "blue"}
        assert watched.sinks["namespaces"].names == {"green", "blue"}

        team(cluster, "red", watched="yes")  # and returns
        eventually(lambda: watched.sinks["secrets"].names == {"of-red", "of-green", "of-blue"})
        cluster.delete_namespace("green")
        eventually(lambda: scopes(watched) == {"red", "blue"})
        assert watched.watcher.alive()
        assert "of-blue" not in {name for _, name in watched.sinks["secrets"].removed}


def test_a_namespace_that_left_while_we_were_away(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespace_selector="watched=yes") as watched:
        eventually(lambda: scopes(watched) == {"red", "green"})
        watched.synced()
        cluster.wait_for_watches("namespaces")
        hold = cluster.faults.inject(faults.Status(500), "namespaces", verb="watch")
        cluster.disrupt("namespaces", faults.Drop())
        eventually(lambda: hold.hits)
        team(cluster, "red", watched="no")
        cluster.compact("namespaces")
        hold.clear()
        eventually(lambda: scopes(watched) == {"green"})
        eventually(lambda: watched.sinks["secrets"].names == {"of-green"})


def test_a_namespace_that_leaves_and_returns_at_once(cluster: SimulatedCluster, tmp_path: Path) -> None:
    """The reflector that ends must not take away what the one that begins has brought."""
    with Watched(cluster, tmp_path, EVERYTHING, namespace_selector="watched=yes") as watched:
        eventually(lambda: scopes(watched) == {"red", "green"})
        watched.synced()
        cluster.wait_for_watches("namespaces", "secrets")
        for _ in range(10):
            team(cluster, "red", watched="no")
            team(cluster, "red", watched="yes")
        cluster.apply(workloads.namespace("empty", labels={"watched": "yes"}))
        cluster.apply(objects.secret("red", "last"))
        eventually(lambda: scopes(watched) == {"red", "green", "empty"}, "every change before it was followed")
        eventually(lambda: watched.sinks["secrets"].names == {"of-red", "of-green", "last"})
        eventually(lambda: len([one for one in threading.enumerate() if one.name == "reflector secrets red"]) == 1)
        assert watched.sinks["secrets"].names == {"of-red", "of-green", "last"}


def test_selected_namespaces_stay_while_namespaces_cannot_be_read(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING, namespace_selector="watched=yes") as watched:
        eventually(lambda: scopes(watched) == {"red", "green"})
        watched.synced()
        cluster.faults.inject(REFUSED, "namespaces")
        eventually(lambda: not watched.status("namespaces").synced)
        assert scopes(watched) == {"red", "green"}
        assert watched.sinks["secrets"].names == {"of-red", "of-green"}


def test_until_namespaces_are_known_somebody_is_not_synced(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.faults.inject(REFUSED, "namespaces")
    with Watched(cluster, tmp_path, EVERYTHING, namespace_selector="watched=yes") as watched:
        eventually(lambda: watched.status("namespaces").denied)
        assert not all(status.synced for status in watched.watcher.statuses())
        assert scopes(watched) == set()


# Bad settings


@pytest.mark.parametrize(
    ("settings", "resources", "words"),
    [
        ({"namespaces": ("a",), "namespace_selector": "b=c"}, EVERYTHING, "exclude each other"),
        ({"namespaces": ("../kube-system",)}, EVERYTHING, "cannot be the name"),
        ({"namespaces": ("Red",)}, EVERYTHING, "cannot be the name"),
        ({"namespaces": ("",)}, EVERYTHING, "cannot be the name"),
        ({"namespace_selector": "a=b"}, (SECRETS,), "needs the namespaces"),
    ],
)
def test_bad_settings_are_one_sentence(
    settings: dict[str, object], resources: tuple[object, ...], words: str, tmp_path: Path
) -> None:
    config = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {})
    chosen = KubernetesSettings(kubeconfig=str(config), **settings)  # type: ignore[arg-type]
    sinks = {resource.name: DictSink() for resource in resources}  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=words):
        Watcher(KubeClient(chosen), resources, sinks, chosen, CountingObserver(), lambda: None)  # type: ignore[arg-type]


# Lives


def reflectors() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("reflector ")]


@pytest.mark.parametrize(
    "fault", [None, faults.Silence(), faults.Silence(headers=True), faults.Status(500), REFUSED, faults.Slow(30)]
)
def test_stop_ends_every_thread_at_once(fault: faults.Fault | None, cluster: SimulatedCluster, tmp_path: Path) -> None:
    """Whatever they wait for (an answer, an event, or the next try): nothing here would end by itself in a minute."""
    if fault is not None:
        cluster.faults.inject(fault)
    patient = dataclasses.replace(QUICK, list_read_timeout=300.0, first=300.0, ceiling=300.0, random=lambda: 1.0)
    with Watched(
        cluster, tmp_path, EVERYTHING, pace=patient, namespaces=("red", "green", "blue"), watch_timeout=300.0
    ) as watched:
        eventually(lambda: len(cluster.requests) >= 5)
        watched.watcher.stop(30)
        assert reflectors() == []
        assert not watched.watcher.alive()


def test_stop_keeps_what_the_sinks_hold(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING) as watched:
        watched.synced()
        watched.watcher.stop(30)
        assert watched.sinks["secrets"].names == {"of-red", "of-green", "of-blue"}


def test_it_is_alive_only_between_start_and_stop(cluster: SimulatedCluster, tmp_path: Path) -> None:
    watched = Watched(cluster, tmp_path, EVERYTHING)
    assert not watched.watcher.alive()
    watched.watcher.start()
    assert watched.watcher.alive()
    watched.watcher.stop(30)
    assert not watched.watcher.alive()


def test_no_connection_is_left(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING) as watched:
        watched.synced()
    eventually(lambda: cluster.connections == 0)


def test_one_connection_a_reflector(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, EVERYTHING) as watched:
        watched.synced()
        cluster.wait_for_watches(*(resource.name for resource in EVERYTHING))
        assert cluster.connections <= len(EVERYTHING) + 1  # and one for discovery
