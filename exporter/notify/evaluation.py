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
        if alert in vaults.WHOLE.values():
            return self._vaults.whole(alert, present)
        if alert in (table.NODE_SEALED, table.NODE_UNINITIALIZED, table.NODE_UNREACHABLE):
            return self._vaults.nodes(alert, present)
        if alert in (table.TLS_ENDS, table.TLS_ENDS_LATER):
            return self._vaults.certificates(alert, present)
        if alert in (table.CREDENTIALS, table.CREDENTIALS_UNUSED):
            return self._stores.credentials(alert, present)
        if alert is table.STORES_UNCHECKED:
            return self._stores.unchecked(present)
        silent = self._vaults.alerting(present.now)
        if alert in (table.STORE, table.STORE_UNUSED):
            return self._stores.unusable(alert, present, silent)
        if alert in (table.MANY_LOST, table.MANY_NOT_READY):
            return self._stores.many(alert, present, silent)
        return self._of_objects(alert, present, silent)

    def _of_objects(self, alert: Alert, present: Present, silent: set[str]) -> Iterable[Condition]:
        one, other = self._externalsecrets, self._others
        parents = self._stores.parents(present.now, silent)
        if alert in (table.OVERDUE, table.NEVER_SYNCED) and self._nothing_syncs(present.now):
            return ()
        looks: dict[Alert, Callable[[], Iterable[Condition]]] = {
            table.WILL_NOT_HEAL: lambda: one.failing(alert, present, parents),
            table.NOT_READY: lambda: one.failing(alert, present, parents),
            table.LONG_LOST: lambda: one.failing(alert, present, parents),
            table.MANY_OVERDUE: lambda: one.many_overdue(present, parents),
            table.OVERDUE: lambda: one.with_problem(alert, present, externalsecrets.OVERDUE, parents),
            table.NEVER_SYNCED: lambda: one.never_synced(present, parents),
            table.BROKEN: lambda: one.with_problem(alert, present, externalsecrets.BROKEN, Parents()),
            table.CANNOT_CHANGE: lambda: one.cannot_change(present),
            table.OPERATOR_DOWN: lambda: other.operator(alert, present),
            table.OPERATOR_DEGRADED: lambda: other.operator(alert, present),
            table.PUSH: lambda: other.pushes(present, parents),
            table.CLUSTER_ES: lambda: other.spreads(alert, present),
            table.CLUSTER_PUSH: lambda: other.spreads(alert, present),
            table.APPEARED: lambda: other.appeared(present),
            table.REMAIN: lambda: other.remaining(present),
            table.EXPIRED: lambda: other.expired(present),
            table.EDITED: lambda: other.edited(present),
            table.VALUE_SHOWN: lambda: other.shown(present),
        }
        return looks[alert]()

    def _nothing_syncs(self, now: float) -> bool:
        """Whether ESO itself is the trouble: the parent of what only lacks a sync."""
        names = (table.OPERATOR_DOWN.name, table.MANY_OVERDUE.name)
        return any(True for _ in self.timeline.recently(names, now, "critical"))


_RANK = {"critical": 0, "warning": 1, "info": 2}
