"""Builders of Secrets, ExternalSecrets and stores as they are found on real clusters: written by ESO 2.9, kubectl, Helm.

Times are Unix seconds. Of a Secret only the names of its keys exist: its `data` maps each to an empty string.
Namespaces, events and Deployments are in `workloads.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.demo.entries import encode
from exporter.demo.fields import (
    CREATED_BY,
    DATA_HASH,
    GROUP,
    LAST_APPLIED,
    LONG_AGO,
    MANAGED,
    Labels,
    Object,
    field_manager,
    managed,
    metadata,
    object_hash,
    owned,
    stamp,
    synced_version,
)

# -- Secrets ------------------------------------------------------------------------------------------------------


def secret(
    namespace: str,
    name: str,
    keys: Iterable[str] = ("password",),
    *,
    type: str = "Opaque",  # noqa: A002
    created: float | None = LONG_AGO,
    labels: Labels | None = None,
    annotations: Labels | None = None,
    managers: Iterable[Object] = (),
    owners: Iterable[Object] = (),
    immutable: bool = False,
) -> Object:
    """A Secret with these key names and nothing else said about who made it."""
    more: Object = {}
    if owners := list(owners):
        more["ownerReferences"] = owners
    if managers := list(managers):
        more["managedFields"] = managers
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(name, namespace, created=created, labels=labels, annotations=annotations, **more),
        "data": dict.fromkeys(keys, ""),
        "type": type,
    }
    return {**obj, "immutable": True} if immutable else obj


def manual_secret(
    namespace: str,
    name: str,
    keys: Iterable[str] = ("password",),
    *,
    manager: str = "kubectl-create",
    created: float = LONG_AGO,
    edited: float | None = None,
    editor: str = "kubectl-edit",
    type: str = "Opaque",  # noqa: A002
    labels: Labels | None = None,
    annotations: Labels | None = None,
) -> Object:
    """A Secret made by hand.

    `manager` kubectl-create (`kubectl create secret`), kubectl-client-side-apply (`kubectl apply`, which leaves the whole
    manifest in an annotation; here without values), kubectl-edit, or any other. `edited` adds a later edit of all keys.
    """
    keys = list(keys)
    annotations = dict(annotations or {})
    fields: Object = {"f:data": owned(keys), "f:type": {}}
    if manager == "kubectl-client-side-apply":
        manifest = {
            "apiVersion": "v1",
            "data": dict.fromkeys(keys, ""),
            "kind": "Secret",
            "metadata": {"annotations": {}, "name": name, "namespace": namespace},
            "type": type,
        }
        annotations[LAST_APPLIED] = encode(manifest).decode() + "\n"
        fields["f:metadata"] = {"f:annotations": owned([LAST_APPLIED])}
    managers = [managed(manager, created, fields)]
    if edited is not None:
        managers[0]["fieldsV1"]["f:data"] = {}
        managers.append(managed(editor, edited, {"f:data": owned(keys, dot=False)}))
    return secret(
        namespace,
        name,
        keys,
        type=type,
        created=created,
        labels=labels,
        annotations=annotations,
        managers=managers,
    )


def eso_secret(
    external_secret: Mapping[str, Any],
    keys: Iterable[str],
    *,
    created: float | None = None,
    written: float | None = None,
    taken_over: Mapping[str, Any] | None = None,
    changed: Iterable[str] = (),
) -> Object:
    """The Secret that ESO writes for an ExternalSecret as stored by the cluster (its uid is needed).

    creationPolicy Owner: controller reference and `created-by`; Orphan and Merge: neither. `taken_over` is the Secret that
    was there before: its older managers stay and keep the keys whose values ESO did not change, that is all but `changed`.
    """
    own = external_secret["metadata"]
    target = external_secret["spec"].get("target") or {}
    owner = target.get("creationPolicy", "Owner") == "Owner"
    merge = target.get("creationPolicy") in ("Merge", "CreateOrMerge")
    keys = sorted(keys)
    before: Mapping[str, Any] = taken_over["metadata"] if taken_over else {}
    created = created if created is not None else LONG_AGO
    labels = {**own.get("labels", {}), MANAGED: "true"}
    if owner:
        labels[CREATED_BY] = object_hash(f"{own['namespace']}/{own['name']}")
    # Without a template ESO copies all labels and annotations of the ExternalSecret, kubectl's own annotation included.
    annotations = {**own.get("annotations", {}), DATA_HASH: object_hash(f"names:{','.join(keys)}")}
    reference = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ExternalSecret",
        "name": own["name"],
        "uid": own["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    fields: Object = {"f:metadata": {"f:annotations": owned(annotations), "f:labels": owned(labels)}}
    if owner:
        fields["f:metadata"]["f:ownerReferences"] = {".": {}, f'k:{{"uid":"{own["uid"]}"}}': {}}
    data = {**(dict.fromkeys(taken_over.get("data", {})) if taken_over and merge else {}), **dict.fromkeys(keys)}
    stay = {f"f:{key}" for key in data if key not in set(changed)} | {"."}
    others = [entry for entry in before.get("managedFields", []) if entry["manager"] != field_manager(own["name"])]
    older = [_without(entry, stay) for entry in others]
    kept = {field for entry in older for field in entry["fieldsV1"].get("f:data", {})}
    mine = [key for key in keys if f"f:{key}" not in kept]
    if mine or not older:
        fields = {"f:data": owned(mine, dot=not older), **fields}
    if not older:
        fields["f:type"] = {}
    written = created if written is None else written
    out = secret(
        own["namespace"],
        target.get("name") or own["name"],
        data,
        created=created,
        labels=labels,
        annotations=annotations,
        managers=[*older, managed(field_manager(own["name"]), written, fields)],
        owners=[reference] if owner else [],
        immutable=bool(target.get("immutable")),
    )
    if taken_over:
        out["metadata"]["creationTimestamp"] = before["creationTimestamp"]
        out["metadata"]["uid"] = before["uid"]
    return out


def _without(entry: Mapping[str, Any], stay: set[str]) -> Object:
    """A managedFields entry that has lost the keys which are gone or were changed by another."""
    fields = dict(entry["fieldsV1"])
    if "f:data" in fields:
        left = {field: value for field, value in fields["f:data"].items() if field in stay}
        fields["f:data"] = {} if left == {".": {}} else left
    return {**entry, "fieldsV1": fields}


def helm_release(namespace: str, release: str, revision: int = 1, created: float = LONG_AGO) -> Object:
    """The Secret in which Helm keeps a release."""
    labels = {"name": release, "owner": "helm", "status": "deployed", "version": str(revision)}
    names = owned(labels)
    fields = {"f:data": owned(["release"]), "f:metadata": {"f:labels": names}, "f:type": {}}
    return secret(
        namespace,
        f"sh.helm.release.v1.{release}.v{revision}",
        ["release"],
        type="helm.sh/release.v1",
        created=created,
        labels=labels,
        managers=[managed("helm", created, fields)],
    )


def helm_secret(namespace: str, name: str, keys: Iterable[str], release: str, created: float = LONG_AGO) -> Object:
    """A Secret that came out of a chart's template."""
    keys = list(keys)
    annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": release}
    fields = {
        "f:data": owned(keys),
        "f:metadata": {"f:annotations": owned(annotations), "f:labels": owned(labels)},
        "f:type": {},
    }
    return secret(
        namespace,
        name,
        keys,
        created=created,
        labels=labels,
        annotations=annotations,
        managers=[managed("helm", created, fields)],
    )


