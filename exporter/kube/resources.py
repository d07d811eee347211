"""What is watched: one entry a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from exporter.config.settings import Settings
from exporter.eso.identity import GROUP, GROUP_GENERATORS
from exporter.eso.ownership import Creators
from exporter.kube import (
    wire_deployment,
    wire_event,
    wire_externalsecret,
    wire_generator,
    wire_namespace,
    wire_pushsecret,
    wire_secret,
    wire_serviceaccount,
    wire_spread,
    wire_store,
)
from exporter.kube.resource import Cells, Form, Record, Resource
from exporter.kube.wire import OwnerKeys

Convert = Callable[[Any, Cells], Record | None]

EXTERNALSECRETS = "externalsecrets"
SECRETSTORES = "secretstores"
CLUSTERSECRETSTORES = "clustersecretstores"
NAMESPACES = "namespaces"
SECRETS = "secrets"
CLUSTEREXTERNALSECRETS = "clusterexternalsecrets"
PUSHSECRETS = "pushsecrets"
CLUSTERPUSHSECRETS = "clusterpushsecrets"
VAULTDYNAMICSECRETS = "vaultdynamicsecrets"
CLUSTERGENERATORS = "clustergenerators"
SERVICEACCOUNTS = "serviceaccounts"
EVENTS = "events"
DEPLOYMENTS = "deployments"


def resources(settings: Settings) -> tuple[Resource, ...]:
    """The resources that these settings ask for. Secrets only ever as metadata, and not at all with mode `off`.

    Raises ConfigError for a selector of ESO's own Deployments that cannot be read.
    """
    owner_keys = OwnerKeys(settings.owner.keys, settings.owner.max_length)
    creators = Creators(settings.ownership.rules)

    def eso(
        name: str, item: type[msgspec.Struct], convert: Convert, *, namespaced: bool, alpha: bool = False
    ) -> Resource:
        versions = ("v1alpha1",) if alpha else ("v1", "v1beta1")
        return Resource(name, GROUP, versions, namespaced, "json", item, convert, optional=True)

    def generator(name: str, kind: str, *, namespaced: bool) -> Resource:
        item, convert = wire_generator.GeneratorWire, wire_generator.converter(kind)
        return Resource(name, GROUP_GENERATORS, ("v1alpha1",), namespaced, "json", item, convert, optional=True)

    def core(
        name: str, form: Form, item: type[msgspec.Struct], convert: Convert, *, namespaced: bool = True
    ) -> Resource:
        return Resource(name, "", ("v1",), namespaced, form, item, convert)

    store, spread = wire_store.StoreWire, wire_spread.SpreadWire
    watched = [
        core(
            NAMESPACES,
            "metadata",
            wire_namespace.NamespaceWire,
            wire_namespace.converter(owner_keys),
            namespaced=False,
        ),
        eso(CLUSTERSECRETSTORES, store, wire_store.converter("ClusterSecretStore", owner_keys), namespaced=False),
        eso(SECRETSTORES, store, wire_store.converter("SecretStore", owner_keys), namespaced=True),
        eso(
            EXTERNALSECRETS,
            wire_externalsecret.ExternalSecretWire,
            wire_externalsecret.converter(owner_keys),
            namespaced=True,
        ),
        eso(CLUSTEREXTERNALSECRETS, spread, wire_spread.converter(), namespaced=False),
        eso(
            PUSHSECRETS,
            wire_pushsecret.PushSecretWire,
            wire_pushsecret.converter(),
            namespaced=True,
            alpha=True,
        ),
        eso(CLUSTERPUSHSECRETS, spread, wire_spread.converter(), namespaced=False, alpha=True),
        generator(VAULTDYNAMICSECRETS, wire_generator.VAULT_DYNAMIC_SECRET, namespaced=True),
        generator(CLUSTERGENERATORS, wire_generator.CLUSTER_GENERATOR, namespaced=False),
        core(SERVICEACCOUNTS, "metadata", wire_serviceaccount.ServiceAccountWire, wire_serviceaccount.converter()),
        msgspec.structs.replace(
            core(EVENTS, "json", wire_event.EventWire, wire_event.converter()),
            field_selector=wire_event.FIELD_SELECTOR,
        ),
    ]
    if settings.operator.namespace or not (settings.kubernetes.namespaces or settings.kubernetes.namespace_selector):
        # Where only some namespaces are watched, ESO hardly lives in one of them: then the setting must name its own.
        watched.append(
            Resource(
                name=DEPLOYMENTS,
                group="apps",
                versions=("v1",),
                namespaced=True,
                form="json",
                item=wire_deployment.DeploymentWire,
                convert=wire_deployment.converter(settings.operator),
                label_selector=wire_deployment.label_selector(settings.operator),
                only_in=(settings.operator.namespace,) if settings.operator.namespace else (),
            )
        )
    item = wire_secret.wire_type(creators, owner_keys)
    secrets = core(SECRETS, "table", item, wire_secret.converter(creators, owner_keys))
    watched += _in_their_mode(secrets, settings)
    return tuple(watched)


def _in_their_mode(secrets: Resource, settings: Settings) -> list[Resource]:
    """Secrets where their mode is not off: those of other namespaces are never read, not even as metadata."""
    modes = settings.secrets.namespaces
    if settings.secrets.mode != "off":
        off = sorted(namespace for namespace, mode in modes.items() if mode == "off")
        return [
            msgspec.structs.replace(secrets, field_selector=",".join(f"metadata.namespace!={name}" for name in off))
        ]
    named = settings.kubernetes.namespaces
    on = sorted(name for name, mode in modes.items() if mode != "off" and (not named or name in named))
    return [msgspec.structs.replace(secrets, only_in=tuple(on))] if on else []
