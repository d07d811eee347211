from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exporter.config.settings import VaultNode, VaultServer, VaultSettings
from exporter.vault.servers import NotProbed, Selection, StoreServer, select, vault_name


def cluster(server: str, name: str = "shared", ca: bytes = b"", provider: str = "vault") -> StoreServer:
    return StoreServer("ClusterSecretStore", "", name, server, provider, ca)


def tenant(server: str, namespace: str = "team", name: str = "own", ca: bytes = b"") -> StoreServer:
    return StoreServer("SecretStore", namespace, name, server, "vault", ca)


def addresses(selection: Selection) -> list[str]:
    return [target.address for target in selection.targets]


def settings(*servers: VaultServer, **more: Any) -> VaultSettings:
    return VaultSettings(servers=servers, **more)


def test_cluster_stores_are_probed_without_any_configuration() -> None:
    selection = select(
        settings(),
        [
            cluster("https://vault:8200/"),
            cluster("HTTPS://VAULT:8200", "other"),
            cluster("https://bao", provider="openbao"),
        ],
    )
    assert [msgspec.structs.astuple(target)[:3] for target in selection.targets] == [
        ("bao", "bao", "https://bao"),
        ("vault:8200", "vault:8200", "https://vault:8200"),
    ]
    assert not any(target.configured_nodes for target in selection.targets)
    assert selection.states == {"probed": 2, "not_allowed": 0, "refused": 0, "excess": 0}
    assert selection.not_probed == ()


def test_other_providers_are_no_vaults() -> None:
    assert select(settings(), [cluster("https://gitlab", provider="gitlab")]).targets == ()


def test_namespaced_stores_do_not_steer_us() -> None:
    selection = select(settings(), [tenant("http://10.0.0.1:22"), tenant("https://elsewhere")])
    assert selection.targets == ()
    assert selection.states["not_allowed"] == 2
    assert selection.not_probed == (
        NotProbed("http://10.0.0.1:22", "not_allowed", "allow it with --vault.allow=10.0.0.1:22"),
        NotProbed("https://elsewhere", "not_allowed", "allow it with --vault.allow=elsewhere"),
    )


def test_a_namespaced_store_may_name_what_a_cluster_store_names() -> None:
    selection = select(settings(), [tenant("https://vault:8200"), cluster("https://vault:8200")])
    assert addresses(selection) == ["https://vault:8200"]
    assert selection.states == {"probed": 1, "not_allowed": 0, "refused": 0, "excess": 0}


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("vault.team.svc:8200", True),
        ("*.team.svc:8200", True),
        ("*.TEAM.svc:*", True),
        ("http://*.team.svc:8200", True),
        ("*://vault.team.svc:8200", True),
        ("*", True),
        ("vault.team.svc", False),
        ("https://*.team.svc:8200", False),
        ("*.other.svc:8200", False),
        ("http://vault.team.svc:8200/path", False),
    ],
)
def test_allow_patterns(pattern: str, allowed: bool) -> None:
    selection = select(settings(allow=(pattern,)), [tenant("http://vault.team.svc:8200")])
    assert bool(selection.targets) is allowed


def test_a_star_never_crosses_a_slash() -> None:
    stores = [tenant("https://evil.example/.corp.example")]
    assert select(settings(allow=("https://*.corp.example", "*.corp.example")), stores).targets == ()


def test_default_port_may_be_left_out_of_a_pattern() -> None:
    for pattern in ("vault", "vault:443", "https://vault", "https://vault:443/"):
        assert select(settings(allow=(pattern,)), [tenant("https://vault")]).targets


def test_discover_all_and_off() -> None:
    stores = [tenant("https://a"), cluster("https://b")]
    assert addresses(select(settings(discover="all"), stores)) == ["https://b", "https://a"]
    off = select(settings(VaultServer("main", "https://c"), discover="off", allow=("*",)), stores)
    assert addresses(off) == ["https://c"]
    assert off.states == {"probed": 0, "not_allowed": 2, "refused": 0, "excess": 0}
    assert {each.hint for each in off.not_probed} == {
        "allow it with --vault.discover=cluster",
        "allow it with --vault.discover=cluster and --vault.allow=a",
    }


def test_forbidden_and_unreadable_servers_are_refused_whoever_names_them() -> None:
    selection = select(
        settings(discover="all"),
        [
            cluster("http://169.254.169.254"),
            tenant("http://2852039166"),
            cluster("vault:8200", "typo"),
            tenant("user:pw@x"),
        ],
    )
    assert selection.targets == ()
    assert selection.states == {"probed": 0, "not_allowed": 0, "refused": 3, "excess": 0}
    assert [each.server for each in selection.not_probed] == [
        "http://169.254.169.254",
        "ClusterSecretStore typo",
        "SecretStore team/own",
    ]
    assert "pw" not in repr(selection)


