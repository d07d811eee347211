"""Variables, annotations and links. Names and uids are fixed: `alerts/rules.yaml` links here with them."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.colours import CRITICAL, INFO, WARNING
from dashboards.model import DATASOURCE, TAG, Json

OVERVIEW, EXTERNALSECRET, MIGRATION = "eso-overview", "eso-externalsecret", "eso-migration"
VAULT, EXPORTER = "eso-vault", "eso-exporter"
RUNBOOKS = "https://github.com/vault-eso-exporter/vault-eso-exporter/blob/main/docs/runbooks"

KEEP = "${__url_time_range}&${datasource:queryparam}"
"""What a link of a cell keeps: the time range and the data source."""


def datasource() -> Json:
    """Which Prometheus: the only one, or chosen at the top."""
    return {
        "current": {},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def runbooks() -> Json:
    """Where the runbooks are: change it here when you keep your own."""
    option = {"selected": True, "text": RUNBOOKS, "value": RUNBOOKS}
    return {
        "current": option,
        "hide": 2,
        "label": "Runbooks",
        "name": "runbooks",
        "options": [option],
        "query": RUNBOOKS,
        "skipUrlSync": True,
        "type": "constant",
    }


def labels(name: str, label: str, selector: str, title: str, *, everything: bool = True) -> Json:
    """The values of a label. Several may be chosen, so that Grafana escapes them for use in a regular expression: names may
    hold dots. All is `.*` and not the list, so that it also covers what lacks the label."""
    query = f"label_values({selector}, {label})"
    found: Json = {
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if everything else {},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": everything,
        "label": title,
        "multi": True,
        "name": name,
        "options": [],
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 5,
        "type": "query",
    }
    return found | ({"allValue": ".*"} if everything else {})


CLUSTER = labels("cluster", "cluster", "eso_exporter_build_info", "Cluster")
NAMESPACE = labels(
    "namespace",
    "namespace",
    '{__name__=~"eso_externalsecret_info|eso_manual_secrets",cluster=~"$cluster"}',
    "Namespace",
)
STORE = labels(
    "store",
    "store",
    '{__name__=~"eso_secretstore_info|eso_externalsecret_store_info",cluster=~"$cluster",namespace=~"$namespace|"}',
    "Store",
)
VAULTS = labels("vault", "vault", 'eso_vault_available{cluster=~"$cluster"}', "Vault")
NAME = labels(
    "name",
    "name",
    'eso_externalsecret_info{cluster=~"$cluster",namespace=~"$namespace"}',
    "ExternalSecret",
    everything=False,
)


def _annotation(name: str, expr: str, colour: str, title: str, text: str, tags: str, *, at_value: bool = False) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expr,
        "hide": False,
        "iconColor": colour,
        "name": name,
        "step": "1m",
        "tagKeys": tags,
        "textFormat": text,
        "titleFormat": title,
        "useValueForTime": at_value,
    }


ANNOTATIONS: Sequence[Json] = (
    _annotation(
        "Alerts that fire",
        "max by (cluster, alertname, severity, namespace, name, store, vault) "
        '(ALERTS{alertname=~"Eso.*",alertstate="firing",cluster=~"$cluster"})',
        WARNING,
        "{{alertname}} ({{severity}})",
        "{{namespace}} {{name}} {{store}} {{vault}}",
        "severity",
    ),
    _annotation(
        "Vault unavailable",
        'max by (cluster, vault) (eso_vault_problem{cluster=~"$cluster",problem="unavailable"})',
        CRITICAL,
        "Vault {{vault}} cannot serve",
        "sealed, not initialized, unreachable or without an active node: the Vault dashboard tells which",
        "vault",
    ),
    _annotation(
        "Exporter started",
        "max by (cluster, instance) (process_start_time_seconds and on (cluster, job, instance) "
        'eso_exporter_build_info{cluster=~"$cluster"}) * 1000',
        INFO,
        "Exporter {{instance}} started",
        "what it had only observed (and no object's own time tells) counts anew from here",
        "instance",
        at_value=True,
    ),
)


def links() -> list[Json]:
    """At the top of each dashboard, all the others with the same time range and variables."""
    return [
        {
            "asDropdown": False,
            "icon": "external link",
            "includeVars": True,
            "keepTime": True,
            "tags": [TAG],
            "targetBlank": False,
            "title": "Secrets",
            "tooltip": "",
            "type": "dashboards",
            "url": "",
        }
    ]
