"""One PushSecret: whether it is pushed, and its problems."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.eso.schedule import sync_deadline
from exporter.inventory.changes import PUSHSECRET
from exporter.judge.findings import Findings, Problem
from exporter.judge.kind import Plain
from exporter.judge.view import View
from exporter.kube.records import PushSecret
from exporter.kube.resources import PUSHSECRETS


class PushSecretJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of a PushSecret; `vaults` are the names of its stores' Vaults, in the order of the stores."""

    record: PushSecret
    vaults: tuple[str, ...]
    problems: tuple[Problem, ...]


def judge(
    record: PushSecret, view: View, now: float, observed: Mapping[str, float]
) -> tuple[PushSecretJudgement, Findings]:
    """Judges one PushSecret at `now`; `observed` is `Findings.lasting` of the judgement before.

    ESO pushes again at refreshTime + refreshInterval (interval 0: never), so it is overdue as an ExternalSecret is. One
    whose template fails gets no condition at all (external-secrets v2.9.0): without a status it is not ready after a while.
    """
    findings = Findings(now, observed)
    settings = view.settings
    if record.status == "False" and record.reason == "SourceDeleted":
        findings.add("source_deleted", record.transition)
    elif record.status in ("False", "Unknown"):
        findings.add("not_ready", record.transition, record.error)
    elif not record.status and not _foreign(record, view):
        findings.at("not_ready", record.created + settings.never_validated_after, record.created)
    deadline = sync_deadline(
        "", record.interval, None, record.refreshed, factor=settings.overdue_factor, grace=settings.overdue_grace
    )
    if record.status == "True" and deadline is not None:
        findings.at("overdue", deadline)
    judgement = PushSecretJudgement(
        record=record,
        vaults=tuple(view.vault(ref) for ref in record.stores),
        problems=tuple(findings.problems),
    )
    return judgement, findings


def _foreign(record: PushSecret, view: View) -> bool:
    """Whether all its stores are of another controller class: then this ESO never gives it a status."""
    stores = [view.store(ref) for ref in record.stores]
    return bool(stores) and all(store is not None and store.foreign for store in stores)


KIND = Plain(PUSHSECRET, PUSHSECRETS, lambda inventory: inventory.pushsecrets, judge)
