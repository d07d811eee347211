"""The families of ESO itself: replicas, version and problems of its components."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.families import Column, Group, escape
from exporter.judge.operator import CONTROLLER, OperatorJudgement
from exporter.metrics.families import family, lines
from exporter.metrics.problems import since_column


def _ident(judgement: OperatorJudgement) -> bytes:
    return b'namespace="%b",component="%b"' % (escape(judgement.namespace), escape(judgement.component))


def _replicas(judgement: OperatorJudgement) -> Iterable[tuple[bytes, float]]:
    yield b',state="desired"', judgement.desired
    yield b',state="ready"', judgement.ready


def _namespace(judgement: OperatorJudgement) -> bytes:
    return b'namespace="%b"' % escape(judgement.namespace)


def _info(judgement: OperatorJudgement) -> Iterable[tuple[bytes, float]]:
    """The version is that of the controller: the others may lag behind it while a release is rolled out."""
    if judgement.component == CONTROLLER:
        for version in judgement.versions:
            yield b',version="%b"' % escape(version), 1


def _problems(judgement: OperatorJudgement) -> Iterable[tuple[bytes, float]]:
    for problem in judgement.problems:
        yield b',problem="%b"' % escape(problem.id), 1


def group() -> Group[OperatorJudgement]:
    """The group of all operator families: one object per component and namespace."""
    return Group(
        "operator",
        [
            Column(family("eso_operator_info"), lines("eso_operator_info", _namespace, _info)),
            Column(family("eso_operator_replicas"), lines("eso_operator_replicas", _ident, _replicas)),
            Column(family("eso_operator_problem"), lines("eso_operator_problem", _ident, _problems)),
            since_column("operator", lambda j: (j.namespace, j.component, j.problems)),
        ],
    )
