"""The order of the sources, the environment's names, and where each value comes from."""

from __future__ import annotations

import pytest

from exporter.config.load import load, resolve
from exporter.config.settings import Settings, VaultServer
from exporter.errors import ConfigError

FILE = {"config.file": "f.yaml"}


def read(text: str):
    return lambda _: text


def test_without_anything_the_defaults_hold() -> None:
    resolved = resolve({}, {})
    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}


def test_flags_stand_over_environment_over_file_over_defaults() -> None:
    file = "web: {listen_address: ':1', max_scrapes: 1, max_connections: 1}"
    environ = {"VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS": ":2", "VAULT_ESO_EXPORTER_WEB_MAX_SCRAPES": "2"}
    resolved = resolve({**FILE, "web.listen-address": ":3"}, environ, read(file))

    assert resolved.settings.web.listen_address == ":3"
    assert resolved.settings.web.max_scrapes == 2
    assert resolved.settings.web.max_connections == 1
    assert resolved.settings.web.idle_timeout == 30.0
    assert resolved.origins["web", "listen_address"] == "flag --web.listen-address"
    assert resolved.origins["web", "max_scrapes"] == "environment VAULT_ESO_EXPORTER_WEB_MAX_SCRAPES"
    assert resolved.origins["web", "max_connections"] == "file f.yaml"
    assert resolved.origins["web", "idle_timeout"] == "default"


def test_the_file_may_be_named_by_the_environment() -> None:
    resolved = resolve({}, {"VAULT_ESO_EXPORTER_CONFIG_FILE": "other.yaml"}, read("log: {level: debug}"))
    assert resolved.settings.log.level == "debug"
    assert resolved.file == "other.yaml"


def test_lists_replace_and_split_at_commas() -> None:
    file = read("kubernetes: {namespaces: [a, b]}")
    assert load(FILE, {}, file).kubernetes.namespaces == ("a", "b")
    assert load(FILE, {"VAULT_ESO_EXPORTER_NAMESPACES": "c, d"}, file).kubernetes.namespaces == ("c", "d")
    assert load({**FILE, "namespaces": ("e,f", "g")}, {}, file).kubernetes.namespaces == ("e", "f", "g")


def test_a_flag_can_empty_a_list_and_an_unset_variable_cannot() -> None:
    assert load({"secrets.exclude-namespaces": ("",)}, {}).secrets.exclude_namespaces == ()
    environ = {"VAULT_ESO_EXPORTER_SECRETS_EXCLUDE_NAMESPACES": ""}
    assert load({}, environ).secrets.exclude_namespaces == Settings().secrets.exclude_namespaces


def test_switches_take_truth_values_and_words() -> None:
    assert load({"metrics.age": False}, {}).metrics.age is False
    assert load({"web.enable-reload": True}, {}).web.enable_reload is True
    assert load({}, {"VAULT_ESO_EXPORTER_METRICS_AGE": "No"}).metrics.age is False


def test_vault_flags_add_to_the_file_and_readdress_its_names() -> None:
    file = read(
        "vault: {servers: [{name: main, address: 'https://old.example', ca: pem}, {name: dr, nodes: [{name: a, address: 'http://a'}]}]}"
    )
    resolved = resolve({**FILE, "vault": ("main=https://new.example", "lab=http://127.0.0.1:8200")}, {}, file)

    main, dr, lab = resolved.settings.vault.servers
    assert main == VaultServer(name="main", address="https://new.example", ca="pem")
    assert dr.nodes[0].name == "a"
    assert lab == VaultServer(name="lab", address="http://127.0.0.1:8200")
    assert resolved.origins["vault", "servers"] == "file f.yaml, flag --vault"


def test_several_vaults_in_one_variable() -> None:
    environ = {"VAULT_ESO_EXPORTER_VAULT": "a=https://a.example/x,y, b=https://b.example"}
    assert [(s.name, s.address) for s in load({}, environ).vault.servers] == [
        ("a", "https://a.example/x,y"),
        ("b", "https://b.example"),
    ]


def test_variables_of_others_do_not_matter() -> None:
    environ = {
        "VAULT_ADDR": "https://vault.example",
        "VAULT_TOKEN": "s.x",
        "VAULT_NAMESPACE": "admin",
        "VAULT_ESO_EXPORTER_REVISION": "0ff569d",
        "VAULT_ESO_EXPORTER_SERVICE_HOST": "10.0.0.7",
        "VAULT_ESO_EXPORTER_SERVICE_PORT_METRICS": "10820",
        "VAULT_ESO_EXPORTER_PORT": "tcp://10.0.0.7:10820",
        "VAULT_ESO_EXPORTER_PORT_10820_TCP_ADDR": "10.0.0.7",
        "VAULT_ESO_EXPORTER_TEAM_A_PORT_10820_TCP": "tcp://10.0.0.7:10820",
    }
    assert load({}, environ) == Settings()


@pytest.mark.parametrize(
    ("flags", "environ", "sentence"),
    [
        (
            {},
            {"VAULT_ESO_EXPORTER_LOG_LEVL": "info"},
            "the environment variable VAULT_ESO_EXPORTER_LOG_LEVL is not known; did you mean VAULT_ESO_EXPORTER_LOG_LEVEL?",
        ),
        (
            {},
            {"VAULT_ESO_EXPORTER_WEB_MAX_SCRAPES": "lots"},
            'the environment variable VAULT_ESO_EXPORTER_WEB_MAX_SCRAPES must be a whole number, at least 1, not "lots"',
        ),
        ({"log.level": "loud"}, {}, '--log.level must be one of debug, error, info, warning, not "loud"'),
        (
            {"vault": ("https://vault.example",)},
            {},
            '--vault must be NAME=URL such as main=https://vault.example:8200, not "https://vault.example"',
        ),
        (
            {"vault": ("main=ftp://x",)},
            {},
            'vault.servers[0].address must be an http:// or https:// address, not "ftp://x" (flag --vault)',
        ),
        (
            {"vault.timeout": "1m"},
            {"VAULT_ESO_EXPORTER_VAULT_INTERVAL": "30s"},
            "vault.timeout must be less than vault.interval, else probes of one node would overlap "
            "(environment VAULT_ESO_EXPORTER_VAULT_INTERVAL, flag --vault.timeout)",
        ),
        (
            {"config.file": "/does/not/exist"},
            {},
            "cannot read the configuration file /does/not/exist: No such file or directory",
        ),
    ],
)
def test_a_mistake_names_its_source(flags, environ, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(flags, environ)
    assert str(raised.value) == sentence
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "address", [":0", ":65535", "127.0.0.1:10820", "localhost:1", "[::1]:10820", "[fe80::1%eth0]:9"]
)
def test_listen_addresses(address: str) -> None:
    assert load({"web.listen-address": address}, {}).web.listen_address == address


@pytest.mark.parametrize("address", ["", ":", "x", ":65536", "a:b:1", "::1", "http://x:1", ":-1"])
def test_not_listen_addresses(address: str) -> None:
    with pytest.raises(ConfigError, match=r"web.listen_address must be host:port"):
        load({"web.listen-address": address}, {})
