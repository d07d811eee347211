"""`serve` with an Alertmanager: alerts of the simulated cluster, metrics, reload, health and a quiet end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.demo import Demo
from tests.cli.running import Serve, eventually
from tests.notify.alertmanager import AlertmanagerDouble

EXTERNAL = {"cluster": "demo"}


@pytest.fixture
def double() -> Iterator[AlertmanagerDouble]:
    made = AlertmanagerDouble()
    yield made
    made.close()


def test_from_start_to_end(double: AlertmanagerDouble, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"alertmanager: {{urls: ['{double.url}'], labels: {{cluster: demo}}, interval: 1s, time_scale: 0.002}}\n"
    )
    arguments = ("--web.listen-address=127.0.0.1:0", f"--config.file={config}")
    with Demo() as demo, Serve("--kubeconfig", str(demo.kubeconfig), *arguments) as running:
        running.listening()
        # The picture of the README: one ExternalSecret that fails, three Secrets made by hand.
        assert eventually(lambda: {"EsoExporterHeartbeat", "EsoManualSecretsRemain"} <= double.active()), double.posts
        assert eventually(lambda: "EsoExternalSecretNotReady" in double.active())
        sent = double.sent("EsoExternalSecretNotReady")[0]
        assert sent["labels"] == {
            "alertname": "EsoExternalSecretNotReady",
            "severity": "warning",
            "cluster": "demo",
            "namespace": "observability",
            "name": "alerting-pagerduty",
            "store_kind": "ClusterSecretStore",
            "store": "vault-backend",
            "vault": sent["labels"]["vault"],
        }
        assert "class path_missing" in sent["annotations"]["description"]
        digests = {one["labels"]["namespace"] for one in double.sent("EsoManualSecretsRemain")}
        assert digests == {"keybuzz-api-dev", "keybuzz-client-dev"}
        assert eventually(lambda: running.sample("eso_exporter_notify_heartbeat") == 1)
        assert running.get("/-/healthy")[0] == 200

        config.write_text("alertmanager: {urls: []}\n")
        running.send(signal.SIGHUP)
        assert eventually(lambda: running.sample("eso_exporter_notify_heartbeat") is None)
        running.send(signal.SIGTERM)
        code, _, err = running.ended()
    assert code == 0
    assert "Traceback" not in err