def token_secret(namespace: str, account: str, created: float = LONG_AGO) -> Object:
    """A long-lived ServiceAccount token."""
    annotations = {
        "kubernetes.io/service-account.name": account,
        "kubernetes.io/service-account.uid": "00000000-0000-4000-8000-000000000001",
    }
    fields = {"f:data": owned(["ca.crt", "namespace", "token"]), "f:metadata": {"f:annotations": owned(annotations)}}
    return secret(
        namespace,
        f"{account}-token",
        ["ca.crt", "namespace", "token"],
        type="kubernetes.io/service-account-token",
        created=created,
        annotations=annotations,
        managers=[managed("kube-controller-manager", created, fields)],
    )


# -- ExternalSecrets ----------------------------------------------------------------------------------------------


def condition(status: str, reason: str, message: str, since: float) -> Object:
    """A Ready condition."""
    return {
        "lastTransitionTime": stamp(since),
        "message": message,
        "reason": reason,
        "status": status,
        "type": "Ready",
    }


_REASONS = {
    "True": ("SecretSynced", "secret synced"),
    "False": ("SecretSyncedError", "could not get secret data from provider"),
}


def external_secret(
    namespace: str,
    name: str,
    *,
    store: str = "vault-backend",
    store_kind: str = "ClusterSecretStore",
    target: str | None = None,
    data: Mapping[str, tuple[str, str]] | None = None,
    extract: str | None = None,
    interval: str = "1h0m0s",
    refresh_policy: str = "",
    creation_policy: str = "Owner",
    deletion_policy: str = "Retain",
    immutable: bool = False,
    ready: str | None = None,
    reason: str | None = None,
    message: str | None = None,
    refreshed: float | None = None,
    since: float | None = None,
    created: float | None = LONG_AGO,
    labels: Labels | None = None,
    annotations: Labels | None = None,
    generation: int = 1,
    **more: Any,
) -> Object:
    """An ExternalSecret.

    `data` maps keys of the Secret to (path, property); `extract` takes every key of a path. `ready` "True", "False" or None
    (no status yet); `refreshed` is the last successful sync (None: never), `since` the last transition of Ready.
    """
    spec: Object = {
        "refreshInterval": interval,
        "secretStoreRef": {"kind": store_kind, "name": store},
        "target": {"creationPolicy": creation_policy, "deletionPolicy": deletion_policy},
    }
    if refresh_policy:
        spec["refreshPolicy"] = refresh_policy
    if target is not None:
        spec["target"]["name"] = target
    if immutable:
        spec["target"]["immutable"] = True
    policies = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
    if data:
        spec["data"] = [
            {"remoteRef": {**policies, "key": path, "property": prop}, "secretKey": key}
            for key, (path, prop) in data.items()
        ]
    if extract is not None:
        spec["dataFrom"] = [{"extract": {**policies, "key": extract}}]
    applied = created if created is not None else LONG_AGO
    fields = {"f:spec": owned(spec)}
    obj: Object = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ExternalSecret",
        "metadata": metadata(
            name,
            namespace,
            created=created,
            labels=labels,
            annotations=annotations,
            generation=generation,
            managedFields=[managed("kubectl-client-side-apply", applied, fields, f"{GROUP}/v1")],
            **more,
        ),
        "spec": spec,
    }
    if ready is not None:
        default = _REASONS.get(ready, ("", ""))
        moment = since if since is not None else (refreshed if refreshed is not None else applied)
        status: Object = {
            "binding": {"name": ""},
            "conditions": [condition(ready, reason or default[0], default[1] if message is None else message, moment)],
            "refreshTime": None if refreshed is None else stamp(refreshed),
        }
        if refreshed is not None:
            status["binding"] = {"name": target or name}
            status["syncedResourceVersion"] = synced_version(generation, labels or {}, annotations or {})
        obj["status"] = status
        status_fields = {"f:status": owned(status)}
        obj["metadata"]["managedFields"].append(
            managed("external-secrets", moment, status_fields, f"{GROUP}/v1", sub="status")
        )
    return obj


