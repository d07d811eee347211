"""`config show` can be read back, tells origins and hides what a URL may hold; the page is made from the same tables."""

from __future__ import annotations

import re

import pytest
import yaml

from exporter.config.document import render
from exporter.config.load import check_file, load, resolve
from exporter.config.options import FILE_ONLY, OPTIONS
from exporter.config.schema import SETTINGS, dotted, redact
from exporter.config.show import not_default, show

FILE = """
vault:
  interval: 1500ms
  timeout: 1s
  discover: off
  servers:
    - {name: main, address: "https://vault.example:8200", ca_file: /etc/ca.pem, nodes: [{name: a, address: "http://a"}]}
secrets: {namespaces: {payroll: off}, exclude_namespaces: []}
kubernetes: {context: "yes", namespaces: [on, shop]}
ownership:
  rules: [{name: ours, result: controller, owner_kind: Database.example.com}]
  exceptions: [{id: SEC-1, namespace: shop, secret: db, reason: "moves: soon", until: 2027-03-31}]
"""


@pytest.mark.parametrize("text", ["", FILE], ids=["defaults", "everything"])
def test_what_is_shown_reads_back_as_the_same_settings(text: str) -> None:
    resolved = resolve({"config.file": "/f.yaml", "log.level": "debug"}, {}, lambda _: text)
    shown = show(resolved)
    assert load({"config.file": "/g.yaml"}, {}, lambda _: shown) == resolved.settings


def test_every_setting_is_shown_with_its_origin() -> None:
    shown = show(resolve({"log.level": "debug"}, {"VAULT_ESO_EXPORTER_LOG_FORMAT": "json"}))
    assert "  level: debug  # flag --log.level\n" in shown
    assert "  format: json  # environment VAULT_ESO_EXPORTER_LOG_FORMAT\n" in shown
    assert "  interval: 10s  # default\n" in shown
    assert len(re.findall(r"  # (default|flag|environment)", shown)) == len(SETTINGS)


def test_what_somebody_gave_is_told_in_one_line_each() -> None:
    resolved = resolve({"vault": ("a=http://a",), "vault.interval": "90"}, {"VAULT_ESO_EXPORTER_NAMESPACES": "b,c"})
    assert not_default(resolved) == {
        "vault.servers": ('[{"name": "a", "address": "http://a"}]', "flag --vault"),
        "vault.interval": ("1m30s", "flag --vault.interval"),
        "kubernetes.namespaces": ('["b", "c"]', "environment VAULT_ESO_EXPORTER_NAMESPACES"),
    }


def test_users_and_passwords_of_urls_are_hidden() -> None:
    assert (
        redact("see https://me:hunter2@vault.example/x, http://token@b")
        == "see https://***@vault.example/x, http://***@b"
    )
    assert redact("mail me@example.com") == "mail me@example.com"


def test_the_page_has_every_flag_and_key() -> None:
    page = render()
    for option in OPTIONS:
        assert re.search(rf"^\| `--(\[no-\])?{re.escape(option.flag)}[ `]", page, re.MULTILINE), option.flag
    for path in [*SETTINGS, *FILE_ONLY]:
        assert f"`{dotted(path)}`" in page


def test_the_example_of_the_page_is_good(tmp_path) -> None:
    example = re.findall(r"```yaml\n(.*?)```", render(), re.DOTALL)
    assert len(example) == 1
    assert set(yaml.safe_load(example[0])) == {"vault", "secrets", "ownership"}
    (tmp_path / "config.yaml").write_text(example[0])
    assert check_file(str(tmp_path / "config.yaml")) == []
