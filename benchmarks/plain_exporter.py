"""An exporter of the same families as most people would write it: kubernetes client, prometheus_client, a custom Collector.

It lists every `--interval` seconds in pages, keeps what it needs, and builds the families anew at each scrape. Nothing in it
is slow on purpose: the lists are paged, only facts are kept, and a scrape does not wait for a list.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from kubernetes import client, config
from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_GROUP, _VERSION, _PAGE = "external-secrets.io", "v1", 500
_PREFIX = "eso_externalsecret_"


class ExternalSecret(NamedTuple):
    """What is kept of one."""

    namespace: str
    name: str
    store: tuple[str, str, str, str]
    info: tuple[str, str, str, str]
    status: str
    reason: str
    created: float
    transition: float | None
    refreshed: float | None
    interval: float


class Secret(NamedTuple):
    """What is kept of one."""

    namespace: str
    name: str
    type: str
    ownership: str
    creator: str
    created: float


def read_externalsecrets(api: Any) -> list[ExternalSecret]:
    """All of them, page by page."""
    found: list[ExternalSecret] = []
    token = ""
    while True:
        page = api.list_cluster_custom_object(_GROUP, _VERSION, "externalsecrets", limit=_PAGE, _continue=token)
        found += [_external_secret(item) for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            return found


def read_secrets(api: Any) -> list[Secret]:
    """All of them, page by page."""
    found: list[Secret] = []
    token = None
    while True:
        page = api.list_secret_for_all_namespaces(limit=_PAGE, _continue=token)
        found += [_secret(item) for item in page.items]
        token = page.metadata._continue
        if not token:
            return found


def _external_secret(one: dict[str, Any]) -> ExternalSecret:
    metadata, spec, status = one["metadata"], one["spec"], one.get("status", {})
    ready: dict[str, Any] = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), {})
    target = spec.get("target", {})
    ref = spec.get("secretStoreRef", {})
    kind = ref.get("kind", "SecretStore")
    return ExternalSecret(
        metadata["namespace"],
        metadata["name"],
        (kind, "" if kind == "ClusterSecretStore" else metadata["namespace"], ref.get("name", ""), ""),
        (
            target.get("name", metadata["name"]),
            spec.get("refreshPolicy", "Periodic"),
            target.get("creationPolicy", "Owner"),
            target.get("deletionPolicy", "Retain"),
        ),
        ready.get("status", "none"),
        ready.get("reason", ""),
        _time(metadata["creationTimestamp"]) or 0.0,
        _time(ready.get("lastTransitionTime")),
        _time(status.get("refreshTime")),
        _duration(spec.get("refreshInterval", "1h0m0s")),
    )


def _secret(one: Any) -> Secret:
    metadata = one.metadata
    managers = [entry.manager or "" for entry in metadata.managed_fields or []]
    if any(owner.kind == "ExternalSecret" for owner in metadata.owner_references or []):
        ownership = "eso_owned"
    elif one.type == "helm.sh/release.v1":
        ownership = "system"
    elif any(manager.startswith("kubectl") for manager in managers):
        ownership = "manual"
    else:
        ownership = "unknown"
    return Secret(
        metadata.namespace,
        metadata.name,
        one.type or "",
        ownership,
        managers[0] if managers else "none",
        metadata.creation_timestamp.timestamp(),
    )


def _time(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def _duration(text: str) -> float:
    seconds, number = 0.0, ""
    for letter in text:
        if letter in "hms":
            seconds += float(number) * {"h": 3600, "m": 60, "s": 1}[letter]
            number = ""
        else:
            number += letter
    return seconds


class EsoCollector(Collector):
    """Builds the families of what was read last."""

    def __init__(self) -> None:
        self.externalsecrets: list[ExternalSecret] = []
        self.secrets: list[Secret] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All families."""
        yield from self._externalsecrets()
        yield from self._secrets()

    def _externalsecrets(self) -> Iterator[GaugeMetricFamily]:
        names, store = ["namespace", "name"], ["store_kind", "store_namespace", "store", "vault"]
        policies = ["target", "refresh_policy", "creation_policy", "deletion_policy"]
        info = GaugeMetricFamily(f"{_PREFIX}info", "What an ExternalSecret is.", labels=[*names, *store, *policies])
        stores = GaugeMetricFamily(f"{_PREFIX}store_info", "A store it reads from.", labels=[*names, *store])
        ready = GaugeMetricFamily(f"{_PREFIX}ready", "Whether ESO says Ready=True.", labels=[*names, *store])
        status = GaugeMetricFamily(f"{_PREFIX}status_info", "Its status.", labels=[*names, "status", "reason"])
        moments = {
            moment: GaugeMetricFamily(f"{_PREFIX}{moment}", moment.replace("_", " "), labels=names)
            for moment in (
                "created_timestamp_seconds",
                "ready_transition_timestamp_seconds",
                "last_sync_timestamp_seconds",
                "last_sync_age_seconds",
                "next_sync_timestamp_seconds",
                "refresh_interval_seconds",
                "sync_deadline_timestamp_seconds",
            )
        }
        problem = GaugeMetricFamily(f"{_PREFIX}problem", "A problem.", labels=[*names, *store, "problem", "error"])
        now = time.time()
        for one in self.externalsecrets:
            name = [one.namespace, one.name]
            info.add_metric([*name, *one.store, *one.info], 1)
            stores.add_metric([*name, *one.store], 1)
            ready.add_metric([*name, *one.store], one.status == "True")
            status.add_metric([*name, one.status, one.reason], 1)
            moments["created_timestamp_seconds"].add_metric(name, one.created)
            moments["refresh_interval_seconds"].add_metric(name, one.interval)
            if one.transition is not None:
                moments["ready_transition_timestamp_seconds"].add_metric(name, one.transition)
            if one.refreshed is not None:
                deadline = one.refreshed + max(2 * one.interval, one.interval + 900)
                moments["last_sync_timestamp_seconds"].add_metric(name, one.refreshed)
                moments["last_sync_age_seconds"].add_metric(name, max(0, now - one.refreshed))
                moments["next_sync_timestamp_seconds"].add_metric(name, one.refreshed + one.interval)
                moments["sync_deadline_timestamp_seconds"].add_metric(name, deadline)
                if now > deadline:
                    problem.add_metric([*name, *one.store, "overdue", ""], 1)
            if one.status == "False":
                problem.add_metric([*name, *one.store, "not_ready", "unknown"], 1)
        yield from (info, stores, ready, status, *moments.values(), problem)

    def _secrets(self) -> Iterator[GaugeMetricFamily]:
        names = ["namespace", "secret"]
        counts = GaugeMetricFamily("eso_secrets", "How many, by class.", labels=["namespace", "class"])
        manual = GaugeMetricFamily("eso_manual_secret_info", "A manual Secret.", labels=[*names, "type", "creator"])
        created = GaugeMetricFamily("eso_manual_secret_created_timestamp_seconds", "When.", labels=names)
        counted = Counter((one.namespace, one.ownership) for one in self.secrets)
        for (namespace, ownership), count in counted.items():
            counts.add_metric([namespace, ownership], count)
        for one in self.secrets:
            if one.ownership == "manual":
                manual.add_metric([one.namespace, one.name, one.type, one.creator], 1)
                created.add_metric([one.namespace, one.name], one.created)
        yield from (counts, manual, created)


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_exporter", description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--interval", type=float, default=3600.0)
    options = parser.parse_args()
    config.load_kube_config(options.kubeconfig)  # type: ignore[no-untyped-call]
    collector = EsoCollector()
    REGISTRY.register(collector)
    start_http_server(options.port, options.address)
    custom, core = client.CustomObjectsApi(), client.CoreV1Api()
    while True:
        collector.externalsecrets = read_externalsecrets(custom)
        collector.secrets = read_secrets(core)
        print("listed", flush=True)
        threading.Event().wait(options.interval)


if __name__ == "__main__":
    main()
