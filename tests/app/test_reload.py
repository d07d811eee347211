"""New settings while it runs: what was known stays in sight until what the new settings say is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exporter.app import App
from exporter.config.settings import (
    JudgeSettings,
    KubernetesSettings,
    OwnerSettings,
    OwnershipException,
    OwnershipRule,
    OwnershipSettings,
    SecretsSettings,
    Settings,
    VaultServer,
    VaultSettings,
)
from exporter.demo import faults, objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.errors import ConfigError
from exporter.kube.watcher import Watcher
from tests.app.running import eventually, manual, running, samples

NAMESPACES = ("shop", "mail")


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as running:
        for namespace in NAMESPACES:
            running.apply(workloads.namespace(namespace, labels={"team": "pay", "squad": "blue"}))
            running.apply(objects.manual_secret(namespace, "by-hand"))
        es = objects.external_secret("shop", "db", ready="True", refreshed=time.time() - 300)
        running.apply(es)
        yield running


@pytest.fixture
def app(cluster: SimulatedCluster, tmp_path: Path) -> Iterator[App]:
    with running(cluster.write_kubeconfig(tmp_path / "kubeconfig")) as app:
        eventually(lambda: manual(app) == {"shop": "1", "mail": "1"})
        yield app


def changed(app: App, **sections: Any) -> Settings:
    return msgspec.structs.replace(app.settings, **sections)


@contextmanager
def never_dark(app: App, family: str, least: int) -> Iterator[None]:
    """Scrapes all the while; at the end no scrape may have had fewer samples of the family."""
    counts: list[int] = []
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(0.01):
            counts.append(len(samples(app, family)))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
        eventually(lambda: len(counts) > 5)
    finally:
        stop.set()
        thread.join()
    assert min(counts) >= least


def test_a_new_exception_and_its_end(app: App) -> None:
    before = app.settings
    accepted = OwnershipException("vendor", "shop", "by-*", "the vendor's")
    app.reload(changed(app, ownership=OwnershipSettings(exceptions=(accepted,))))
    eventually(lambda: manual(app) == {"shop": "0", "mail": "1"})
    app.reload(before)
    eventually(lambda: manual(app) == {"shop": "1", "mail": "1"})


def test_a_new_rule_needs_every_secret_again_and_makes_no_gap(app: App) -> None:
    rule = OwnershipRule("ours", "controller", secret="by-*", namespace="mail")
    with never_dark(app, "eso_manual_secrets", 2), never_dark(app, "eso_externalsecret_ready", 1):
        app.reload(changed(app, ownership=OwnershipSettings(rules=(rule,))))
        eventually(lambda: manual(app) == {"shop": "1", "mail": "0"})
    assert 'eso_secrets{namespace="mail",class="controller"} 1' in samples(app, "eso_secrets")
    assert app.healthy()


def test_watches_that_take_their_time_to_end_make_no_gap(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Watcher.stop

    def slowly(watcher: Watcher, timeout: float) -> None:
        stop(watcher, timeout)
        time.sleep(0.7)  # several rounds of the refresher

    monkeypatch.setattr(Watcher, "stop", slowly)
    with never_dark(app, "eso_manual_secrets", 2), never_dark(app, "eso_externalsecret_ready", 1):
        app.reload(changed(app, owner=OwnerSettings(keys=("squad",))))


def test_a_selection_of_namespaces_that_is_read_again_makes_no_gap(cluster: SimulatedCluster, tmp_path: Path) -> None:
    """Which namespaces there are to watch is known only once the new watcher has listed them."""
    kubeconfig = str(cluster.write_kubeconfig(tmp_path / "kubeconfig"))
    settings = KubernetesSettings(kubeconfig=kubeconfig, namespace_selector="team=pay")
    with running(Path(kubeconfig), kubernetes=settings) as app:
        eventually(lambda: manual(app) == {"shop": "1", "mail": "1"})
        cluster.faults.inject(faults.Slow(0.7), "namespaces", verb="list")
        with never_dark(app, "eso_manual_secrets", 2), never_dark(app, "eso_externalsecret_ready", 1):
            app.reload(changed(app, owner=OwnerSettings(keys=("squad",))))
            eventually(lambda: 'owner="blue"' in "".join(samples(app, "eso_manual_secret_info")))


def test_another_owner_key(app: App) -> None:
    eventually(lambda: 'owner="pay"' in "".join(samples(app, "eso_manual_secret_info")))
    with never_dark(app, "eso_manual_secret_info", 2):
        app.reload(changed(app, owner=OwnerSettings(keys=("squad",))))
        eventually(lambda: 'owner="pay"' not in "".join(samples(app, "eso_manual_secret_info")))
    assert 'owner="blue"' in samples(app, "eso_manual_secret_info")[0]


def test_namespaces_switched_off_and_on(app: App) -> None:
    before = app.settings
    app.reload(changed(app, secrets=SecretsSettings(namespaces={"mail": "off"})))
    eventually(lambda: manual(app) == {"shop": "1"})
    app.reload(changed(app, secrets=SecretsSettings(mode="off")))
    eventually(lambda: manual(app) == {})
    app.reload(before)
    eventually(lambda: manual(app) == {"shop": "1", "mail": "1"})


def test_a_shorter_patience(app: App) -> None:
    # Its target was never there, which is told after ten seconds, or at once where somebody says so.
    app.reload(changed(app, judge=JudgeSettings(absence_after=1e6)))
    eventually(lambda: not samples(app, "eso_externalsecret_problem"))
    app.reload(changed(app, judge=JudgeSettings(absence_after=0.0)))
    eventually(lambda: 'problem="target_missing"' in "".join(samples(app, "eso_externalsecret_problem")))


def test_a_vault_that_comes_and_goes(app: App) -> None:
    before = app.settings
    server = VaultServer(name="main", address="http://127.0.0.1:1")
    app.reload(changed(app, vault=VaultSettings(servers=(server,), discover="off", interval=1, timeout=0.5)))
    eventually(lambda: samples(app, "eso_vault_up") == ['eso_vault_up{namespace="",vault="main",node="127.0.0.1:1"} 0'])
    app.reload(before)
    eventually(lambda: not samples(app, "eso_vault_up"))


def test_what_cannot_work_changes_nothing(app: App) -> None:
    before = app.settings
    server = VaultServer(name="main", address="http://127.0.0.1:1", ca_file="/nowhere/ca.pem")
    with pytest.raises(ConfigError):
        app.reload(changed(app, vault=VaultSettings(servers=(server,))))
    assert app.settings is before
    assert manual(app) == {"shop": "1", "mail": "1"}
