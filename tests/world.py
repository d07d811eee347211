"""A small world for tests of judge and metrics: objects as the API server sends them in, exposition text out.

Objects go through the real wire decoding, the real inventory, the real judge and the real groups; only the reflectors
are missing. Time is the test's own.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from exporter.config.settings import JudgeSettings, OwnershipException, Settings
from exporter.eso.identity import created_by, field_manager, synced_resource_version
from exporter.exposition.families import Exposition
from exporter.inventory.inventory import Inventory
from exporter.judge.engine import Engine
from exporter.judge.secret import Exceptions
from exporter.judge.view import View
from exporter.kube.resource import Cells
from exporter.kube.resources import resources
from exporter.metrics.results import MetricGroups

NOW = 1_780_000_000.0
EVERYTHING = tuple(resource.name for resource in resources(Settings()))


def at(moment: float) -> str:
    """A Kubernetes time."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def external_secret(name: str = "db", namespace: str = "shop", **given: Any) -> dict[str, Any]:
    """An ExternalSecret, healthy unless told otherwise; keys of `given` starting with `status_` or `spec_` as named."""
    synced = given.get("synced", NOW - 60)
    labels, annotations = given.get("labels"), given.get("annotations")
    status: dict[str, Any] = {
        "refreshTime": at(synced) if synced is not None else None,
        "syncedResourceVersion": given.get("version", synced_resource_version(1, labels, annotations))
        if synced is not None
        else "",
    }
    ready = given.get("ready", "True")
    if ready:
        status["conditions"] = [
            {
                "type": "Ready",
                "status": ready,
                "reason": given.get("reason", "SecretSynced" if ready == "True" else "SecretSyncedError"),
                "message": given.get("message", "secret synced"),
                "lastTransitionTime": at(given.get("transition", NOW - 3000)),
            }
        ]
    target: dict[str, Any] = {"name": given.get("target", ""), **given.get("spec_target", {})}
    if "policy" in given:
        target["creationPolicy"] = given["policy"]
    spec: dict[str, Any] = {
        "secretStoreRef": {"name": "vault-backend", "kind": "ClusterSecretStore"},
        "refreshInterval": given.get("interval", "1h0m0s"),
        "target": target,
        "data": [{"secretKey": key, "remoteRef": {"key": "x"}} for key in given.get("keys", ("password",))],
    }
    if "refresh_policy" in given:
        spec["refreshPolicy"] = given["refresh_policy"]
    spec.update(given.get("spec", {}))
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": given.get("uid", f"uid-{namespace}-{name}"),
        "generation": 1,
        "creationTimestamp": at(given.get("created", NOW - 4000)),
        "labels": labels,
        "annotations": annotations,
    }
    if "deleting" in given:
        metadata["deletionTimestamp"] = at(given["deleting"])
    return {"metadata": metadata, "spec": spec, "status": status}


def store(name: str = "vault-backend", namespace: str = "", **given: Any) -> dict[str, Any]:
    """A ClusterSecretStore, or a SecretStore when a namespace is given."""
    ready = given.get("ready", "True")
    conditions = (
        [
            {
                "type": "Ready",
                "status": ready,
                "reason": given.get("reason", "Valid" if ready == "True" else "InvalidProviderConfig"),
                "lastTransitionTime": at(given.get("transition", NOW - 5000)),
            }
        ]
        if ready
        else []
    )
    provider = given.get(
        "provider",
        {
            "vault": {
                "server": "https://vault:8200",
                "path": "secret",
                "version": "v2",
                "auth": {"tokenSecretRef": {"name": "vault-token", "namespace": "external-secrets", "key": "token"}},
            }
        },
    )
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": at(given.get("created", NOW - 9000))},
        "spec": {"provider": provider, "controller": given.get("controller", "")},
        "status": {"conditions": conditions},
    }


