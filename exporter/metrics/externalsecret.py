"""The families of one ExternalSecret. An object's lines share its label bytes; only values are formatted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from exporter.eso.schedule import refreshes_by_itself
from exporter.exposition.families import AgeColumn, Column, Group, escape
from exporter.judge.externalsecret import ExternalSecretJudgement
from exporter.judge.findings import Problem
from exporter.kube.records import ExternalSecret, StoreRef
from exporter.metrics.families import family, seconds, store_labels
from exporter.metrics.problems import since_column

_SHARED_LIMIT = 10_000


class ExternalSecretFacts(msgspec.Struct, frozen=True, gc=False):
    """What the lines are made of. `ident` is `{namespace="…",name="…"` without its end; `store` the labels S, shared.

    `next_in` and `deadline_in` are seconds after the last sync (None: nothing is due): equal for all of one interval, so
    one number stands for thousands.
    """

    ident: bytes
    store: bytes
    stores: tuple[bytes, ...]
    record: ExternalSecret
    owner: str
    next_in: float | None
    deadline_in: float | None
    problems: tuple[Problem, ...]


class Facts:
    """Makes facts of judgements. Label bytes of stores are shared among all their ExternalSecrets."""

    def __init__(self) -> None:
        self._one: dict[tuple[StoreRef | None, str], bytes] = {}
        self._spans: dict[float, float] = {}
        self._many: dict[tuple[tuple[StoreRef, ...], tuple[str, ...]], tuple[bytes, ...]] = {}

    def of(self, judgement: ExternalSecretJudgement) -> ExternalSecretFacts:
        """The facts of one judgement."""
        record = judgement.record
        return ExternalSecretFacts(
            ident=b'{namespace="%b",name="%b"' % (escape(record.namespace), escape(record.name)),
            store=self._store(record.store, judgement.vault),
            stores=self._stores(record.stores, judgement.vaults),
            record=record,
            owner=judgement.owner,
            next_in=self._after(record.refreshed, judgement.next_sync),
            deadline_in=self._after(record.refreshed, judgement.deadline),
            problems=judgement.problems,
        )

    def _after(self, last: float | None, moment: float | None) -> float | None:
        if last is None or moment is None:
            return None
        if len(self._spans) > _SHARED_LIMIT:
            self._spans.clear()
        return self._spans.setdefault(moment - last, moment - last)

    def _store(self, ref: StoreRef | None, vault: str) -> bytes:
        key = (ref, vault)
        found = self._one.get(key)
        if found is None:
            if len(self._one) > _SHARED_LIMIT:
                self._one.clear()
            found = self._one[key] = store_labels(ref, vault)
        return found

    def _stores(self, refs: tuple[StoreRef, ...], vaults: tuple[str, ...]) -> tuple[bytes, ...]:
        key = (refs, vaults)
        found = self._many.get(key)
        if found is None:
            if len(self._many) > _SHARED_LIMIT:
                self._many.clear()
            labels = (self._store(ref, vault) for ref, vault in zip(refs, vaults, strict=True))
            found = self._many[key] = tuple(labels)
        return found


def _info(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b'eso_externalsecret_info%b,%b,target="%b",refresh_policy="%b",creation_policy="%b",deletion_policy="%b",'
            b'cluster_externalsecret="%b",owner="%b"} 1\n'
            % (
                f.ident,
                f.store,
                escape(f.record.target),
                escape(f.record.refresh_policy or "Periodic"),
                escape(f.record.creation_policy),
                escape(f.record.deletion_policy),
                escape(f.record.cluster_externalsecret),
                escape(f.owner),
            )
            for f in facts
        ]
    )


_INFO_READS = (
    "ident",
    "store",
    "record.target",
    "record.refresh_policy",
    "record.creation_policy",
    "record.deletion_policy",
    "record.cluster_externalsecret",
    "owner",
)


def _store_info(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [b"eso_externalsecret_store_info%b,%b} 1\n" % (f.ident, store) for f in facts for store in f.stores]
    )


def _ready(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [b"eso_externalsecret_ready%b,%b} %d\n" % (f.ident, f.store, f.record.status == "True") for f in facts]
    )


def _status(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b'eso_externalsecret_status_info%b,status="%b",reason="%b"} 1\n'
            % (f.ident, escape(f.record.status or "none"), escape(f.record.reason))
            for f in facts
        ]
    )


def _time(name: str, pick: Callable[[ExternalSecretFacts], float | None]) -> Callable[..., bytes]:
    """A family of whole Unix seconds; an object without the moment has no line."""
    line = name.encode() + b"%b} %d\n"

    def render(facts: Iterable[ExternalSecretFacts]) -> bytes:
        return b"".join([line % (f.ident, moment) for f in facts if (moment := pick(f)) is not None])

    return render


def _interval(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b"eso_externalsecret_refresh_interval_seconds%b} %b\n"
            % (
                f.ident,
                seconds(f.record.interval) if refreshes_by_itself(f.record.refresh_policy, f.record.interval) else b"0",
            )
            for f in facts
        ]
    )


def _problems(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b'eso_externalsecret_problem%b,%b,problem="%b",error="%b"} 1\n'
            % (f.ident, f.store, escape(problem.id), escape(problem.error))
            for f in facts
            for problem in f.problems
        ]
    )


def _last_sync(facts: ExternalSecretFacts) -> float | None:
    return facts.record.refreshed


def _next_sync(facts: ExternalSecretFacts) -> float | None:
    last = facts.record.refreshed
    return None if last is None or facts.next_in is None else last + facts.next_in


def _deadline(facts: ExternalSecretFacts) -> float | None:
    last = facts.record.refreshed
    return None if last is None or facts.deadline_in is None else last + facts.deadline_in


def group(*, age: bool = True) -> Group[ExternalSecretFacts]:
    """The group of all ExternalSecret families. Without `age` the family that is computed at each scrape is left out.

    Columns name what they read, so that a refresh, which changes its times alone, touches the moving columns and no other.
    """
    prefix = "eso_externalsecret_"
    last_sync = f"{prefix}last_sync_timestamp_seconds"
    next_sync = f"{prefix}next_sync_timestamp_seconds"
    deadline = f"{prefix}sync_deadline_timestamp_seconds"
    created = f"{prefix}created_timestamp_seconds"
    transition = f"{prefix}ready_transition_timestamp_seconds"
    columns: list[Column[ExternalSecretFacts]] = [
        Column(family(f"{prefix}info"), _info, reads=_INFO_READS),
        Column(family(f"{prefix}store_info"), _store_info, reads=("ident", "stores")),
        Column(family(f"{prefix}ready"), _ready, reads=("ident", "store", "record.status")),
        Column(family(f"{prefix}status_info"), _status, reads=("ident", "record.status", "record.reason")),
        Column(family(created), _time(created, lambda f: f.record.created), reads=("ident", "record.created")),
        Column(
            family(transition), _time(transition, lambda f: f.record.transition), reads=("ident", "record.transition")
        ),
        Column(family(last_sync), _time(last_sync, _last_sync), moving=True, reads=("ident", "record.refreshed")),
        Column(
            family(next_sync), _time(next_sync, _next_sync), moving=True, reads=("ident", "record.refreshed", "next_in")
        ),
        Column(
            family(f"{prefix}refresh_interval_seconds"),
            _interval,
            reads=("ident", "record.interval", "record.refresh_policy"),
        ),
        Column(
            family(deadline),
            _time(deadline, _deadline),
            moving=True,
            reads=("ident", "record.refreshed", "deadline_in"),
        ),
        Column(family(f"{prefix}problem"), _problems, reads=("ident", "store", "problems")),
        since_column(
            "externalsecret",
            lambda f: (f.record.namespace, f.record.name, f.problems),
            reads=("record.namespace", "record.name", "problems"),
        ),
    ]
    if age:
        columns.insert(
            7,
            AgeColumn(
                family(f"{prefix}last_sync_age_seconds"),
                lambda f: f.ident + b"}",
                _last_sync,
                moving=True,
                reads=("ident", "record.refreshed"),
            ),
        )
    return Group("externalsecret", columns, moment=_last_sync)
