"""What must hold for the shipped Alertmanager configuration under any supported amtool: routes and rendered templates."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.alerts.alertmanager import CONFIGURATION, Alert, Amtool

PAGER, CHAT, DIGEST, WEEKLY = "eso-pager", "eso-chat", "eso-digest", "eso-weekly"
TEAM, TEAM_PAGER = "team-shop", "team-shop-pager"

# Where each alert goes; the second receiver is that of the team that owns the object (label owner="shop"), where it differs.
EXPECTED: dict[Alert, tuple[str, str]] = {
    ("EsoVaultSealed", "critical"): (PAGER, PAGER),
    ("EsoVaultSealed", "warning"): (CHAT, CHAT),
    ("EsoVaultUninitialized", "critical"): (PAGER, PAGER),
    ("EsoVaultUninitialized", "warning"): (CHAT, CHAT),
    ("EsoVaultUnreachable", "critical"): (PAGER, PAGER),
    ("EsoVaultUnreachable", "warning"): (CHAT, CHAT),
    ("EsoVaultNoActiveNode", "critical"): (PAGER, PAGER),
    ("EsoVaultTLSExpiring", "critical"): (PAGER, PAGER),
    ("EsoVaultTLSExpiring", "warning"): (CHAT, CHAT),
    ("EsoVaultClusterChanged", "warning"): (CHAT, CHAT),
    ("EsoVaultNotWatched", "info"): (WEEKLY, WEEKLY),
    ("EsoStoreCredentialsMissing", "critical"): (PAGER, TEAM_PAGER),
    ("EsoStoreCredentialsMissing", "warning"): (CHAT, TEAM),
    ("EsoSecretStoreNotReady", "critical"): (PAGER, TEAM_PAGER),
    ("EsoSecretStoreNotReady", "warning"): (CHAT, TEAM),
    ("EsoSecretStoreUnchecked", "info"): (WEEKLY, WEEKLY),
    ("EsoExternalSecretsNotReady", "critical"): (PAGER, TEAM_PAGER),
    ("EsoExternalSecretsNotReady", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretNotReady", "critical"): (PAGER, TEAM_PAGER),
    ("EsoExternalSecretNotReady", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretWillNotHeal", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretNeverSynced", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretOverdue", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretsOverdue", "critical"): (PAGER, PAGER),
    ("EsoExternalSecretFlapping", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretReadyButBroken", "warning"): (CHAT, TEAM),
    ("EsoExternalSecretReadyButBroken", "info"): (WEEKLY, WEEKLY),
    ("EsoPushSecretNotReady", "warning"): (CHAT, TEAM),
    ("EsoClusterExternalSecretFailed", "warning"): (CHAT, CHAT),
    ("EsoClusterPushSecretFailed", "warning"): (CHAT, CHAT),
    ("EsoOperatorDown", "critical"): (PAGER, PAGER),
    ("EsoOperatorDown", "warning"): (CHAT, CHAT),
    ("EsoOperatorNotFound", "info"): (WEEKLY, WEEKLY),
    ("EsoManualSecretAppeared", "warning"): (DIGEST, TEAM),
    ("EsoManualExceptionExpired", "warning"): (DIGEST, TEAM),
    ("EsoManualSecretsRemain", "info"): (WEEKLY, WEEKLY),
    ("EsoSecretHandEdited", "warning"): (CHAT, TEAM),
    ("EsoSecretValueInAnnotation", "info"): (WEEKLY, WEEKLY),
    ("EsoExporterAbsent", "critical"): (PAGER, PAGER),
    ("EsoExporterGone", "critical"): (PAGER, PAGER),
    ("EsoExporterBlind", "critical"): (PAGER, PAGER),
    ("EsoExporterDenied", "critical"): (PAGER, PAGER),
    ("EsoExporterDenied", "warning"): (CHAT, CHAT),
    ("EsoExporterDecodeErrors", "warning"): (CHAT, CHAT),
    ("EsoExporterConfigReloadFailed", "warning"): (CHAT, CHAT),
    ("EsoLabelsClobbered", "info"): (WEEKLY, WEEKLY),
}

# Alerts whose series belong to no namespace, so that they never carry an owner.
_WITHOUT_OWNER = re.compile(
    "EsoVault.*|EsoExporter.*|EsoCluster.*|EsoExternalSecretsOverdue|EsoOperatorNotFound|EsoLabels.*"
)


def check_route(amtool: Amtool, alert: Alert, file: Path = CONFIGURATION) -> None:
    """An alert goes where `EXPECTED` says, whoever owns it, and to nobody else."""
    name, severity = alert
    nobodys, teams = EXPECTED[alert]
    labels = {"alertname": name, "severity": severity, "cluster": "prod", "namespace": "shop", "owner": "another"}
    assert amtool.receivers(file, labels) == [nobodys]
    assert amtool.receivers(file, {key: value for key, value in labels.items() if key != "owner"}) == [nobodys]
    if not _WITHOUT_OWNER.fullmatch(name):
        assert amtool.receivers(file, labels | {"owner": "shop"}) == [teams]


def alert(
    status: str = "firing", *, alertname: str = "EsoExternalSecretNotReady", severity: str = "warning", **labels: str
) -> dict[str, Any]:
    """One alert of a notification. Its texts hold what has a meaning in Slack, HTML and Markdown."""
    identity = {"alertname": alertname, "severity": severity, "cluster": "prod", **labels}
    return {
        "status": status,
        "labels": identity,
        "annotations": {
            "summary": f"ExternalSecret {labels.get('namespace')}/{labels.get('name', 'db')} is not ready.",
            "description": "It is Ready=False since <noon> & later. First: kubectl -n shop describe externalsecret db",
            "runbook_url": f"https://runbooks.example.com/{alertname}.md",
            "dashboard_url": f"https://grafana.example.com/d/eso-overview?var-cluster=prod&var-namespace={labels.get('namespace')}",
        },
        "startsAt": "2026-11-25T12:00:00Z",
        "endsAt": "2026-11-25T12:30:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example.com/graph",
        "fingerprint": "0123456789abcdef",
    }


def group(*alerts: dict[str, Any], by: tuple[str, ...] = ("alertname", "cluster", "namespace")) -> dict[str, Any]:
    """A notification of these alerts, with what they have in common, as Alertmanager makes it."""
    first, *others = alerts

    def common(field: str) -> dict[str, str]:
        return {k: v for k, v in first[field].items() if all(one[field].get(k) == v for one in others)}

    return {
        "receiver": "eso-chat",
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {k: v for k, v in common("labels").items() if k in by},
        "commonLabels": common("labels"),
        "commonAnnotations": common("annotations"),
        "externalURL": "https://alertmanager.example.com",
    }


BODIES = ("eso.slack.text", "eso.pagerduty.what", "eso.teams.text", "eso.email.text", "eso.email.html")
LINES = (
    "eso.title",
    "eso.first",
    "eso.subject",
    "eso.clusters",
    "eso.runbook",
    "eso.dashboard",
    "eso.silence",
    "eso.slack.color",
    "eso.pagerduty.description",
    "eso.email.subject",
)


class _Links(HTMLParser):
    """Collects where the links of a page lead; unclosed or crossed elements are an error."""

    void = frozenset(("meta", "br"))

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name == "href"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def links(page: str) -> list[str]:
    """Where the links of an HTML page lead. Raises AssertionError when its elements do not nest."""
    reader = _Links()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader.links


def check_every_template_renders(amtool: Amtool, folder: Path) -> None:
    """Each template tells the essentials of one alert, of many, of those that are over, and has no hole where a label is missing."""
    one = group(alert(namespace="shop"))
    for template in LINES:
        told = amtool.render(template, one, folder)
        assert told, template
        assert "\n" not in told, f"{template} is one line"
    bare = alert(alertname="EsoExporterAbsent", severity="critical")
    del bare["labels"]["cluster"]
    two_names = group(
        alert(namespace="shop"), alert(alertname="EsoSecretHandEdited", namespace="shop"), by=("cluster",)
    )
    for data in (one, group(bare), group(alert("resolved", namespace="shop")), two_names):
        for template in LINES + BODIES:
            told = amtool.render(template, data, folder, html=template.endswith(".html"))
            assert "no value" not in told, template
            assert "%!" not in told, template
    for template in BODIES:
        told = amtool.render(template, one, folder, html=template.endswith(".html"))
        assert "is not ready." in told, template
        assert "kubectl -n shop describe externalsecret db" in told, template
        if template != "eso.slack.text":  # its links are the buttons and the title
            assert "https://runbooks.example.com/EsoExternalSecretNotReady.md" in told, template


def check_ten_at_most(amtool: Amtool, folder: Path) -> None:
    """A storm does not fill the channel: ten are told, and how many there are. The digest by e-mail tells all."""
    many = [alert(namespace=f"team-{number:02}") for number in range(25)]
    data = group(*many, by=("alertname", "cluster"))
    for template in ("eso.slack.text", "eso.teams.text", "eso.pagerduty.what"):
        told = amtool.render(template, data, folder)
        assert [number for number in range(25) if f"team-{number:02}/" in told] == list(range(10)), template
        assert "25 in all" in told, template
    assert amtool.render("eso.email.text", data, folder).count("is not ready.") == 25
    assert amtool.render("eso.title", data, folder).startswith("[WARNING] EsoExternalSecretNotReady (25): ")
    over = group(*(alert("resolved", namespace=f"team-{number:02}") for number in range(25)))
    assert "25 in all" in amtool.render("eso.slack.text", over, folder)


def check_titles(amtool: Amtool, folder: Path) -> None:
    """The first line says how bad, what, and how many; a heartbeat says what its end means."""

    def title(*alerts: dict[str, Any]) -> str:
        return amtool.render("eso.title", group(*alerts), folder)

    db = alert(namespace="shop")
    summary = db["annotations"]["summary"]
    assert title(db) == f"[WARNING] EsoExternalSecretNotReady: {summary}"
    assert title(db, db) == f"[WARNING] EsoExternalSecretNotReady (2): {summary}"
    assert title(alert("resolved", namespace="shop")) == f"[RESOLVED] EsoExternalSecretNotReady: {summary}"
    assert title(alert(alertname="EsoVaultSealed", severity="critical")).startswith("[CRITICAL] EsoVaultSealed: ")
    beat = {"alertname": "EsoExporterHeartbeat", "severity": "info"}
    assert "cluster prod has fallen silent" in title(alert("resolved", **beat))
    assert "cluster prod sends its alerts itself" in title(alert(**beat))


def check_clusters_once(amtool: Amtool, folder: Path) -> None:
    """One Vault behind several clusters: each is named once, also where one name is part of another."""
    alerts = [alert(alertname="EsoVaultSealed", vault="main", node=str(n)) for n in range(4)]
    for one, cluster in zip(alerts, ("prod-1", "prod-10", "prod-1", "prod"), strict=True):
        one["labels"]["cluster"] = cluster
    data = group(*alerts, by=("alertname", "vault"))
    assert amtool.render("eso.clusters", data, folder) == "prod-1, prod-10, prod"
    assert amtool.render("eso.subject", data, folder) == "main"


def check_escaping(amtool: Amtool, folder: Path) -> None:
    """What an alert's text holds is text in Slack and in HTML, and the links of the mail are whole."""
    data = group(alert(namespace="shop"))
    slack = amtool.render("eso.slack.text", data, folder)
    assert "&lt;noon&gt; &amp; later" in slack
    assert "`kubectl -n shop describe externalsecret db`" in slack
    page = amtool.render("eso.email.html", data, folder, html=True)
    assert "&lt;noon&gt; &amp; later" in page
    assert links(page) == [
        "https://runbooks.example.com/EsoExternalSecretNotReady.md",
        "https://grafana.example.com/d/eso-overview?var-cluster=prod&var-namespace=shop",
        amtool.render("eso.silence", data, folder),
    ]


def check_silence_link(amtool: Amtool, folder: Path) -> None:
    """The link makes a silence of exactly the group's labels."""
    data = group(alert(namespace="shop"))
    assert amtool.render("eso.silence", data, folder) == (
        "https://alertmanager.example.com/#/silences/new?filter="
        "%7Balertname%3D%22EsoExternalSecretNotReady%22%2C%20cluster%3D%22prod%22%2C%20namespace%3D%22shop%22%7D"
    )


TEMPLATE_CHECKS = (
    check_every_template_renders,
    check_ten_at_most,
    check_titles,
    check_clusters_once,
    check_escaping,
    check_silence_link,
)
