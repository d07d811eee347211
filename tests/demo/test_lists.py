"""Lists of the simulated API server: paging, snapshots, selectors and content forms."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.entries import age_text
from exporter.demo.faults import NoTable
from exporter.demo.fields import stamp
from tests.demo.client import METADATA, METADATA_LIST, TABLE, get


def secret(namespace: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name, **metadata},
        "type": "Opaque",
        "data": {"password": "", "user": ""},
    }


@pytest.fixture
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as started:
        for index in range(7):
            started.apply(secret("shop", f"s{index}", labels={"app": "api" if index % 2 else "web"}))
        started.apply(secret("shop-b", "other"))
        yield started


def pages(cluster: SimulatedCluster, path: str, accept: str = TABLE) -> list[Any]:
    found, token = [], ""
    while True:
        page = get(cluster.url, f"{path}&continue={token}", accept).json
        found.append(page)
        token = page["metadata"].get("continue", "")
        if not token:
            return found


def names(page: Any) -> list[str]:
    rows = page.get("rows") or []
    items = page.get("items") or []
    return [row["object"]["metadata"]["name"] for row in rows] or [one["metadata"]["name"] for one in items]


def test_a_table_names_type_and_number_of_keys_and_carries_only_metadata(cluster: SimulatedCluster) -> None:
    page = get(cluster.url, "/api/v1/secrets?limit=1&includeObject=Metadata", TABLE).json
    assert (page["kind"], page["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in page["columnDefinitions"]] == ["Name", "Type", "Data", "Age"]
    (row,) = page["rows"]
    assert row["cells"][:3] == ["other", "Opaque", 2]
    assert set(row["object"]) == {"kind", "apiVersion", "metadata"}
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_pages_are_in_etcd_order_and_tell_what_remains(cluster: SimulatedCluster) -> None:
    found = pages(cluster, "/api/v1/secrets?limit=3")
    # "shop-b/" sorts before "shop/": etcd compares the whole key, and "-" comes before "/".
    assert [names(page) for page in found] == [["other", "s0", "s1"], ["s2", "s3", "s4"], ["s5", "s6"]]
    assert [page["metadata"].get("remainingItemCount") for page in found] == [5, 2, None]
    assert len({page["metadata"]["resourceVersion"] for page in found}) == 1


def test_later_pages_show_the_state_of_the_first(cluster: SimulatedCluster) -> None:
    first = get(cluster.url, "/api/v1/secrets?limit=3", TABLE).json
    cluster.delete("secrets", "shop", "s3")
    cluster.apply(secret("shop", "s35"))
    cluster.apply(secret("shop", "s4", labels={"app": "changed"}))
    second = get(cluster.url, f"/api/v1/secrets?limit=3&continue={first['metadata']['continue']}", TABLE).json
    assert names(second) == ["s2", "s3", "s4"]
    assert second["rows"][2]["object"]["metadata"]["labels"] == {"app": "web"}
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert names(get(cluster.url, "/api/v1/namespaces/shop/secrets", TABLE).json)[3:5] == ["s35", "s4"]


def test_a_compacted_continue_token_is_410_and_offers_an_inconsistent_one(cluster: SimulatedCluster) -> None:
    token = get(cluster.url, "/api/v1/secrets?limit=3", TABLE).json["metadata"]["continue"]
    cluster.apply(secret("shop", "s9"))
    cluster.compact("secrets")
    answer = get(cluster.url, f"/api/v1/secrets?limit=3&continue={token}", TABLE)
    assert answer.status == 410
    status = answer.json
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "Expired", 410)
    rest = get(cluster.url, f"/api/v1/secrets?continue={status['metadata']['continue']}", TABLE).json
    assert names(rest) == ["s2", "s3", "s4", "s5", "s6", "s9"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("labelSelector=app%3Dapi", ["s1", "s3", "s5"]),
        ("labelSelector=app!%3Dapi", ["other", "s0", "s2", "s4", "s6"]),
        ("labelSelector=app+in+(api,web),app!%3Dweb", ["s1", "s3", "s5"]),
        ("labelSelector=app+notin+(api)", ["other", "s0", "s2", "s4", "s6"]),
        ("labelSelector=!app", ["other"]),
        ("labelSelector=app&fieldSelector=metadata.name%3Ds2", ["s2"]),
        ("fieldSelector=type!%3DOpaque", []),
        ("fieldSelector=type%3DOpaque,metadata.namespace%3Dshop-b", ["other"]),
    ],
)
def test_selectors(cluster: SimulatedCluster, query: str, expected: list[str]) -> None:
    assert names(get(cluster.url, f"/api/v1/secrets?{query}", METADATA_LIST).json) == expected


def test_a_selected_list_is_paged_without_a_count(cluster: SimulatedCluster) -> None:
    found = pages(cluster, "/api/v1/secrets?limit=2&labelSelector=app%3Dapi")
    assert [names(page) for page in found] == [["s1", "s3"], ["s5"]]
    assert all("remainingItemCount" not in page["metadata"] for page in found)


def test_an_unknown_field_selector_is_400(cluster: SimulatedCluster) -> None:
    answer = get(cluster.url, "/api/v1/secrets?fieldSelector=data%3Dx", TABLE)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")


def test_metadata_form_has_no_type_and_no_data(cluster: SimulatedCluster) -> None:
    page = get(cluster.url, "/api/v1/namespaces/shop-b/secrets", METADATA_LIST).json
    assert page["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in page["items"]] == [{"kind", "apiVersion", "metadata"}]


def test_an_empty_list_has_no_items_but_null_in_the_metadata_form(cluster: SimulatedCluster) -> None:
    path = "/api/v1/namespaces/nowhere/secrets"
    assert get(cluster.url, path, METADATA_LIST).json["items"] is None
    assert get(cluster.url, path).json["items"] == []
    assert get(cluster.url, path, TABLE).json["rows"] == []


def test_a_plain_list_of_secrets_holds_key_names_but_no_value(cluster: SimulatedCluster) -> None:
    page = get(cluster.url, "/api/v1/namespaces/shop-b/secrets").json
    (item,) = page["items"]
    assert "kind" not in item
    assert item["data"] == {"password": "", "user": ""}


@pytest.mark.parametrize(
    "accept",
    [
        "application/json;as=Unknown;g=meta.k8s.io;v=v1",
        "application/json;as=Table;g=meta.k8s.io;v=v9",
        "text/html",
        METADATA,
    ],
)
def test_forms_a_list_cannot_have_are_406(cluster: SimulatedCluster, accept: str) -> None:
    answer = get(cluster.url, "/api/v1/secrets", accept)
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")


def test_without_tables_the_next_acceptable_clause_counts(cluster: SimulatedCluster) -> None:
    cluster.faults.inject(NoTable())
    assert get(cluster.url, "/api/v1/secrets", TABLE).status == 406
    assert get(cluster.url, "/api/v1/secrets", f"{TABLE},{METADATA_LIST}").json["kind"] == "PartialObjectMetadataList"


def test_an_unknown_include_object_is_400(cluster: SimulatedCluster) -> None:
    assert get(cluster.url, "/api/v1/secrets?includeObject=Everything", TABLE).status == 400


def test_big_lists_are_gzipped_for_those_who_accept_it(cluster: SimulatedCluster) -> None:
    for index in range(400):
        cluster.apply(secret("big", f"b{index:03}", annotations={"filling": "x" * 400}))
    plain = get(cluster.url, "/api/v1/namespaces/big/secrets", TABLE)
    packed = get(cluster.url, "/api/v1/namespaces/big/secrets", TABLE, Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert names(plain.json) == [row["cells"][0] for row in json.loads(gzip.decompress(packed.body))["rows"]]
    small = get(cluster.url, "/api/v1/namespaces/shop/secrets", TABLE, Accept_Encoding="gzip")
    assert "content-encoding" not in small.headers


def test_custom_resources_keep_kind_and_version_in_lists(cluster: SimulatedCluster) -> None:
    cluster.apply(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"namespace": "shop", "name": "db"},
            "spec": {"refreshInterval": "1h"},
        }
    )
    page = get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").json
    assert (page["kind"], page["apiVersion"]) == ("ExternalSecretList", "external-secrets.io/v1")
    (item,) = page["items"]
    assert (item["kind"], item["apiVersion"]) == ("ExternalSecret", "external-secrets.io/v1")
    assert item["metadata"]["generation"] == 1
    assert get(cluster.url, "/apis/external-secrets.io/v1beta1/externalsecrets").status == 404


def test_the_old_version_is_served_when_asked_for() -> None:
    with SimulatedCluster(eso_versions=("v1beta1",)) as cluster:
        cluster.apply(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "metadata": {"namespace": "a", "name": "b"},
                "spec": {},
            }
        )
        group = get(cluster.url, "/apis/external-secrets.io").json
        assert group["preferredVersion"]["version"] == "v1beta1"
        page = get(cluster.url, "/apis/external-secrets.io/v1beta1/externalsecrets").json
        assert page["items"][0]["apiVersion"] == "external-secrets.io/v1beta1"


def test_events_are_selected_by_type_reason_and_what_they_are_about(cluster: SimulatedCluster) -> None:
    es = cluster.apply(objects.external_secret("shop", "db"))
    for kind, reason in (("Warning", "UpdateFailed"), ("Normal", "Updated")):
        cluster.apply(workloads.event(es, kind, reason, "told", 1_790_000_000))
    found = {
        selector: [
            item["reason"] for item in get(cluster.url, f"/api/v1/events?fieldSelector={selector}").json["items"]
        ]
        for selector in ("type%3DWarning", "reason%3DUpdated", "source%3Dexternal-secrets", "involvedObject.name%3Dx")
    }
    assert found == {
        "type%3DWarning": ["UpdateFailed"],
        "reason%3DUpdated": ["Updated"],
        "source%3Dexternal-secrets": ["UpdateFailed", "Updated"],
        "involvedObject.name%3Dx": [],
    }


def test_ages_are_told_as_kubectl_tells_them(cluster: SimulatedCluster) -> None:
    now = 2_000_000_000.0
    told = {0: "0s", 119: "119s", 150: "2m30s", 600: "10m", 7200: "120m", 4 * 3600 + 60: "4h1m", 30 * 3600: "30h"}
    told |= {4 * 86400: "4d", 4 * 86400 + 3600: "4d1h", 100 * 86400: "100d", 3 * 365 * 86400: "3y", -60: "<invalid>"}
    assert {ago: age_text(stamp(now - ago), now) for ago in told} == told
    assert age_text(None, now) == "<unknown>"


def test_writes_and_unknown_tokens_are_refused() -> None:
    with SimulatedCluster(tokens=["right"]) as cluster:
        assert get(cluster.url, "/api/v1/secrets").status == 401
        assert get(cluster.url, "/api/v1/secrets", Authorization="Bearer wrong").json["reason"] == "Unauthorized"
        assert get(cluster.url, "/api/v1/secrets", Authorization="Bearer right").status == 200
        assert get(cluster.url, "/api/v1/secrets", method="POST", Authorization="Bearer right").status == 405
        assert [request.status for request in cluster.requests] == [401, 401, 200, 405]


def test_discovery_follows_what_is_installed(cluster: SimulatedCluster) -> None:
    assert get(cluster.url, "/version").json["gitVersion"].startswith("v1.")
    assert get(cluster.url, "/api").json["versions"] == ["v1"]
    groups = {group["name"] for group in get(cluster.url, "/apis").json["groups"]}
    assert {"apps", "external-secrets.io", "generators.external-secrets.io"} <= groups
    resources = get(cluster.url, "/apis/external-secrets.io/v1").json["resources"]
    assert {one["name"]: one["namespaced"] for one in resources if "/" not in one["name"]} == {
        "externalsecrets": True,
        "secretstores": True,
        "clustersecretstores": False,
        "clusterexternalsecrets": False,
    }
    cluster.uninstall()
    assert get(cluster.url, "/apis/external-secrets.io").status == 404
    assert get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").body == b"404 page not found\n"
    cluster.install("externalsecrets")
    assert get(cluster.url, "/apis/external-secrets.io/v1/externalsecrets").json["items"] == []
    assert get(cluster.url, "/apis/external-secrets.io/v1/secretstores").status == 404


def test_a_single_object_in_every_form(cluster: SimulatedCluster) -> None:
    path = "/api/v1/namespaces/shop/secrets/s1"
    assert list(get(cluster.url, path).json)[:2] == ["kind", "apiVersion"]
    assert get(cluster.url, path, METADATA).json["kind"] == "PartialObjectMetadata"
    assert get(cluster.url, path, TABLE).json["rows"][0]["cells"][0] == "s1"
    assert get(cluster.url, path, METADATA_LIST).status == 406
    missing = get(cluster.url, "/api/v1/namespaces/shop/secrets/none", METADATA)
    assert (missing.status, missing.json["reason"], missing.json["details"]["name"]) == (404, "NotFound", "none")
    assert [request.path for request in cluster.requests][-1] == "/api/v1/namespaces/shop/secrets/none"


def test_an_exact_version_is_served_as_long_as_history_reaches(cluster: SimulatedCluster) -> None:
    then = cluster.versions.current
    cluster.delete("secrets", "shop", "s0")
    path = f"/api/v1/namespaces/shop/secrets?resourceVersionMatch=Exact&resourceVersion={then}"
    assert names(get(cluster.url, path, METADATA_LIST).json)[0] == "s0"
    cluster.compact("secrets")
    assert get(cluster.url, path, METADATA_LIST).status == 410
    token = "bm90IGpzb24"
    assert get(cluster.url, f"/api/v1/secrets?continue={token}", METADATA_LIST).json["reason"] == "BadRequest"


def test_health_paths_and_aliases_of_kinds(cluster: SimulatedCluster) -> None:
    assert [get(cluster.url, path).body for path in ("/healthz", "/livez", "/readyz")] == [b"ok"] * 3
    assert cluster.get("Secret", "shop", "s1") == cluster.get("secrets", "shop", "s1")
    definition = cluster.get("customresourcedefinitions", "", "externalsecrets.external-secrets.io")
    assert definition
    assert definition["spec"]["names"]["kind"] == "ExternalSecret"


def test_a_deleted_namespace_takes_everything_along(cluster: SimulatedCluster) -> None:
    cluster.apply(workloads.namespace("shop"))
    cluster.apply(objects.external_secret("shop", "db"))
    cluster.delete_namespace("shop")
    assert cluster.get("namespaces", "", "shop") is None
    assert cluster.objects("externalsecrets") == []
    assert [one["metadata"]["namespace"] for one in cluster.objects("secrets")] == ["shop-b"]
