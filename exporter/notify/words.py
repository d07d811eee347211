"""The annotations of an alert: what is wrong since when and why, the first command, and where to read on. Names only.

They say the same as those of `alerts/rules.yaml`, made from the judge's own facts instead of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from exporter.judge.problems import entry
from exporter.kube.records import StoreRef
from exporter.notify.table import Alert

NAMES = 10
"""So many names stand in the text of a digest."""


class Links:
    """Where the texts lead to: `runbooks` is an address, with {alert} where the name belongs, `dashboards` that of Grafana; "" for none."""

    def __init__(self, runbooks: str = "", dashboards: str = "", cluster: str = "") -> None:
        self.change(runbooks, dashboards, cluster)

    def change(self, runbooks: str, dashboards: str, cluster: str) -> None:
        """Other addresses from now on."""
        self._runbooks = runbooks
        self._dashboards = dashboards.rstrip("/")
        self._cluster = cluster

    def words(
        self, alert: Alert, summary: str, description: str, dashboard: str, **variables: str
    ) -> Mapping[str, str]:
        """All annotations; `variables` fill those of the dashboard."""
        found = {"summary": summary, "description": " ".join(description.split())}
        if self._runbooks:
            address = self._runbooks if "{alert}" in self._runbooks else f"{self._runbooks.rstrip('/')}/{{alert}}.md"
            found["runbook_url"] = address.replace("{alert}", alert.name)
        if self._dashboards:
            given = {"cluster": self._cluster, **variables}
            query = "&".join(f"var-{name}={quote(value, safe='')}" for name, value in given.items() if value)
            found["dashboard_url"] = f"{self._dashboards}/d/{dashboard}" + (f"?{query}" if query else "")
        return found


def moment(at: float | None) -> str:
    """A time for people: `since 2026-11-25 12:00:00 UTC`."""
    return "for an unknown time" if at is None else f"since {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def listed(names: Iterable[str]) -> str:
    """At most NAMES names, and how many more there are."""
    found = sorted(names)
    more = f" and {len(found) - NAMES} more" if len(found) > NAMES else ""
    return ", ".join(found[:NAMES]) + more


def count(number: int, one: str) -> str:
    """`1 Secret`, `2 Secrets`."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def meaning(kind: str, problems: Iterable[str]) -> str:
    """The catalogue's words for some problems of one object."""
    return "; ".join(dict.fromkeys(entry(kind, problem).meaning for problem in problems))


def store_name(ref: StoreRef) -> str:
    """`ClusterSecretStore vault-backend` or `SecretStore shop/vault`."""
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def describe_store(ref: StoreRef) -> str:
    """The command that shows a store."""
    if ref.kind == "ClusterSecretStore":
        return f"kubectl describe clustersecretstore {ref.name}"
    return f"kubectl -n {ref.namespace} describe secretstore {ref.name}"
