"""`config show` and `config check` as a person runs them."""

from __future__ import annotations

from pathlib import Path

from exporter.cli import main


def test_show_tells_values_and_origins(capsys, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("log: {format: json}\n")
    monkeypatch.setenv("VAULT_ESO_EXPORTER_NAMESPACES", "shop,web")
    arguments = [
        "--config.file",
        str(tmp_path / "config.yaml"),
        "--no-metrics.age",
        "--vault",
        "a=http://a",
        "--vault",
        "b=http://b",
    ]
    assert main(["config", "show", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"  format: json  # file {tmp_path}/config.yaml\n" in out
    assert '  namespaces: ["shop", "web"]  # environment VAULT_ESO_EXPORTER_NAMESPACES\n' in out
    assert "  age: false  # flag --metrics.age\n" in out
    assert "  servers:  # flag --vault\n    - name: a\n      address: http://a\n    - name: b\n" in out


def test_check_of_a_good_file(capsys, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("log: {format: json}\n")
    assert main(["config", "check", str(tmp_path / "config.yaml")]) == 0
    assert capsys.readouterr() == (f"{tmp_path}/config.yaml is good\n", "")


def test_check_lists_every_mistake(capsys, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("log: {format: xml}\nwep: {}\n")
    assert main(["config", "check", str(tmp_path / "config.yaml")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(": ")[2] for line in err.splitlines()] == [
        'unknown key "wep"; did you mean web?',
        'log.format must be one of console, json, not "xml"',
    ]


def test_help_groups_flags_by_section_and_tells_defaults(capsys) -> None:
    assert main(["config", "show", "--help"]) == 0
    out, _ = capsys.readouterr()
    sections = [
        "Configuration:",
        "Kubernetes:",
        "Vault:",
        "Web:",
        "Metrics:",
        "Log:",
        "Judge:",
        "Secrets:",
        "Owner:",
        "Operator:",
    ]
    places = [out.index(f"\n{section}\n") for section in sections]
    assert places == sorted(places)
    assert "--web.listen-address TEXT" in out
    assert "[default: :10820]" in out
    assert "--metrics.age / --no-metrics.age" in out
