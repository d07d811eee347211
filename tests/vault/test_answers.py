from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.vault.answers import (
    HEALTH_CODES,
    Health,
    NotJsonError,
    SealStatus,
    judge_status,
    read_health,
    read_leader,
    read_seal_status,
    retry_after,
)

CLUSTER_ID = "74180e65-0b02-faf9-aa10-68b5c5c2fdd2"
OPENBAO: dict[str, Any] = {
    "initialized": True, "sealed": False, "standby": False, "replication_performance_mode": "disabled",
    "replication_dr_mode": "disabled", "server_time_utc": 1795455042, "version": "2.7.2",
    "cluster_name": "vault-cluster-37b0193b", "cluster_id": CLUSTER_ID,
}  # fmt: skip


def health(**changed: Any) -> Health | None:
    return read_health(json.dumps(OPENBAO | changed).encode())


def test_health_of_openbao() -> None:
    assert health() == Health(
        True, False, False, version="2.7.2", cluster_name="vault-cluster-37b0193b", cluster_id=CLUSTER_ID,
        server_time=1795455042.0, product="openbao",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "product"),
    [
        ({"version": "1.21.1", "enterprise": False, "echo_duration_ms": 0}, "vault"),
        ({"version": "2.0.0+ent", "enterprise": True}, "vault"),
        ({"version": "1.9.3"}, "vault"),
        ({"version": "", "performance_standby": False}, "vault"),
        ({"version": ""}, ""),
        ({"version": "2.0.1"}, "openbao"),
    ],
)
def test_product(changed: dict[str, Any], product: str) -> None:
    found = health(**changed)
    assert found is not None
    assert found.product == product


def test_redacted_odd_and_hostile_texts_are_unknown() -> None:
    found = health(version="redacted", cluster_name="a\nb", cluster_id="x" * 36, server_time_utc="soon")
    assert found is not None
    assert (found.version, found.cluster_name, found.cluster_id, found.server_time) == ("", "", "", None)


def test_dr_secondary_and_heartbeat_of_enterprise() -> None:
    found = health(replication_dr_mode="secondary", ha_connection_healthy=False)
    assert found is not None
    assert (found.dr_secondary, found.leader_heard) == (True, False)


@pytest.mark.parametrize("missing", ["initialized", "sealed", "standby"])
def test_without_a_state_it_is_no_health(missing: str) -> None:
    assert read_health(json.dumps({key: value for key, value in OPENBAO.items() if key != missing}).encode()) is None
    assert health(**{missing: "false"}) is None


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"<html>", False),
        (b"", False),
        (b'{"initialized":tr', True),
        (b"[]", False),
        (b"1", False),
        (b'{"a":' * 100000, True),
        (b'{"\xff":1}', True),
    ],
)
def test_what_is_no_json_object(body: bytes, begins: bool) -> None:
    with pytest.raises(NotJsonError) as error:
        read_health(body)
    assert error.value.begins is begins


@settings(max_examples=50)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_any_json_is_taken(data: object) -> None:
    for read in (read_health, read_seal_status, read_leader):
        try:
            read(json.dumps(data).encode())
        except NotJsonError:
            assert not isinstance(data, dict)


def test_seal_status_while_unsealing_and_before_initialisation() -> None:
    body = {"type": "shamir", "sealed": True, "t": 3, "n": 5, "progress": 1, "nonce": "17218b6d", "commit_date": "x"}
    assert read_seal_status(json.dumps(body).encode()) == SealStatus("shamir", 1, 3, openbao=True)
    assert read_seal_status(json.dumps(body | {"t": 0, "n": 0, "progress": 0}).encode()) == SealStatus(
        "shamir", openbao=True
    )


def test_seal_types_are_a_closed_list() -> None:
    assert read_seal_status(b'{"type":"awskms"}').seal_type == "awskms"
    assert read_seal_status(b'{"type":"anything"}').seal_type == "other"
    assert read_seal_status(b'{"type":""}').seal_type == ""
    assert read_seal_status(b'{"type":7}').seal_type == ""


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"ha_enabled": True, "leader_address": "https://10.0.0.1:8200"}, True),
        ({"ha_enabled": True, "leader_cluster_address": "https://10.0.0.1:8201"}, True),
        ({"ha_enabled": True, "is_self": True, "leader_address": ""}, True),
        ({"ha_enabled": True, "is_self": False, "leader_address": ""}, False),
        ({"ha_enabled": True}, False),
    ],
)
def test_leader(body: dict[str, Any], named: bool) -> None:
    assert read_leader(json.dumps(body).encode()) is named


def test_codes_are_distinct_and_innocent() -> None:
    assert len(HEALTH_CODES) == len(set(HEALTH_CODES.values())) == 8
    assert all(judge_status(int(code)) == "" for code in HEALTH_CODES.values())
    assert [judge_status(status) for status in (429, 307, 400, 503)] == [
        "rate_limited",
        "redirect",
        "http_status",
        "http_status",
    ]


def test_retry_after_is_a_number_of_seconds_or_nothing() -> None:
    assert [retry_after(text) for text in ("9", " 30 ", None, "", "-1", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT")] == [
        9,
        30,
        0,
        0,
        0,
        0,
        0,
    ]
