"""What is true of single ExternalSecrets, and of those of a whole cluster that ESO forgot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from exporter.judge.problems import ERRORS
from exporter.kube.records import StoreRef
from exporter.metrics.externalsecret import ExternalSecretFacts
from exporter.notify import table
from exporter.notify.present import Present, since
from exporter.notify.table import Alert
from exporter.notify.timeline import Condition, Timeline, labels
from exporter.notify.words import Links, count, listed, meaning, moment, store_name

LONG = 6300.0
"""Seconds after which one that once worked is critical, and the alert's own wait: two hours together."""
OVERDUE_AT_LEAST, OVERDUE_SHARE = 3, 0.2
"""So many that missed their sync, and such a share of those that have one, mean that ESO hangs."""

BROKEN = frozenset(
    {"target_missing", "target_keys_missing", "deleted_by_policy", "merge_target_missing", "retained_empty",
     "target_shared", "deleting_stuck"}
)  # fmt: skip
CANNOT_CHANGE = frozenset({"immutable_target", "nothing_written"})
OVERDUE = frozenset({"overdue", "spec_not_applied"})
_DESCRIBE = "First: kubectl -n {0} describe externalsecret {1}"
_NOT_HEALING = frozenset(error.id for error in ERRORS if error.heals == "no")
_MEANINGS = {error.id: error.meaning for error in ERRORS}

_Describe = Callable[[Alert, ExternalSecretFacts], tuple[str, str]]


class Parents(NamedTuple):
    """What speaks for its ExternalSecrets now: Vaults, stores, and stores of which a warning tells that many have long been
    dead. Such a warning speaks for the dead alone: one that stops today is not hidden by them."""

    vaults: Collection[str] = ()
    stores: Collection[StoreRef] = ()
    of_the_dead: Collection[StoreRef] = ()

    def speak_for(self, one: ExternalSecretFacts, present: Present) -> bool:
        """Whether one of them tells of this ExternalSecret already."""
        refs = one.record.plan.stores
        if any(ref in self.stores or present.vault_of(ref) in self.vaults for ref in refs):
            return True
        dead = one.record.status in ("False", "Unknown") and not present.is_lost(one)
        return dead and any(ref in self.of_the_dead for ref in refs)


