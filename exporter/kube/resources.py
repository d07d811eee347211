"""What is watched: one entry a kind."""

from __future__ import annotations

from exporter.config.settings import Settings
from exporter.eso.identity import GROUP
from exporter.eso.ownership import Creators
from exporter.kube import wire_externalsecret, wire_namespace, wire_secret, wire_store
from exporter.kube.resource import Resource
from exporter.kube.wire import OwnerKeys

EXTERNALSECRETS = "externalsecrets"
SECRETSTORES = "secretstores"
CLUSTERSECRETSTORES = "clustersecretstores"
NAMESPACES = "namespaces"
SECRETS = "secrets"


def resources(settings: Settings) -> tuple[Resource, ...]:
    """The resources that these settings ask for. Secrets only ever as metadata, and not at all with mode `off`."""
    owner_keys = OwnerKeys(settings.owner.keys, settings.owner.max_length)
    creators = Creators(settings.ownership.rules)
    eso = ("v1", "v1beta1")
    watched = [
        Resource(
            name=NAMESPACES,
            group="",
            versions=("v1",),
            namespaced=False,
            form="metadata",
            item=wire_namespace.NamespaceWire,
            convert=wire_namespace.converter(owner_keys),
        ),
        Resource(
            name=CLUSTERSECRETSTORES,
            group=GROUP,
            versions=eso,
            namespaced=False,
            form="json",
            item=wire_store.StoreWire,
            convert=wire_store.converter("ClusterSecretStore", owner_keys),
            optional=True,
        ),
        Resource(
            name=SECRETSTORES,
            group=GROUP,
            versions=eso,
            namespaced=True,
            form="json",
            item=wire_store.StoreWire,
            convert=wire_store.converter("SecretStore", owner_keys),
            optional=True,
        ),
        Resource(
            name=EXTERNALSECRETS,
            group=GROUP,
            versions=eso,
            namespaced=True,
            form="json",
            item=wire_externalsecret.ExternalSecretWire,
            convert=wire_externalsecret.converter(owner_keys),
            optional=True,
        ),
    ]
    if settings.secrets.mode != "off":
        watched.append(
            Resource(
                name=SECRETS,
                group="",
                versions=("v1",),
                namespaced=True,
                form="table",
                item=wire_secret.wire_type(creators, owner_keys),
                convert=wire_secret.converter(creators, owner_keys),
            )
        )
    return tuple(watched)
