"""The objects that fill the real API server: ExternalSecrets as if ESO had synced them, their Secrets, Secrets made by hand."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from exporter.demo import objects
from exporter.demo.fields import (
    CREATED_BY,
    DATA_HASH,
    GROUP,
    MANAGED,
    field_manager,
    object_hash,
    stamp,
    synced_version,
)

Object = dict[str, Any]

STORE = "vault-backend"
KEYS = ("database", "host", "password", "port", "username")
PER_NAMESPACE = 100
METADATA_BYTES = 2048
FILLING = "example.com/filling"
_LABELS = {"app.kubernetes.io/part-of": "benchmark", "team": "payments"}

# What the API server itself adds to the metadata of each kind (uid, versions, managedFields), in bytes: measured once.
_ADDED = {"externalsecret": 1500, "target": 900, "manual": 330}


class Sizes(NamedTuple):
    """How many objects there are: `targets` Secrets belong to ExternalSecrets, `manual` ones were made by hand."""

    externalsecrets: int
    targets: int
    manual: int

    @property
    def secrets(self) -> int:
        """All Secrets."""
        return self.targets + self.manual

    @property
    def objects(self) -> int:
        """ExternalSecrets and Secrets."""
        return self.externalsecrets + self.secrets

    @property
    def namespaces(self) -> int:
        """So many that each holds about PER_NAMESPACE ExternalSecrets."""
        return max(1, self.externalsecrets // PER_NAMESPACE)


def namespace_of(number: int, sizes: Sizes) -> str:
    """The namespace of the object with this number."""
    return f"team-{number % sizes.namespaces:04}"


def name_of(number: int) -> str:
    """The ExternalSecret with this number."""
    return f"app-{number:06}-secrets"


def namespaces(sizes: Sizes) -> Iterator[Object]:
    """All namespaces."""
    for number in range(sizes.namespaces):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(number, sizes)}}


def store() -> Object:
    """The one ClusterSecretStore; its Vault is a port of loopback on which nobody listens."""
    return objects.cluster_secret_store(STORE, objects.vault_provider("http://127.0.0.1:9"))


def external_secret(number: int, sizes: Sizes) -> Object:
    """An ExternalSecret as a person applies it."""
    data = {key: (f"teams/app-{number:06}", key) for key in KEYS}
    made = objects.external_secret(
        namespace_of(number, sizes), name_of(number), store=STORE, data=data, target=f"app-{number:06}"
    )
    metadata = {"name": made["metadata"]["name"], "namespace": made["metadata"]["namespace"], "labels": _LABELS}
    return {**made, "metadata": _filled(metadata, "externalsecret")}


def synced(created: Object, refreshed: float) -> Object:
    """What the API server answered to `external_secret`, with the status that ESO gives a synced one."""
    metadata = created["metadata"]
    condition = objects.condition("True", "SecretSynced", "secret synced", refreshed)
    status = {
        "binding": {"name": created["spec"]["target"]["name"]},
        "conditions": [condition],
        "refreshTime": stamp(refreshed),
        "syncedResourceVersion": synced_version(metadata["generation"], _LABELS, metadata["annotations"]),
    }
    return {**created, "status": status}


def target(number: int, sizes: Sizes, owner: str, value: Value) -> tuple[Object, str]:
    """The Secret that ESO writes for an ExternalSecret with the uid `owner`, and ESO's field manager."""
    namespace, name = namespace_of(number, sizes), name_of(number)
    metadata = {
        "name": f"app-{number:06}",
        "namespace": namespace,
        "labels": {**_LABELS, MANAGED: "true", CREATED_BY: object_hash(f"{namespace}/{name}")},
        "annotations": {DATA_HASH: object_hash(name)},
        "ownerReferences": [
            {
                "apiVersion": f"{GROUP}/v1",
                "kind": "ExternalSecret",
                "name": name,
                "uid": owner,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    return _secret(_filled(metadata, "target"), value(KEYS)), field_manager(name)


def manual(number: int, sizes: Sizes, value: Value) -> tuple[Object, str]:
    """A Secret made with kubectl, and kubectl's field manager."""
    metadata = {"name": f"hand-{number:06}", "namespace": namespace_of(number, sizes), "labels": _LABELS}
    return _secret(_filled(metadata, "manual"), value(KEYS[:3])), "kubectl-create"


class Value:
    """Values of so many bytes in all, that compress as little as real ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool = random.Random(3).randbytes(size + 4096)
        self._random = random.Random(5)

    def __call__(self, keys: tuple[str, ...]) -> dict[str, str]:
        """The `data` of a Secret with these keys."""
        each = self._size // len(keys)
        start = self._random.randrange(4096)
        return {key: base64.b64encode(self._pool[start : start + each]).decode() for key in keys}


def refreshed_at(number: int) -> float:
    """When the ExternalSecret with this number was last synced: spread over the last hour."""
    return _BEGUN - number % 3000


_BEGUN = float(int(time.time()))


def _secret(metadata: Object, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _filled(metadata: Object, kind: str) -> Object:
    missing = METADATA_BYTES - _ADDED[kind] - len(json.dumps(metadata, separators=(",", ":")))
    annotations = {**metadata.get("annotations", {}), FILLING: "x" * max(1, missing)}
    return {**metadata, "annotations": annotations}
