"""Probes of servers that answer as no Vault does. Nothing here may hang, follow, or read without end."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.vault.configured import Target
from exporter.vault.health import probe
from exporter.vault.lookup import Lookups
from exporter.vault.observation import ERRORS
from tests.vault.certificates import Authority
from tests.vault.faults import (
    ACTIVE,
    SEALED,
    STANDBY,
    UNINITIALIZED,
    FaultServer,
    answering,
    in_turn,
    response,
    serving,
    vault,
)

TIMEOUT = 10.0
LEADER = {"ha_enabled": True, "leader_address": "http://10.0.0.9:8200"}
QUOTA = response(429, {"errors": ["request path: rate limit quota exceeded"]}, Retry_After="9")


def address(url: str) -> Target:
    return Target("main", "entry", url)


def node(url: str) -> Target:
    return Target("main", "node", url, configured_nodes=True)


def raw(data: bytes) -> Callable[[socket.socket, FaultServer], None]:
    """Sends these bytes to each request, then closes."""

    def handle(connection: socket.socket, server: FaultServer) -> None:
        server.head(connection)
        connection.sendall(data)

    return handle


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (response(200, b"<html>hello</html>", "text/html"), "not_vault"),
        (response(200, {"status": "ok"}), "not_vault"),
        (response(200, b"[]"), "not_vault"),
        (response(200, b""), "not_vault"),
        (response(200, b'{"initialized":true,"sea'), "decode"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"initialized":true,', "decode"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ini\r\n", "decode"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", "not_vault"),
        (response(200, b'{"initialized":true,"x":"' + b"x" * 70000 + b'"}'), "decode"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 70000 + b"\r\n\r\n", "not_vault"),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", "not_vault"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_vault"),
        (b"", "connect"),
        (response(404, {"errors": []}), "http_status"),
        (response(500, {"errors": []}), "http_status"),
        (response(502, b"<html>bad gateway</html>", "text/html"), "http_status"),
        (response(301, b"", Location="https://elsewhere/"), "redirect"),
        (response(307, b"<html>", Location="::not a url::"), "redirect"),
        (QUOTA, "rate_limited"),
    ],
)  # fmt: skip
def test_answers_that_are_no_health(data: bytes, error: str) -> None:
    with serving(raw(data)) as server:
        seen = probe(node(server.address), TIMEOUT)
    assert (seen.up, seen.error, seen.initialized, seen.sealed, seen.standby) == (False, error, None, None, None)
    assert seen.error in ERRORS
    assert seen.detail
    assert "hello" not in seen.detail


def test_the_body_decides_where_a_proxy_dropped_the_query() -> None:
    for status, health, cause in (
        (429, STANDBY, "no_active"),
        (503, SEALED, "sealed"),
        (501, UNINITIALIZED, "uninitialized"),
    ):
        with serving(answering(lambda path, s=status, h=health: response(s, h))) as server:  # type: ignore[misc]
            seen = probe(node(server.address), TIMEOUT)
        assert (seen.up, seen.cause) == (True, cause)


def test_requests_carry_no_token_no_namespace_and_all_eight_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "planted")
    monkeypatch.setenv("VAULT_NAMESPACE", "planted")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(answering(vault(STANDBY, LEADER))) as server:
        assert probe(address(server.address), TIMEOUT).cause == ""
        heads = server.requests
    assert [head.split(" ")[0] for head in heads] == ["GET", "GET", "GET"]
    assert [head.split(" ")[1].partition("?")[0] for head in heads] == [
        "/v1/sys/health",
        "/v1/sys/seal-status",
        "/v1/sys/leader",
    ]
    assert heads[0].split(" ")[1].count("code=") == 8
    for head in heads:
        assert "planted" not in head
        assert "x-vault-token" not in head.lower()
        assert "x-vault-namespace" not in head.lower()


def test_a_path_in_front_of_vault_is_kept() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        probe(address(f"{server.address}/vault"), TIMEOUT)
        assert server.paths[1] == "/vault/v1/sys/seal-status"


def test_redirects_are_not_followed() -> None:
    with (
        serving(answering(vault(ACTIVE))) as other,
        serving(answering(lambda path: response(307, b"", Location=f"{other.address}/v1/sys/health"))) as server,
    ):
        seen = probe(node(server.address), TIMEOUT)
        assert (seen.up, seen.error, seen.http_status) == (False, "redirect", 307)
        assert len(server.requests) == 1
        assert other.connections == 0


def drip(connection: socket.socket, server: FaultServer) -> None:
    server.head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    while not server.closing.wait(0.05):
        connection.sendall(b" ")


def drip_headers(connection: socket.socket, server: FaultServer) -> None:
    server.head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not server.closing.wait(0.05):
        connection.sendall(b"x")


def silent(connection: socket.socket, server: FaultServer) -> None:
    server.closing.wait()


@pytest.mark.parametrize("handle", [drip, drip_headers, silent])
def test_the_deadline_is_for_the_whole_answer(handle: Callable[[socket.socket, FaultServer], None]) -> None:
    with serving(handle) as server:
        seen = probe(node(server.address), 0.4)
        assert (seen.error, seen.detail) == ("timeout", "no whole answer in time")
        assert seen.duration >= 0.4


def test_a_tls_handshake_that_never_ends_is_a_timeout() -> None:
    with serving(silent) as server:
        seen = probe(node(f"https://127.0.0.1:{server.port}"), 0.3)
    assert (seen.error, seen.detail) == ("timeout", "no TLS handshake in time")


def endless(connection: socket.socket, server: FaultServer) -> None:
    server.head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.closing.is_set():
        connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


def endless_continue(connection: socket.socket, server: FaultServer) -> None:
    server.head(connection)
    while not server.closing.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize("handle", [endless, endless_continue])
def test_an_answer_without_end_is_cut(handle: Callable[[socket.socket, FaultServer], None]) -> None:
    with serving(handle) as server:
        seen = probe(node(server.address), TIMEOUT)
    assert (seen.up, seen.error) == (False, "decode")
    assert seen.duration < TIMEOUT


def test_https_to_a_plain_port() -> None:
    def plain(connection: socket.socket, server: FaultServer) -> None:
        connection.recv(100)
        connection.sendall(response(400, b"no TLS here"))

    with serving(plain) as server:
        seen = probe(node(f"https://127.0.0.1:{server.port}"), TIMEOUT)
    assert (seen.up, seen.error, seen.tls_verified) == (False, "tls_handshake", None)


def test_a_client_certificate_that_we_lack(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    context.load_verify_locations(cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(answering(vault(ACTIVE)), context) as server:
        seen = probe(Target("main", "n", server.address, ca_pem=authority.pem, configured_nodes=True), TIMEOUT)
    assert (seen.up, seen.error) == (False, "tls_handshake")


def test_nothing_listens_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        counted: list[tuple[str, str, str]] = []
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        seen = probe(node(url), TIMEOUT, count=lambda *each: counted.append(each))
    assert (seen.error, seen.detail) == ("connect", "nothing listens there")
    assert counted == [("main", "health", "0")]


def answers(*addresses: str) -> Lookups:
    return Lookups(lambda host, port: [(socket.AF_INET, 1, 6, "", (each, port)) for each in addresses])


def test_a_name_that_leads_to_link_local_is_refused_at_each_connection() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        found = ["127.0.0.1"]
        lookups = Lookups(lambda host, port: [(socket.AF_INET, 1, 6, "", (found[0], port))])
        at = node(f"http://vault.tenant.example:{server.port}")
        assert probe(at, TIMEOUT, lookups=lookups).up
        found[0] = "169.254.169.254"
        seen = probe(at, TIMEOUT, lookups=lookups)
    assert (seen.up, seen.error) == (False, "connect")
    assert "never asked" in seen.detail


def test_only_the_allowed_addresses_of_a_name_are_tried() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        lookups = answers("169.254.169.254", "127.0.0.1")
        assert probe(node(f"http://mixed.example:{server.port}"), TIMEOUT, lookups=lookups).up


def test_the_next_address_of_a_name_is_tried_when_one_is_dead() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        lookups = answers("127.0.0.2", "127.0.0.1")
        assert probe(node(f"http://two.example:{server.port}"), TIMEOUT, lookups=lookups).up


def test_a_name_without_address() -> None:
    def unknown(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    seen = probe(node("http://nowhere.example"), TIMEOUT, lookups=Lookups(unknown))
    assert (seen.error, seen.detail) == ("dns", "the name nowhere.example cannot be resolved")


def test_a_lookup_that_hangs_is_waited_for_by_one_thread_only() -> None:
    asked: list[str] = []
    release = threading.Event()

    def hanging(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        asked.append(host)
        release.wait()
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    lookups = Lookups(hanging)
    seen = probe(address("http://slow.example"), 0.1, lookups=lookups)
    assert (seen.error, seen.attempts) == ("dns", 3)
    assert asked == ["slow.example"]
    release.set()
    with serving(answering(vault(ACTIVE))) as server:
        assert probe(node(f"http://slow.example:{server.port}"), TIMEOUT, lookups=lookups).up


def test_a_quota_on_health_is_asked_once_and_tells_how_long_to_keep_away() -> None:
    with serving(answering(lambda path: QUOTA)) as server:
        seen = probe(address(server.address), TIMEOUT)
        assert (seen.up, seen.error, seen.cause, seen.retry_after, seen.attempts) == (
            False,
            "rate_limited",
            "rate_limited",
            9,
            1,
        )
        assert len(server.requests) == 1


@pytest.mark.parametrize(("health", "up_cause"), [(ACTIVE, ""), (STANDBY, "rate_limited"), (SEALED, "sealed")])
def test_a_quota_on_the_other_endpoints_takes_nothing_from_the_health(health: dict[str, object], up_cause: str) -> None:
    def limited(path: str) -> bytes:
        return response(200, health) if "health" in path else QUOTA

    with serving(answering(limited)) as server:
        seen = probe(address(server.address), TIMEOUT)
    assert (seen.up, seen.error, seen.retry_after, seen.cause) == (True, "rate_limited", 9, up_cause)


def test_broken_other_endpoints_take_nothing_from_the_health() -> None:
    with serving(answering(lambda path: response(200, ACTIVE) if "health" in path else response(500, b""))) as server:
        seen = probe(address(server.address), TIMEOUT)
    assert (seen.up, seen.error, seen.cause, seen.seal_type, seen.threshold) == (True, "", "", "", None)


@pytest.mark.parametrize(
    ("health", "leader", "cause"),
    [
        (STANDBY, LEADER, ""),
        (STANDBY, {"ha_enabled": True}, "no_active"),
        (STANDBY, response(503, {"errors": ["Vault is sealed"]}), "no_active"),
        ({**STANDBY, "ha_connection_healthy": True}, b"", ""),
        ({**STANDBY, "ha_connection_healthy": False}, LEADER, "no_active"),
        ({**ACTIVE, "replication_dr_mode": "secondary"}, b"", "no_active"),
    ],
)
def test_a_standby_behind_an_address_is_good_when_it_knows_a_leader(
    health: dict[str, object], leader: dict[str, object] | bytes, cause: str
) -> None:
    with serving(answering(vault(health, leader))) as server:
        assert probe(address(server.address), TIMEOUT).cause == cause


def test_a_configured_standby_is_never_active_and_not_asked_for_its_leader() -> None:
    with serving(answering(vault(STANDBY, LEADER))) as server:
        seen = probe(node(server.address), TIMEOUT)
        assert (seen.up, seen.active, seen.cause, seen.leader_known, seen.attempts) == (
            True,
            False,
            "no_active",
            None,
            1,
        )
        assert not any("leader" in path for path in server.paths)


def test_a_bad_answer_of_an_address_is_asked_again_over_new_connections() -> None:
    gone = lambda path: b""  # noqa: E731 - the connection closes without an answer
    with serving(in_turn(vault(SEALED), gone, vault(ACTIVE))) as server:
        seen = probe(address(server.address), TIMEOUT)
        assert (seen.cause, seen.active, seen.sealed, seen.attempts) == ("", True, False, 3)
        assert seen.bad_attempts == ("sealed", "unreachable")
        assert server.connections == 3


def test_a_good_answer_is_not_asked_again() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        assert probe(address(server.address), TIMEOUT).attempts == 1
        assert server.connections == 1


def test_when_all_are_bad_those_that_answered_tell_why() -> None:
    with serving(in_turn(lambda path: response(502, b""), vault(SEALED), vault(UNINITIALIZED))) as server:
        seen = probe(address(server.address), TIMEOUT)
    assert (seen.up, seen.cause, seen.sealed, seen.attempts, seen.bad_attempts) == (True, "sealed", True, 3, ())


def test_clock_offset_counts_from_the_middle_of_the_request() -> None:
    with serving(answering(vault(ACTIVE))) as server:
        seen = probe(node(server.address), TIMEOUT, clock=lambda: 1795455040.0)
    assert seen.at == 1795455040.0
    assert seen.clock_offset is not None
    assert 2.0 <= seen.clock_offset < 2.0 + TIMEOUT
