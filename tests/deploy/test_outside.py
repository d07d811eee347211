"""What is needed outside a cluster: the systemd units, the kubeconfig script, Prometheus' configuration without its operator."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.cli import main
from exporter.kube import residue
from tests.repo.tracked import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
SERVICE = SYSTEMD / "vault-eso-exporter.service"


def settings(unit: Path) -> dict[str, list[str]]:
    """The unit's settings by name; systemd allows a name more than once."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_calls_a_command_line_that_exists(capsys) -> None:
    [command] = settings(SERVICE)["ExecStart"]
    program, name, *arguments = shlex.split(command)
    assert Path(program).name == "vault-eso-exporter"
    # `config show` takes the flags of `serve`, and starts nothing.
    assert name == "serve"
    files = [argument for argument in arguments if "/etc/" in argument]
    assert main(["config", "show", *(one for one in arguments if one not in files)]) == 0
    assert "127.0.0.1:10820" in capsys.readouterr().out
    assert {one.split("=")[0] for one in files} == {"--config.file", "--kubeconfig"}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    program = tmp_path / "vault-eso-exporter"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in SYSTEMD.glob("vault-eso-exporter*.*"):
        if unit.suffix in (".service", ".timer"):
            text = unit.read_text().replace("/opt/vault-eso-exporter/bin/vault-eso-exporter", str(program))
            (tmp_path / unit.name).write_text(text)
    for unit in (*tmp_path.glob("*.service"), *tmp_path.glob("*.timer")):
        asked = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (asked.returncode, asked.stderr) == (0, ""), unit.name


def test_the_unit_is_locked_down() -> None:
    found = settings(SERVICE)
    for name, value in {
        "User": "vault-eso-exporter",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "CapabilityBoundingSet": "",
        "LimitCORE": "0",
        "Environment": "GLIBC_TUNABLES=" + residue.ENVIRONMENT["GLIBC_TUNABLES"],
    }.items():
        assert found[name] == [value]


@pytest.mark.parametrize("script", sorted(ROOT.glob("deploy/**/*.sh")), ids=lambda file: file.name)
def test_shell_scripts_are_posix_and_executable(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    assert script.stat().st_mode & 0o111
    shell = shutil.which("dash") or "sh"
    assert subprocess.run([shell, "-n", str(script)], capture_output=True, check=False).returncode == 0


def test_the_object_keeps_its_own_namespace_when_scraped() -> None:
    file = ROOT / "deploy" / "prometheus" / "scrape.yaml"
    jobs = yaml.safe_load(file.read_text())["scrape_configs"]
    assert [job["honor_labels"] for job in jobs] == [True, True]
