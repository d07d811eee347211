"""What the engine must know of a kind to have it judged: one row of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from exporter.inventory.inventory import Inventory
from exporter.inventory.store import RecordStore
from exporter.judge.findings import Findings
from exporter.judge.view import View

Places = Iterable[tuple[str, Iterable[str]]]
"""(namespace, names): large kinds are walked namespace by namespace, so that no second list of all names is ever made."""


class Judged(NamedTuple):
    """One object, judged. `judgement` None: there is nothing to tell of it, though it was looked at.

    `concerns` is another object to be judged after it: (kind, namespace, name), of a kind that stands later in the table.
    """

    judgement: Any
    findings: Findings | None
    concerns: tuple[str, str, str] | None = None


GONE = Judged(None, None)
"""There is nothing to tell: no such object, one that cannot be judged now, or a silent one. What was told is taken back."""


class Kind(Protocol):
    """One kind of judged objects."""

    @property
    def name(self) -> str:
        """As in `inventory.changes`, and as the label `kind` of problems."""

    def places(self, inventory: Inventory) -> Places:
        """All its objects that the inventory holds."""

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """Whether the inventory holds the object."""

    def judge(
        self, inventory: Inventory, view: View, namespace: str, name: str, now: float, observed: Mapping[str, float]
    ) -> Judged:
        """Judges one object, under the inventory's lock; `observed` is `Findings.lasting` of the judgement before."""


class Plain(msgspec.Struct, frozen=True):
    """A kind whose objects are records that stand for themselves, all of one resource.

    `records` picks where they are kept; they are judged where `resource` is readable; `rule(record, view, now, observed)`
    judges one.
    """

    name: str
    resource: str
    records: Callable[[Inventory], RecordStore[Any]]
    rule: Callable[[Any, View, float, Mapping[str, float]], tuple[Any, Findings]]

    def places(self, inventory: Inventory) -> Places:
        """See Kind."""
        records = self.records(inventory)
        for namespace in records.namespaces():
            yield namespace, records.names(namespace)

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """See Kind."""
        return self.records(inventory).get(namespace, name) is not None

    def judge(
        self, inventory: Inventory, view: View, namespace: str, name: str, now: float, observed: Mapping[str, float]
    ) -> Judged:
        """See Kind."""
        record = self.records(inventory).get(namespace, name)
        if record is None or not view.readable(self.resource, namespace):
            return GONE
        return Judged(*self.rule(record, view, now, observed))
