"""A simulated cluster in which every text that may carry a value carries one: annotations, Events, conditions."""

from __future__ import annotations

import json
import time
from typing import Any

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster

NAMESPACE = "shop"
LONGEST_ANNOTATION = 1000


def mark(place: str, number: int) -> str:
    """The planted value of one place in one object."""
    return f"PLANTED-{place}-{number:04}-VALUE"


def failing(place: str, number: int) -> list[dict[str, Any]]:
    """A Ready=False condition whose message holds a value."""
    message = f"could not get secret data: {mark(place, number)} {'x' * 100}"
    return [objects.condition("False", "SecretSyncedError", message, time.time() - 600)]


def plant(cluster: SimulatedCluster, count: int) -> None:
    """Puts `count` objects of each kind into the cluster."""
    now = time.time()
    if not cluster.objects("Namespace"):
        cluster.apply(workloads.namespace(NAMESPACE))
    provider = objects.vault_provider("http://127.0.0.1:1")
    for number in range(count):
        name = f"planted-{number}"
        manifest = json.dumps({"kind": "Secret", "data": {"a": mark("annotation", number)}}, separators=(",", ":"))
        annotations = {objects.LAST_APPLIED: manifest}
        cluster.apply(objects.manual_secret(NAMESPACE, name, annotations=annotations))
        es = objects.external_secret(NAMESPACE, name, ready="False", since=now - 600, created=now - 900)
        es["status"]["conditions"] = failing("condition", number)
        # Of many lengths, and with escapes: pieces of memory go different ways by their size.
        text = mark("es-annotation", number) + '"x' * (LONGEST_ANNOTATION * number // count // 2)
        es["metadata"]["annotations"] = {objects.LAST_APPLIED: text}
        stored = cluster.apply(es)
        message = f"could not apply template: {mark('event', number)} {'x' * 100}"
        cluster.apply(workloads.event(stored, "Warning", "UpdateFailed", message, now - 60))
        store = objects.secret_store(NAMESPACE, name, provider)
        store["status"] = {"conditions": failing("store", number)}
        cluster.apply(store)
        for kind, namespace in (("PushSecret", NAMESPACE), ("ClusterExternalSecret", "")):
            version = "v1alpha1" if kind == "PushSecret" else "v1"
            metadata = {"name": name, "creationTimestamp": stored["metadata"]["creationTimestamp"]}
            cluster.apply(
                {
                    "apiVersion": f"external-secrets.io/{version}",
                    "kind": kind,
                    "metadata": {**metadata, **({"namespace": namespace} if namespace else {})},
                    "spec": {},
                    "status": {
                        "conditions": failing(kind.lower(), number),
                        "failedNamespaces": [{"namespace": "mail", "reason": mark("reason", number)}],
                    },
                }
            )
