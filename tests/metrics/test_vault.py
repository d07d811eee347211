"""Observations in, exposition text out."""

from __future__ import annotations

import textwrap
from typing import Any

from exporter.exposition.families import Exposition
from exporter.metrics.catalogue import FAMILIES
from exporter.metrics.problems import since_group
from exporter.metrics.vault import VaultGroups
from exporter.vault.observation import Observation
from exporter.vault.servers import Selection, Target

ACTIVE: dict[str, Any] = {"initialized": True, "sealed": False, "standby": False}
SEALED: dict[str, Any] = {"initialized": True, "sealed": True, "standby": True}


class Page:
    """What /metrics shows of Vaults after each round."""

    def __init__(self) -> None:
        self.groups = VaultGroups()
        self.since = since_group()
        self.exposition = Exposition([*self.groups.groups, self.since])

    def __call__(self, *seen: Observation, targets: tuple[Target, ...] | None = None) -> str:
        chosen = tuple(Target(each.vault, each.node, "") for each in seen) if targets is None else targets
        observations = {(each.vault, each.node): each for each in seen}
        self.groups.update(Selection(targets=chosen), observations, 2000.0, self.since)
        self.exposition.refresh()
        body = self.exposition.body(openmetrics=False, gzip=False, now=2000.0).read().decode()
        return "".join(f"{line}\n" for line in body.splitlines() if not line.startswith("#"))


def text(expected: str) -> str:
    return textwrap.dedent(expected).lstrip("\n")


def seen(node: str = "vault-0", state: dict[str, Any] | None = None, **more: Any) -> Observation:
    facts = {"up": True, "configured_node": True, **(ACTIVE if state is None else state), **more}
    return Observation("main", node, 1795455042.1234, 0.0123456789, **facts)


def test_a_healthy_node_over_tls() -> None:
    page = Page()(
        seen(
            tls_verified=True, tls_not_after=2114391845.0, clock_offset=-0.1234567, version="2.7.2", threshold=3, progress=0,
            cluster_name="prod", cluster_id="74180e65-0b02-faf9-aa10-68b5c5c2fdd2", seal_type="shamir", product="openbao",
        )
    )  # fmt: skip
    assert page == text("""
        eso_vault_available{namespace="",vault="main"} 1
        eso_vault_up{namespace="",vault="main",node="vault-0"} 1
        eso_vault_initialized{namespace="",vault="main",node="vault-0"} 1
        eso_vault_sealed{namespace="",vault="main",node="vault-0"} 0
        eso_vault_standby{namespace="",vault="main",node="vault-0"} 0
        eso_vault_active{namespace="",vault="main",node="vault-0"} 1
        eso_vault_tls_verified{namespace="",vault="main",node="vault-0"} 1
        eso_vault_info{namespace="",vault="main",node="vault-0",version="2.7.2",cluster_name="prod",cluster_id="74180e65-0b02-faf9-aa10-68b5c5c2fdd2",seal_type="shamir",product="openbao"} 1
        eso_vault_probe_duration_seconds{namespace="",vault="main",node="vault-0"} 0.012346
        eso_vault_last_probe_timestamp_seconds{namespace="",vault="main",node="vault-0"} 1795455042.123
        eso_vault_unseal_threshold{namespace="",vault="main",node="vault-0"} 3
        eso_vault_tls_not_after_timestamp_seconds{namespace="",vault="main",node="vault-0"} 2114391845
        eso_vault_clock_offset_seconds{namespace="",vault="main",node="vault-0"} -0.123
    """)


