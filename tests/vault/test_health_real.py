"""Probes of a real OpenBao in each of its states, with and without TLS."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.vault.configured import Target
from exporter.vault.health import probe
from exporter.vault.trust import TrustMemory, verifying
from tests.vault.bao import Bao, running
from tests.vault.certificates import NOT_AFTER, Authority

TIMEOUT = 10.0


def target(address: str, node: bool = False, **more: object) -> Target:
    return Target("main", "node", address, configured_nodes=node, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with running(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls_bao(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Bao]:
    with running(tmp_path_factory.mktemp("tls-bao"), authority.issue("localhost", "vault-0.internal")) as server:
        server.address = f"https://localhost:{server.port}"
        yield server


def test_the_life_of_a_server(bao: Bao) -> None:
    at = target(bao.address)

    seen = probe(at, TIMEOUT)
    assert (seen.up, seen.initialized, seen.sealed, seen.active) == (True, False, True, False)
    assert (seen.cause, seen.error, seen.progress, seen.threshold) == ("uninitialized", "", None, None)
    assert (seen.product, seen.version, seen.seal_type, seen.cluster_id) == ("openbao", "2.7.2", "shamir", "")

    bao.initialize()
    seen = probe(at, TIMEOUT)
    assert (seen.up, seen.initialized, seen.sealed, seen.cause) == (True, True, True, "sealed")
    assert (seen.progress, seen.threshold, seen.attempts) == (0, 2, 3)

    bao.unseal(1)
    seen = probe(at, TIMEOUT)
    assert (seen.sealed, seen.progress, seen.threshold) == (True, 1, 2)

    bao.unseal()
    seen = probe(at, TIMEOUT)
    assert (seen.initialized, seen.sealed, seen.standby, seen.active, seen.cause) == (True, False, False, True, "")
    assert (seen.attempts, seen.bad_attempts, seen.tls_verified, seen.tls_not_after) == (1, (), None, None)
    assert len(seen.cluster_id) == 36
    assert seen.cluster_name.startswith("vault-cluster-")
    assert seen.clock_offset is not None
    assert abs(seen.clock_offset) < 5
    assert 0 < seen.duration < TIMEOUT

    bao.seal()
    assert probe(at, TIMEOUT).cause == "sealed"
    bao.unseal()
    assert probe(at, TIMEOUT).cause == ""

    bao.freeze()
    seen = probe(at, 0.2)
    assert (seen.up, seen.error, seen.cause, seen.sealed, seen.attempts) == (False, "timeout", "unreachable", None, 3)
    bao.thaw()
    assert probe(at, TIMEOUT).cause == ""

    bao.stop()
    seen = probe(at, TIMEOUT)
    assert (seen.up, seen.error, seen.initialized, seen.http_status) == (False, "connect", None, 0)


def test_requests_are_counted_by_operation_and_code(tls_bao: Bao, authority: Authority) -> None:
    counted: list[tuple[str, str, str]] = []
    probe(target(tls_bao.address, ca_pem=authority.pem, node=True), TIMEOUT, count=lambda *each: counted.append(each))
    assert counted == [("main", "health", "295"), ("main", "seal-status", "200")]


def test_tls_with_the_right_ca(tls_bao: Bao, authority: Authority, tmp_path: Path) -> None:
    seen = probe(target(tls_bao.address, ca_pem=authority.pem), TIMEOUT)
    assert (seen.up, seen.tls_verified, seen.tls_not_after) == (True, True, NOT_AFTER.timestamp())
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.pem)
    assert probe(target(tls_bao.address, ca_file=str(file)), TIMEOUT).tls_verified is True


def test_tls_without_a_known_ca_goes_on_and_says_so(tls_bao: Bao) -> None:
    seen = probe(target(tls_bao.address), TIMEOUT)
    assert (seen.up, seen.error, seen.tls_verified, seen.tls_not_after) == (True, "", False, NOT_AFTER.timestamp())


def test_tls_with_another_ca_fails_yet_shows_the_certificate(tls_bao: Bao, tmp_path: Path) -> None:
    seen = probe(target(tls_bao.address, ca_pem=Authority(tmp_path, "other").pem), TIMEOUT)
    assert (seen.up, seen.error, seen.tls_verified, seen.initialized) == (False, "tls_verify", False, None)
    assert seen.tls_not_after == NOT_AFTER.timestamp()
    assert seen.detail == "the certificate's issuer is not in the known CA"


def test_tls_with_a_wrong_name(tls_bao: Bao, authority: Authority) -> None:
    by_ip = f"https://127.0.0.1:{tls_bao.port}"
    assert probe(target(by_ip, ca_pem=authority.pem), TIMEOUT).detail == "the certificate is for another IP address"
    seen = probe(target(tls_bao.address, ca_pem=authority.pem, server_name="vault-1.internal"), TIMEOUT)
    assert (seen.error, seen.detail) == ("tls_verify", "the certificate is for another host name")


def test_tls_with_the_server_name_of_a_node(tls_bao: Bao, authority: Authority) -> None:
    node = target(f"https://127.0.0.1:{tls_bao.port}", ca_pem=authority.pem, server_name="vault-0.internal", node=True)
    seen = probe(node, TIMEOUT)
    assert (seen.up, seen.tls_verified, seen.attempts) == (True, True, 1)


def test_an_unreadable_ca_fails_closed(tls_bao: Bao) -> None:
    for broken in ({"ca_file": "/nowhere/ca.pem"}, {"ca_pem": b"no pem"}):
        seen = probe(target(tls_bao.address, **broken), TIMEOUT)
        assert (seen.up, seen.error) == (False, "tls_verify")
        assert seen.detail.startswith("the known CA cannot be used: ")


def test_plain_http_to_the_tls_port(tls_bao: Bao) -> None:
    seen = probe(target(f"http://127.0.0.1:{tls_bao.port}"), TIMEOUT)
    assert (seen.error, seen.http_status) == ("http_status", 400)


def test_the_server_logs_one_refused_handshake_per_certificate_not_per_probe(
    tmp_path: Path, authority: Authority
) -> None:
    with running(tmp_path / "bao", authority.issue("127.0.0.1")) as server:
        memory = TrustMemory()
        for _ in range(5):
            assert probe(target(server.address, node=True), TIMEOUT, memory=memory).tls_verified is False
        server.stop()
        assert server.log().count("TLS handshake error") == 1


def test_an_expired_certificate_is_named(tmp_path: Path, authority: Authority) -> None:
    end = datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC)
    with running(tmp_path / "bao", authority.issue("127.0.0.1", end=end)) as server:
        seen = probe(target(server.address, ca_pem=authority.pem), TIMEOUT)
        assert (seen.error, seen.detail, seen.tls_not_after) == (
            "tls_verify",
            "the certificate has expired",
            end.timestamp(),
        )
        assert probe(target(server.address), TIMEOUT).tls_not_after == end.timestamp()


def test_a_renewed_ca_file_counts_at_the_next_probe(tls_bao: Bao, authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(Authority(tmp_path, "old").pem)
    at = target(tls_bao.address, ca_file=str(file))
    assert probe(at, TIMEOUT).error == "tls_verify"
    file.write_bytes(authority.pem)
    assert probe(at, TIMEOUT).tls_verified is True


def test_the_system_trust_store_verifies_without_a_known_ca(
    tls_bao: Bao, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "system.pem"
    file.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    verifying.cache_clear()
    try:
        assert probe(target(tls_bao.address), TIMEOUT).tls_verified is True
    finally:
        verifying.cache_clear()
