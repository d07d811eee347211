"""The large double: cheap objects that are as whole as the small ones, and a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import objects
from exporter.demo.bulk import Bulk
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import object_hash, synced_version
from tests.demo.client import METADATA_LIST, TABLE, Stream, get

ES = "/apis/external-secrets.io/v1/externalsecrets"


@pytest.fixture
def filled() -> Iterator[tuple[SimulatedCluster, Bulk]]:
    with SimulatedCluster() as cluster:
        bulk = Bulk(cluster, 50, 100, targets=40, manual=20, namespaces=3, failing=10)
        bulk.fill()
        yield cluster, bulk


def test_those_that_are_due_were_refreshed_longest_ago(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, bulk = filled
    before = {item["metadata"]["name"]: item["status"]["refreshTime"] for item in get(cluster.url, ES).json["items"]}
    with Stream(cluster.url, f"{ES}?watch=1&resourceVersion={cluster.versions.current}") as stream:
        bulk._now -= 10  # so that a refresh now is later than at the beginning
        assert bulk.change("externalsecrets", 5, "due") == 5
        changed = {stream.next()["object"]["metadata"]["name"] for _ in range(5)}
    assert changed == set(sorted(before, key=lambda name: before[name])[:5])
    for kind, order in (("secrets", "due"), ("externalsecrets", "any")):
        with pytest.raises(ValueError, match="due"):
            bulk.change(kind, 1, order)


def test_counts_and_classes(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, _ = filled
    rows = get(cluster.url, "/api/v1/secrets?includeObject=Metadata", TABLE).json["rows"]
    assert Counter(row["cells"][0].split("-")[0] for row in rows) == {
        "app": 40,
        "hand": 20,
        "sh.helm.release.v1.app": 40,
    }
    assert Counter(row["cells"][1] for row in rows) == {"Opaque": 60, "helm.sh/release.v1": 40}
    items = get(cluster.url, ES).json["items"]
    assert Counter(item["status"]["conditions"][0]["status"] for item in items) == {"True": 45, "False": 5}
    assert len(get(cluster.url, "/api/v1/namespaces", METADATA_LIST).json["items"]) == 3
    helm = get(cluster.url, "/api/v1/secrets?fieldSelector=type!%3Dhelm.sh/release.v1", METADATA_LIST).json["items"]
    assert len(helm) == 60


def test_targets_belong_to_their_external_secret(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, _ = filled
    by_uid = {item["metadata"]["uid"]: item for item in get(cluster.url, ES).json["items"]}
    targets = [one for one in cluster.objects("secrets") if one["metadata"]["name"].startswith("app-")]
    for target in targets:
        metadata = target["metadata"]
        owner = by_uid[metadata["ownerReferences"][0]["uid"]]
        assert owner["spec"]["target"]["name"] == metadata["name"]
        own = f"{owner['metadata']['namespace']}/{owner['metadata']['name']}"
        assert metadata["labels"]["reconcile.external-secrets.io/created-by"] == object_hash(own)
        assert metadata["managedFields"][0]["manager"].endswith(owner["metadata"]["name"])


@pytest.mark.parametrize("metadata_bytes", [0, 2048])
def test_external_secrets_agree_with_themselves(metadata_bytes: int) -> None:
    cluster = SimulatedCluster()
    Bulk(cluster, 30, 30, metadata_bytes=metadata_bytes).fill()
    for es in cluster.objects("externalsecrets"):
        metadata = es["metadata"]
        expected = synced_version(1, metadata["labels"], metadata.get("annotations", {}))
        assert es["status"]["syncedResourceVersion"] == expected
        assert len(json.dumps(metadata)) >= metadata_bytes


def test_every_form_of_an_object_says_the_same(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, _ = filled
    whole = get(cluster.url, "/api/v1/secrets").json["items"]
    partial = get(cluster.url, "/api/v1/secrets", METADATA_LIST).json["items"]
    rows = get(cluster.url, "/api/v1/secrets?includeObject=Metadata", TABLE).json["rows"]
    assert [one["metadata"] for one in whole] == [one["metadata"] for one in partial]
    assert [one["metadata"] for one in whole] == [row["object"]["metadata"] for row in rows]
    assert [len(one["data"]) for one in whole] == [row["cells"][2] for row in rows]
    assert {value for one in whole for value in one["data"].values()} == {""}


def test_changes_are_events(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, bulk = filled
    with Stream(cluster.url, f"{ES}?watch=1&resourceVersion={cluster.versions.current}") as stream:
        assert bulk.change("externalsecrets", 3) == 3
        events = [stream.next() for _ in range(3)]
    assert {event["type"] for event in events} == {"MODIFIED"}
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert bulk.change("secrets", 1_000_000) == 100


def test_churn(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, bulk = filled
    path = f"/api/v1/secrets?watch=1&includeObject=Metadata&resourceVersion={cluster.versions.current}"
    with Stream(cluster.url, path, TABLE) as stream:
        bulk.churn(200)
        assert [stream.next()["type"] for _ in range(10)] == ["MODIFIED"] * 10
        bulk.churn(0)
    before = cluster.versions.current
    bulk.churn(0)
    assert cluster.versions.current == before


def test_values_are_filling_of_the_asked_size_and_only_in_the_plain_form() -> None:
    with SimulatedCluster() as cluster:
        Bulk(cluster, 1, 2, targets=1, manual=1, failing=0, value_bytes=50).fill()
        plain = get(cluster.url, "/api/v1/secrets").json["items"]
        assert {value for item in plain for value in item["data"].values()} == {"x" * 50}
        assert b"x" * 50 not in get(cluster.url, "/api/v1/secrets", TABLE).body


def test_a_list_under_churn_shows_one_moment(filled: tuple[SimulatedCluster, Bulk]) -> None:
    cluster, bulk = filled
    page = get(cluster.url, "/api/v1/secrets?limit=40", METADATA_LIST).json
    version, found = int(page["metadata"]["resourceVersion"]), page["items"]
    while token := page["metadata"].get("continue"):
        bulk.change("secrets", 30)
        page = get(cluster.url, f"/api/v1/secrets?limit=40&continue={token}", METADATA_LIST).json
        found += page["items"]
    assert len(found) == 100
    assert all(int(item["metadata"]["resourceVersion"]) <= version for item in found)


def test_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="more targets and manual"):
        Bulk(SimulatedCluster(), 10, 10, targets=8, manual=8)


def test_an_object_costs_little_memory() -> None:
    cluster = SimulatedCluster()
    tracemalloc.start()
    try:
        Bulk(cluster, 5_000, 15_000).fill()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / 20_000 < 450


def test_encoded_objects_are_kept_as_bytes_and_served_like_others() -> None:
    with SimulatedCluster() as cluster:
        whole = objects.manual_secret("shop", "db", ["a", "b"])
        triples = [("shop", name, json.dumps(rename(whole, name)).encode()) for name in ("z", "y")]
        assert cluster.bulk("secrets", triples) == 2
        rows = get(cluster.url, "/api/v1/secrets?includeObject=Metadata", TABLE).json["rows"]
        assert [row["cells"][:3] for row in rows] == [["y", "Opaque", 2], ["z", "Opaque", 2]]
        assert rows[0]["object"]["metadata"]["resourceVersion"] != rows[1]["object"]["metadata"]["resourceVersion"]
        assert cluster.delete("secrets", "shop", "y")


def rename(obj: dict[str, Any], name: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "name": name}}


def test_its_own_process(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, "-m", "exporter.demo.bulk", "--externalsecrets", "20", "--secrets", "30", "--port", "0"]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [*command, "--kubeconfig", str(kubeconfig)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url in kubeconfig.read_text()
        assert len(get(url, ES).json["items"]) == 20
        assert get(url, "/-/change?resource=secrets&count=5", method="POST").json == {"changed": 5}
        assert get(url, "/-/churn?rate=10", method="POST").json == {"rate": 10.0}
        assert get(url, "/-/requests").json[f"GET {ES}"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
