"""Which namespaces' Secrets are read and judged: `secrets.mode`, and a mode for one namespace, in the whole exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.app import App
from exporter.config.settings import (
    OwnershipException,
    OwnershipSettings,
    SecretsSettings,
)
from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from tests.app.running import eventually, manual, samples
from tests.app.running import running as app_running

NAMESPACES = ("shop", "mail", "kube-system")


@pytest.fixture(scope="module")
def cluster() -> Iterator[SimulatedCluster]:
    """One manual Secret in each namespace."""
    with SimulatedCluster() as running:
        for namespace in NAMESPACES:
            running.apply(workloads.namespace(namespace))
            running.apply(objects.manual_secret(namespace, f"by-hand-{namespace}"))
        yield running


@contextmanager
def running(cluster: SimulatedCluster, tmp_path: Path, **sections: object) -> Iterator[App]:
    with app_running(cluster.write_kubeconfig(tmp_path / "kubeconfig"), **sections) as app:
        yield app


def asked(cluster: SimulatedCluster, since: int) -> set[str]:
    """Paths and selectors of requests for Secrets."""
    return {
        f"{request.path}?{request.query.get('fieldSelector', '')}"
        for request in cluster.requests[since:]
        if request.path.endswith("/secrets")
    }


def test_everywhere_but_in_the_excluded_namespaces(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with running(cluster, tmp_path) as app:
        assert manual(app) == {"shop": "1", "mail": "1"}


def test_off_in_one_namespace_is_not_even_read(cluster: SimulatedCluster, tmp_path: Path) -> None:
    before = len(cluster.requests)
    with running(cluster, tmp_path, secrets=SecretsSettings(namespaces={"mail": "off"})) as app:
        assert manual(app) == {"shop": "1"}
        assert "mail" not in "".join(samples(app, "eso_secrets"))
    assert asked(cluster, before) == {"/api/v1/secrets?metadata.namespace!=mail"}


def test_a_mode_for_one_namespace_stands_over_the_excluded_ones(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with running(cluster, tmp_path, secrets=SecretsSettings(namespaces={"kube-system": "metadata"})) as app:
        assert manual(app) == {"shop": "1", "mail": "1", "kube-system": "1"}


def test_off_everywhere_asks_for_no_secret(cluster: SimulatedCluster, tmp_path: Path) -> None:
    before = len(cluster.requests)
    with running(cluster, tmp_path, secrets=SecretsSettings(mode="off")) as app:
        assert manual(app) == {}
        text = app.render_once().decode()
        assert "# TYPE eso_manual_secret" not in text
        assert 'eso_exporter_resource_denied{resource="secrets"' not in text, "switched off is not denied"
    assert asked(cluster, before) == set()


def test_off_but_for_one_namespace_reads_that_one_alone(cluster: SimulatedCluster, tmp_path: Path) -> None:
    before = len(cluster.requests)
    with running(cluster, tmp_path, secrets=SecretsSettings(mode="off", namespaces={"shop": "metadata"})) as app:
        assert manual(app) == {"shop": "1"}
        assert 'eso_exporter_resource_synced{resource="secrets",scope="shop"} 1' in app.render_once().decode()
    assert asked(cluster, before) == {"/api/v1/namespaces/shop/secrets?"}


def test_an_exception_that_fits_nothing_is_reported(cluster: SimulatedCluster, tmp_path: Path) -> None:
    exceptions = (
        OwnershipException("fits", "shop", "by-hand-*", "why"),
        OwnershipException("typing-error", "shop", "by-hnad-*", "why"),
    )
    with running(cluster, tmp_path, ownership=OwnershipSettings(exceptions=exceptions)) as app:
        eventually(lambda: bool(samples(app, "eso_exporter_unmatched_exceptions")))
        assert samples(app, "eso_exporter_unmatched_exceptions") == [
            'eso_exporter_unmatched_exceptions{exception="typing-error"} 1.0'
        ]
        assert manual(app) == {"shop": "0", "mail": "1"}
