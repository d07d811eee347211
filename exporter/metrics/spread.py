"""The families of what ESO spreads over namespaces, `eso_clusterexternalsecret_*` and `eso_clusterpushsecret_*`.

`namespace=""` is printed, so that no scrape fills in its target's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.families import Column, Group, escape
from exporter.judge.spread import SpreadJudgement
from exporter.metrics.families import Samples, family, lines
from exporter.metrics.problems import since_column


def _ident(judgement: SpreadJudgement) -> bytes:
    return b'namespace="",name="%b"' % escape(judgement.record.name)


def _ready(judgement: SpreadJudgement) -> Iterable[tuple[bytes, float]]:
    yield b"", judgement.record.status == "True"


def _namespaces(judgement: SpreadJudgement) -> Iterable[tuple[bytes, float]]:
    yield b',state="provisioned"', judgement.record.provisioned
    yield b',state="failed"', judgement.record.failed


def _problems(judgement: SpreadJudgement) -> Iterable[tuple[bytes, float]]:
    for problem in judgement.problems:
        yield b',problem="%b"' % escape(problem.id), 1


def group(kind: str) -> Group[SpreadJudgement]:
    """The group of all families of one of the two kinds, clusterexternalsecret or clusterpushsecret."""
    families: tuple[tuple[str, Samples[SpreadJudgement]], ...] = (
        (f"eso_{kind}_ready", _ready),
        (f"eso_{kind}_namespaces", _namespaces),
        (f"eso_{kind}_problem", _problems),
    )
    since: Column[SpreadJudgement] = since_column(kind, lambda j: ("", j.record.name, j.problems))
    return Group(kind, [*(Column(family(name), lines(name, _ident, each)) for name, each in families), since])
