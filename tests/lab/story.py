"""The stage of the story test: the keybuzz cluster, the exporter in it, Prometheus, and what the steps assert in common."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import keybuzz
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.keybuzz import MIGRATION
from tests.lab.monitoring import Prometheus
from tests.lab.openbao import OpenBao
from tests.lab.proxy import RecordingProxy
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until

JOB = "vault-eso-exporter"
SETTINGS = {"judge": {"overdue_factor": 1, "overdue_grace": "3s"}}
"""A short deadline, so that step 7 need not wait for a quarter of an hour."""


@dataclass
class Story:
    """What the steps share.

    `witness` is a second exporter, of the same account, that reaches both of its servers through recording proxies;
    Prometheus does not scrape it.
    """

    lab: Lab
    exporter: Exporter
    witness: Exporter
    to_kubernetes: RecordingProxy
    to_vault: RecordingProxy
    begun: float
    api_outages: list[tuple[float, float]] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        return self.lab.cluster

    @property
    def openbao(self) -> OpenBao:
        return self.lab.openbao

    @property
    def prometheus(self) -> Prometheus:
        return self.lab.prometheus

    def series(self) -> set[frozenset[tuple[str, str]]]:
        """The label sets of everything that the exporter says about the cluster and Vault (its own state aside)."""
        found = self.prometheus.query(f'{{job="{JOB}",__name__=~"eso_.*",__name__!~"eso_exporter_.*"}}')
        return {frozenset(sample.labels.items()) for sample in found}


@contextmanager
def begin(lab: Lab, folder: Path) -> Iterator[Story]:
    """The cluster as it was before the migration, with the exporter in it and Prometheus scraping it."""
    cluster = lab.cluster
    for one in cluster.list("v1", "Namespace"):
        if "deletionTimestamp" in one["metadata"]:  # other tests' leavings would be counted
            cluster.wait_gone({"apiVersion": "v1", "kind": "Namespace", **one})
    keybuzz.fill_vault(lab.openbao)
    keybuzz.create_before(cluster, lab.openbao.address)
    install_rbac(cluster)
    to_kubernetes = RecordingProxy(lab.apiserver.address, lab.apiserver.authority.certificate)
    to_vault = RecordingProxy(lab.openbao.address)
    direct = cluster.service_account_kubeconfig(folder / "direct.kubeconfig", NAMESPACE, ACCOUNT)
    proxied = cluster.service_account_kubeconfig(
        folder / "proxied.kubeconfig", NAMESPACE, ACCOUNT, to_kubernetes.address
    )
    node = {"name": "node-0", "address": to_vault.address}
    server = {"name": "main", "address": lab.openbao.address, "nodes": [node]}
    exporter = Exporter(folder, direct, settings=SETTINGS)
    witness = Exporter(folder, proxied, settings={"vault": {"servers": [server]}}, name="witness")
    begun = time.time()
    try:
        for proxy in (to_kubernetes, to_vault):
            proxy.start()
        exporter.start()
        witness.start()
        lab.prometheus.configure({JOB: exporter.target})
        yield Story(lab, exporter, witness, to_kubernetes, to_vault, begun)
    finally:
        lab.prometheus.configure({})
        for process in (witness, exporter):
            process.stop()
        for proxy in (to_vault, to_kubernetes):
            proxy.stop()


def assert_synced_as_the_objects_say(story: Story) -> None:
    """Last sync is `status.refreshTime` to the second, and the age is true when it is scraped."""
    for one in MIGRATION:
        where = f'{{namespace="{one.namespace}",name="{one.external_secret}"}}'
        found = story.cluster.get(one.manifest())
        assert found is not None
        synced = unix(found["status"]["refreshTime"])
        story.prometheus.wait_for_value(f"eso_externalsecret_last_sync_timestamp_seconds{where}", synced)
        age = story.prometheus.query(f"eso_externalsecret_last_sync_age_seconds{where}").value
        scraped = story.prometheus.query(f"timestamp(eso_externalsecret_last_sync_age_seconds{where})").value
        assert abs(age - (scraped - synced)) < 2, "the age is that of the moment of the scrape"


def steps_since(prometheus: Prometheus, expression: str, begun: float, end: float) -> list[float]:
    """Waits until the range of the expression (one series) since `begun` ends with the value `end`; returns the values
    that it went through, each once. A range query's last point is up to a second older than an instant query's."""

    def ended() -> list[float] | None:
        [series] = prometheus.query_range(expression, begun)
        values = [value for value, _ in itertools.groupby(value for _, value in series.points)]
        return values if values[-1] == end else None

    return wait_until(f"the range of {expression} ends with {end}", ended)


def assert_step_down(prometheus: Prometheus, begun: float) -> None:
    """Prometheus saw the manual Secrets go from three to none, and never more of them on the way."""
    steps = steps_since(prometheus, "sum(eso_manual_secrets)", begun, 0)
    assert steps[0] == 3
    assert steps == sorted(steps, reverse=True)


def wait_same_series(story: Story, before: set[frozenset[tuple[str, str]]]) -> None:
    """Waits until the exporter says exactly the series it said before."""

    def same(_: object) -> bool:
        now = story.series()
        missing, new = list(before - now)[:5], list(now - before)[:5]
        assert not missing, f"missing: {missing}"
        assert not new, f"new: {new}"
        return True

    story.prometheus.wait_for("vector(1)", same, timeout=90)


def unix(time_of_the_api: str) -> float:
    return datetime.datetime.fromisoformat(time_of_the_api).timestamp()
