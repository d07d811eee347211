"""Store or generator → what uses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.inventory.changes import Names
from exporter.kube.records import Source, StoreRef

_STATE_OF = {"True": "ready", "False": "not_ready"}
_NO_STATES: Mapping[str, int] = {"ready": 0, "not_ready": 0, "unknown": 0}
_NOBODY = Names()


class Users:
    """Names of users, by source and namespace; a source without users takes no room."""

    def __init__(self) -> None:
        self._users: dict[Source, Names] = {}

    def of(self, source: Source) -> Names:
        """(namespace, name) of everything that uses the source."""
        return self._users.get(source, _NOBODY)

    def change(self, namespace: str, name: str, before: Collection[Source], after: Collection[Source]) -> None:
        """A user's sources are now `after`."""
        if before == after:
            return
        for source in before:
            users = self._users.get(source)
            if users is not None:
                users.discard(namespace, name)
                if not users:
                    del self._users[source]
        for source in after:
            self._users.setdefault(source, Names()).add(namespace, name)


class UserStates:
    """How many ExternalSecrets read from each store, by state: ready, not_ready, unknown (no status yet)."""

    def __init__(self) -> None:
        self._states: dict[StoreRef, dict[str, int]] = {}

    def of(self, store: StoreRef) -> Mapping[str, int]:
        """The three counts."""
        return self._states.get(store, _NO_STATES)

    def count(self, stores: Collection[StoreRef], status: str, step: int) -> None:
        """One ExternalSecret more (step 1) or less (-1) with this status of Ready."""
        for store in stores:
            states = self._states.setdefault(store, dict(_NO_STATES))
            states[_STATE_OF.get(status, "unknown")] += step
            if not any(states.values()):
                del self._states[store]
