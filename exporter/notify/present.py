"""What the judge says at one moment, in the form in which alerts are read from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from exporter.inventory import changes
from exporter.judge.findings import Problem
from exporter.judge.namespace import NamespaceJudgement
from exporter.judge.operator import OperatorJudgement
from exporter.judge.pushsecret import PushSecretJudgement
from exporter.judge.secret import SecretJudgement
from exporter.judge.spread import SpreadJudgement
from exporter.judge.store import StoreJudgement
from exporter.judge.vault import VaultJudgement
from exporter.kube.records import StoreRef
from exporter.metrics.externalsecret import ExternalSecretFacts
from exporter.metrics.results import MetricGroups
from exporter.metrics.store import StoreFacts

T = TypeVar("T")

WEEK = 604_800.0


class Present(msgspec.Struct):
    """The state at `now` (Unix seconds). ExternalSecrets are listed only where something is wrong with them.

    `total`, `not_ready`, `lost` count ExternalSecrets by store that they name, whether it exists or not; `lost` are those
    that once synced and have failed for less than a week. `in_use` are stores through which something synced within a
    week. `scheduled` is the number of ExternalSecrets that have a sync deadline. `week` is what counts as one, in seconds.
    """

    now: float
    vaults: Mapping[str, VaultJudgement]
    week: float = WEEK
    stores: dict[StoreRef, StoreJudgement] = msgspec.field(default_factory=dict)
    failing: list[ExternalSecretFacts] = msgspec.field(default_factory=list)
    troubled: list[ExternalSecretFacts] = msgspec.field(default_factory=list)
    total: Counter[StoreRef] = msgspec.field(default_factory=Counter)
    not_ready: Counter[StoreRef] = msgspec.field(default_factory=Counter)
    lost: Counter[StoreRef] = msgspec.field(default_factory=Counter)
    in_use: set[StoreRef] = msgspec.field(default_factory=set)
    scheduled: int = 0
    operators: list[OperatorJudgement] = msgspec.field(default_factory=list)
    pushes: list[PushSecretJudgement] = msgspec.field(default_factory=list)
    spreads: dict[str, list[SpreadJudgement]] = msgspec.field(default_factory=dict)
    secrets: list[SecretJudgement] = msgspec.field(default_factory=list)
    owners: dict[str, str] = msgspec.field(default_factory=dict)

    def vault_of(self, ref: StoreRef | None) -> str:
        """The logical name of the Vault behind a store, "" for another provider or a store that does not exist."""
        store = self.stores.get(ref) if ref is not None else None
        return store.vault if store is not None else ""

    def is_lost(self, facts: ExternalSecretFacts) -> bool:
        """Whether a failing one once synced and has failed for less than a week."""
        record = facts.record
        return (
            record.refreshed is not None and record.transition is not None and record.transition > self.now - self.week
        )


def read(
    groups: MetricGroups,
    vaults: Mapping[str, VaultJudgement],
    now: float,
    *,
    week: float = WEEK,
    excluded: Sequence[str] = (),
) -> Present:
    """Goes once through everything that was judged. For the refresher's thread alone.

    `week` is what counts as one: seconds, shorter only where all times are scaled. Objects of teams in namespaces that
    match a glob of `excluded` are as if they were not there.
    """
    present = Present(now, dict(vaults), week)

    def told(namespace: str) -> bool:
        return not any(fnmatchcase(namespace, glob) for glob in excluded)

    for facts in _all(groups, changes.STORE, StoreFacts):
        if not excluded or told(facts.judgement.record.namespace):
            present.stores[facts.judgement.record.ref] = facts.judgement
    for one in _all(groups, changes.EXTERNALSECRET, ExternalSecretFacts):
        if not excluded or told(one.record.namespace):
            _count(present, one)
    for namespace in _all(groups, changes.NAMESPACE, NamespaceJudgement):
        if namespace.owner:
            present.owners[namespace.name] = namespace.owner
    present.operators = [one for one in _all(groups, changes.OPERATOR, OperatorJudgement) if one.problems]
    pushes = _all(groups, changes.PUSHSECRET, PushSecretJudgement)
    present.pushes = [one for one in pushes if one.problems and told(one.record.namespace)]
    for kind in (changes.CLUSTER_EXTERNALSECRET, changes.CLUSTER_PUSHSECRET):
        present.spreads[kind] = [one for one in _all(groups, kind, SpreadJudgement) if one.problems]
    present.secrets = [one for one in _all(groups, changes.SECRET, SecretJudgement) if told(one.record.namespace)]
    return present


def _count(present: Present, facts: ExternalSecretFacts) -> None:
    record = facts.record
    if record.refreshed is not None:
        if facts.kin.deadline_in is not None:
            present.scheduled += 1
        if record.refreshed > present.now - present.week:
            present.in_use.update(record.plan.stores)
    present.total.update(record.plan.stores)
    if record.status in ("False", "Unknown"):
        present.failing.append(facts)
        present.not_ready.update(record.plan.stores)
        if present.is_lost(facts):
            present.lost.update(record.plan.stores)
    if facts.problems:
        present.troubled.append(facts)


def _all(groups: MetricGroups, kind: str, type_: type[T]) -> Iterable[T]:
    for facts in groups.facts(kind):
        assert isinstance(facts, type_)
        yield facts


def since(problems: Iterable[Problem], *names: str) -> float | None:
    """The earliest beginning of any of these problems (of all when none is named); None when there is none of them."""
    return min((problem.since for problem in problems if not names or problem.id in names), default=None)
