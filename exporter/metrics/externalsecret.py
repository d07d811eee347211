"""The families of one ExternalSecret. An object's lines share its label bytes; only values are formatted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from exporter.eso.schedule import refreshes_by_itself
from exporter.exposition.families import AgeColumn, Column, Group, escape
from exporter.judge.externalsecret import ExternalSecretJudgement
from exporter.judge.findings import Problem
from exporter.kube.records import ExternalSecret, StoreRef, only_refreshed
from exporter.metrics.families import family, seconds, store_labels
from exporter.metrics.problems import since_column

_SHARED_LIMIT = 10_000


class Kin(msgspec.Struct, frozen=True, gc=False):
    """What an ExternalSecret's lines have in common with those of many others, which share one of these.

    `store` are the labels S, `stores` those of each store it reads from. `next_in` and `deadline_in` are seconds after
    the last sync (None: nothing is due).
    """

    store: bytes
    stores: tuple[bytes, ...]
    owner: str
    next_in: float | None
    deadline_in: float | None


class ExternalSecretFacts(msgspec.Struct, frozen=True, gc=False):
    """What the lines are made of. `ident` is `{namespace="…",name="…"` without its end."""

    ident: bytes
    kin: Kin
    record: ExternalSecret
    problems: tuple[Problem, ...]

    @property
    def owner(self) -> str:
        """Of the ExternalSecret, else of its namespace."""
        return self.kin.owner


_KinKey = tuple[StoreRef | None, tuple[StoreRef, ...], str, tuple[str, ...], str, float | None, float | None]


class Facts:
    """Makes facts of judgements."""

    def __init__(self) -> None:
        self._kin: dict[_KinKey, Kin] = {}

    def of(self, judgement: ExternalSecretJudgement) -> ExternalSecretFacts:
        """The facts of one judgement."""
        record = judgement.record
        last, due, deadline = record.refreshed, judgement.next_sync, judgement.deadline
        key = (
            record.plan.store,
            record.plan.stores,
            judgement.vault,
            judgement.vaults,
            judgement.owner,
            None if last is None or due is None else due - last,
            None if last is None or deadline is None else deadline - last,
        )
        kin = self._kin.get(key)
        if kin is None:
            if len(self._kin) > _SHARED_LIMIT:
                self._kin.clear()
            kin = self._kin[key] = _kin(key)
        return ExternalSecretFacts(
            b'{namespace="%b",name="%b"' % (escape(record.namespace), escape(record.name)),
            kin,
            record,
            judgement.problems,
        )


def _kin(key: _KinKey) -> Kin:
    store, stores, vault, vaults, owner, next_in, deadline_in = key
    labels = tuple([store_labels(ref, vault) for ref, vault in zip(stores, vaults, strict=True)])
    return Kin(store_labels(store, vault), labels, owner, next_in, deadline_in)


def moved(facts: ExternalSecretFacts | None, record: ExternalSecret) -> ExternalSecretFacts | None:
    """The facts after a later sync, of which `record` tells; None where more may have changed than the times.

    That is where there was a problem, and where sync windows move what is due. A later sync has a later deadline: that it is
    missed is found at the one before, when the object is judged anyhow.
    """
    if facts is None or facts.problems or record.plan.windows is not None:
        return None
    last, now = facts.record.refreshed, record.refreshed
    if last is None or now is None or now < last or not only_refreshed(facts.record, record):
        return None
    return ExternalSecretFacts(facts.ident, facts.kin, record, ())


def _info(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b'eso_externalsecret_info%b,%b,target="%b",refresh_policy="%b",creation_policy="%b",deletion_policy="%b",'
            b'cluster_externalsecret="%b",owner="%b"} 1\n'
            % (
                f.ident,
                f.kin.store,
                escape(f.record.target),
                escape(f.record.plan.refresh_policy or "Periodic"),
                escape(f.record.plan.creation_policy),
                escape(f.record.plan.deletion_policy),
                escape(f.record.cluster_externalsecret),
                escape(f.kin.owner),
            )
            for f in facts
        ]
    )


_INFO_READS = (
    "ident",
    "kin.store",
    "record.target",
    "record.plan.refresh_policy",
    "record.plan.creation_policy",
    "record.plan.deletion_policy",
    "record.cluster_externalsecret",
    "kin.owner",
)


def _store_info(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [b"eso_externalsecret_store_info%b,%b} 1\n" % (f.ident, store) for f in facts for store in f.kin.stores]
    )


def _ready(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [b"eso_externalsecret_ready%b,%b} %d\n" % (f.ident, f.kin.store, f.record.status == "True") for f in facts]
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
                seconds(f.record.plan.interval)
                if refreshes_by_itself(f.record.plan.refresh_policy, f.record.plan.interval)
                else b"0",
            )
            for f in facts
        ]
    )


def _problems(facts: Iterable[ExternalSecretFacts]) -> bytes:
    return b"".join(
        [
            b'eso_externalsecret_problem%b,%b,problem="%b",error="%b"} 1\n'
            % (f.ident, f.kin.store, escape(problem.id), escape(problem.error))
            for f in facts
            for problem in f.problems
        ]
    )


def _last_sync(facts: ExternalSecretFacts) -> float | None:
    return facts.record.refreshed


def _next_sync(facts: ExternalSecretFacts) -> float | None:
    last, span = facts.record.refreshed, facts.kin.next_in
    return None if last is None or span is None else last + span


def _deadline(facts: ExternalSecretFacts) -> float | None:
    last, span = facts.record.refreshed, facts.kin.deadline_in
    return None if last is None or span is None else last + span


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
        Column(family(f"{prefix}store_info"), _store_info, reads=("ident", "kin.stores")),
        Column(family(f"{prefix}ready"), _ready, reads=("ident", "kin.store", "record.status")),
        Column(family(f"{prefix}status_info"), _status, reads=("ident", "record.status", "record.reason")),
        Column(family(created), _time(created, lambda f: f.record.created), reads=("ident", "record.created")),
        Column(
            family(transition), _time(transition, lambda f: f.record.transition), reads=("ident", "record.transition")
        ),
        Column(family(last_sync), _time(last_sync, _last_sync), moving=True, reads=("ident", "record.refreshed")),
        Column(
            family(next_sync),
            _time(next_sync, _next_sync),
            moving=True,
            reads=("ident", "record.refreshed", "kin.next_in"),
        ),
        Column(
            family(f"{prefix}refresh_interval_seconds"),
            _interval,
            reads=("ident", "record.plan.interval", "record.plan.refresh_policy"),
        ),
        Column(
            family(deadline),
            _time(deadline, _deadline),
            moving=True,
            reads=("ident", "record.refreshed", "kin.deadline_in"),
        ),
        Column(family(f"{prefix}problem"), _problems, reads=("ident", "kin.store", "problems")),
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
