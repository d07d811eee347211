"""The shipped Alertmanager configuration under the newest build: amtool's judgement, and real messages of all four kinds."""

from __future__ import annotations

import datetime
import email
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.alertmanager import CONFIGURATION, RESOURCE, Alert, Amtool, configuration, shipped_alerts
from tests.alerts.alertmanager_cases import TEMPLATE_CHECKS, check_route, links
from tests.lab.build import ensure
from tests.lab.cluster import Cluster
from tests.lab.loopback import LOOPBACK, TIMEOUT, new_session
from tests.lab.monitoring import Alertmanager
from tests.lab.servers import install_crds, manifests
from tests.lab.waiting import wait_until
from tests.lab.webhook import Webhook


@pytest.fixture(scope="module")
def amtool() -> Amtool:
    """The lab's, of the same release as its Alertmanager."""
    return Amtool(ensure("amtool"))


@pytest.mark.parametrize("teams", [False, True], ids=["slack", "teams"])
def test_the_configuration_and_its_templates_are_valid(amtool: Amtool, tmp_path: Path, teams: bool) -> None:
    assert "SUCCESS" in amtool.check_config(CONFIGURATION)
    written = tmp_path / "alertmanager.yaml"
    written.write_text(yaml.safe_dump(configuration(teams=teams)))
    assert "SUCCESS" in amtool.check_config(written)


@pytest.mark.parametrize("alert", shipped_alerts(), ids="-".join)
def test_route(amtool: Amtool, alert: Alert) -> None:
    check_route(amtool, alert)


