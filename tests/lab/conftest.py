"""Fixtures of the lab: one set of real servers for a whole run, and what each test or module builds on it."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import objects
from tests.lab.build import NEEDED, BuildError, ensure, ensure_all_files, path_of
from tests.lab.cluster import Cluster
from tests.lab.measured import MEASURED, Measured
from tests.lab.monitoring import Prometheus
from tests.lab.openbao import OpenBao
from tests.lab.process import STARTED
from tests.lab.schemas import GROUP_VERSIONS, Schemas
from tests.lab.servers import VAULT_TOKEN, BareCluster, Lab, install_crds
from tests.lab.waiting import wait_until

pytest.register_assert_rewrite("tests.lab.story")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the servers, so everything is marked, and the story's steps keep their order."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before the first test, and so under no test's time limit: every binary is there, or the run ends with one sentence."""
    if session.config.option.collectonly or not any(item.path.is_relative_to(HERE) for item in session.items):
        return
    missing = [name for name in NEEDED if not path_of(name).exists()]
    if missing and os.environ.get("CI"):
        # Built by `make test-lab` before pytest starts; that it did not happen is a fault of the script, and no reason to skip.
        pytest.exit(
            f"the lab's {', '.join(missing)} are not built: run `python -m tests.lab.build` before pytest", returncode=1
        )
    try:
        for name in missing:
            ensure(name)
        ensure_all_files()
    except BuildError as error:
        pytest.exit(str(error), returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Shows the ends of all server logs under a test that failed."""
    report = yield
    if report.failed and item.path.is_relative_to(HERE):
        for process in STARTED.values():
            report.sections.append((f"the end of {process.log}", process.log_tail()))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what it measured."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["measured"] = MEASURED.lines


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker measured joins the rest."""
    MEASURED.lines += getattr(node, "workeroutput", {}).get("measured", [])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Shows what was measured, beside what the contract promises."""
    if MEASURED.lines:
        terminalreporter.section("measured on real servers (not asserted)")
        for line in MEASURED.lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The whole lab, started once per run. Its folder with all logs is kept (pytest keeps the last three)."""
    started = Lab(tmp_path_factory.mktemp("lab"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def measured() -> Measured:
    """Where a test leaves a time that the contract bounds."""
    return MEASURED


@pytest.fixture(scope="session")
def cluster(lab: Lab) -> Cluster:
    """The administrator of the lab's API server."""
    return lab.cluster


@pytest.fixture(scope="session")
def openbao(lab: Lab) -> OpenBao:
    """The lab's OpenBao: engine `secret` is KV v2, `database` KV v1. A test that seals it unseals it."""
    return lab.openbao


@pytest.fixture(scope="session")
def prometheus(lab: Lab) -> Prometheus:
    """The lab's Prometheus; it scrapes what the test configures."""
    return lab.prometheus


@pytest.fixture(scope="session")
def store(cluster: Cluster, lab: Lab) -> str:
    """The name of a ClusterSecretStore, ready, on the engine `secret` of the lab's OpenBao."""
    one = objects.vault_store("vault-backend", lab.openbao.address, token=VAULT_TOKEN)
    cluster.apply(one)
    cluster.wait_ready(one)
    return "vault-backend"


@pytest.fixture(scope="session")
def monitoring_kinds(cluster: Cluster) -> None:
    """From now on the lab's API server also knows the Prometheus operator's kinds."""
    install_crds(cluster, "prometheus-operator")
    wanted = ("PrometheusRule", "ServiceMonitor", "PodMonitor")

    def published() -> bool:
        schemas = cluster.openapi("/openapi/v3/apis/monitoring.coreos.com/v1")["components"]["schemas"]
        return all(any(name.endswith(f".{kind}") for name in schemas) for kind in wanted)

    wait_until("the schemas of the Prometheus operator's kinds are published", published)


@pytest.fixture(scope="session")
def schemas(cluster: Cluster, monitoring_kinds: None, tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    """Schemas of all kinds that deploy/ holds, as the lab's API server gives them."""
    return Schemas(tmp_path_factory.mktemp("schemas"), cluster.openapi, GROUP_VERSIONS)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """A fresh namespace, named after the test; deleted afterwards (without waiting for its end)."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    one = objects.namespace(f"{words[:40].strip('-')}-{uuid.uuid4().hex[:6]}")
    cluster.apply(one)
    yield one["metadata"]["name"]
    cluster.delete(one, wait=False)


@pytest.fixture
def bare_cluster(tmp_path: Path) -> Iterator[BareCluster]:
    """A second API server of the test's own, without ESO's CRDs."""
    started = BareCluster(tmp_path / "bare")
    try:
        started.start()
        yield started
    finally:
        started.stop()
