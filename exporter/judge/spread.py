"""What ESO spreads over namespaces (ClusterExternalSecret, ClusterPushSecret): whether it reached all of them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.judge.findings import Findings, Problem
from exporter.judge.view import View
from exporter.kube.records import Spread


class SpreadJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of one such object."""

    record: Spread
    problems: tuple[Problem, ...]


def judge(record: Spread, view: View, now: float, observed: Mapping[str, float]) -> tuple[SpreadJudgement, Findings]:
    """Judges one object at `now`; `observed` is `Findings.lasting` of the judgement before.

    Its conditions have no times, so problems count from when they were first seen. Ready=True says nothing of the objects
    it made: they are judged by themselves. No matching namespace at all is Ready=True, and no problem.
    """
    findings = Findings(now, observed)
    if record.failed:
        findings.observe("namespaces_failed", 0.0, evidence=record.failed_in)
    if record.status in ("False", "Unknown"):
        findings.observe("not_ready", 0.0)
    elif not record.status:
        findings.at("not_ready", record.created + view.settings.never_validated_after, record.created)
    return SpreadJudgement(record, tuple(findings.problems)), findings
