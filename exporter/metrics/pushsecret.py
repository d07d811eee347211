"""The families of PushSecrets."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.families import Column, Group, escape
from exporter.judge.pushsecret import PushSecretJudgement
from exporter.metrics.families import Samples, family, lines, store_labels
from exporter.metrics.problems import since_column


def _ident(judgement: PushSecretJudgement) -> bytes:
    record = judgement.record
    return b'namespace="%b",name="%b"' % (escape(record.namespace), escape(record.name))


def _ready(judgement: PushSecretJudgement) -> Iterable[tuple[bytes, float]]:
    yield b"", judgement.record.status == "True"


def _last_sync(judgement: PushSecretJudgement) -> Iterable[tuple[bytes, float]]:
    if judgement.record.refreshed is not None:
        yield b"", judgement.record.refreshed


def _stores(judgement: PushSecretJudgement) -> Iterable[tuple[bytes, float]]:
    for ref, vault in zip(judgement.record.stores, judgement.vaults, strict=True):
        yield b"," + store_labels(ref, vault), 1


def _problems(judgement: PushSecretJudgement) -> Iterable[tuple[bytes, float]]:
    for problem in judgement.problems:
        yield b',problem="%b"' % escape(problem.id), 1


def group() -> Group[PushSecretJudgement]:
    """The group of all PushSecret families."""
    families: tuple[tuple[str, Samples[PushSecretJudgement]], ...] = (
        ("eso_pushsecret_ready", _ready),
        ("eso_pushsecret_last_sync_timestamp_seconds", _last_sync),
        ("eso_pushsecret_store_info", _stores),
        ("eso_pushsecret_problem", _problems),
    )
    since: Column[PushSecretJudgement] = since_column(
        "pushsecret", lambda j: (j.record.namespace, j.record.name, j.problems)
    )
    return Group("pushsecret", [*(Column(family(name), lines(name, _ident, each)) for name, each in families), since])
