"""What is rendered when something changes: no more than that."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from exporter.exposition.blocks import Deflater
from exporter.exposition.families import Column, Exposition, Family, Group
from tests.exposition.things import AGE, PROBLEM, READY, SYNC, Thing, group, label, lines_of, plain, put, shown


class Counting:
    """A column that counts the objects it renders."""

    def __init__(self, name, attribute, **options):
        self.rendered = 0
        self._name = name.encode()
        self._attribute = attribute
        self.column = Column(Family(name, "Counts."), self, **options)

    def __call__(self, things):
        things = list(things)
        self.rendered += len(things)
        return b"".join([b"%b%b %d\n" % (self._name, label(t), getattr(t, self._attribute) or 0) for t in things])


@pytest.fixture
def counted():
    steady, moved = Counting("t_a", "ready", reads=("namespace", "name", "ready")), Counting("t_b", "sync")
    things = Group("things", [steady.column, moved.column])
    exposition = Exposition([things])
    put(things, *(Thing("a", f"x{i:03d}", sync=1) for i in range(100)))
    exposition.refresh()
    steady.rendered = moved.rendered = 0
    return things, exposition, steady, moved


def test_equal_facts_render_nothing_and_make_no_generation(counted):
    things, exposition, steady, moved = counted
    put(things, *(Thing("a", f"x{i:03d}", sync=1) for i in range(100)))
    assert exposition.refresh().changed == 0
    assert exposition.refresh().generation == 1
    assert (steady.rendered, moved.rendered) == (0, 0)


def test_a_column_that_does_not_read_the_difference_is_not_rendered(counted):
    things, exposition, steady, _ = counted
    put(things, Thing("a", "x005", sync=2))
    assert exposition.refresh().changed == 1
    assert steady.rendered == 0


def test_one_changed_object_is_edited_into_its_block(counted):
    things, exposition, _, moved = counted
    put(things, Thing("a", "x005", sync=2))
    exposition.refresh()
    assert moved.rendered < 10
    assert b't_b{namespace="a",name="x005"} 2\n' in plain(exposition)


def test_back_and_forth_between_two_refreshes_is_no_change(counted):
    things, exposition, *_ = counted
    put(things, Thing("a", "x005", sync=2), Thing("a", "new", sync=3), Thing("a", "x005", sync=1))
    things.delete("a/new")
    assert exposition.refresh().changed == 0


def test_many_changes_render_the_shard_once(counted):
    things, exposition, _, moved = counted
    put(things, *(Thing("a", f"x{i:03d}", sync=i) for i in range(80)))
    exposition.refresh()
    assert moved.rendered <= 300
    assert lines_of(exposition, Family("t_b", ""))[79].endswith(" 79")


def test_get_len_keys():
    things = group(shard_objects=2)
    put(things, *(Thing("a", f"x{i}") for i in range(9)))
    things.delete("a/x4")
    things.delete("a/unknown")
    assert len(things) == 8
    assert list(things.keys()) == [f"a/x{i}" for i in (0, 1, 2, 3, 5, 6, 7, 8)]
    assert things.get("a/x3") == Thing("a", "x3")
    assert things.get("a/x4") is None


@pytest.mark.parametrize("moving", [False, True])
def test_order_does_not_depend_on_how_objects_came(moving):
    objects = [Thing(f"ns{i % 5}", f"x{i}", sync=i % 17 or None) for i in range(60)]
    options = {"moving": moving, "shard_objects": 4}
    assert plain(shown(*objects, **options)) == plain(shown(*reversed(objects), **options))


@pytest.mark.parametrize("moving", [False, True])
def test_shards_grow_and_go(moving):
    things = group(moving=moving, shard_objects=10)
    exposition = Exposition([things])
    objects = [Thing("a", f"x{i:04d}", sync=i) for i in range(1000)]
    put(things, *objects)
    exposition.refresh()
    full = [len(things.blocks(0)), len(things.blocks(3))]
    for thing in objects[5:]:
        things.delete(thing.key)
    exposition.refresh()
    assert full == [100, 100]
    assert [len(things.blocks(0)), len(things.blocks(3))] == [1, 1]
    assert plain(exposition) == plain(shown(*objects[:5]))


def test_a_list_in_random_order_splits_shards_in_the_middle():
    things = group(shard_objects=10)
    put(things, *(Thing("a", f"x{i * 577 % 1000:04d}") for i in range(1000)))
    Exposition([things]).refresh()
    assert 50 <= len(things.blocks(0)) <= 100


def test_a_resync_of_hourly_objects_opens_few_moving_blocks():
    things = group(moving=True, shard_objects=10)
    exposition = Exposition([things])
    put(things, *(Thing("a", f"x{i * 577 % 1000:04d}", sync=i) for i in range(1000)))
    exposition.refresh()
    before = {id(block) for block in things.blocks(3)}
    put(things, *(Thing("a", f"x{i * 577 % 1000:04d}", sync=3600 + i) for i in range(20)))
    exposition.refresh()
    assert len({id(block) for block in things.blocks(3)} - before) <= 4


def test_a_refresh_that_fails_leaves_nothing_half_done(monkeypatch):
    first, second = (
        group(),
        Group("other", [Column(Family("t_other", "Other."), lambda facts: b"t_other 1\n" * len(facts))]),
    )
    exposition = Exposition([first, second])
    exposition.refresh()
    before = plain(exposition)
    put(first, Thing("a", "x", sync=6, ready=False))
    put(second, Thing("a", "x"))
    real = Deflater.block

    def block(self, text, like=None):
        if text.startswith(b"t_other"):
            raise MemoryError
        return real(self, text, like)

    with monkeypatch.context() as patched:
        patched.setattr(Deflater, "block", block)
        with pytest.raises(MemoryError):
            exposition.refresh()
    assert plain(exposition) == before
    assert exposition.refresh().generation == 2
    assert plain(exposition).endswith(b"t_other 1\n")
    assert b't_ready{namespace="a",name="x"} 0\n' in plain(exposition)


@pytest.mark.parametrize("volatile", [False, True])
def test_an_object_that_cannot_be_rendered_is_left_out_alone(volatile):
    def render(things, now=0.0):
        return b"".join([b"t_x%b %d\n" % (label(t), t.sync) for t in things])

    things = Group("g", [Column(Family("t_x", "X."), render, volatile=volatile)])
    exposition = Exposition([things])
    with capture_logs() as logs:
        put(things, *(Thing("a", f"x{i:02d}", sync=i) for i in range(60)), Thing("a", "x30"))
        exposition.refresh()
        put(things, Thing("a", "x29", sync=290))
        for _ in range(9):
            exposition.refresh()
            plain(exposition)
    text = plain(exposition)
    assert text.count(b"\nt_x{") == 59
    assert b't_x{namespace="a",name="x29"} 290\n' in text
    assert {entry["family"] for entry in logs} == {"t_x"}
    assert len(logs) <= 3
    put(things, Thing("a", "x30", sync=30))
    exposition.refresh()
    assert plain(exposition).count(b"\nt_x{") == 60


def test_a_column_switched_off_is_absent_and_comes_back_as_it_should_be():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("a", "x", sync=5))
    for family in (READY, AGE):
        things.enable(family.name, False)
    exposition.refresh()
    assert READY.name.encode() not in plain(exposition)
    assert AGE.name.encode() not in plain(exposition)
    put(things, Thing("a", "x", ready=False, sync=6))
    exposition.refresh()
    for family in (READY, AGE):
        things.enable(family.name, True)
        things.enable(family.name, True)
    exposition.refresh()
    assert plain(exposition) == plain(shown(Thing("a", "x", ready=False, sync=6)))


def test_a_family_without_samples_shows_its_header():
    exposition = shown(Thing("a", "x"))
    assert PROBLEM.header() in plain(exposition)
    assert SYNC.header() in plain(exposition)


def test_enable_of_an_unknown_family():
    with pytest.raises(KeyError):
        group().enable("t_other", True)


def test_one_family_once_per_group():
    with pytest.raises(ValueError, match="two columns"):
        Group("g", [Column(READY, lambda _: b""), Column(READY, lambda _: b"")])


def test_an_age_is_never_negative_and_grows():
    exposition = shown(Thing("a", "x", sync=100), Thing("a", "y", sync=130), Thing("a", "%d", sync=0))
    assert lines_of(exposition, AGE, now=120.9) == [
        '{namespace="a",name="%d"} 120',
        '{namespace="a",name="x"} 20',
        '{namespace="a",name="y"} 0',
    ]
    assert lines_of(exposition, AGE, now=131)[2] == '{namespace="a",name="y"} 1'


def test_a_volatile_column_is_rendered_when_scraped_with_the_facts_of_the_generation():
    def render(things, now):
        return b"".join([b"t_v%b %d\n" % (label(thing), now - thing.sync) for thing in things])

    things = Group("g", [Column(Family("t_v", "Volatile."), render, volatile=True)])
    exposition = Exposition([things])
    put(things, Thing("a", "x", sync=10))
    exposition.refresh()
    put(things, Thing("a", "x", sync=20))
    assert b't_v{namespace="a",name="x"} 90\n' in plain(exposition, now=100)
    exposition.refresh()
    assert b't_v{namespace="a",name="x"} 80\n' in plain(exposition, now=100)
    things.delete("a/x")
    exposition.refresh()
    assert plain(exposition) == b"# HELP t_v Volatile.\n# TYPE t_v gauge\n"


@pytest.mark.parametrize("moving", [False, True])
def test_shards_that_were_thinned_out_are_joined(moving):
    things = group(moving=moving, shard_objects=10)
    exposition = Exposition([things])
    objects = [Thing("a", f"x{i:04d}", sync=i) for i in range(1000)]
    put(things, *objects)
    exposition.refresh()
    for i, thing in enumerate(objects):
        if i % 10:
            things.delete(thing.key)
    exposition.refresh()
    assert [len(things.blocks(0)), len(things.blocks(3))] == [10, 10]
    assert plain(exposition) == plain(shown(*objects[::10]))


def test_an_object_that_comes_in_between_and_one_that_comes_last():
    objects = [Thing("a", f"x{i:03d}", sync=1) for i in range(0, 100, 2)]
    for new in (Thing("a", "x031", sync=1), Thing("b", "x", sync=1)):
        things = group()
        exposition = Exposition([things])
        put(things, *objects)
        exposition.refresh()
        put(things, new)
        exposition.refresh()
        assert plain(exposition) == plain(shown(*objects, new))


def test_a_line_that_goes_from_one_object_to_another_is_never_left_behind():
    """Facts may agree to share a line, each time printed by one of them: a path that several objects read."""
    things = Group(
        "paths", [Column(READY, lambda facts: b"".join([b"t_ready %d\n" % f.sync for f in facts if f.ready]))]
    )
    exposition = Exposition([things])
    put(things, *(Thing("a", f"x{i:03d}", sync=i) for i in range(60)))
    exposition.refresh()
    put(things, Thing("a", "x007", ready=False, sync=7), Thing("a", "x003", sync=7))
    exposition.refresh()
    things.delete("a/x003")
    exposition.refresh()
    assert plain(exposition) == READY.header() + b"".join([b"t_ready %d\n" % i for i in range(60) if i not in (3, 7)])
    put(things, Thing("a", "x005", ready=False, sync=5), Thing("a", "x004", sync=5), Thing("a", "x006", sync=4))
    exposition.refresh()
    put(things, Thing("a", "x004", ready=False), Thing("a", "x006", sync=6))
    exposition.refresh()
    assert plain(exposition) == READY.header() + b"".join([b"t_ready %d\n" % i for i in (0, 1, 2, 6, *range(8, 60))])


def test_a_block_whose_lines_are_not_where_they_should_be_is_rendered_anew():
    """Lines that went from one object to its neighbour stand in the block in another order than the objects do."""
    things = Group(
        "lines",
        [Column(READY, lambda facts: b"".join([b"t_ready %b\n" % p.encode() for f in facts for p in f.problems]))],
    )
    exposition = Exposition([things])
    put(things, *(Thing("a", f"x{i:03d}", problems=(str(i),)) for i in range(10, 60)))
    put(things, Thing("a", "x001", problems=("3",)), Thing("a", "x002", problems=("1", "2")))
    exposition.refresh()
    put(things, Thing("a", "x002", problems=("1",)), Thing("a", "x001", problems=("2", "3")))
    exposition.refresh()
    things.delete("a/x001")
    exposition.refresh()
    assert plain(exposition) == READY.header() + b"".join([b"t_ready %d\n" % i for i in (1, *range(10, 60))])


@pytest.mark.parametrize("moving", [False, True])
def test_lines_are_taken_out_whole_whatever_stands_in_them(moving):
    objects = [Thing("a", f"x{i:03d}\r\u2028{'%'}", sync=1) for i in range(60)]
    things = group(moving=moving)
    exposition = Exposition([things])
    put(things, *objects)
    exposition.refresh()
    before = things.blocks(0)[0].size
    for thing in (objects[7], objects[59]):
        things.delete(thing.key)
    exposition.refresh()
    assert before - things.blocks(0)[0].size == 2 * before // 60
    assert plain(exposition) == plain(shown(*objects[:7], *objects[8:59]))
