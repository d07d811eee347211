"""The stage of the end-to-end tests of alerts: a healthy cluster, its exporter, Prometheus with the shipped rules, and Alertmanager
with the shipped configuration, which sends to a webhook that writes everything down.

A minute of the rules and of Alertmanager's routes is a second here. ESO's own times cannot be scaled: its retries grow to seven
minutes, so a test that mends something also has ESO try again, seven scaled minutes later for a store and seven more for what reads
from it, as long as it may take in life.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from alerts import generate
from tests.alerts.alertmanager import configuration, with_receivers
from tests.lab import objects
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.monitoring import Prometheus
from tests.lab.objects import Object
from tests.lab.servers import ESO_NAMESPACE, VAULT_TOKEN, Lab
from tests.lab.waiting import wait_until
from tests.lab.webhook import Webhook

SCALE = 1 / 60
JOB = "vault-eso-exporter"
STORE = "vault-backend"
SHOP, PAYROLL = "shop", "payroll"
SECRETS = {SHOP: [f"shop-{number}" for number in range(12)], PAYROLL: [f"payroll-{number}" for number in range(8)]}
SETTINGS = {
    "vault": {"interval": "2s", "timeout": "1900ms"},
    "kubernetes": {"watch_timeout": "2s"},  # three minutes, scaled: EsoExporterBlind counts from the end of watches
}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def minutes(scaled: float) -> float:
    """Minutes of the rules in seconds of the test."""
    return scaled * 60 * SCALE


class PatientPrometheus(Prometheus):
    """Tells Alertmanager of a firing alert only every five seconds, so that each message holds for twenty: on a busy machine a
    second or two without an evaluation must not look like an end. What begins or ends is told at once as ever."""

    def command(self) -> Sequence[str | Path]:
        given = [str(part) for part in super().command()]
        assert any(part.startswith("--rules.alert.resend-delay=") for part in given)
        return [re.sub(r"^(--rules\.alert\.resend-delay)=.*", r"\1=5s", part) for part in given]


class Watched:
    """The stage: `lab`, `exporter`, `prometheus` and the `webhook` where messages come out."""

    def __init__(self, lab: Lab, exporter: Exporter, webhook: Webhook) -> None:
        self.lab = lab
        self.cluster = lab.cluster
        self.openbao = lab.openbao
        self.prometheus = lab.prometheus
        self.exporter = exporter
        self.webhook = webhook

    def store(self) -> Object:
        """The one store; ESO looks at it every two seconds."""
        one = objects.vault_store(STORE, self.openbao.address, token=VAULT_TOKEN)
        one["spec"]["refreshInterval"] = 2
        return one

    def external_secret(self, namespace: str, name: str) -> Object:
        """An ExternalSecret that is refreshed every three seconds."""
        return objects.external_secret(namespace, name, path=f"{namespace}/{name}", interval="3s")

    def external_secrets(self) -> list[Object]:
        """All twenty."""
        return [self.external_secret(namespace, name) for namespace, names in SECRETS.items() for name in names]

    def try_again(self, *references: Object) -> None:
        """Has ESO look at these now, as the runbooks do: by a change of an annotation."""
        for one in references:
            self.cluster.patch(one, {"metadata": {"annotations": {"force-sync": str(time.time())}}})

    def firing(self) -> list[dict[str, str]]:
        """The labels of the alerts that Prometheus says fire now."""
        return [one["labels"] for one in self.prometheus.alerts() if one["state"] == "firing"]

    def wait_quiet(self, timeout: float = 120.0) -> None:
        """Waits until no alert fires and Alertmanager holds none, then forgets the messages."""

        def quiet() -> bool:
            assert not self.prometheus.alerts(), f"in Prometheus: {self.prometheus.alerts()}"
            held = [one["labels"] for one in self.lab.alertmanager.alerts()]
            assert not held, f"in Alertmanager: {held}"
            return True

        wait_until("all is quiet", quiet, timeout, every=0.5)
        self.webhook.clear()


@contextmanager
def begin(folder: Path) -> Iterator[Watched]:
    """Everything started, all twenty ExternalSecrets synced, ESO's Deployment ready, nothing pending."""
    lab = Lab(folder / "lab")
    lab.prometheus = PatientPrometheus(folder / "lab")
    webhook = Webhook()
    exporter: Exporter | None = None
    try:
        lab.start()
        webhook.start()
        install_rbac(lab.cluster)
        kubeconfig = lab.cluster.service_account_kubeconfig(folder / "exporter.kubeconfig", NAMESPACE, ACCOUNT)
        exporter = Exporter(folder, kubeconfig, settings=SETTINGS)
        stage = Watched(lab, exporter, webhook)
        fill(stage)
        exporter.start()
        rules = folder / "rules.yaml"
        rules.write_text(yaml.safe_dump(generate.rules(scale=SCALE)))
        lab.alertmanager.configure(for_the_lab(configuration(), webhook))
        lab.prometheus.configure({JOB: exporter.target}, [rules], [lab.alertmanager.target])
        lab.prometheus.wait_for_value("sum(eso_externalsecret_ready)", 20)
        stage.wait_quiet()
        yield stage
    finally:
        if exporter is not None:
            exporter.kill()
        lab.stop()
        webhook.stop()


