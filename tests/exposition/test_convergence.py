"""Any history ends in the same bytes as a fresh exposition of what is left; and equals prometheus_client's account of it."""

from __future__ import annotations

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import Exposition
from tests.exposition.hostile import hostile
from tests.exposition.things import Oracle, Thing, group, plain, put, shown

NOW = 10_000

details = st.fixed_dictionaries(
    {
        "ready": st.booleans(),
        "sync": st.none() | st.integers(min_value=0, max_value=40),
        "problems": st.lists(st.sampled_from(["late", "gone", "bad"]), unique=True, max_size=2).map(tuple),
    }
)
shapes = st.fixed_dictionaries(
    {"reads": st.booleans(), "moving": st.booleans(), "shard_objects": st.sampled_from([1, 2, 5, 60])}
)
changes = st.lists(st.tuples(st.integers(min_value=0, max_value=24), st.none() | details), max_size=12)
hostile_things = st.lists(
    st.builds(
        Thing,
        namespace=hostile,
        name=hostile,
        ready=st.booleans(),
        sync=st.none() | st.integers(min_value=-5, max_value=2 * NOW),
        problems=st.lists(hostile, unique_by=lambda text: text.encode(errors="replace"), max_size=2).map(tuple),
    ),
    unique_by=lambda thing: (thing.namespace.encode(errors="replace"), thing.name.encode(errors="replace")),
    max_size=8,
)


def thing(number, **detail):
    """Names that are awkward inside lines, in key order."""
    return Thing("a", f"x{number:02d}" + ("", "\r", '"', "\\", "\n", "%d")[number % 6], **detail)


@settings(max_examples=300, deadline=None)
@given(shapes, st.integers(min_value=0, max_value=25), st.lists(changes, min_size=1, max_size=6))
def test_any_history_converges(shape, first, rounds):
    things = group(**shape)
    exposition = Exposition([things])
    left = {number: thing(number, sync=number) for number in range(first)}
    put(things, *left.values())
    exposition.refresh()
    for round_ in rounds:
        for number, detail in round_:
            if detail is None:
                left.pop(number, None)
                things.delete(thing(number).key)
            else:
                left[number] = thing(number, **detail)
                put(things, left[number])
        exposition.refresh()
        assert plain(exposition, now=NOW) == plain(shown(*left.values(), **shape), now=NOW)
        packed = exposition.body(openmetrics=False, gzip=True, now=NOW).read()
        assert gzip.decompress(packed) == plain(exposition, now=NOW)


def account(families):
    return [
        (
            family.name,
            family.documentation,
            family.type,
            sorted((sorted(s.labels.items()), s.name, float(s.value)) for s in family.samples),
        )
        for family in families
    ]


@settings(max_examples=150, deadline=None)
@given(hostile_things, shapes)
def test_prometheus_client_tells_the_same(objects, shape):
    exposition = shown(*objects, **shape)
    registry = Oracle(objects, NOW).registry()
    ours, theirs = plain(exposition, now=NOW), generate_latest(registry)
    assert account(parse_text(ours.decode())) == account(parse_text(theirs.decode()))
    ours, theirs = plain(exposition, now=NOW, openmetrics=True), generate_openmetrics(registry)
    assert account(parse_openmetrics(ours.decode())) == account(parse_openmetrics(theirs.decode()))
