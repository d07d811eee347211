"""Objects of ESO's other kinds, Events, ServiceAccounts and ESO's own Deployments, for `tests.world.World`."""

from __future__ import annotations

from typing import Any

from tests.world import NOW, at

GENERATORS = "generators.external-secrets.io/v1alpha1"


def event(
    name: str = "db", namespace: str = "shop", message: str = "Secret does not exist", **given: Any
) -> dict[str, Any]:
    """A Warning Event of an ExternalSecret, as client-go's recorder writes it; `when` is its last time."""
    when = at(given.get("when", NOW - 60))
    return {
        "metadata": {"name": given.get("event", f"{name}.17f3a0"), "namespace": namespace, "creationTimestamp": when},
        "involvedObject": {
            "apiVersion": given.get("api_version", "external-secrets.io/v1"),
            "kind": given.get("kind", "ExternalSecret"),
            "namespace": namespace,
            "name": name,
            "uid": given.get("uid", f"uid-{namespace}-{name}"),
        },
        "reason": given.get("reason", "UpdateFailed"),
        "type": given.get("type", "Warning"),
        "message": message,
        **given.get("times", {"firstTimestamp": when, "lastTimestamp": when, "eventTime": None}),
    }


def push_secret(name: str = "out", namespace: str = "shop", **given: Any) -> dict[str, Any]:
    """A PushSecret, healthy unless told otherwise."""
    synced = given.get("synced", NOW - 60)
    ready = given.get("ready", "True")
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": given.get("reason", "Synced" if ready == "True" else "Errored"),
        "message": given.get("message", "PushSecret synced successfully"),
        "lastTransitionTime": at(given.get("transition", NOW - 3000)),
    }
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": at(given.get("created", NOW - 4000))},
        "spec": {
            "refreshInterval": given.get("interval", "1h0m0s"),
            "secretStoreRefs": given.get("stores", [{"name": "vault-backend", "kind": "ClusterSecretStore"}]),
        },
        "status": {
            "refreshTime": at(synced) if synced is not None else None,
            "syncedPushSecrets": given.get("pushed", {}),
            "conditions": [condition] if ready else [],
        },
    }


def spread(name: str = "everywhere", **given: Any) -> dict[str, Any]:
    """A ClusterExternalSecret or ClusterPushSecret, healthy unless told otherwise; `failed` are namespaces."""
    ready = given.get("ready", "False" if given.get("failed") else "True")
    return {
        "metadata": {"name": name, "creationTimestamp": at(given.get("created", NOW - 4000))},
        "status": {
            "provisionedNamespaces": list(given.get("provisioned", ("red", "green"))),
            "failedNamespaces": [
                {"namespace": namespace, "reason": "external secret already exists in namespace"}
                for namespace in given.get("failed", ())
            ],
            # Neither reason nor time: so ESO writes them.
            "conditions": [{"type": "Ready", "status": ready}] if ready else [],
        },
    }


def account(name: str = "vault-auth", namespace: str = "external-secrets") -> dict[str, Any]:
    """A ServiceAccount's metadata."""
    return {"metadata": {"name": name, "namespace": namespace}}


def generator(name: str = "database", namespace: str = "shop", secret: str = "vault-login") -> dict[str, Any]:
    """A VaultDynamicSecret that logs in by a Secret."""
    auth = {"tokenSecretRef": {"name": secret, "key": "token", "namespace": "elsewhere"}}
    provider = {"server": "https://vault:8200", "auth": auth}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"path": "database/creds/x", "provider": provider},
    }


def cluster_generator(name: str = "database", secret: str = "vault-login") -> dict[str, Any]:
    """A ClusterGenerator of the same."""
    spec = generator(secret=secret)["spec"]
    made = {"kind": "VaultDynamicSecret", "generator": {"vaultDynamicSecretSpec": spec}}
    return {"metadata": {"name": name}, "spec": made}


def deployment(name: str = "external-secrets", namespace: str = "external-secrets", **given: Any) -> dict[str, Any]:
    """A Deployment of ESO as its chart makes it; `component` is the suffix of its label."""
    labels = {
        "app.kubernetes.io/name": given.get("label", name),
        "app.kubernetes.io/instance": "eso",
        "app.kubernetes.io/version": "v0.20.4",
    }
    replicas, ready = given.get("replicas", 1), given.get("ready", 1)
    available = {"type": "Available", "status": given.get("available", "True" if ready else "False")}
    available["lastTransitionTime"] = at(given.get("transition", NOW - 300))
    container = {"image": given.get("image", "ghcr.io/external-secrets/external-secrets:v2.9.0")}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": given.get("labels", labels)},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        "status": {**({"readyReplicas": ready} if ready else {}), "conditions": [available]},
    }
