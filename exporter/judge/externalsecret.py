"""One ExternalSecret and its neighbours: its problems, and when its next sync is due."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.eso.schedule import next_sync, sync_deadline
from exporter.inventory.changes import EXTERNALSECRET
from exporter.judge.findings import Findings, Problem
from exporter.judge.kind import Plain
from exporter.judge.view import View
from exporter.kube.records import ExternalSecret, StoreRef
from exporter.kube.resources import EXTERNALSECRETS

_WRITERS = frozenset({"Owner", "Orphan", "CreateOrMerge"})
_MERGERS = frozenset({"Merge", "CreateOrMerge"})
_TERMINAL = frozenset({"owned_by_other", "ownership_conflict", "immutable_target", "delete_conflict", "invalid_target"})


class ExternalSecretJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of an ExternalSecret. Times are Unix seconds, None where there is no such fact."""

    record: ExternalSecret
    owner: str
    vaults: tuple[str, ...]
    vault: str
    next_sync: float | None
    deadline: float | None
    problems: tuple[Problem, ...]


def judge(
    record: ExternalSecret, view: View, now: float, observed: Mapping[str, float]
) -> tuple[ExternalSecretJudgement, Findings]:
    """Judges one ExternalSecret at `now`; `observed` is `Findings.lasting` of the judgement before."""
    findings = Findings(now, observed)
    settings, plan = view.settings, record.plan
    schedule = (plan.refresh_policy, plan.interval, plan.windows, record.refreshed)
    deadline = sync_deadline(*schedule, factor=settings.overdue_factor, grace=settings.overdue_grace)

    if record.status == "False":
        findings.add("not_ready", record.transition, _error(record, view))
    if (record.refreshed is None or not record.status) and not _foreign(record, view):
        findings.at("never_synced", record.created + settings.never_synced_after, record.created)
    if record.status == "True" and deadline is not None:
        findings.at("overdue", deadline)
    if record.deleting is not None:
        findings.at("deleting_stuck", record.deleting + settings.deleting_stuck_after, record.deleting)
    if record.status == "True":
        if record.applied is False and plan.refresh_policy != "CreatedOnce":
            findings.observe("spec_not_applied", settings.overdue_grace)
        _silent_states(record, findings)
        _target(record, view, findings)
    _shared(record, view, findings)
    _stores(record, view, findings)
    if plan.creation_policy == "None":
        findings.add("nothing_written", record.created)

    vaults = tuple([view.vault(ref) for ref in plan.stores])
    judgement = ExternalSecretJudgement(
        record=record,
        owner=record.owner or view.namespace_owner(record.namespace),
        vaults=vaults,
        vault=vaults[0] if plan.stores[:1] == (plan.store,) else view.vault(plan.store),
        next_sync=next_sync(*schedule),
        deadline=deadline,
        problems=tuple(findings.problems),
    )
    return judgement, findings


def _error(record: ExternalSecret, view: View) -> str:
    """Why it is not ready: what the condition itself says, else ESO's newest Event, else what can be seen of its stores.

    Events live for an hour, and one may have been missed before we started. A store that is missing or not ready is then a
    sufficient cause: ESO reads nothing without it.
    """
    error = record.detail if record.detail in _TERMINAL else view.error_of(record)
    if error:
        return error
    known = [view.store(ref) for ref in record.plan.stores if view.store_readable(ref)]
    if any(store is None for store in known):
        return "store_missing"
    if any(store is not None and store.status not in ("True", "") and not store.foreign for store in known):
        return "store_not_ready"
    return "unknown"


def _foreign(record: ExternalSecret, view: View) -> bool:
    """Whether a store of another controller class is among its stores: then this ESO never gives it a status."""
    return any((store := view.store(ref)) is not None and store.foreign for ref in record.plan.stores)


def _silent_states(record: ExternalSecret, findings: Findings) -> None:
    """The states in which ESO says Ready=True though the Secret is not what it should be (reference eso.md §2.4)."""
    if record.reason in ("SecretDeleted", "ResourceDeleted"):
        findings.observe("deleted_by_policy", 0.0)
    elif record.reason in ("SecretMissing", "ResourceMissing"):
        findings.observe("merge_target_missing", 0.0)
    elif record.detail == "retained":
        findings.observe("retained_empty", 0.0)


def _target(record: ExternalSecret, view: View, findings: Findings) -> None:
    """The target Secret of a Ready one: there, complete, and changeable."""
    if not record.target or not view.secrets_readable(record.namespace):
        return
    if record.reason not in ("SecretSynced", "ResourceSynced") or record.detail == "retained":
        return
    secret = view.secret(record.namespace, record.target)
    if secret is None:
        if record.plan.creation_policy in _WRITERS:
            findings.observe("target_missing", view.settings.absence_after, evidence=(record.target,))
        return
    if record.plan.creation_policy == "None":
        return
    if record.plan.immutable:
        findings.observe("immutable_target", 0.0, evidence=(record.target,))
        return
    facts = secret.facts
    if facts.key_names:
        missing = tuple(key for key in record.plan.promised if key not in facts.key_names)
        if missing:
            findings.observe("target_keys_missing", view.settings.absence_after, evidence=missing)
    elif facts.keys is not None and facts.keys < len(record.plan.promised):
        findings.observe("target_keys_missing", view.settings.absence_after, evidence=(record.target,))


def _shared(record: ExternalSecret, view: View, findings: Findings) -> None:
    """Two that do not merge write one Secret, or the same keys where one of them merges."""
    if not record.target or record.plan.creation_policy == "None":
        return
    if not view.is_shared(record.namespace, record.target):
        return
    others = [
        other.name
        for other in view.targeting(record.namespace, record.target)
        if other.name != record.name and other.plan.creation_policy != "None" and _collide(record, other)
    ]
    if others:
        findings.observe("target_shared", view.settings.absence_after, evidence=tuple(sorted(others)))


def _collide(one: ExternalSecret, other: ExternalSecret) -> bool:
    merges = one.plan.creation_policy in _MERGERS or other.plan.creation_policy in _MERGERS
    return not merges or not set(one.plan.promised).isdisjoint(other.plan.promised)


def _stores(record: ExternalSecret, view: View, findings: Findings) -> None:
    """The stores it reads from: there, and ready."""
    missing: list[str] = []
    bad: list[tuple[StoreRef, float | None]] = []
    for ref in record.plan.stores:
        if not view.store_readable(ref):
            continue
        store = view.store(ref)
        if store is None:
            missing.append(ref.name)
        elif store.status not in ("True", "") and not store.foreign:
            bad.append((ref, store.transition))
    if missing:
        findings.observe("store_missing", view.settings.absence_after, evidence=tuple(missing))
    if bad:
        times = [moment for _, moment in bad if moment is not None]
        findings.add("store_not_ready", min(times, default=None), evidence=tuple(ref.name for ref, _ in bad))


KIND = Plain(EXTERNALSECRET, EXTERNALSECRETS, lambda inventory: inventory.externalsecrets, judge)
