"""Which Vaults the stores name, who asks them, and what they are called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from exporter.config.settings import VaultSettings
from exporter.inventory.inventory import Inventory
from exporter.kube.records import Store
from exporter.vault.observation import Observation
from exporter.vault.prober import Prober
from exporter.vault.servers import PROVIDERS, Selection, StoreServer, select, vault_name


class Vaults:
    """Keeps the prober's targets in step with the stores. `update` is called by the refresher's thread only."""

    def __init__(self, settings: VaultSettings, inventory: Inventory, count: Callable[[str, str, str], None]) -> None:
        self._settings = settings
        self._inventory = inventory
        self._seen_generation = -1
        self._changed = threading.Event()
        self._selection = Selection()
        self._names: dict[str, str] = {}
        self.prober = Prober(settings, self._changed.set, count=count)

    @property
    def selection(self) -> Selection:
        """What is probed and what is not."""
        return self._selection

    def reload(self, settings: VaultSettings) -> None:
        """New settings: targets are chosen anew by the next `update`."""
        self._settings = settings
        self._seen_generation = -1
        self.prober.reload(settings)

    def update(self) -> bool:
        """Chooses the targets anew when a store changed; tells whether the name of some Vault changed."""
        generation = self._inventory.stores_generation
        if generation == self._seen_generation:
            return False
        with self._inventory.lock:
            generation = self._inventory.stores_generation
            servers = list(_servers(self._inventory.stores()))
        self._seen_generation = generation
        before = dict(self._selection.names)
        self._selection = select(self._settings, servers)
        self._names.clear()
        self.prober.set_targets(self._selection)
        self._changed.set()
        return before != dict(self._selection.names)

    def name(self, server: str) -> str:
        """The logical name of the Vault behind a store's server, "" for a server that is no URL."""
        found = self._names.get(server)
        if found is None:
            found = self._names[server] = vault_name(self._selection, server)
        return found

    def new_observations(self) -> dict[tuple[str, str], Observation] | None:
        """The newest observations if there is anything new since the last call, else None."""
        if not self._changed.is_set():
            return None
        self._changed.clear()
        return self.prober.observations()


def _servers(stores: Iterable[Store]) -> Iterable[StoreServer]:
    for store in stores:
        if store.provider in PROVIDERS and store.server and not store.foreign:
            yield StoreServer(store.kind, store.namespace, store.name, store.server, store.provider, store.ca)
