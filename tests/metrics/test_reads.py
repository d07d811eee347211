"""Every column of an ExternalSecret names all that its lines depend on, so that what it leaves out may change unseen."""

from __future__ import annotations

from operator import attrgetter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition.families import Column
from exporter.judge.findings import Problem
from exporter.kube.records import ExternalSecret, Plan, StoreRef
from exporter.metrics.externalsecret import ExternalSecretFacts, Kin, group

COLUMNS = group().columns
MOMENTS = st.none() | st.integers(0, 4).map(float)
WORDS = st.sampled_from(["", "a", "b", 'c"\n'])
REFS = st.builds(StoreRef, WORDS, WORDS, WORDS)
LABELS = st.sampled_from([b'store="a"', b'store="b"'])

PLANS = st.builds(
    Plan,
    store=st.none() | REFS,
    stores=st.lists(REFS, max_size=2).map(tuple),
    generators=st.just(()),
    refresh_policy=st.sampled_from(["", "Periodic", "OnChange"]),
    interval=st.sampled_from([0.0, 60.0, 0.5]),
    windows=st.none(),
    creation_policy=WORDS,
    deletion_policy=WORDS,
    immutable=st.booleans(),
    promised=st.lists(WORDS, max_size=2).map(tuple),
    promised_all=st.booleans(),
    template_secrets=st.lists(WORDS, max_size=2).map(tuple),
)
RECORDS = st.builds(
    ExternalSecret,
    namespace=WORDS,
    name=WORDS,
    uid=st.integers(0, 2),
    created=st.integers(0, 4).map(float),
    deleting=MOMENTS,
    plan=PLANS,
    target=WORDS,
    cluster_externalsecret=WORDS,
    owner=WORDS,
    status=st.sampled_from(["", "True", "False"]),
    reason=WORDS,
    detail=WORDS,
    transition=MOMENTS,
    refreshed=MOMENTS,
    applied=st.none() | st.booleans(),
)
FACTS = st.builds(
    ExternalSecretFacts,
    ident=st.sampled_from([b'{name="a"', b'{name="b"']),
    kin=st.builds(Kin, LABELS, st.lists(LABELS, max_size=2).map(tuple), WORDS, MOMENTS, MOMENTS),
    record=RECORDS,
    problems=st.lists(st.builds(Problem, WORDS, st.integers(0, 4).map(float), WORDS, WORDS), max_size=2).map(tuple),
)


def agreeing(column: Column[ExternalSecretFacts], one: ExternalSecretFacts, other: ExternalSecretFacts):
    """`other` with those attributes of `one` that the column reads."""
    assert column.reads is not None
    for name in column.reads:
        other = with_attribute(other, name.split("."), attrgetter(name)(one))
    return other


def with_attribute(struct: msgspec.Struct, path: list[str], value: object):
    """A copy of `struct` in which the attribute at the end of `path` has another value."""
    first, *rest = path
    return msgspec.structs.replace(
        struct, **{first: with_attribute(getattr(struct, first), rest, value) if rest else value}
    )


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.family.name)
@settings(max_examples=40)
@given(one=FACTS, other=FACTS)
def test_facts_that_agree_in_what_a_column_reads_have_the_same_lines(column, one, other):
    agreed = agreeing(column, one, other)
    assert column.same(one, agreed)
    assert column.lines([agreed]) == column.lines([one])


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.family.name)
def test_a_refresh_alone_is_read_by_the_moving_columns_only(column):
    assert column.moving == ("record.refreshed" in column.reads)