def test_at_most_max_servers_configured_then_cluster_then_tenants() -> None:
    stores = [tenant("https://a"), *(cluster(f"https://c{number}") for number in range(5))]
    selection = select(settings(VaultServer("main", "https://z"), max_servers=3, discover="all"), stores)
    assert addresses(selection) == ["https://z", "https://c0", "https://c1"]
    assert selection.states == {"probed": 2, "not_allowed": 0, "refused": 0, "excess": 4}
    assert selection.not_probed[0] == NotProbed(
        "https://c2", "excess", "more than 3 addresses: raise --vault.max-servers"
    )
    assert (
        select(settings(VaultServer("main", "https://z"), max_servers=3, discover="all"), reversed(stores)) == selection
    )


def test_a_thousand_tenants_do_not_push_out_a_cluster_store() -> None:
    stores = [*(tenant(f"https://a{number}", f"n{number}") for number in range(1000)), cluster("https://z")]
    selection = select(settings(discover="all"), stores)
    assert len(selection.targets) == 50
    assert selection.targets[0].address == "https://z"
    assert selection.states["excess"] == 951


def test_configured_server_gives_its_name_and_ca_to_stores() -> None:
    main = VaultServer("main", "https://vault.vault.svc:8200", aliases=("https://vault.example.com",), ca="PEM")
    selection = select(
        settings(main), [cluster("https://vault.example.com/", ca=b"store's"), cluster("https://vault.vault.svc:8200")]
    )
    (target,) = selection.targets
    assert (target.vault, target.node, target.ca_pem) == ("main", "vault.vault.svc:8200", b"PEM")
    assert selection.states["probed"] == 2
    assert vault_name(selection, "https://VAULT.example.com:443") == "main"


def test_nodes_are_probed_instead_of_the_address() -> None:
    nodes = (
        VaultNode("vault-0", "https://10.0.0.1:8200", "vault-0.vault-internal"),
        VaultNode("vault-1", "https://10.0.0.2:8200"),
    )
    selection = select(
        settings(VaultServer("main", "https://vault:8200", nodes=nodes, ca_file="/ca.pem")),
        [cluster("https://vault:8200", ca=b"x")],
    )
    assert [
        (t.vault, t.node, t.address, t.server_name, t.ca_file, t.ca_pem, t.configured_nodes) for t in selection.targets
    ] == [
        ("main", "vault-0", "https://10.0.0.1:8200", "vault-0.vault-internal", "/ca.pem", b"", True),
        ("main", "vault-1", "https://10.0.0.2:8200", "", "/ca.pem", b"", True),
    ]


def test_a_store_without_ca_in_the_configuration_lends_its_bundle() -> None:
    selection = select(
        settings(VaultServer("main", "https://v")),
        [cluster("https://v", ca=b"store's"), tenant("https://v", ca=b"evil")],
    )
    assert selection.targets[0].ca_pem == b"store's"


def test_namespaced_bundles_never_reach_a_configured_or_cluster_server() -> None:
    evil = tenant("https://v", ca=b"evil")
    assert select(settings(VaultServer("main", "https://v")), [evil]).targets[0].ca_pem == b""
    assert select(settings(), [evil, cluster("https://v")]).targets[0].ca_pem == b""
    assert select(settings(), [evil, cluster("https://v", ca=b"good")]).targets[0].ca_pem == b"good"


def test_bundles_of_cluster_stores_are_joined_and_those_of_tenants_count_when_all_agree() -> None:
    joined = select(
        settings(), [cluster("https://v", "a", b"two"), cluster("https://v", "b", b"one"), cluster("https://v", "c")]
    )
    assert joined.targets[0].ca_pem == b"one\ntwo"
    agree = [tenant("https://v", "a", ca=b"ca"), tenant("https://v", "b", ca=b"ca\n")]
    assert select(settings(discover="all"), agree).targets[0].ca_pem == b"ca"
    assert select(settings(discover="all"), [*agree, tenant("https://v", "c")]).targets[0].ca_pem == b""


def test_vault_names_are_unique_and_stable() -> None:
    stores = [cluster("http://v:8200"), cluster("https://v:8200"), tenant("https://main"), tenant("http://w:8200")]
    selection = select(settings(VaultServer("main", "https://x")), stores)
    names = [vault_name(selection, store.server) for store in stores]
    assert names == ["http://v:8200", "v:8200", "https://main", "w:8200"]
    without = select(settings(VaultServer("main", "https://x")), stores[1:])
    assert vault_name(without, "https://v:8200") == "v:8200"
    assert vault_name(without, "http://v:8200") == "http://v:8200"


def test_name_of_an_unknown_or_unreadable_server() -> None:
    assert vault_name(Selection(), "https://v:8200/x/") == "v:8200/x"
    assert vault_name(Selection(), "nonsense") == ""


def test_the_order_of_stores_does_not_matter() -> None:
    stores = [cluster("https://b"), tenant("https://a"), cluster("https://a", ca=b"x"), tenant("https://c")]
    assert select(settings(), stores) == select(settings(), stores[::-1])