def secret(name: str = "db", namespace: str = "shop", **given: Any) -> dict[str, Any]:
    """A Secret's metadata; `entries` are (manager, time, data keys)."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "creationTimestamp": at(given.get("created", NOW - 1000)),
        "labels": given.get("labels"),
        "annotations": given.get("annotations"),
        "ownerReferences": given.get("owners"),
        "managedFields": [
            {
                "manager": manager,
                "operation": "Update",
                "time": at(when),
                "fieldsV1": {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}} if keys else {"f:metadata": {}},
            }
            for manager, when, keys in given.get("entries", (("kubectl-create", NOW - 1000, ("password",)),))
        ],
    }
    return {"metadata": metadata}


def owned(name: str = "db", namespace: str = "shop", es: str = "db", **given: Any) -> dict[str, Any]:
    """A Secret as ESO writes it with creationPolicy Owner."""
    keys = given.pop("keys", ("password",))
    return secret(
        name,
        namespace,
        labels={
            "reconcile.external-secrets.io/managed": "true",
            "reconcile.external-secrets.io/created-by": created_by(namespace, es),
            **(given.pop("labels", None) or {}),
        },
        annotations={"reconcile.external-secrets.io/data-hash": "0" * 56, **(given.pop("annotations", None) or {})},
        owners=[
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "name": es,
                "uid": given.pop("owner_uid", f"uid-{namespace}-{es}"),
                "controller": True,
            }
        ],
        entries=[*given.pop("entries", ()), (field_manager(es), given.pop("written", NOW - 900), keys)],
        **given,
    )


class World:
    """Everything between the wire and the exposition, with the test's own clock."""

    def __init__(
        self,
        *,
        known: tuple[str, ...] = EVERYTHING,
        settings: Settings | None = None,
        exceptions: tuple[OwnershipException, ...] = (),
        excluded: tuple[str, ...] = (),
        judge: JudgeSettings | None = None,
    ) -> None:
        settings = settings or Settings()
        self.now = NOW
        self.known = set(known)
        self.inventory = Inventory()
        self.resources = {resource.name: resource for resource in resources(settings)}
        self.groups = MetricGroups()
        view = self.view = View(
            self.inventory,
            judge or settings.judge,
            lambda resource, _namespace: resource in self.known,
            lambda server: "main" if server else "",
        )
        self.engine = Engine(self.inventory, view, Exceptions(exceptions), self.groups)
        self.engine.configure(view, Exceptions(exceptions), excluded)
        self.exposition = Exposition(self.groups.groups)
        self.groups.enable(self.known)

    def add(self, resource: str, *objects: Mapping[str, Any], type_: str = "Opaque", keys: int | None = None) -> None:
        """Puts objects in, as a watch event would."""
        spec = self.resources[resource]
        for given in objects:
            wire = msgspec.json.decode(json.dumps(given), type=spec.item)
            if keys is None and resource == "secrets":
                count = len(
                    {k for e in given["metadata"]["managedFields"] for k in e["fieldsV1"].get("f:data", {})} - {"."}
                )
            else:
                count = keys or 0
            record = spec.convert(wire, Cells(type_, count))
            assert record is not None
            self.inventory.sinks[resource].apply("", record)

    def remove(self, resource: str, name: str, namespace: str = "") -> None:
        """Takes an object out."""
        self.inventory.sinks[resource].remove("", namespace, name)

    def namespace(self, *names: str, labels: Mapping[str, str] | None = None) -> None:
        """Namespaces that exist."""
        for name in names:
            self.add("namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}})

    def samples(self, *families: str) -> list[str]:
        """The present samples of these families (all if none is named), in order, without their headers."""
        self.judge()
        self.exposition.refresh()
        text = self.exposition.body(openmetrics=False, gzip=False, now=self.now).read().decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return [line for line in lines if not families or line.split("{")[0].split(" ")[0] in families]

    def judge(self) -> None:
        """Judges what changed. An object whose judging raised is a defect, which the engine would only note."""
        self.engine.run(self.now)
        for error in self.engine.broken.values():
            raise error

    def problems(self, kind: str = "externalsecret") -> set[str]:
        """Names of the present problems of one kind."""
        self.judge()
        return {problem.id for (k, _, _), found in self.groups.problems.items() if k == kind for problem in found}

    def wait(self, seconds: float) -> None:
        """Lets time pass, to the second after which a recheck is due."""
        self.now += seconds


def lines(block: str) -> list[str]:
    """The samples of an indented block of text."""
    return [line for line in textwrap.dedent(block).strip().splitlines() if line]
