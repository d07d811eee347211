"""`demo` as a person runs it: one exposition and nothing else, or the address and the story."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics.catalogue import FAMILIES

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "exporter", "demo"]


def demo(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=100
    )


@pytest.fixture(scope="module")
def once() -> subprocess.CompletedProcess[str]:
    return demo("--once")


def test_once_prints_one_exposition_and_nothing_else(once) -> None:
    assert (once.returncode, once.stderr) == (0, "")
    assert all(re.match(r"# (HELP|TYPE) |[a-z_]+[{ ]", line) for line in once.stdout.splitlines())
    families = {family.name: family.samples for family in text_string_to_metric_families(once.stdout)}
    assert sum(sample.value for sample in families["eso_manual_secrets"]) == 3
    assert {sample.value for sample in families["eso_externalsecret_ready"]} == {0.0, 1.0}
    assert {sample.labels["vault"] for sample in families["eso_vault_sealed"]} == {"main"}
    assert [sample.value for sample in families["eso_vault_available"]] == [1.0]
    assert sorted(sample.value for sample in families["eso_vault_sealed"]) == [0.0, 0.0, 1.0]


def test_once_as_openmetrics_is_read_by_the_reference_parser() -> None:
    done = demo("--once", "--format=openmetrics")
    assert (done.returncode, done.stderr) == (0, "")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(done.stdout)}
    assert {"eso_externalsecret_ready", "eso_vault_sealed", "eso_manual_secrets"} <= families.keys()
    assert families["eso_exporter_lists"].type == "counter"
    assert families["eso_externalsecret_last_sync_age_seconds"].unit in ("", "seconds")


def test_once_shows_families_of_the_catalogue_only(once) -> None:
    known = {family.name for family in FAMILIES}
    named = {line.split()[2] for line in once.stdout.splitlines() if line.startswith("# TYPE eso_")}
    assert named <= known


def test_the_picture_in_the_readme_is_real(once) -> None:
    pictured = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("eso_")]
    assert len(pictured) > 10
    assert [line for line in pictured if line not in once.stdout.splitlines()] == []


def test_once_heeds_neither_the_environment_nor_proxies() -> None:
    done = demo(
        "--once",
        "--metrics.disable=eso_vault_*",
        "--no-metrics.age",
        VAULT_ESO_EXPORTER_CONFIG_FILE="/does/not/exist",
        VAULT_ADDR="http://127.0.0.1:1",
        HTTP_PROXY="http://127.0.0.1:1",
        HTTPS_PROXY="http://127.0.0.1:1",
        http_proxy="http://127.0.0.1:1",
        https_proxy="http://127.0.0.1:1",
        KUBECONFIG="/does/not/exist",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "eso_externalsecret_ready{" in done.stdout
    assert "eso_vault_" not in done.stdout
    assert "last_sync_age" not in done.stdout


def test_without_once_it_tells_the_address_and_the_story_until_it_is_interrupted() -> None:
    process = subprocess.Popen(
        [*COMMAND, "--scale=0.01"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if "The story is told" in line:
            process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert re.search(r"http://127\.0\.0\.1:\d+", told[0])
    assert any("migration 1 of 3" in line for line in told[told.index("Ctrl-C ends it.\n") :])
