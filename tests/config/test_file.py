"""The configuration file: what is read from it, and the sentence for each mistake (one file a mistake in testdata/)."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.file import decode
from exporter.config.load import check_file, load
from exporter.config.settings import OwnershipException, VaultNode, VaultServer
from exporter.errors import ConfigError

MISTAKES = sorted((Path(__file__).parent / "testdata").glob("*.yaml"))


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_a_mistake_is_one_sentence_that_names_the_file_and_the_key(file: Path) -> None:
    expected = file.read_text().splitlines()[0].removeprefix("# ")
    sentence = f"{file}, {expected}" if expected.startswith("line ") else f"{file}: {expected}"

    assert check_file(str(file)) == [sentence]
    with pytest.raises(ConfigError) as raised:
        load({"config.file": str(file)}, {})
    assert expected in str(raised.value)
    assert str(file) in str(raised.value)


def settings_of(text: str):
    return load({"config.file": "/etc/exporter/config.yaml"}, {}, read=lambda _: text)


def test_an_empty_file_and_empty_sections_are_the_defaults() -> None:
    assert settings_of("") == settings_of("# nothing\n") == settings_of("vault:\nweb: {}\nlog: ~\n") == load({}, {})


def test_plain_words_mean_what_they_say() -> None:
    settings = settings_of("""
vault: {discover: off}
secrets: {mode: off, namespaces: {payroll: metadata}}
kubernetes: {context: 2026-12-31, namespaces: [on, 10]}
""")
    assert settings.vault.discover == "off"
    assert settings.secrets.mode == "off"
    assert settings.secrets.namespaces == {"payroll": "metadata"}
    assert settings.kubernetes.context == "2026-12-31"
    assert settings.kubernetes.namespaces == ("on", "10")


def test_nested_items_become_structs_and_files_are_relative_to_the_file() -> None:
    settings = settings_of("""
vault:
  interval: 1m30s
  timeout: 2.5
  servers:
    - name: main
      address: https://vault.example:8200
      aliases: [https://vault]
      ca_file: tls/ca.pem
      nodes: [{name: a, address: "https://10.0.0.1:8200", server_name: vault.example}]
web: {config_file: /srv/web.yaml}
ownership:
  exceptions: [{id: SEC-1, namespace: shop, secret: db, reason: moves soon, until: 2027-03-31}]
""")
    assert settings.vault.interval == 90.0
    assert settings.vault.timeout == 2.5
    assert settings.vault.servers == (
        VaultServer(
            name="main",
            address="https://vault.example:8200",
            aliases=("https://vault",),
            ca_file="/etc/exporter/tls/ca.pem",
            nodes=(VaultNode(name="a", address="https://10.0.0.1:8200", server_name="vault.example"),),
        ),
    )
    assert settings.web.config_file == "/srv/web.yaml"
    assert settings.ownership.exceptions == (
        OwnershipException(id="SEC-1", namespace="shop", secret="db", reason="moves soon", until="2027-03-31"),
    )


def test_every_mistake_of_a_file_is_told_and_load_says_how_many() -> None:
    text = "vault: {intervall: 1s, timeout: x}\nlog: {level: loud}\n"
    assert len(decode(text, "f.yaml").complaints) == 3
    with pytest.raises(
        ConfigError, match=r"^f.yaml, line 1: unknown key \"intervall\".*\(2 more; `config check` lists"
    ):
        load({"config.file": "f.yaml"}, {}, read=lambda _: text)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "cannot read the configuration file {path}: No such file or directory"),
        (lambda path: path.mkdir(), "cannot read the configuration file {path}: Is a directory"),
        (
            lambda path: path.write_bytes(b"\xff\xfe\x00"),
            "cannot read the configuration file {path}: it is not UTF-8 text",
        ),
    ],
    ids=["absent", "directory", "binary"],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make, sentence: str) -> None:
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(ConfigError) as raised:
        load({"config.file": str(path)}, {})
    assert str(raised.value) == sentence.format(path=path)
