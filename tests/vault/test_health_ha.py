"""Three nodes of a highly available Vault, asked one by one and through an address, as the demo's double plays them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.config.settings import VaultNode, VaultServer, VaultSettings
from exporter.demo.vault import SimulatedVault
from exporter.vault.health import Observation, probe
from exporter.vault.servers import select

TIMEOUT = 10.0


@pytest.fixture
def ha() -> Iterator[SimulatedVault]:
    with SimulatedVault(nodes=3) as vault:
        yield vault


def nodes(ha: SimulatedVault) -> list[Observation]:
    """Each node asked by its configured name."""
    configured = tuple(VaultNode(f"vault-{number}", url) for number, url in enumerate(ha.urls))
    settings = VaultSettings(servers=(VaultServer("main", nodes=configured),))
    return [probe(target, TIMEOUT) for target in select(settings, ()).targets]


def through(ha: SimulatedVault, number: int) -> Observation:
    """One node asked as an address that a store names."""
    settings = VaultSettings(servers=(VaultServer("main", ha.urls[number]),))
    (target,) = select(settings, ()).targets
    return probe(target, TIMEOUT)


def test_one_node_is_active(ha: SimulatedVault) -> None:
    assert [(each.node, each.active, each.cause) for each in nodes(ha)] == [
        ("vault-0", True, ""),
        ("vault-1", False, "no_active"),
        ("vault-2", False, "no_active"),
    ]


def test_a_standby_behind_an_address_knows_the_leader(ha: SimulatedVault) -> None:
    seen = through(ha, 1)
    assert (seen.standby, seen.active, seen.leader_known, seen.cause) == (True, False, True, "")


def test_sealing_the_active_node_moves_the_lead(ha: SimulatedVault) -> None:
    ha.nodes[0].seal()
    assert [(each.active, each.cause) for each in nodes(ha)] == [(False, "sealed"), (True, ""), (False, "no_active")]
    assert through(ha, 2).cause == ""
    assert through(ha, 0).cause == "sealed"


def test_without_a_leader_nobody_serves(ha: SimulatedVault) -> None:
    ha.leaderless = True
    assert [each.cause for each in nodes(ha)] == ["no_active"] * 3
    seen = through(ha, 1)
    assert (seen.leader_known, seen.cause, seen.attempts) == (False, "no_active", 3)


def test_a_node_that_is_gone(ha: SimulatedVault) -> None:
    ha.nodes[2].stop()
    assert [each.cause for each in nodes(ha)] == ["", "no_active", "unreachable"]


def test_only_tokenless_gets_of_three_endpoints_reach_the_server(ha: SimulatedVault) -> None:
    nodes(ha)
    through(ha, 1)
    asked = {(request.method, request.path) for request in ha.requests}
    assert asked == {("GET", f"/v1/sys/{name}") for name in ("health", "seal-status", "leader")}
    assert not any(
        {"x-vault-token", "x-vault-namespace", "authorization"} & set(request.headers) for request in ha.requests
    )
