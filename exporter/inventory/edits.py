"""Who took a Secret's keys from ESO, and how often lately: two writers in turn are a war, not an edit."""

from __future__ import annotations

from collections import OrderedDict

from exporter.kube.records import Secret

TURNS_KEPT = 8
SECRETS_KEPT = 10_000


class EditTurns:
    """The moments at which somebody other than ESO took over keys of a Secret, newest last.

    A turn is an edit that was not there in the record before: ESO healed what the last one did, and the other wrote
    again. Bounded: so many turns of a Secret, so many Secrets, the longest undisturbed ones forgotten first.
    """

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[str, str], tuple[float, ...]] = OrderedDict()

    def change(self, old: Secret | None, new: Secret | None) -> None:
        """Takes over one change of a Secret."""
        if new is None:
            if old is not None and self._turns:
                self._turns.pop((old.namespace, old.name), None)
            return
        edit = new.facts.edit
        if edit is None or (old is not None and old.facts.edit == edit):
            return
        key = (new.namespace, new.name)
        self._turns[key] = (*self._turns.get(key, ()), edit.at)[-TURNS_KEPT:]
        self._turns.move_to_end(key)
        if len(self._turns) > SECRETS_KEPT:
            self._turns.popitem(last=False)

    def of(self, namespace: str, name: str) -> tuple[float, ...]:
        """Unix seconds of the turns of one Secret."""
        return self._turns.get((namespace, name), ()) if self._turns else ()
