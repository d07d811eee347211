"""The list of families that `metrics` prints is the catalogue."""

from __future__ import annotations

from exporter.cli import main
from exporter.metrics.catalogue import FAMILIES


def test_names_are_those_of_the_catalogue(capsys) -> None:
    assert main(["metrics", "--names"]) == 0
    assert capsys.readouterr().out.splitlines() == [family.name for family in FAMILIES]


def test_the_table_tells_labels_and_help(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    assert main(["metrics", "eso_manual_secrets"]) == 0
    out = capsys.readouterr().out
    (family,) = [one for one in FAMILIES if one.name == "eso_manual_secrets"]
    (line,) = [line for line in out.splitlines() if line.startswith("eso_manual_secrets ")]
    assert ", ".join(family.labels) in line
    assert family.help[:40] in line
    assert out.splitlines()[0].strip() == family.group


def test_a_glob_that_matches_nothing_is_usage(capsys) -> None:
    assert main(["metrics", "vault_*"]) == 2
    assert "no family matches vault_*" in capsys.readouterr().err
