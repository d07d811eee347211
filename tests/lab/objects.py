"""Manifests of the objects that tests need, as plain dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ESO_GROUP = "external-secrets.io/v1"
Object = dict[str, Any]


def reference(api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    """Just enough of an object to name it; also a manifest to start from."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Object:
    """A Namespace."""
    one = reference("v1", "Namespace", name)
    one["metadata"]["labels"] = dict(labels or {})
    return one


def secret(namespace: str, name: str, data: Mapping[str, str] | None = None, kind: str = "Opaque") -> Object:
    """A Secret; `data` is plain text."""
    return {**reference("v1", "Secret", name, namespace), "type": kind, "stringData": dict(data or {})}


def external_secret(
    namespace: str,
    name: str,
    target: str = "",
    *,
    path: str = "",
    keys: Iterable[str] = (),
    store: str = "vault-backend",
    store_kind: str = "ClusterSecretStore",
    interval: str = "1h",
    creation_policy: str = "Owner",
    **spec: Any,
) -> Object:
    """An ExternalSecret. Without `keys` it extracts all of `path`; with them it names each; `spec` adds or replaces fields."""
    items: Object = (
        {"data": [{"secretKey": key, "remoteRef": {"key": path, "property": key}} for key in keys]}
        if keys
        else {"dataFrom": [{"extract": {"key": path}}]}
    )
    return {
        **reference(ESO_GROUP, "ExternalSecret", name, namespace),
        "spec": {
            "refreshInterval": interval,
            "secretStoreRef": {"name": store, "kind": store_kind},
            "target": {"name": target or name, "creationPolicy": creation_policy},
            **items,
            **spec,
        },
    }


def vault_store(
    name: str, server: str, *, path: str = "secret", version: str = "v2", token: Mapping[str, str], namespace: str = ""
) -> Object:
    """A store on Vault's KV engine with token authentication: of the cluster, or of `namespace` when given.

    `token` names the Secret: `{"name": …, "key": …, "namespace": …}`.
    """
    kind = "SecretStore" if namespace else "ClusterSecretStore"
    provider = {"server": server, "path": path, "version": version, "auth": {"tokenSecretRef": dict(token)}}
    return {**reference(ESO_GROUP, kind, name, namespace), "spec": {"provider": {"vault": provider}}}


def deployment(namespace: str, name: str, secrets: Iterable[str] = (), replicas: int = 1) -> Object:
    """A Deployment whose one container takes its environment from these Secrets."""
    labels = {"app.kubernetes.io/name": name}
    environment = [{"secretRef": {"name": one}} for one in secrets]
    container = {"name": "main", "image": f"registry.invalid/{name}:1", "envFrom": environment}
    return {
        **reference("apps/v1", "Deployment", name, namespace),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
