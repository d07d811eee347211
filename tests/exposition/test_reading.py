"""The check for columns that name what they read, and the columns of these tests under it."""

from __future__ import annotations

import msgspec

from exporter.exposition.families import Column, Exposition, Family, Group
from tests.exposition.reading import undeclared
from tests.exposition.things import Thing, group, plain

FACTS = [Thing("a", "x", sync=1, problems=("late",)), Thing("a", "y")]


class Outer(msgspec.Struct, frozen=True):
    inner: Thing
    other: int = 0


def render(facts):
    return b"".join([b't_x{name="%b"} %d\n' % (f.inner.name.encode(), f.other) for f in facts])


def column(*reads):
    return Column(Family("t_x", "X."), render, reads=reads)


def test_the_columns_of_these_tests_name_all_they_read():
    for each in group(reads=True).columns:
        assert undeclared(each, FACTS) == set()


def test_what_is_missing_is_found():
    facts = [Outer(FACTS[0])]
    assert undeclared(column(), facts) == {"inner.name", "other"}
    assert undeclared(column("inner", "other"), facts) == set()
    assert undeclared(column("inner.name"), facts) == {"other"}
    assert undeclared(column("inn", "other"), facts) == {"inner.name"}


def test_dotted_names_are_compared():
    things = Group("g", [column("inner.name", "other")])
    exposition = Exposition([things])
    things.put("a", Outer(FACTS[0]))
    exposition.refresh()
    things.put("a", Outer(msgspec.structs.replace(FACTS[0], sync=9)))
    assert exposition.refresh().changed == 0
    things.put("a", Outer(msgspec.structs.replace(FACTS[0], name="z")))
    assert exposition.refresh().changed == 1
    assert plain(exposition).endswith(b't_x{name="z"} 0\n')
