"""What the judge may look at around an object: the inventory, what of it can be relied on, and names of Vaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from exporter.config.settings import JudgeSettings
from exporter.inventory.inventory import Inventory
from exporter.kube.records import ExternalSecret, OperatorDeployment, Secret, ServiceAccount, Store, StoreRef
from exporter.kube.resources import (
    CLUSTERSECRETSTORES,
    EXTERNALSECRETS,
    PUSHSECRETS,
    SECRETS,
    SECRETSTORES,
    SERVICEACCOUNTS,
)

Readable = Callable[[str, str], bool]

EVENT_SLACK = 10.0
"""Seconds by which ESO's Event may be older than the transition of Ready that it belongs to: both come from one reconcile,
but with different clocks and rounding."""


class View:
    """Neighbours of an object. Used under the inventory's lock.

    `readable(resource, namespace)` tells whether the resource is completely known there (synced, or not installed at
    all): what is not readable is not judged, rather than taken for absent. `vault_names` maps a store's server to the
    logical name of its Vault.
    """

    def __init__(
        self, inventory: Inventory, settings: JudgeSettings, readable: Readable, vault_name: Callable[[str], str]
    ) -> None:
        self._inventory = inventory
        self.settings = settings
        self.readable = readable
        self._vault_name = vault_name

    def store(self, ref: StoreRef) -> Store | None:
        """The store, None when it does not exist."""
        return self._inventory.store(ref)

    def store_readable(self, ref: StoreRef) -> bool:
        """Whether that kind of store is completely known where the store would be."""
        return self.readable(CLUSTERSECRETSTORES if ref.kind == "ClusterSecretStore" else SECRETSTORES, ref.namespace)

    def secret(self, namespace: str, name: str) -> Secret | None:
        """The Secret's record."""
        return self._inventory.secrets.get(namespace, name)

    def secrets_readable(self, namespace: str) -> bool:
        """Whether every Secret of the namespace is known."""
        return self.readable(SECRETS, namespace)

    def targeting(self, namespace: str, secret: str) -> Sequence[ExternalSecret]:
        """The living ExternalSecrets that have this Secret as target."""
        return self._inventory.targeting(namespace, secret)

    def is_shared(self, namespace: str, secret: str) -> bool:
        """Whether more than one living ExternalSecret has this Secret as target."""
        return self._inventory.is_shared(namespace, secret)

    def externalsecret(self, namespace: str, name: str) -> ExternalSecret | None:
        """The ExternalSecret's record."""
        return self._inventory.externalsecrets.get(namespace, name)

    def named_by_store(self, namespace: str, secret: str) -> bool:
        """Whether a store or a template names this Secret."""
        return self._inventory.named_by_store(namespace, secret)

    def users(self, ref: StoreRef) -> Mapping[str, int]:
        """How many ExternalSecrets read from the store, by state."""
        return self._inventory.user_states(ref)

    def use_readable(self, ref: StoreRef) -> bool:
        """Whether everything that may use the store is known: anywhere, for a ClusterSecretStore."""
        return self.readable(EXTERNALSECRETS, ref.namespace) and self.readable(PUSHSECRETS, ref.namespace)

    def pushed_to(self, ref: StoreRef) -> bool:
        """Whether some PushSecret writes to the store."""
        return self._inventory.pushed_to(ref)

    def account(self, namespace: str, name: str) -> ServiceAccount | None:
        """The ServiceAccount's record."""
        return self._inventory.serviceaccounts.get(namespace, name)

    def accounts_readable(self, namespace: str) -> bool:
        """Whether every ServiceAccount of the namespace is known."""
        return self.readable(SERVICEACCOUNTS, namespace)

    def operator_deployments(self, namespace: str, component: str) -> Sequence[OperatorDeployment]:
        """The Deployments of one component of ESO."""
        return self._inventory.operator_deployments(namespace, component)

    def vault(self, ref: StoreRef | None) -> str:
        """The logical name of the Vault behind a store, "" for another provider or an unknown store."""
        store = self._inventory.store(ref) if ref is not None else None
        return self._vault_name(store.server) if store is not None and store.server else ""

    def edit_turns(self, namespace: str, name: str) -> tuple[float, ...]:
        """When somebody took keys of a Secret from ESO, again and again: Unix seconds, newest last."""
        return self._inventory.edits.of(namespace, name)

    def namespace_owner(self, namespace: str) -> str:
        """The owner that the Namespace names, "" when it names none."""
        record = self._inventory.namespaces.get("", namespace)
        return record.owner if record is not None else ""

    def error_of(self, record: ExternalSecret) -> str:
        """The class of the newest Warning Event of the present outage of an ExternalSecret, "" when no Event tells."""
        failure = self._inventory.failures.get(record.namespace, record.name)
        if failure is None or failure.uid != record.uid:
            return ""
        if record.transition is not None and failure.time < record.transition - EVENT_SLACK:
            return ""
        return failure.error
