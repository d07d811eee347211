"""One look at everything: which alerts fire now. The order is that of the rules, parents before children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec

from exporter.inventory import changes
from exporter.kube import resources
from exporter.notify import externalsecrets, stores, table, vaults
from exporter.notify.externalsecrets import Parents
from exporter.notify.others import Others
from exporter.notify.present import Present
from exporter.notify.table import Alert
from exporter.notify.timeline import Condition, Firing, Labels, Timeline
from exporter.notify.words import Links

Readable = Callable[[str, str], bool]
"""(resource, namespace): whether it is completely known there, as `judge.view.View` asks."""

Look = Callable[[Alert, Present, Parents], Iterable[Condition]]
"""Finds what is true of an alert, given who speaks for its children."""

READ_FROM: Mapping[str, tuple[str, ...]] = {
    changes.EXTERNALSECRET: (resources.EXTERNALSECRETS,),
    changes.PUSHSECRET: (resources.PUSHSECRETS,),
    changes.CLUSTER_EXTERNALSECRET: (resources.CLUSTEREXTERNALSECRETS,),
    changes.CLUSTER_PUSHSECRET: (resources.CLUSTERPUSHSECRETS,),
    changes.OPERATOR: (resources.DEPLOYMENTS,),
    changes.SECRET: (resources.SECRETS, resources.EXTERNALSECRETS, resources.SECRETSTORES),
}
"""Kind → the resources without which nothing is known of it; a store's depends on where it is."""

AT_MOST = 5_000
"""So many alerts are sent at once; the most severe first. What is left out is counted."""


class Outcome(msgspec.Struct, frozen=True):
    """What one look found. `dropped` are alerts beyond AT_MOST."""

    at: float
    firing: tuple[Firing, ...]
    ended: tuple[Firing, ...]
    pending: int
    dropped: int


class Evaluation:
    """Works out the alerts, again and again. For one thread."""

    def __init__(self, timeline: Timeline, links: Links, readable: Readable) -> None:
        self.timeline = timeline
        self._readable = readable
        self._vaults = vaults.Vaults(links, timeline)
        self._stores = stores.Stores(links, timeline)
        self._externalsecrets = externalsecrets.ExternalSecrets(links, timeline)
        self._others = Others(links, timeline)
        self._looks = self._table()

    def look(self, present: Present) -> Outcome:
        """Takes over a new state; returns all that fires."""
        self._vaults.look(present)
        for alert in table.ALERTS:
            conditions = self._conditions(alert, present)
            self.timeline.step(alert, conditions, present.now, partial(self._held, present, alert))
        firing = [one for alert in table.ALERTS for one in self.timeline.firing(alert, present.now)]
        firing.sort(key=lambda one: _RANK[one.alert.severity])
        self.timeline.forget(present.now)
        return Outcome(
            present.now,
            tuple(firing[:AT_MOST]),
            self.timeline.ended(),
            self.timeline.pending(),
            max(0, len(firing) - AT_MOST),
        )

    def _held(self, present: Present, alert: Alert, labels: Labels) -> bool:
        """Whether what an alert is read from cannot be read now."""
        given = dict(labels)
        namespace = given.get("namespace", "")
        if alert.kind == table.VAULT:
            judgement = present.vaults.get(given["vault"])
            return judgement is not None and judgement.available is None
        if alert.kind == changes.STORE or "store_kind" in given:
            cluster = given.get("store_kind") == "ClusterSecretStore" or not namespace
            resource = resources.CLUSTERSECRETSTORES if cluster else resources.SECRETSTORES
            if not self._readable(resource, given.get("store_namespace", namespace)):
                return True
        return not all(self._readable(resource, namespace) for resource in READ_FROM.get(alert.kind, ()))

    def _conditions(self, alert: Alert, present: Present) -> Iterable[Condition]:
        """What is true of one alert."""
        parents = self._stores.parents(present.now, self._vaults.alerting(present.now))
        return self._looks[alert](alert, present, parents)

    def _table(self) -> Mapping[Alert, Look]:
        """Each alert, and what finds its conditions."""
        vault, store, one, other = self._vaults, self._stores, self._externalsecrets, self._others

        def without_parents(find: Callable[[Alert, Present], Iterable[Condition]]) -> Look:
            return lambda alert, present, _: find(alert, present)

        def of_all(find: Callable[[Present], Iterable[Condition]]) -> Look:
            return lambda _, present, __: find(present)

        def unless_nothing_syncs(find: Look) -> Look:
            return lambda alert, present, parents: (
                () if self._nothing_syncs(present.now) else find(alert, present, parents)
            )

        return {
            **dict.fromkeys(vaults.WHOLE.values(), without_parents(vault.whole)),
            table.NODE_SEALED: without_parents(vault.nodes),
            table.NODE_UNINITIALIZED: without_parents(vault.nodes),
            table.NODE_UNREACHABLE: without_parents(vault.nodes),
            table.TLS_ENDS: without_parents(vault.certificates),
            table.TLS_ENDS_LATER: without_parents(vault.certificates),
            table.CREDENTIALS: without_parents(store.credentials),
            table.CREDENTIALS_UNUSED: without_parents(store.credentials),
            table.STORE: lambda alert, present, parents: store.unusable(alert, present, parents.vaults),
            table.STORE_UNUSED: lambda alert, present, parents: store.unusable(alert, present, parents.vaults),
            table.STORES_UNCHECKED: of_all(store.unchecked),
            table.MANY_LOST: lambda alert, present, parents: store.many(alert, present, parents.vaults),
            table.MANY_NOT_READY: lambda alert, present, parents: store.many(alert, present, parents.vaults),
            table.WILL_NOT_HEAL: one.failing,
            table.NOT_READY: one.failing,
            table.LONG_LOST: one.failing,
            table.MANY_OVERDUE: lambda _, present, parents: one.many_overdue(present, parents),
            table.OVERDUE: unless_nothing_syncs(
                lambda alert, present, parents: one.with_problem(alert, present, externalsecrets.OVERDUE, parents)
            ),
            table.NEVER_SYNCED: unless_nothing_syncs(lambda _, present, parents: one.never_synced(present, parents)),
            table.BROKEN: lambda alert, present, _: one.with_problem(alert, present, externalsecrets.BROKEN, Parents()),
            table.CANNOT_CHANGE: of_all(one.cannot_change),
            table.OPERATOR_DOWN: without_parents(other.operator),
            table.OPERATOR_DEGRADED: without_parents(other.operator),
            table.PUSH: lambda _, present, parents: other.pushes(present, parents),
            table.CLUSTER_ES: without_parents(other.spreads),
            table.CLUSTER_PUSH: without_parents(other.spreads),
            table.APPEARED: of_all(other.appeared),
            table.REMAIN: of_all(other.remaining),
            table.EXPIRED: of_all(other.expired),
            table.EDITED: of_all(other.edited),
            table.VALUE_SHOWN: of_all(other.shown),
        }

    def _nothing_syncs(self, now: float) -> bool:
        """Whether ESO itself is the trouble: the parent of what only lacks a sync."""
        names = (table.OPERATOR_DOWN.name, table.MANY_OVERDUE.name)
        return any(True for _ in self.timeline.recently(names, now, "critical"))


_RANK = {"critical": 0, "warning": 1, "info": 2}
