"""The families of SecretStores and ClusterSecretStores."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from exporter.exposition.families import Column, Group, escape
from exporter.judge.findings import Problem
from exporter.judge.store import StoreJudgement
from exporter.metrics.families import family, store_labels
from exporter.metrics.problems import since_column


class StoreFacts(msgspec.Struct, frozen=True, gc=False):
    """What the lines are made of: `ident` is `{namespace="…",` and the labels S, without its end."""

    ident: bytes
    judgement: StoreJudgement

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The present ones."""
        return self.judgement.problems


def facts(judgement: StoreJudgement) -> StoreFacts:
    """The facts of one judgement."""
    record = judgement.record
    return StoreFacts(
        b'{namespace="%b",%b' % (escape(record.namespace), store_labels(record.ref, judgement.vault)), judgement
    )


def _lines(name: str, lines: Callable[[StoreJudgement], Iterable[tuple[bytes, int]]]) -> Callable[..., bytes]:
    """A family whose objects have any number of samples: (further labels, value)."""
    prefix = name.encode()

    def render(facts: Iterable[StoreFacts]) -> bytes:
        return b"".join(
            [b"%b%b%b} %d\n" % (prefix, f.ident, extra, value) for f in facts for extra, value in lines(f.judgement)]
        )

    return render


def _info(judgement: StoreJudgement) -> Iterable[tuple[bytes, int]]:
    record = judgement.record
    yield (
        b',provider="%b",mount="%b",kv_version="%b",auth="%b",owner="%b"'
        % tuple(map(escape, (record.provider, record.mount, record.kv_version, record.auth, judgement.owner))),
        1,
    )


def _ready(judgement: StoreJudgement) -> Iterable[tuple[bytes, int]]:
    ready = judgement.record.ready
    if ready is not None:
        yield b"", int(ready)


def _transition(judgement: StoreJudgement) -> Iterable[tuple[bytes, int]]:
    if judgement.record.transition is not None:
        yield b"", int(judgement.record.transition)


def _users(judgement: StoreJudgement) -> Iterable[tuple[bytes, int]]:
    for state, count in zip((b"ready", b"not_ready", b"unknown"), judgement.users, strict=True):
        yield b',state="%b"' % state, count


def _problems(judgement: StoreJudgement) -> Iterable[tuple[bytes, int]]:
    for problem in judgement.problems:
        yield b',problem="%b"' % escape(problem.id), 1


def group() -> Group[StoreFacts]:
    """The group of all store families."""
    families: tuple[tuple[str, Callable[[StoreJudgement], Iterable[tuple[bytes, int]]]], ...] = (
        ("eso_secretstore_info", _info),
        ("eso_secretstore_ready", _ready),
        ("eso_secretstore_ready_transition_timestamp_seconds", _transition),
        ("eso_secretstore_externalsecrets", _users),
        ("eso_secretstore_problem", _problems),
    )
    since: Column[StoreFacts] = since_column(
        "store", lambda f: (f.judgement.record.namespace, f.judgement.record.name, f.judgement.problems)
    )
    return Group("store", [*(Column(family(name), _lines(name, lines)) for name, lines in families), since])
