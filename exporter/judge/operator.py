"""One component of ESO itself in one namespace: controller, webhook or cert-controller."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.inventory.changes import OPERATOR
from exporter.inventory.inventory import Inventory
from exporter.judge.findings import Findings, Problem
from exporter.judge.kind import GONE, Judged, Places
from exporter.judge.view import View
from exporter.kube.resources import DEPLOYMENTS

CONTROLLER = "controller"


class OperatorJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of a component: replicas of all its Deployments together, and their versions."""

    namespace: str
    component: str
    desired: int
    ready: int
    versions: tuple[str, ...]
    problems: tuple[Problem, ...]


class _Components:
    """Implements `Kind`: a component goes by its namespace and its own name.

    Where no Deployment matches, nothing is told: ESO may be installed in another way, or its labels be others.
    """

    name = OPERATOR

    def places(self, inventory: Inventory) -> Places:
        """See Kind."""
        for namespace in inventory.deployments.namespaces():
            records = (inventory.deployments.get(namespace, name) for name in inventory.deployments.names(namespace))
            yield namespace, sorted({record.component for record in records if record is not None})

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """See Kind."""
        return bool(inventory.operator_deployments(namespace, name))

    def judge(
        self, inventory: Inventory, view: View, namespace: str, name: str, now: float, observed: Mapping[str, float]
    ) -> Judged:
        """See Kind. Scaled to 0 it is just as absent as crashed; the Deployment then says Available, without a time."""
        records = inventory.operator_deployments(namespace, name)
        if not records or not view.readable(DEPLOYMENTS, namespace):
            return GONE
        findings = Findings(now, observed)
        ready = sum(record.ready for record in records)
        if not ready:
            times = [record.unavailable_since for record in records if record.unavailable_since is not None]
            findings.add("down" if name == CONTROLLER else "degraded", max(times, default=None))
        judgement = OperatorJudgement(
            namespace=namespace,
            component=name,
            desired=sum(record.desired for record in records),
            ready=ready,
            versions=tuple(sorted({record.version for record in records})),
            problems=tuple(findings.problems),
        )
        return Judged(judgement, findings)


KIND = _Components()
