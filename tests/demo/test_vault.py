"""The simulated Vault answers as OpenBao 2.7.2 (reference/vault.md section 1), and misbehaves as told."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from exporter.demo.vault import (
    Answer,
    Drip,
    Drop,
    Garbage,
    Hang,
    Huge,
    NotVault,
    NotVaultJson,
    Redirect,
    SimulatedVault,
)
from tests.demo.client import get

HEALTH = "/v1/sys/health"
ALL_200 = f"{HEALTH}?standbyok=true&sealedcode=200&uninitcode=200&standbycode=200&activecode=200&perfstandbyok=true"


def body(vault: SimulatedVault, path: str, node: int = 0) -> Any:
    return get(vault.nodes[node].url, path).json


@pytest.mark.parametrize(
    ("initialized", "sealed", "code"),
    [(True, False, 200), (True, True, 503), (False, True, 501), (False, False, 501)],
)
def test_health_codes_and_their_override(initialized: bool, sealed: bool, code: int) -> None:
    with SimulatedVault(initialized=initialized, sealed=sealed) as vault:
        assert get(vault.url, HEALTH).status == code
        assert get(vault.url, f"{HEALTH}?sealedcode=299&uninitcode=299").status == (200 if code == 200 else 299)
        assert get(vault.url, ALL_200).status == 200
        assert get(vault.url, HEALTH, method="HEAD").body == b""
        told = body(vault, HEALTH)
    shut = code != 200
    assert (told["initialized"], told["sealed"], told["standby"]) == (initialized, shut, shut)
    assert ("cluster_id" in told) is not shut


def test_a_bad_code_and_a_namespace_are_400() -> None:
    with SimulatedVault() as vault:
        assert get(vault.url, f"{HEALTH}?activecode=no").status == 400
        answer = get(vault.url, HEALTH, X_Vault_Namespace="root")
        assert (answer.status, answer.json) == (400, {"errors": ["operation unavailable in namespaces"]})


def test_seal_status_is_200_in_every_state() -> None:
    with SimulatedVault() as vault:
        assert body(vault, "/v1/sys/seal-status")["sealed"] is False
        vault.seal()
        vault.unseal(shares=2)
        told = body(vault, "/v1/sys/seal-status")
        assert (told["sealed"], told["progress"], told["t"], told["n"], told["type"]) == (True, 2, 3, 5, "shamir")
        assert told["nonce"]
        vault.unseal()
        assert body(vault, "/v1/sys/seal-status")["progress"] == 0
        vault.initialized = False
        told = body(vault, "/v1/sys/seal-status")
        assert (told["initialized"], told["sealed"], told["t"], told["n"]) == (False, True, 0, 0)


def test_leader_and_init() -> None:
    with SimulatedVault() as vault:
        assert body(vault, "/v1/sys/leader") == {"ha_enabled": False}
        assert body(vault, "/v1/sys/init") == {"initialized": True}
        vault.seal()
        answer = get(vault.url, "/v1/sys/leader")
        assert (answer.status, answer.json) == (503, {"errors": ["Vault is sealed"]})
        assert get(vault.url, "/v1/secret/data/x").status == 503
        vault.unseal()
        assert get(vault.url, "/v1/secret/data/x").status == 403


def test_of_several_nodes_one_leads_and_another_takes_over() -> None:
    with SimulatedVault(nodes=3) as vault:
        assert [get(url, HEALTH).status for url in vault.urls] == [200, 429, 429]
        assert get(vault.urls[1], f"{HEALTH}?standbyok=true").status == 200
        told = body(vault, "/v1/sys/leader", node=1)
        assert (told["ha_enabled"], told["is_self"], told["leader_address"]) == (True, False, vault.urls[0])
        vault.nodes[0].stop()
        assert body(vault, "/v1/sys/leader", node=1)["is_self"] is True
        vault.nodes[1].seal()
        assert [get(url, HEALTH).status for url in vault.urls[1:]] == [503, 200]
        vault.leaderless = True
        assert get(vault.urls[2], HEALTH).status == 429
        assert body(vault, "/v1/sys/leader", node=2)["leader_address"] == ""


def test_a_node_comes_back_on_its_port() -> None:
    with SimulatedVault() as vault:
        url = vault.url
        vault.stop()
        with pytest.raises(ConnectionRefusedError):
            get(url, HEALTH)
        vault.start()
        assert vault.url == url
        assert get(url, HEALTH).status == 200
        assert [request.path for request in vault.requests] == [HEALTH]


def test_faults_that_answer() -> None:
    with SimulatedVault() as vault:
        (node,) = vault.nodes
        node.fault = NotVault()
        assert (get(vault.url, HEALTH).headers["content-type"], get(vault.url, HEALTH).status) == ("text/html", 200)
        node.fault = NotVaultJson()
        assert "initialized" not in get(vault.url, HEALTH).json
        node.fault = Redirect("http://elsewhere.example/")
        assert get(vault.url, ALL_200).headers["location"] == "http://elsewhere.example/"
        node.fault = Answer(429, retry_after=3)
        answer = get(vault.url, ALL_200)
        assert (answer.status, answer.headers["retry-after"]) == (429, "3")
        assert answer.json == {"errors": ["request path: rate limit quota exceeded"]}
        node.fault = Huge(100_000)
        answer = get(vault.url, HEALTH)
        assert len(answer.body) > 100_000
        assert answer.json["initialized"] is True
        node.fault = Drip(0.0001)
        assert get(vault.url, HEALTH).json["initialized"] is True


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Drop(), (http.client.RemoteDisconnected, ConnectionResetError)),
        (Hang(), TimeoutError),
        (Garbage(), (http.client.HTTPException, ConnectionResetError)),
        (Drip(5), TimeoutError),
    ],
)
def test_faults_that_do_not(fault: Any, error: Any) -> None:
    with SimulatedVault() as vault:
        vault.nodes[0].fault = fault
        with pytest.raises(error):
            get(vault.url, HEALTH, timeout=0.5)
        vault.nodes[0].fault = None
        assert get(vault.url, HEALTH).status == 200


def test_writes_are_refused() -> None:
    with SimulatedVault() as vault:
        assert get(vault.url, "/v1/sys/init", method="PUT").status == 405
