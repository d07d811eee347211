"""Takes judgements and keeps the groups of the exposition in step with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from exporter.exposition.families import Group
from exporter.inventory import changes
from exporter.judge.findings import Problem
from exporter.kube import resources
from exporter.kube.records import ExternalSecret
from exporter.metrics import externalsecret, operator, problems, pushsecret, secret, spread, store

Key = tuple[str, str, str]
"""(kind, namespace, name)."""


def _same(judgement: Any) -> Any:
    return judgement


class Row(msgspec.Struct, frozen=True):
    """How one kind of judged objects is told.

    `facts` makes of a judgement what the group renders. Families of the group are absent, header too, until one of the
    resources `needs` has had its first complete list; those of `always` are there from the start. `told`, for a kind most
    of whose objects have no lines, are the keys of those that have: a look into a set, half a million times.
    """

    kind: str
    group: Group[Any]
    needs: frozenset[str]
    facts: Callable[[Any], Any] = _same
    always: frozenset[str] = frozenset()
    told: set[str] | None = None


class MetricGroups:
    """The groups of everything that comes from Kubernetes; implements `judge.engine.Results`."""

    def __init__(self, *, age: bool = True) -> None:
        self.since = problems.since_group()
        """Since when the problems are there that no group of this table tells: those of Vaults."""
        self.catalogue = problems.catalogue_group()
        self._rows = {row.kind: row for row in _rows(age=age)}

    @property
    def groups(self) -> list[Group[Any]]:
        """In the order of the exposition."""
        return [*(row.group for row in self._rows.values()), self.since, self.catalogue]

    def enable(self, known: Iterable[str]) -> None:
        """Shows the families of resources that are known (synced, or not installed), hides those of the others."""
        known = frozenset(known)
        for row in self._rows.values():
            for column in row.group.columns:
                name = column.family.name
                row.group.enable(name, name in row.always or bool(row.needs & known))

    def put(self, kind: str, namespace: str, name: str, judgement: Any) -> None:
        """One object's newest judgement, None when there is nothing to tell of it (any more)."""
        row, key = self._rows[kind], f"{namespace}/{name}"
        if judgement is not None:
            row.group.put(key, row.facts(judgement))
            if row.told is not None:
                row.told.add(key)
        elif row.told is None:
            row.group.delete(key)
        elif key in row.told:
            row.told.discard(key)
            row.group.delete(key)

    def refreshed(self, record: ExternalSecret) -> bool:
        """See `judge.engine.Results`."""
        key = f"{record.namespace}/{record.name}"
        group = self._rows[changes.EXTERNALSECRET].group
        facts = externalsecret.moved(group.get(key), record)
        if facts is not None:
            group.put(key, facts)
        return facts is not None

    def judgement(self, kind: str, namespace: str, name: str) -> Any:
        """What the group of a kind holds of one object (its facts), None when it has no lines."""
        return self._rows[kind].group.get(f"{namespace}/{name}")

    def facts(self, kind: str) -> Iterator[Any]:
        """What the group of a kind holds of all its objects. For the refresher's thread alone."""
        return self._rows[kind].group.values()

    def told(self, kind: str) -> Iterable[tuple[str, str]]:
        """(namespace, name) of every object of a kind that has lines."""
        for key in self._rows[kind].group.keys():  # noqa: SIM118
            namespace, _, name = key.partition("/")
            yield namespace, name

    def judged(self) -> dict[str, int]:
        """How many objects of each kind were judged: the ground on which silence is provable.

        But for Secrets: most of them are judged without having lines (`Inventory.judged_secrets`).
        """
        return {kind: len(row.group) for kind, row in self._rows.items() if kind != changes.SECRET}

    @property
    def problems(self) -> dict[Key, tuple[Problem, ...]]:
        """Present problems of Kubernetes objects, for pages and commands; a copy."""
        found: dict[Key, tuple[Problem, ...]] = {}
        for kind, row in self._rows.items():
            for namespace, name in self.told(kind):
                facts = row.group.get(f"{namespace}/{name}")
                present: tuple[Problem, ...] = getattr(facts, "problems", ())
                if present:
                    found[kind, namespace, name] = present
        return found


def _rows(*, age: bool) -> tuple[Row, ...]:
    stores = frozenset({resources.SECRETSTORES, resources.CLUSTERSECRETSTORES})
    return (
        Row(
            changes.EXTERNALSECRET,
            externalsecret.group(age=age),
            frozenset({resources.EXTERNALSECRETS}),
            externalsecret.Facts().of,
        ),
        Row(changes.STORE, store.group(), stores, store.facts),
        Row(
            changes.CLUSTER_EXTERNALSECRET,
            spread.group("clusterexternalsecret"),
            frozenset({resources.CLUSTEREXTERNALSECRETS}),
        ),
        Row(changes.PUSHSECRET, pushsecret.group(), frozenset({resources.PUSHSECRETS})),
        Row(
            changes.CLUSTER_PUSHSECRET,
            spread.group("clusterpushsecret"),
            frozenset({resources.CLUSTERPUSHSECRETS}),
        ),
        Row(changes.OPERATOR, operator.group(), frozenset({resources.DEPLOYMENTS})),
        Row(
            changes.NAMESPACE,
            secret.namespace_group(),
            frozenset({resources.SECRETS}),
            always=frozenset({"eso_namespace_owner_info"}),
        ),
        Row(changes.SECRET, secret.secret_group(), frozenset({resources.SECRETS}), told=set()),
    )