def fill(stage: Watched) -> None:
    """The namespaces, ESO's Deployment with a ready Pod, the store, and all twenty ExternalSecrets, synced."""
    cluster = stage.cluster
    operator = objects.deployment(ESO_NAMESPACE, "external-secrets")
    operator["metadata"]["labels"] = {"app.kubernetes.io/name": "external-secrets"}
    cluster.apply(objects.namespace(SHOP, labels={"team": "shop"}), objects.namespace(PAYROLL), operator, stage.store())
    for namespace, names in SECRETS.items():
        for name in names:
            stage.openbao.put(f"secret/{namespace}/{name}", {"password": "not-to-be-seen"})
    cluster.wait_ready(stage.store())
    cluster.apply(*stage.external_secrets())
    for one in stage.external_secrets():
        cluster.wait_ready(one)
    # There is no kubelet: the test says what one would.
    [pod] = wait_until("ESO's Pod is there", lambda: cluster.list("v1", "Pod", ESO_NAMESPACE) or None)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.patch({"apiVersion": "v1", "kind": "Pod", **pod}, {"status": ready}, subresource="status")
    cluster.wait_for(operator, lambda found: found["status"].get("readyReplicas") == 1)


def for_the_lab(document: dict[str, Any], webhook: Webhook, scale: float = SCALE) -> dict[str, Any]:
    """Alertmanager's configuration with all times of its routes scaled, all hours open, and each receiver the webhook.

    A receiver that is not told of what is over stays so.
    """
    receivers = []
    for one in document["receivers"]:
        [(_, configured)] = [(key, value) for key, value in one.items() if key != "name"]
        resolved = configured[0].get(
            "send_resolved", True
        )  # PagerDuty and Slack: the example says it, or their default is true
        receivers.append(
            {
                "name": one["name"],
                "webhook_configs": [{"url": webhook.url(f"/{one['name']}"), "send_resolved": resolved}],
            }
        )
    changed = with_receivers(document, receivers)
    changed["route"] = _scaled(changed["route"], scale)
    for interval in changed["time_intervals"]:
        if interval["name"] != "vault-maintenance":
            interval["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
    return changed


def _scaled(route: dict[str, Any], scale: float) -> dict[str, Any]:
    changed = copy.deepcopy(route)
    for key in ("group_wait", "group_interval", "repeat_interval"):
        if key in changed:
            number, unit = re.fullmatch(r"(\d+)([smhd])", changed[key]).groups()  # type: ignore[union-attr]
            changed[key] = f"{round(int(number) * _UNITS[unit] * scale * 1000)}ms"
    changed["routes"] = [_scaled(one, scale) for one in changed.get("routes", [])]
    return changed