# -- stores -------------------------------------------------------------------------------------------------------


def vault_provider(
    server: str, path: str | None = "secret", version: str = "v2", *, auth: Mapping[str, Any] | None = None, **more: Any
) -> Object:
    """`spec.provider` of a store on a Vault. `auth` defaults to Kubernetes authentication as role external-secrets."""
    kubernetes = {
        "mountPath": "kubernetes",
        "role": "external-secrets",
        "serviceAccountRef": {"name": "external-secrets", "namespace": "external-secrets"},
    }
    vault: Object = {"server": server, "version": version, "auth": dict(auth or {"kubernetes": kubernetes}), **more}
    return {"vault": {**vault, "path": path} if path is not None else vault}


def cluster_secret_store(name: str, provider: Mapping[str, Any], **status: Any) -> Object:
    """A ClusterSecretStore; keywords as for `secret_store`."""
    return _store("ClusterSecretStore", name, "", provider, **status)


def secret_store(namespace: str, name: str, provider: Mapping[str, Any], **status: Any) -> Object:
    """A SecretStore. `ready` "True" (default), "False" or None (no status), `reason`, `message`, `since`, `created`."""
    return _store("SecretStore", name, namespace, provider, **status)


_STORE_REASONS = {"True": ("Valid", "store validated"), "False": ("InvalidProviderConfig", "unable to create client")}


def _store(
    kind: str,
    name: str,
    namespace: str,
    provider: Mapping[str, Any],
    *,
    ready: str | None = "True",
    reason: str | None = None,
    message: str | None = None,
    since: float = LONG_AGO,
    created: float | None = LONG_AGO,
    controller: str = "",
) -> Object:
    obj: Object = {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": metadata(name, namespace, created=created, generation=1),
        "spec": {**({"controller": controller} if controller else {}), "provider": dict(provider)},
    }
    if ready is not None:
        default = _STORE_REASONS.get(ready, ("", ""))
        told = condition(ready, reason or default[0], default[1] if message is None else message, since)
        obj["status"] = {"capabilities": "ReadWrite", "conditions": [told]}
    return obj
