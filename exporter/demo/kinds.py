"""What the simulated API server knows: one line a kind, and the discovery documents that follow from the lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ESO_GROUP = "external-secrets.io"
GENERATORS_GROUP = "generators.external-secrets.io"
CRD_GROUP = "apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API.

    `versions` are those its definition has; which of them are served is the cluster's choice. `custom` kinds come from a
    CustomResourceDefinition and can be missing. `selectable` are the field selectors it knows beside `metadata.name` and
    `metadata.namespace`, as paths into the object.
    """

    plural: str
    kind: str
    group: str
    versions: tuple[str, ...]
    namespaced: bool = True
    custom: bool = False
    selectable: tuple[str, ...] = ()

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version

    @property
    def gvr(self) -> str:
        """`resource.group` as a real server writes it in its messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_EVENT_FIELDS = (
    "type",
    "reason",
    "reportingComponent",
    "source",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
)
_ES_FIELDS = (
    ".spec.secretStoreRef.name",
    ".spec.secretStoreRef.kind",
    ".spec.target.name",
    ".spec.refreshInterval",
)

KINDS: tuple[Kind, ...] = (
    Kind("secrets", "Secret", "", ("v1",), selectable=("type",)),
    Kind("namespaces", "Namespace", "", ("v1",), namespaced=False, selectable=("status.phase",)),
    Kind("events", "Event", "", ("v1",), selectable=_EVENT_FIELDS),
    Kind("serviceaccounts", "ServiceAccount", "", ("v1",)),
    Kind("pods", "Pod", "", ("v1",), selectable=("status.phase", "spec.nodeName")),
    Kind("deployments", "Deployment", "apps", ("v1",)),
    Kind("replicasets", "ReplicaSet", "apps", ("v1",)),
    Kind("statefulsets", "StatefulSet", "apps", ("v1",)),
    Kind("daemonsets", "DaemonSet", "apps", ("v1",)),
    Kind("jobs", "Job", "batch", ("v1",)),
    Kind("cronjobs", "CronJob", "batch", ("v1",)),
    Kind("customresourcedefinitions", "CustomResourceDefinition", CRD_GROUP, ("v1",), namespaced=False),
    Kind("externalsecrets", "ExternalSecret", ESO_GROUP, ("v1", "v1beta1"), custom=True, selectable=_ES_FIELDS),
    Kind("secretstores", "SecretStore", ESO_GROUP, ("v1", "v1beta1"), custom=True),
    Kind("clustersecretstores", "ClusterSecretStore", ESO_GROUP, ("v1", "v1beta1"), namespaced=False, custom=True),
    Kind(
        "clusterexternalsecrets",
        "ClusterExternalSecret",
        ESO_GROUP,
        ("v1", "v1beta1"),
        namespaced=False,
        custom=True,
    ),
    Kind("pushsecrets", "PushSecret", ESO_GROUP, ("v1alpha1",), custom=True),
    Kind("clusterpushsecrets", "ClusterPushSecret", ESO_GROUP, ("v1alpha1",), namespaced=False, custom=True),
    Kind("vaultdynamicsecrets", "VaultDynamicSecret", GENERATORS_GROUP, ("v1alpha1",), custom=True),
    Kind("clustergenerators", "ClusterGenerator", GENERATORS_GROUP, ("v1alpha1",), namespaced=False, custom=True),
    Kind("generatorstates", "GeneratorState", GENERATORS_GROUP, ("v1alpha1",), custom=True),
)

BY_PLURAL = {kind.plural: kind for kind in KINDS}
_BY_KIND = {kind.kind: kind for kind in KINDS}


def kind_of(name: str) -> Kind:
    """The kind called `name`, which may be a plural or a kind name. Raises KeyError."""
    return BY_PLURAL[name] if name in BY_PLURAL else _BY_KIND[name]


@dataclass(frozen=True, slots=True)
class Served:
    """A kind in one served version."""

    kind: Kind
    version: str


# -- discovery ------------------------------------------------------------------------------------------------------

VERSION = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.2",
    "gitCommit": "simulated",
    "gitTreeState": "clean",
    "buildDate": "2026-08-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}

API_VERSIONS = {
    "kind": "APIVersions",
    "versions": ["v1"],
    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
}

_ORDER = ("v1", "v1beta1", "v1alpha1")
"""Kubernetes' own order of versions: stable before beta before alpha. The first served one is preferred."""


def _versions(served: Iterable[Served], group: str) -> list[str]:
    found = {one.version for one in served if one.kind.group == group}
    return [version for version in _ORDER if version in found]


def api_group(served: Iterable[Served], group: str) -> dict[str, Any] | None:
    """The APIGroup document (without its kind), or None where nothing of the group is served."""
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in _versions(served, group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]} if versions else None


def api_group_list(served: Iterable[Served]) -> dict[str, Any]:
    served = list(served)
    names = dict.fromkeys(one.kind.group for one in served if one.kind.group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [api_group(served, name) for name in names]}


def api_resource_list(served: Iterable[Served], group: str, version: str) -> dict[str, Any] | None:
    """The APIResourceList of one group and version, or None where nothing of it is served."""
    resources = []
    for one in served:
        if (one.kind.group, one.version) != (group, version):
            continue
        resource = {
            "name": one.kind.plural,
            "singularName": one.kind.kind.lower(),
            "namespaced": one.kind.namespaced,
            "kind": one.kind.kind,
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
        resources.append(resource)
        if one.kind.custom or one.kind.group == "apps":
            resources.append(resource | {"name": f"{one.kind.plural}/status", "verbs": ["get", "patch", "update"]})
    group_version = f"{group}/{version}" if group else version
    if not resources:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def definition(kind: Kind, served: Iterable[str]) -> dict[str, Any]:
    """The CustomResourceDefinition object behind a custom kind, in short (no schema): clients discover by it."""
    served = tuple(served)
    names = {"plural": kind.plural, "singular": kind.kind.lower(), "kind": kind.kind, "listKind": kind.kind + "List"}
    versions = [
        {"name": version, "served": version in served, "storage": version == kind.versions[0]}
        for version in kind.versions
    ]
    return {
        "apiVersion": f"{CRD_GROUP}/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.gvr},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": versions,
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": [kind.versions[0]],
            "conditions": [
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts"},
                {"type": "Established", "status": "True", "reason": "InitialNamesAccepted"},
            ],
        },
    }
