"""After each fault the exposition equals a fresh process's, series for series, without a restart and without a dip.

One exporter lives through all of it; what kube/ does about each fault, and more of them, is in tests/kube.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.app import App
from exporter.config.settings import (
    JudgeSettings,
    KubernetesSettings,
    MetricsSettings,
)
from exporter.demo import faults, objects, workloads
from exporter.demo.cluster import SimulatedCluster
from tests.app.running import running as app_running
from tests.kube.disturbances import RESOURCES, SCENARIOS, change_everything, drop, forget_history, put, while_away
from tests.kube.doubles import QUICK, eventually

STEADY = frozenset(f"steady-{number}" for number in range(12))

ISSUES = (
    "410 event",
    "HTTP 410 on the watch",
    "410 on a continue token",
    "stream cut mid-chunk",
    "silence on an open watch",
    "events twice",
    "an unknown object deleted",
    "429 with Retry-After on the watch",
    "500 on watches for a while",
    "history forgotten",
)


@contextmanager
def running(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setattr("exporter.kube.watcher.Pace", lambda: QUICK)
    sections = {
        "kubernetes": KubernetesSettings(kubeconfig=str(kubeconfig), watch_timeout=1.0, page_size=5),
        "judge": JudgeSettings(absence_after=0.5),
        # Of each other process, and of each other moment.
        "metrics": MetricsSettings(disable=("eso_exporter_*", "process_*", "python_*", "*_age_seconds")),
    }
    with app_running(kubeconfig, **sections) as app:
        yield app


def series(app: App) -> set[str]:
    """Every sample; when an observation of its own began is each process's own business."""
    lines = app.render_once().decode().splitlines()
    return {line.rpartition(" ")[0] if 'basis="observed"' in line else line for line in lines if line[:1] != "#"}


def about_steady(app: App) -> set[str]:
    return {line for line in series(app) if any(f'"{name}"' in line for name in STEADY)}


class Survivor:
    """The exporter that lives through everything, and a look at it, again and again."""

    def __init__(self, app: App, cluster: SimulatedCluster, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.cluster = cluster
        self._kubeconfig = kubeconfig
        self._monkeypatch = monkeypatch

    def lives_through(self, disturb: Callable[[SimulatedCluster], list[faults.Injected]], *, dip: bool = False) -> None:
        """Disturbs, compares with a fresh process, and looks whether anything that was there all the time was missing."""
        wanted = about_steady(self.app)
        assert len(wanted) > 8 * len(STEADY)
        missing: set[str] = set()
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.02):
                missing.update(wanted - about_steady(self.app))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            injected = disturb(self.cluster)
            eventually(lambda: not any(fault.active for fault in injected), "every fault has hit")
            with running(self._kubeconfig, self._monkeypatch) as fresh:
                eventually(lambda: series(self.app) == series(fresh), "the same series as a fresh process", 30)
        finally:
            over.set()
            looking.join()
        assert bool(missing) is dip, sorted(missing)[:3]

    def back_to_the_beginning(self) -> None:
        drop(self.cluster, "comes")
        begin(self.cluster)
        eventually(lambda: not any('"comes"' in line for line in series(self.app)), "as before")


def begin(cluster: SimulatedCluster) -> None:
    put(cluster, "changes", "old")
    put(cluster, "leaves")


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    with SimulatedCluster(bookmark_every=0.5) as cluster, pytest.MonkeyPatch.context() as monkeypatch:
        cluster.apply(workloads.namespace("shop"))
        for name in ("vault-backend", "another"):
            provider = objects.vault_provider("http://127.0.0.1:9")
            cluster.apply(objects.cluster_secret_store(name, provider))
        for name in STEADY:
            put(cluster, name)
        begin(cluster)
        folder = tmp_path_factory.mktemp("survivor")
        token = folder / "token"
        token.write_text("first")
        cluster.tokens = {"first"}
        kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig", token_file=token)
        with running(kubeconfig, monkeypatch) as app:
            cluster.wait_for_watches(*RESOURCES)
            yield Survivor(app, cluster, kubeconfig, monkeypatch)


@pytest.fixture(autouse=True)
def as_before(survivor: Survivor) -> Iterator[None]:
    yield
    survivor.back_to_the_beginning()


@pytest.mark.parametrize("name", ISSUES)
def test_after(name: str, survivor: Survivor) -> None:
    survivor.lives_through(SCENARIOS[name])
    assert any('"comes"' in line for line in series(survivor.app))


def test_after_an_object_moved_between_stores(survivor: Survivor) -> None:
    def move(cluster: SimulatedCluster) -> list[faults.Injected]:
        put(cluster, "changes", store="another")
        return []

    survivor.lives_through(move)
    ready = [
        line for line in series(survivor.app) if line.startswith("eso_externalsecret_ready{") and "changes" in line
    ]
    assert len(ready) == 1
    assert 'store="another"' in ready[0]


def test_after_delete_and_create_between_two_events(survivor: Survivor) -> None:
    def replace(cluster: SimulatedCluster) -> None:
        drop(cluster, "changes")
        put(cluster, "changes", "new")

    def run(cluster: SimulatedCluster) -> list[faults.Injected]:
        while_away(cluster, replace)
        return []

    survivor.lives_through(run)


def test_after_a_rotated_token(survivor: Survivor) -> None:
    def rotate(cluster: SimulatedCluster) -> list[faults.Injected]:
        cluster.tokens = {"second"}
        survivor._kubeconfig.with_name("token").write_text("second")
        for resource in RESOURCES:
            cluster.disrupt(resource, faults.Drop())
        change_everything(cluster)
        return []

    survivor.lives_through(rotate)


def test_after_an_object_with_a_lone_surrogate(survivor: Survivor) -> None:
    def spoil(cluster: SimulatedCluster) -> list[faults.Injected]:
        for resource in RESOURCES:
            cluster.spoil(resource, "shop", "changes", "annotation")
        return forget_history(cluster)

    survivor.lives_through(spoil)
    for resource in RESOURCES:
        survivor.cluster.heal(resource, "shop", "changes")


def test_after_an_object_that_could_not_be_decoded(survivor: Survivor) -> None:
    """The others go on meanwhile; healed, all is as in a fresh process."""

    def spoil_and_heal(cluster: SimulatedCluster) -> list[faults.Injected]:
        cluster.spoil("secrets", "shop", "changes", "body")
        forget_history(cluster)
        eventually(lambda: any('"comes"' in line for line in series(survivor.app)), "others go on")
        assert any('secret="changes"' in line for line in series(survivor.app))
        cluster.heal("secrets", "shop", "changes")
        return []

    survivor.lives_through(spoil_and_heal)


def test_after_a_definition_that_vanished_and_returned(survivor: Survivor) -> None:
    """Here nothing may be shown meanwhile: that is the only dip."""

    def vanish(cluster: SimulatedCluster) -> list[faults.Injected]:
        cluster.uninstall("externalsecrets", keep_objects=True)
        eventually(lambda: not any(line.startswith("eso_externalsecret_ready{") for line in series(survivor.app)))
        cluster.install("externalsecrets")
        return []

    survivor.lives_through(vanish, dip=True)