class ExternalSecrets:
    """Conditions of ExternalSecrets."""

    def __init__(self, links: Links, timeline: Timeline) -> None:
        self._links = links
        self._timeline = timeline

    def failing(self, alert: Alert, present: Present, parents: Parents) -> Iterator[Condition]:
        """Single ones that are not ready, told by this alert: will not heal, not ready, or not for long and once ready."""
        scale = self._timeline.scale
        # One of the two warnings, whichever came first: a class that changes back and forth delays neither.
        other = {table.WILL_NOT_HEAL: table.NOT_READY, table.NOT_READY: table.WILL_NOT_HEAL}.get(alert)
        told = set(self._told(other, present.now)) if other is not None else set()
        for one in self._speaking(present.failing, present, parents):
            terminal = any(problem.id == "not_ready" and problem.error in _NOT_HEALING for problem in one.problems)
            if alert is table.LONG_LOST:
                transition = one.record.transition
                true = present.is_lost(one) and transition is not None and transition < present.now - LONG * scale
            else:
                true = terminal or alert is table.NOT_READY
                true = true and (one.record.namespace, one.record.name) not in told
            if true:
                yield self._one(alert, one, present, self._failing)

    def with_problem(
        self, alert: Alert, present: Present, problems: frozenset[str], parents: Parents
    ) -> Iterator[Condition]:
        """Single ones with any of these problems."""
        for one in self._speaking(present.troubled, present, parents):
            if any(problem.id in problems for problem in one.problems):
                yield self._one(alert, one, present, self._troubled)

    def never_synced(self, present: Present, parents: Parents) -> Iterator[Condition]:
        """Single ones of which ESO has never said anything."""
        for one in self._speaking(present.troubled, present, parents):
            known = one.record.status in ("False", "Unknown")
            if not known and any(problem.id == "never_synced" for problem in one.problems):
                yield self._one(table.NEVER_SYNCED, one, present, self._never_synced)

    def many_overdue(self, present: Present, parents: Parents) -> Iterator[Condition]:
        """So many missed their sync that ESO hangs, though its pods look fine."""
        if any(self._timeline.recently((table.OPERATOR_DOWN.name,), present.now, "critical")):
            return
        overdue = [
            begun
            for one in self._speaking(present.troubled, present, parents)
            if (begun := since(one.problems, "overdue")) is not None
        ]
        number = len(overdue)
        if number >= OVERDUE_AT_LEAST and number >= OVERDUE_SHARE * present.scheduled:
            begun = min(overdue)
            yield Condition(
                (),
                partial(
                    self._links.words,
                    table.MANY_OVERDUE,
                    f"{number} ExternalSecrets have missed their sync: ESO hangs.",
                    f"{number} ExternalSecrets, at least a fifth of those that refresh by themselves, say Ready=True but missed the "
                    f"sync that was due, the first {moment(begun)}, although ESO's pods look fine. It hangs, is throttled, or its "
                    "queue is far behind; nothing rotates. First: kubectl get deployments,pods -A -l "
                    "app.kubernetes.io/name=external-secrets",
                    "eso-overview",
                ),
            )

    def cannot_change(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of those that can never write a new value."""
        found: dict[str, list[str]] = {}
        for one in present.troubled:
            if any(problem.id in CANNOT_CHANGE for problem in one.problems):
                found.setdefault(one.record.namespace, []).append(one.record.name)
        for namespace, names in found.items():
            yield Condition(
                labels(namespace=namespace, owner=present.owners.get(namespace, "")),
                partial(
                    self._links.words,
                    table.CANNOT_CHANGE,
                    f"{count(len(names), 'ExternalSecret')} in {namespace} can never write a new value.",
                    f"{listed(names)}: the target is immutable, or creationPolicy is None. Only editing the manifest ends this. "
                    f"First: kubectl -n {namespace} get externalsecrets -o yaml",
                    "eso-overview",
                    namespace=namespace,
                ),
            )

    def _one(self, alert: Alert, one: ExternalSecretFacts, present: Present, words: _Describe) -> Condition:
        record = one.record
        ref = record.plan.store
        return Condition(
            labels(
                namespace=record.namespace,
                name=record.name,
                store_kind=ref.kind if ref else "",
                store_namespace=ref.namespace if ref else "",
                store=ref.name if ref else "",
                vault=present.vault_of(ref),
                owner=one.owner,
            ),
            lambda: self._links.words(
                alert, *words(alert, one), "eso-externalsecret", namespace=record.namespace, name=record.name
            ),
        )

    def _told(self, alert: Alert, now: float) -> Iterator[tuple[str, str]]:
        """(namespace, name) of those of which this alert tells, or did until ten minutes ago."""
        for found in self._timeline.recently((alert.name,), now, alert.severity):
            yield found["namespace"], found["name"]

    def _speaking(
        self, many: Iterable[ExternalSecretFacts], present: Present, parents: Parents
    ) -> Iterator[ExternalSecretFacts]:
        """Those of which no parent speaks already."""
        return (one for one in many if not parents.speak_for(one, present))

    def _failing(self, alert: Alert, one: ExternalSecretFacts) -> tuple[str, str]:
        record = one.record
        name = f"{record.namespace}/{record.name}"
        error = next((problem.error for problem in one.problems if problem.id == "not_ready"), "") or "unknown"
        summary = {
            table.WILL_NOT_HEAL: f"ExternalSecret {name} fails and will not heal by itself.",
            table.NOT_READY: f"ExternalSecret {name} is not ready.",
            table.LONG_LOST: f"ExternalSecret {name} has not been ready for more than two hours.",
        }[alert]
        rest = {
            table.WILL_NOT_HEAL: "ESO does not try again, or trying again cannot help, until somebody changes an object. The Secret "
            "keeps its last value.",
            table.NOT_READY: "The Secret keeps its last value, or was never written.",
            table.LONG_LOST: "It synced before, so something relies on it: rotations have not arrived since.",
        }[alert]
        from_store = f", store {store_name(record.plan.store)}" if record.plan.store else ""
        return summary, (
            f"ExternalSecret {name} is not ready {moment(record.transition)}, reason {record.reason or 'unknown'}, class "
            f"{error} ({_MEANINGS.get(error, 'not known')}){from_store}. {rest} {_DESCRIBE.format(record.namespace, record.name)}"
        )

    def _troubled(self, alert: Alert, one: ExternalSecretFacts) -> tuple[str, str]:
        record = one.record
        name = f"{record.namespace}/{record.name}"
        wanted = OVERDUE if alert is table.OVERDUE else BROKEN
        present = [problem for problem in one.problems if problem.id in wanted]
        names = ", ".join(problem.id for problem in present)
        why = f"{names} ({meaning('externalsecret', (problem.id for problem in present))}) {moment(since(present))}"
        if alert is table.OVERDUE:
            last = moment(record.refreshed).removeprefix("since ") if record.refreshed is not None else "never"
            return (
                f"ExternalSecret {name} says Ready=True, but missed its sync.",
                f"ExternalSecret {name}: {why}; its last sync was {last}. {_DESCRIBE.format(record.namespace, record.name)}",
            )
        return (
            f"ExternalSecret {name} says Ready=True, but its Secret is not what it should be.",
            f"ExternalSecret {name}: {why}. ESO reports no error, so nothing else tells. "
            f"First: kubectl -n {record.namespace} get externalsecret,secret",
        )

    def _never_synced(self, alert: Alert, one: ExternalSecretFacts) -> tuple[str, str]:  # noqa: ARG002
        record = one.record
        name = f"{record.namespace}/{record.name}"
        return (
            f"ExternalSecret {name} has never been synced.",
            f"ExternalSecret {name} has no status {moment(record.created)}: ESO does not look at it. Its namespace may be outside of "
            "ESO's scope, or its store belongs to a controller class that nobody runs. "
            f"{_DESCRIBE.format(record.namespace, record.name)}",
        )
