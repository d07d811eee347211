"""`serve` from start to end: what stops it, what reloads it, and how it says that it cannot start."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.demo.demo import Demo
from tests.cli.running import Serve, eventually

RELOADED = "eso_exporter_config_last_reload_successful"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text("log: {level: info}\n")
    return file


def serve(demo: Demo, *arguments: str) -> Serve:
    return Serve("--kubeconfig", str(demo.kubeconfig), "--web.listen-address=127.0.0.1:0", *arguments)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(demo: Demo, number: signal.Signals) -> None:
    with serve(demo) as running:
        running.listening()
        assert eventually(lambda: running.get("/-/ready")[0] == 200)
        assert running.get("/-/healthy")[0] == 200
        assert "\neso_externalsecret_ready{" in running.get("/metrics")[1]
        running.send(number)
        code, out, err = running.ended()
    assert (code, out) == (0, "")
    assert "Traceback" not in err


def test_openmetrics_is_read_by_the_reference_parser(demo: Demo) -> None:
    with serve(demo).listening() as running:
        assert eventually(lambda: running.get("/-/ready")[0] == 200)
        status, body = running.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    families = {family.name for family in text_string_to_metric_families(body)}
    assert {"eso_externalsecret_ready", "eso_manual_secrets", "eso_exporter_lists"} <= families


def test_a_stop_while_it_starts_is_a_stop(demo: Demo) -> None:
    with serve(demo) as running:
        running.listening()
        running.send(signal.SIGTERM)
        code, _, err = running.ended()
    assert code == 0
    assert "Traceback" not in err


def test_sighup_reloads_and_a_mistake_keeps_the_old_configuration(demo: Demo, config: Path) -> None:
    with serve(demo, "--config.file", str(config)) as running:
        running.listening()
        assert eventually(lambda: running.sample(RELOADED) == 1)

        config.write_text("log: {levle: info}\n")
        running.send(signal.SIGHUP)
        told = running.logged("the new configuration is not good, the old one stays")
        assert told["error"] == f'{config}, line 1: unknown key "levle" in log; did you mean level?'
        assert eventually(lambda: running.sample(RELOADED) == 0)
        assert running.get("/-/healthy")[0] == 200

        config.write_text("log: {level: debug}\n")
        running.send(signal.SIGHUP)
        running.logged("the configuration was read again")
        assert eventually(lambda: running.sample(RELOADED) == 1)


def test_a_changed_file_reloads_by_itself(demo: Demo, config: Path) -> None:
    with serve(demo, "--config.file", str(config)) as running:
        running.listening()
        config.write_text("vault: {interval: soon}\n")
        assert running.logged("a configuration file changed")["file"] == str(config)
        assert eventually(lambda: running.sample(RELOADED) == 0)


def test_reload_by_http_is_off_unless_it_is_allowed(demo: Demo, config: Path) -> None:
    with serve(demo, "--config.file", str(config)) as running:
        assert running.listening().get("/-/reload", "POST")[0] in (403, 404)
    with serve(demo, "--config.file", str(config), "--web.enable-reload") as running:
        assert running.listening().get("/-/reload", "POST")[0] == 200
        config.write_text("nonsense: 1\n")
        status, body = running.get("/-/reload", "POST")
        assert status >= 400
        assert 'unknown key "nonsense"' in body
        assert eventually(lambda: running.sample(RELOADED) == 0)


def test_a_reload_changes_the_log_level_too(demo: Demo, config: Path) -> None:
    with serve(demo, "--config.file", str(config), "--web.enable-reload") as running:
        running.listening()
        config.write_text("log: {level: error}\n")
        assert running.get("/-/reload", "POST")[0] == 200
        running.send(signal.SIGTERM)
        code, _, err = running.ended()
    assert code == 0
    assert "the configuration was read again" not in err
    assert "stopping" not in err


def test_debug_tells_the_settings_that_somebody_gave(demo: Demo) -> None:
    with serve(demo, "--log.level=debug", "--vault=main=http://127.0.0.1:1") as running:
        told = [running.logged("setting") for _ in range(5)]
    assert {line["name"]: line["origin"] for line in told} == {
        "log.level": "flag --log.level",
        "log.format": "flag --log.format",
        "web.listen_address": "flag --web.listen-address",
        "kubernetes.kubeconfig": "flag --kubeconfig",
        "vault.servers": "flag --vault",
    }


def test_a_port_in_use_is_one_sentence(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Serve("--kubeconfig", str(demo.kubeconfig), f"--web.listen-address=127.0.0.1:{port}") as running:
            code, out, err = running.ended()
    assert (code, out) == (1, "")
    (sentence,) = [line for line in err.splitlines() if line.startswith("vault-eso-exporter: ")]
    assert str(port) in sentence
    assert "Traceback" not in err


def test_neither_a_kubeconfig_nor_a_cluster_is_one_sentence(tmp_path: Path) -> None:
    with Serve("--web.listen-address=127.0.0.1:0", environ={"HOME": str(tmp_path)}) as running:
        code, out, err = running.ended()
    assert (code, out) == (2, "")
    (sentence,) = [line for line in err.splitlines() if line.startswith("vault-eso-exporter: ")]
    assert "--kubeconfig" in sentence
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("wep: {}\n", 'line 1: unknown key "wep"; did you mean web?'), (None, "cannot read the configuration file")],
)
def test_a_bad_configuration_is_one_sentence_before_anything_starts(tmp_path: Path, content, sentence: str) -> None:
    file = tmp_path / "config.yaml"
    if content:
        file.write_text(content)
    with Serve("--config.file", str(file)) as running:
        code, out, err = running.ended()
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