def test_a_sealed_vault_while_it_is_unsealed() -> None:
    assert Page()(seen(state=SEALED, progress=1, threshold=3, seal_type="shamir")) == text("""
        eso_vault_available{namespace="",vault="main"} 0
        eso_vault_up{namespace="",vault="main",node="vault-0"} 1
        eso_vault_initialized{namespace="",vault="main",node="vault-0"} 1
        eso_vault_sealed{namespace="",vault="main",node="vault-0"} 1
        eso_vault_standby{namespace="",vault="main",node="vault-0"} 1
        eso_vault_active{namespace="",vault="main",node="vault-0"} 0
        eso_vault_info{namespace="",vault="main",node="vault-0",version="",cluster_name="",cluster_id="",seal_type="shamir",product=""} 1
        eso_vault_probe_duration_seconds{namespace="",vault="main",node="vault-0"} 0.012346
        eso_vault_last_probe_timestamp_seconds{namespace="",vault="main",node="vault-0"} 1795455042.123
        eso_vault_unseal_progress{namespace="",vault="main",node="vault-0"} 1
        eso_vault_unseal_threshold{namespace="",vault="main",node="vault-0"} 3
        eso_vault_problem{namespace="",vault="main",node="",problem="unavailable",error="sealed"} 1
        eso_problem_since_timestamp_seconds{kind="vault",namespace="",name="main",node="",problem="unavailable",basis="observed"} 1795455042
    """)


def test_a_node_that_does_not_answer_has_no_states() -> None:
    assert Page()(
        Observation("main", "vault-0", 1795455042.0, 4.0, up=False, configured_node=True, error="timeout")
    ) == text("""
        eso_vault_available{namespace="",vault="main"} 0
        eso_vault_up{namespace="",vault="main",node="vault-0"} 0
        eso_vault_active{namespace="",vault="main",node="vault-0"} 0
        eso_vault_probe_error{namespace="",vault="main",node="vault-0",error="timeout"} 1
        eso_vault_probe_duration_seconds{namespace="",vault="main",node="vault-0"} 4
        eso_vault_last_probe_timestamp_seconds{namespace="",vault="main",node="vault-0"} 1795455042
        eso_vault_problem{namespace="",vault="main",node="",problem="unavailable",error="unreachable"} 1
        eso_problem_since_timestamp_seconds{kind="vault",namespace="",name="main",node="",problem="unavailable",basis="observed"} 1795455042
    """)


def test_an_address_that_does_not_answer_says_nothing_of_an_active_node() -> None:
    page = Page()(
        Observation("main", "vault:8200", 1795455042.0, 4.0, up=False, error="tls_verify", tls_verified=False)
    )
    assert "eso_vault_active" not in page
    assert 'eso_vault_tls_verified{namespace="",vault="main",node="vault:8200"} 0\n' in page


def test_a_sealed_node_beside_an_active_one() -> None:
    page = Page()(seen("vault-0"), seen("vault-1", SEALED))
    assert 'eso_vault_available{namespace="",vault="main"} 1\n' in page
    assert [line for line in page.splitlines() if "problem" in line] == [
        'eso_vault_problem{namespace="",vault="main",node="vault-1",problem="node_sealed",error="sealed"} 1',
        'eso_problem_since_timestamp_seconds{kind="vault",namespace="",name="main",node="vault-1",problem="node_sealed",basis="observed"} 1795455042',
    ]


def test_a_vault_that_was_not_asked_yet_has_no_lines() -> None:
    assert Page()(targets=(Target("main", "vault-0", ""),)) == ""


def test_nothing_is_left_of_a_vault_that_is_gone_or_of_a_problem_that_ended() -> None:
    page = Page()
    assert "unavailable" in page(seen(state=SEALED))
    healed = page(seen())
    assert "eso_vault_available" in healed
    assert "problem" not in healed
    assert page(seen(state=SEALED), targets=()) == ""
    assert page.groups.judgements == {}


def test_labels_are_escaped() -> None:
    assert r'version="a\"b\\c\n"' in Page()(seen(version='a"b\\c\n'))


def test_every_vault_family_of_the_catalogue_is_there_with_its_labels() -> None:
    specs = {spec.name: spec for spec in FAMILIES if spec.group == "Vault"}
    columns = {column.family.name for column in VaultGroups().vaults.columns}
    assert columns == set(specs)
    full = seen(
        state=SEALED,
        error="rate_limited",
        tls_verified=False,
        tls_not_after=1.0,
        clock_offset=1.0,
        progress=1,
        threshold=3,
    )
    names: set[str] = set()
    for line in Page()(full).splitlines():
        name, _, rest = line.partition("{")
        if name in specs:
            names.add(name)
            assert tuple(part.partition("=")[0] for part in rest.partition("}")[0].split(",")) == specs[name].labels
    assert names == set(specs)
