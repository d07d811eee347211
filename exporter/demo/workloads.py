"""Builders of everything around the Secrets: namespaces, events, Deployments and the Deployments of ESO itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.demo.fields import LONG_AGO, Labels, Object, metadata, object_hash, stamp

ESO_VERSION = "v2.9.0"


def namespace(
    name: str, *, labels: Labels | None = None, annotations: Labels | None = None, created: float | None = LONG_AGO
) -> Object:
    labels = {"kubernetes.io/metadata.name": name, **(labels or {})}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata(name, created=created, labels=labels, annotations=annotations),
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def service_account(namespace: str, name: str, created: float | None = LONG_AGO) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, namespace, created=created)}


def event(about: Mapping[str, Any], type: str, reason: str, message: str, when: float, count: int = 1) -> Object:  # noqa: A002
    """An Event of ESO about an object as stored by the cluster. `type` "Normal" or "Warning"."""
    own = about["metadata"]
    name = f"{own['name']}.{object_hash(own['uid'] + reason + message)[:16]}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata(name, own.get("namespace") or "default", created=when),
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": own["name"],
            "namespace": own.get("namespace", ""),
            "resourceVersion": own.get("resourceVersion", ""),
            "uid": own["uid"],
        },
        "type": type,
        "reason": reason,
        "message": message,
        "source": {"component": "external-secrets"},
        "reportingComponent": "external-secrets",
        "reportingInstance": "",
        "firstTimestamp": stamp(when),
        "lastTimestamp": stamp(when),
        "eventTime": None,
        "count": count,
    }


def deployment(
    namespace: str,
    name: str,
    *,
    image: str = "registry.example/keybuzz/app:1.0.0",
    replicas: int = 1,
    ready: int | None = None,
    labels: Labels | None = None,
    env_from: Iterable[str] = (),
    env: Mapping[str, tuple[str, str]] | None = None,
    volumes: Iterable[str] = (),
    created: float | None = LONG_AGO,
) -> Object:
    """A Deployment whose one container reads Secrets: whole ones by `env_from` and `volumes`, single keys by `env`.

    `env` maps a variable to (Secret, key). `ready` None: all replicas are ready.
    """
    labels = dict(labels or {"app.kubernetes.io/name": name})
    ready = replicas if ready is None else ready
    container: Object = {"name": name, "image": image}
    if sources := [{"secretRef": {"name": secret}} for secret in env_from]:
        container["envFrom"] = sources
    if env:
        container["env"] = [
            {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for variable, (secret, key) in env.items()
        ]
    pod: Object = {"containers": [container]}
    if mounts := list(volumes):
        pod["volumes"] = [{"name": f"secret-{n}", "secret": {"secretName": name}} for n, name in enumerate(mounts)]
        container["volumeMounts"] = [{"name": f"secret-{n}", "mountPath": f"/secrets/{n}"} for n in range(len(mounts))]
    conditions = [{"type": "Available", "status": "True" if ready >= replicas else "False"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, namespace, created=created, labels=labels),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
        },
    }


COMPONENTS = {
    "controller": "external-secrets",
    "webhook": "external-secrets-webhook",
    "cert-controller": "external-secrets-cert-controller",
}
"""ESO's three Deployments, by the value of app.kubernetes.io/name in its chart."""


def eso_deployment(component: str, namespace: str = "external-secrets", *, ready: int = 1) -> Object:
    """One of ESO's Deployments (`controller`, `webhook`, `cert-controller`) as its chart makes it."""
    name = COMPONENTS[component]
    labels = {
        "app.kubernetes.io/instance": "external-secrets",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/version": ESO_VERSION,
        "helm.sh/chart": f"external-secrets-{ESO_VERSION.removeprefix('v')}",
    }
    image = f"ghcr.io/external-secrets/external-secrets:{ESO_VERSION}"
    return deployment(namespace, name, image=image, ready=ready, labels=labels)
