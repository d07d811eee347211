"""What the API server is asked to sort out, and what is watched in one namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config.settings import OperatorSettings, Settings
from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.kube.request import Request
from exporter.kube.resource import Resource
from exporter.kube.resources import DEPLOYMENTS, EVENTS, resources
from tests.kube.doubles import Watched, eventually, thing_resource

NAMESPACES = thing_resource("namespaces", namespaced=False, form="metadata")
ACCOUNTS = thing_resource("serviceaccounts", form="metadata")


def named(name: str, settings: Settings | None = None) -> list[Resource]:
    return [each for each in resources(settings or Settings()) if each.name == name]


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster(bookmark_every=0.5) as cluster:
        for name in ("red", "eso"):
            cluster.apply(workloads.namespace(name, labels={"watched": "yes"}))
            cluster.apply(workloads.deployment(name, "app"))
            cluster.apply(workloads.service_account(name, f"of-{name}"))
        labels = {"app.kubernetes.io/name": "external-secrets"}
        cluster.apply(workloads.deployment("eso", "external-secrets", labels=labels))
        cluster.apply(workloads.deployment("red", "external-secrets", labels=labels))
        yield cluster


def test_both_selectors_of_a_resource_and_of_its_scope_are_sent() -> None:
    resource = thing_resource(label_selector="a in (b,c)", field_selector="d=e")
    query = Request(resource, "v1", "json", "", "watched=yes").list_query(5, "")
    assert query == {"labelSelector": "a in (b,c),watched=yes", "fieldSelector": "d=e", "limit": "5"}
    assert "labelSelector" not in Request(thing_resource(), "v1", "json", "").watch_query("1", 5)


def test_only_esos_deployments_are_sent(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with Watched(cluster, tmp_path, named(DEPLOYMENTS)) as watched:
        watched.synced()
        assert {record.namespace for record in watched.sinks[DEPLOYMENTS].records.values()} == {"red", "eso"}
        assert watched.sinks[DEPLOYMENTS].names == {"external-secrets"}
        [request] = [each for each in cluster.requests if "labelSelector" in each.query and "watch" not in each.query]
        assert "app.kubernetes.io/name in (" in str(request.query)


def test_a_namespace_of_its_own_is_watched_whatever_else_is(cluster: SimulatedCluster, tmp_path: Path) -> None:
    settings = Settings(operator=OperatorSettings(namespace="eso"))
    watched_resources = [NAMESPACES, ACCOUNTS, *named(DEPLOYMENTS, settings)]
    for narrowed in ({}, {"namespaces": ("red",)}):
        with Watched(cluster, tmp_path, watched_resources, **narrowed) as watched:
            watched.synced()
            scopes = [status.scope for status in watched.watcher.statuses() if status.resource == DEPLOYMENTS]
            assert scopes == ["eso"]
            assert {record.namespace for record in watched.sinks[DEPLOYMENTS].records.values()} == {"eso"}


def test_it_stays_when_its_namespace_leaves_the_selection(cluster: SimulatedCluster, tmp_path: Path) -> None:
    settings = Settings(operator=OperatorSettings(namespace="eso"))
    watched_resources = [NAMESPACES, ACCOUNTS, *named(DEPLOYMENTS, settings)]
    with Watched(cluster, tmp_path, watched_resources, namespace_selector="watched=yes") as watched:
        eventually(lambda: watched.sinks["serviceaccounts"].names == {"of-red", "of-eso"})
        eventually(lambda: watched.sinks[DEPLOYMENTS].names == {"external-secrets"})
        cluster.wait_for_watches("namespaces")
        cluster.apply(workloads.namespace("eso", labels={"watched": "no"}))
        eventually(lambda: watched.sinks["serviceaccounts"].names == {"of-red"})
        assert watched.sinks[DEPLOYMENTS].names == {"external-secrets"}
        assert watched.status(DEPLOYMENTS, "eso").synced


def test_only_failures_of_externalsecrets_are_sent(cluster: SimulatedCluster, tmp_path: Path) -> None:
    made = cluster.apply(objects.external_secret("red", "db"))
    store = cluster.apply(objects.cluster_secret_store("vault", objects.vault_provider("http://vault.example.com")))
    for about, kind, reason in (
        (made, "Warning", "UpdateFailed"),
        (made, "Warning", "ParameterDeprecated"),
        (made, "Normal", "Updated"),
        (store, "Warning", "InvalidProviderConfig"),
    ):
        cluster.apply(workloads.event(about, kind, reason, "Secret does not exist", cluster.clock()))
    with Watched(cluster, tmp_path, named(EVENTS)) as watched:
        watched.synced()
        [failure] = watched.sinks[EVENTS].records.values()
        assert (failure.name, failure.error) == ("db", "path_missing")
        assert not watched.observer.decode_errors