@pytest.mark.parametrize("check", TEMPLATE_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_templates(amtool: Amtool, tmp_path: Path, check: Callable[[Amtool, Path], None]) -> None:
    check(amtool, tmp_path)


class Mailbox:
    """An SMTP server that keeps what it is given; just as much of the protocol as Alertmanager speaks."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                self.say("220 lab")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split()[0].upper()
                    if verb == "DATA":
                        self.say("354 go on")
                        body = b""
                        while (part := self.rfile.readline()) != b".\r\n":
                            body += part.removeprefix(b".") if part.startswith(b"..") else part
                        mailbox.mails.append(email.message_from_bytes(body))
                    self.say("221 bye" if verb == "QUIT" else "250 ok")
                    if verb == "QUIT":
                        return

        self._server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.address = f"{LOOPBACK}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class OldestAlertmanager(Alertmanager):
    """Debian's, the oldest that is supported."""

    def command(self) -> Sequence[str | Path]:
        program = shutil.which("prometheus-alertmanager")
        assert program is not None
        return [program, *list(super().command())[1:]]


class Sending:
    """A real Alertmanager with the shipped receivers, whose addresses lead to a webhook and a mailbox."""

    def __init__(self, alertmanager: Alertmanager, folder: Path, *, teams: bool) -> None:
        self.webhook, self.mailbox = Webhook(), Mailbox()
        self.webhook.start()
        self.alertmanager = alertmanager
        self._session = new_session()
        document = configuration(teams=teams)
        for receiver in document["receivers"]:
            self._redirect(receiver, folder)
        document["global"] = {"resolve_timeout": "5m"}
        _hurried(document["route"])
        for interval in document["time_intervals"]:
            if interval["name"] != "vault-maintenance":
                interval["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
        self.alertmanager.configure(document)
        self.alertmanager.start()

    def _redirect(self, receiver: dict[str, Any], folder: Path) -> None:
        """Replaces addresses and credentials, and nothing of what is said."""
        key = folder / "key"
        key.write_text("routing-key")
        for kind, given in receiver.items():
            for one in given if kind.endswith("_configs") else ():
                address = self.webhook.url(f"/{kind.removesuffix('_configs')}/{receiver['name']}")
                match kind:
                    case "slack_configs":
                        one["api_url"] = address
                    case "pagerduty_configs":
                        one |= {"url": address, "routing_key_file": str(key)}
                    case "msteamsv2_configs":
                        del one["webhook_url_file"]
                        one["webhook_url"] = address
                    case "webhook_configs":
                        one["url"] = address
                    case "email_configs":
                        one |= {
                            "smarthost": self.mailbox.address,
                            "from": "lab@example.com",
                            "require_tls": False,
                            "hello": "lab",
                        }
                    case _:
                        raise AssertionError(f"{kind} would send to the world")

    def fire(self, ended: bool = False, **labels: str) -> None:
        """Gives Alertmanager one alert, as Prometheus does."""
        now = datetime.datetime.now(datetime.UTC)
        start, end = now - datetime.timedelta(minutes=ended), now + datetime.timedelta(minutes=5 * (not ended))
        alert = {
            "labels": labels,
            "annotations": {
                "summary": f"Vault {labels.get('vault')} is <sealed>.",
                "description": "It cannot serve since noon. First: curl -s $VAULT_ADDR/v1/sys/seal-status",
                "runbook_url": f"https://runbooks.example.com/{labels['alertname']}.md",
                "dashboard_url": "https://grafana.example.com/d/eso-vault?var-vault=main",
            },
            "startsAt": start.isoformat(),
            "endsAt": end.isoformat(),
        }
        answer = self._session.post(f"{self.alertmanager.address}/api/v2/alerts", json=[alert], timeout=TIMEOUT)
        assert answer.ok, answer.text

    def stop(self) -> None:
        self.alertmanager.kill()
        self.webhook.stop()
        self.mailbox.stop()


def _hurried(route: dict[str, Any]) -> None:
    route |= {"group_wait": "300ms", "group_interval": "1s"}
    for one in route.get("routes", []):
        _hurried(one)


@pytest.fixture(scope="module", params=[Alertmanager, OldestAlertmanager], ids=["newest", "oldest"])
def sending(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sending]:
    if request.param is OldestAlertmanager and shutil.which("prometheus-alertmanager") is None:
        pytest.skip("no prometheus-alertmanager: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("sending")
    running = Sending(request.param(folder, "sending"), folder, teams=False)
    yield running
    running.stop()


def test_a_page_by_pagerduty(sending: Sending) -> None:
    for cluster in ("prod-1", "prod-2"):
        sending.fire(alertname="EsoVaultSealed", severity="critical", cluster=cluster, vault="main")
    event = sending.webhook.wait_for("an event", lambda one: one.path == "/pagerduty/eso-pager").body
    payload = event["payload"]
    assert event["event_action"] == "trigger"
    assert payload["summary"] == "EsoVaultSealed (2): Vault main is <sealed>."
    assert payload["severity"] == "critical"
    assert (payload["component"], payload["class"], payload["group"]) == ("main", "EsoVaultSealed", "prod-1, prod-2")
    assert "First: curl -s $VAULT_ADDR/v1/sys/seal-status" in payload["custom_details"]["what"]
    assert [link["text"] for link in event["links"]] == ["Runbook", "Dashboard"]
    assert event["links"][0]["href"] == "https://runbooks.example.com/EsoVaultSealed.md"

    for cluster in ("prod-1", "prod-2"):
        sending.fire(True, alertname="EsoVaultSealed", severity="critical", cluster=cluster, vault="main")
    end = sending.webhook.wait_for("its end", lambda one: one.body.get("event_action") == "resolve").body
    assert end["dedup_key"] == event["dedup_key"], "two clusters, one Vault: one incident that ends"


def test_a_warning_by_slack(sending: Sending) -> None:
    labels = {"alertname": "EsoVaultUnreachable", "severity": "warning", "cluster": "prod", "vault": "other"}
    sending.fire(**labels)
    message = sending.webhook.wait_for("a message", lambda one: one.path == "/slack/eso-chat").body
    [attachment] = message["attachments"]
    assert message["channel"] == "#secrets-platform"
    assert attachment["title"] == "[WARNING] EsoVaultUnreachable: Vault other is <sealed>."
    assert attachment["title_link"] == "https://runbooks.example.com/EsoVaultUnreachable.md"
    assert attachment["color"] == "warning"
    assert "Vault other is &lt;sealed&gt;." in attachment["text"]
    assert "`curl -s $VAULT_ADDR/v1/sys/seal-status`" in attachment["text"]
    assert [action["text"] for action in attachment["actions"]] == ["Runbook", "Dashboard", "Silence"]
    assert (
        "filter=%7Balertname%3D%22EsoVaultUnreachable%22%2C%20vault%3D%22other%22%7D" in attachment["actions"][2]["url"]
    )


def test_a_digest_by_mail(sending: Sending) -> None:
    for namespace in ("billing", "search"):
        sending.fire(alertname="EsoManualSecretAppeared", severity="warning", cluster="prod", namespace=namespace)
    mail = wait_until("a mail", lambda: next(iter(sending.mailbox.mails), None))
    assert mail["Subject"] == "EsoManualSecretAppeared: 2 namespaces or objects [prod]"
    assert mail["To"] == "secrets-platform@example.com"
    parts = {part.get_content_type(): part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()}
    assert set(parts) == {"text/plain", "text/html"}
    page = bytes(parts["text/html"]).decode()
    assert links(page).count("https://runbooks.example.com/EsoManualSecretAppeared.md") == 2
    assert "&lt;sealed&gt;" in page
    assert bytes(parts["text/plain"]).decode().count("First: curl") == 2


def test_a_warning_by_teams(tmp_path: Path) -> None:
    sending = Sending(Alertmanager(tmp_path, "teams"), tmp_path, teams=True)
    try:
        sending.fire(alertname="EsoVaultUnreachable", severity="warning", cluster="prod", vault="other")
        card = sending.webhook.wait_for("a card", lambda one: one.path == "/msteamsv2/eso-chat").body
    finally:
        sending.stop()
    [attachment] = card["attachments"]
    texts = [block["text"] for block in attachment["content"]["body"]]
    assert texts[0] == "[WARNING] EsoVaultUnreachable: Vault other is <sealed>."
    assert "[Runbook](https://runbooks.example.com/EsoVaultUnreachable.md)" in texts[1]
    assert "First: curl -s $VAULT_ADDR/v1/sys/seal-status" in texts[1]


def test_a_parent_mutes_its_children_of_its_own_cluster_alone(sending: Sending) -> None:
    child = {"alertname": "EsoExternalSecretNotReady", "severity": "warning", "namespace": "shop", "vault": "muting"}
    for cluster in ("prod-1", "prod-2"):
        sending.fire(**child, cluster=cluster, name="db")
    sending.fire(alertname="EsoVaultSealed", severity="critical", cluster="prod-1", vault="muting")

    def muted() -> set[str]:
        held = sending.alertmanager.alerts()
        return {
            one["labels"]["cluster"]
            for one in held
            if one["labels"].get("vault") == "muting" and one["status"]["inhibitedBy"]
        }

    assert wait_until("a child is muted", lambda: muted() or None) == {"prod-1"}


def test_the_resource_of_a_team_is_what_prometheus_operator_takes(cluster: Cluster, namespace: str) -> None:
    install_crds(cluster, "prometheus-operator")
    [resource] = manifests(RESOURCE)
    resource["metadata"]["namespace"] = namespace
    taken = "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"
    assert "serverside-applied" in cluster.kubectl(*taken, stdin=yaml.safe_dump(resource))
    resource["spec"]["route"]["group_by"] = resource["spec"]["route"].pop("groupBy")
    with pytest.raises(RuntimeError, match="group_by"):
        cluster.kubectl(*taken, stdin=yaml.safe_dump(resource))
