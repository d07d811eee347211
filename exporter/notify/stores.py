"""What is true of stores: those that ESO cannot use, and those of which many ExternalSecrets fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from exporter.judge.findings import Problem
from exporter.kube.records import StoreRef
from exporter.notify import table
from exporter.notify.externalsecrets import Parents
from exporter.notify.present import Present, since
from exporter.notify.table import Alert, Severity
from exporter.notify.timeline import Condition, Labels, Timeline, labels
from exporter.notify.words import Links, count, describe_store, listed, moment, store_name

PARENTS = frozenset({table.STORE.name, table.CREDENTIALS.name})
"""Alerts of a store itself: they silence what is told of its ExternalSecrets."""

UNCHECKED = ("unchecked", "unused")

MANY, FEW, SHARE = 3, 2, 0.5
"""So many of one store are one trouble, or so few where they are that share of it."""


class Stores:
    """Conditions of stores."""

    def __init__(self, links: Links, timeline: Timeline) -> None:
        self._links = links
        self._timeline = timeline

    def alerting(self, names: Collection[str], now: float, severity: Severity | None = None) -> set[StoreRef]:
        """Stores with a firing alert of these names, or one that ended within ten minutes."""
        return {
            StoreRef(found["store_kind"], found.get("store_namespace", ""), found["store"])
            for found in self._timeline.recently(names, now, severity)
            if "store" in found
        }

    def parents(self, now: float, silent_vaults: set[str]) -> Parents:
        """What speaks for its ExternalSecrets now."""
        many = (table.MANY_LOST.name,)
        return Parents(
            silent_vaults,
            self.alerting(PARENTS, now) | self.alerting(many, now, "critical"),
            self.alerting(many, now, "warning"),
        )

    def credentials(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """Stores whose login names something that does not exist."""
        for ref, store in present.stores.items():
            problems = [problem for problem in store.problems if problem.id == "credentials_missing"]
            if problems and (ref in present.in_use) is (alert is table.CREDENTIALS):
                yield Condition(
                    labels_of(ref, present),
                    partial(self._credentials, alert, ref, problems[0]),
                )

    def unusable(self, alert: Alert, present: Present, silent_vaults: Collection[str]) -> Iterator[Condition]:
        """Stores that are not ready, and those that ExternalSecrets name though they do not exist."""
        silent = self.alerting(frozenset({table.CREDENTIALS.name}), present.now)
        for ref, begun in _unusable(present).items():
            if (ref in present.in_use) is not (alert is table.STORE):
                continue
            if ref in silent or present.vault_of(ref) in silent_vaults:
                continue
            yield Condition(
                labels_of(ref, present),
                partial(self._unusable, alert, ref, begun, present),
            )

    def unchecked(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of what Ready=True says nothing about."""
        found: dict[str, list[str]] = {}
        for ref, store in present.stores.items():
            if any(problem.id in UNCHECKED for problem in store.problems):
                found.setdefault(ref.namespace, []).append(ref.name)
        for namespace, names in found.items():
            place = f"in {namespace}" if namespace else "of the cluster"
            get = f"kubectl -n {namespace} get secretstores" if namespace else "kubectl get clustersecretstores"
            words = (
                f"{count(len(names), 'store')} {place}: unchecked or unused.",
                f"{listed(names)}: Ready=True says nothing where ESO never contacts the provider (its login refers to a namespace "
                f"it does not name), or no ExternalSecret reads from the store. First: {get}",
            )
            yield Condition(
                labels(namespace=namespace, owner=present.owners.get(namespace, "")),
                partial(self._links.words, table.STORES_UNCHECKED, *words, "eso-overview", namespace=namespace),
            )

    def many(self, alert: Alert, present: Present, silent_vaults: Collection[str]) -> Iterator[Condition]:
        """Stores of which at least three ExternalSecrets fail, or two that are half of it."""
        lost = _many(present.lost, present.total)
        chosen = lost if alert is table.MANY_LOST else _many(present.not_ready, present.total) - lost
        silent = self.alerting(PARENTS, present.now)
        for ref in chosen:
            if ref in silent or present.vault_of(ref) in silent_vaults:
                continue
            yield Condition(
                labels_of(ref, present),
                partial(self._many, alert, ref, present),
            )

    def _credentials(self, alert: Alert, ref: StoreRef, problem: Problem) -> Mapping[str, str]:
        store, missing = store_name(ref), listed(problem.evidence)
        if alert is table.CREDENTIALS:
            summary = f"What {store} logs in with is gone."
            rest = "ESO can log in no more, and nothing that reads from the store syncs."
        else:
            summary = f"What {store} would log in with does not exist."
            rest = "Nothing has synced through the store within a week, so nobody is woken."
        description = f"{store} logs in with {missing}, which does not exist, {moment(problem.since)}. {rest} First: {describe_store(ref)}"
        return self._links.words(alert, summary, description, "eso-overview", store=ref.name)

    def _unusable(self, alert: Alert, ref: StoreRef, begun: float | None, present: Present) -> Mapping[str, str]:
        store, readers = store_name(ref), count(present.total[ref], "ExternalSecret")
        missing = ref not in present.stores
        state = "does not exist" if missing else "is not ready"
        if alert is table.STORE:
            summary = f"{store} {state}."
            rest = "Pods keep the Secrets they have; none of these syncs until the store is ready again."
        else:
            summary = f"{store} {state}, and nothing synced through it for a week."
            rest = "Nothing synced through it within a week, so nobody is woken."
        description = (
            f"ESO cannot use {store} {moment(begun)}: it {state}. {readers} read from it. {rest} "
            f"First: {describe_store(ref)}"
        )
        return self._links.words(alert, summary, description, "eso-overview", store=ref.name)

    def _many(self, alert: Alert, ref: StoreRef, present: Present) -> Mapping[str, str]:
        failing = [one for one in present.failing if ref in one.record.plan.stores]
        if alert is table.MANY_LOST:
            failing = [one for one in failing if present.is_lost(one)]
        failing.sort(key=lambda one: one.record.transition or present.now)
        longest = ", ".join(f"{one.record.namespace}/{one.record.name}" for one in failing[:5])
        errors = {problem.error for one in failing for problem in one.problems if problem.id == "not_ready"}
        store = store_name(ref)
        verb = "stopped syncing" if alert is table.MANY_LOST else "are not ready"
        begun = moment(failing[0].record.transition if failing else None)
        return self._links.words(
            alert,
            f"{len(failing)} ExternalSecrets of {store} {verb}.",
            f"{len(failing)} ExternalSecrets that read from {store} fail, the first {begun}; for longest: {longest}. Errors: "
            f"{listed(errors - {''}) or 'not known'}. The store itself looks fine, so look at what they share: role and policy of its "
            f"login, the paths they read. First: {describe_store(ref)}",
            "eso-overview",
            store=ref.name,
        )


def labels_of(ref: StoreRef, present: Present) -> Labels:
    """The identity of a store, with its Vault, its namespace and its owner."""
    store = present.stores.get(ref)
    return labels(
        store_kind=ref.kind,
        store_namespace=ref.namespace,
        store=ref.name,
        vault=present.vault_of(ref),
        namespace=ref.namespace,
        owner=store.owner if store is not None else "",
    )


def _unusable(present: Present) -> dict[StoreRef, float | None]:
    """Stores that are not ready, and those that are missing, each with since when."""
    found: dict[StoreRef, float | None] = {}
    for ref, store in present.stores.items():
        record = store.record
        if record.ready is False:
            found[ref] = since(store.problems, "not_ready", "never_validated") or record.transition or record.created
    for one in present.troubled:
        begun = since(one.problems, "store_missing")
        if begun is not None:
            for ref in one.record.plan.stores:
                if ref not in present.stores:
                    found[ref] = min(begun, found.get(ref) or begun)
    return found


def _many(failing: Counter[StoreRef], total: Counter[StoreRef]) -> set[StoreRef]:
    return {
        ref for ref, number in failing.items() if number >= MANY or (number >= FEW and number / total[ref] >= SHARE)
    }
