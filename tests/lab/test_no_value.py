"""Values that pass by on the real API server (TLS, gzip, managedFields) are in nothing that the exporter says or holds."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from exporter.demo import workloads
from exporter.demo.objects import LAST_APPLIED
from exporter.kube import residue
from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.waiting import wait_until
from tests.memory import copies

SHOP = "no-value"
COUNT = 60
#: Of the values, in characters: pieces of memory go different ways by their size.
LENGTHS = (0, 300, 600, 3000)
DATA = base64.b64encode(b"PLANTED-data")
MARKER = re.compile(rb"PLANTED-([a-z]+)-\d{4}-VALUE|" + DATA)


class Shipped(Exporter):
    """With the environment that the image and the systemd unit give it."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **residue.ENVIRONMENT}

    def events(self) -> float:
        """How many watch events have come."""
        return sum(line.value for line in self.lines("eso_exporter_watch_events_total"))

    def left(self) -> Counter[str]:
        """How often planted values stand in its memory, by the place that they were planted in."""
        assert self._process is not None
        return Counter((found[1] or found[0]).decode() for found in copies(self._process.pid, MARKER))


def plant(cluster: Cluster, turn: str) -> None:
    """Secrets as `kubectl apply` leaves them, and Events that quote a value as ESO's may do."""
    for number in range(COUNT):
        padding = "x" * LENGTHS[number % len(LENGTHS)]
        secret = objects.secret(SHOP, f"planted-{number}", {"a": f"PLANTED-data-{turn}"})
        manifest = {"kind": "Secret", "data": {"a": f"PLANTED-secret-{number:04}-VALUE{padding}", "turn": turn}}
        secret["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(manifest, separators=(",", ":"))}
        cluster.apply(secret)
    stored = cluster.get(objects.reference(objects.ESO_GROUP, "ExternalSecret", "planted", SHOP))
    assert stored is not None
    for number in range(COUNT):
        message = f"could not apply template: PLANTED-event-{number:04}-VALUE {turn}"
        cluster.create(workloads.event(stored, "Warning", "UpdateFailed", message, time.time()))


@pytest.fixture
def shop(cluster: Cluster) -> Cluster:
    cluster.apply(objects.namespace(SHOP))
    cluster.apply(objects.external_secret(SHOP, "planted", path="nowhere", keys=["a"], store="there-is-none"))
    return cluster


def test_no_planted_value_is_said_or_stays_in_memory(shop: Cluster, tmp_path: Path) -> None:
    plant(shop, "first")
    install_rbac(shop)
    exporter = Shipped(tmp_path, shop.service_account_kubeconfig(tmp_path / "account", NAMESPACE, ACCOUNT))
    exporter.start()
    try:
        exporter.wait_lines("eso_secret_problem", namespace=SHOP, problem="value_in_annotation")
        listed = exporter.left()
        before = exporter.events()
        plant(shop, "again")
        wait_until("every event has come", lambda: exporter.events() >= before + 2 * COUNT)
        watched = exporter.left()
        said = [exporter.get(page) for page in ("/metrics", "/", "/-/ready")] + [exporter.log.read_text()]
    finally:
        exporter.stop()
    assert [text for text in said if MARKER.search(text.encode())] == []
    assert (listed, watched) == (Counter(), Counter())
