"""What the judge may look at around an object: the inventory, what of it can be relied on, and names of Vaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from exporter.config.settings import JudgeSettings
from exporter.inventory.inventory import Inventory
from exporter.kube.records import ExternalSecret, Secret, Store, StoreRef
from exporter.kube.resources import CLUSTERSECRETSTORES, SECRETS, SECRETSTORES

Readable = Callable[[str, str], bool]


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
        self._errors: Mapping[tuple[str, str], str] = {}

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

    def externalsecret(self, namespace: str, name: str) -> ExternalSecret | None:
        """The ExternalSecret's record."""
        return self._inventory.externalsecrets.get(namespace, name)

    def named_by_store(self, namespace: str, secret: str) -> bool:
        """Whether a store or a template names this Secret."""
        return self._inventory.named_by_store(namespace, secret)

    def users(self, ref: StoreRef) -> Mapping[str, int]:
        """How many ExternalSecrets read from the store, by state."""
        return self._inventory.user_states(ref)

    def vault(self, ref: StoreRef | None) -> str:
        """The logical name of the Vault behind a store, "" for another provider or an unknown store."""
        store = self._inventory.store(ref) if ref is not None else None
        return self._vault_name(store.server) if store is not None and store.server else ""

    def namespace_owner(self, namespace: str) -> str:
        """The owner that the Namespace names, "" when it names none."""
        record = self._inventory.namespaces.get("", namespace)
        return record.owner if record is not None else ""

    def error_of(self, namespace: str, name: str) -> str:
        """The class of the newest Warning Event of an ExternalSecret, "" when no Event tells."""
        return self._errors.get((namespace, name), "")
