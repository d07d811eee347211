"""One scrape: formats, order, own metrics, generations, sharing."""

from __future__ import annotations

import gzip
import threading
import zlib

import pytest
from isal import igzip
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import Column, Exposition, Family, Group
from tests.exposition.things import READY, Thing, group, label, plain, put, shown


def test_one_object_in_full():
    assert plain(shown(Thing("shop", "db", sync=940, problems=("late",))), now=1000).decode() == (
        "# HELP t_ready Whether it is ready.\n# TYPE t_ready gauge\n"
        't_ready{namespace="shop",name="db"} 1\n'
        "# HELP t_sync_age_seconds Seconds since the last sync.\n# TYPE t_sync_age_seconds gauge\n"
        't_sync_age_seconds{namespace="shop",name="db"} 60\n'
        '# HELP t_problem A problem, "quoted", with a \\\\ in it.\n# TYPE t_problem gauge\n'
        't_problem{namespace="shop",name="db",problem="late"} 1\n'
        "# HELP t_sync_timestamp_seconds Last sync.\n# TYPE t_sync_timestamp_seconds gauge\n"
        't_sync_timestamp_seconds{namespace="shop",name="db"} 940\n'
    )


@pytest.mark.parametrize("codec", ["isal", "zlib"])
@pytest.mark.parametrize("openmetrics", [False, True])
def test_gzip_is_one_member_that_every_decoder_reads(codec, openmetrics):
    registry = CollectorRegistry()
    Counter("own_things_total", "Own.", registry=registry).inc()
    things = group(shard_objects=3)
    exposition = Exposition([things], own=registry, compress=codec)
    put(things, *(Thing(f"ns{i % 7}", f"x{i}", sync=i) for i in range(100)))
    exposition.refresh()
    body = exposition.body(openmetrics=openmetrics, gzip=True, now=1000)
    packed, text = body.read(), exposition.body(openmetrics=openmetrics, gzip=False, now=1000).read()
    assert len(packed) == body.length
    assert gzip.decompress(packed) == igzip.decompress(packed) == text
    member = zlib.decompressobj(31)
    assert member.decompress(packed) == text
    assert member.eof
    assert member.unused_data == b""
    parse = parse_openmetrics if openmetrics else parse_text
    families = {family.name: family for family in parse(text.decode())}
    assert len(families["t_ready"].samples) == 100
    assert families["own_things"].samples[0].value == 1
    assert text.endswith(b"# EOF\n") == openmetrics
    assert text.count(b"# EOF") == openmetrics


def test_before_the_first_refresh_there_are_only_own_metrics():
    registry = CollectorRegistry()
    Counter("own_total", "Own.", registry=registry)
    body = Exposition([group()], own=registry).body(openmetrics=False, gzip=True, now=0)
    assert gzip.decompress(body.read()).startswith(b"# HELP own_total Own.\n")


def test_nothing_at_all_is_an_empty_member():
    exposition = Exposition([])
    exposition.refresh()
    assert gzip.decompress(exposition.body(openmetrics=False, gzip=True, now=0).read()) == b""
    assert exposition.body(openmetrics=True, gzip=False, now=0).read() == b"# EOF\n"


def test_a_family_of_several_groups_stands_in_one_place():
    family = Family("t_since", "Since when.")
    groups = [
        Group(
            kind,
            [
                Column(
                    family,
                    lambda things, kind=kind: b"".join(b't_since{kind="%b"} 1\n' % kind.encode() for _ in things),
                )
            ],
        )
        for kind in ("a", "b")
    ]
    exposition = Exposition([groups[0], group(), groups[1]])
    for each in groups:
        each.put("x", Thing("n", "x"))
    exposition.refresh()
    text = plain(exposition)
    assert text.startswith(family.header() + b't_since{kind="a"} 1\nt_since{kind="b"} 1\n# HELP t_ready')
    groups[0].enable("t_since", False)
    exposition.refresh()
    assert plain(exposition).startswith(family.header() + b't_since{kind="b"} 1\n# HELP')


def test_two_help_texts_for_one_family_are_refused():
    other = Group("other", [Column(Family(READY.name, "Other."), lambda _: b"")])
    with pytest.raises(ValueError, match="two help texts"):
        Exposition([group(), other])


def test_disabled_families_are_gone_for_good_own_ones_too():
    registry = CollectorRegistry()
    Counter("own_total", "Own.", registry=registry)
    Histogram("own_seconds", "Own.", registry=registry)
    Counter("kept_total", "Kept.", registry=registry)
    things = group()
    exposition = Exposition([things], own=registry, disable=["t_*_seconds", "own_*"])
    put(things, Thing("a", "x", sync=1))
    things.enable("t_sync_age_seconds", True)
    exposition.refresh()
    families = [family.name for family in parse_text(plain(exposition).decode())]
    assert families == ["t_ready", "t_problem", "kept", "kept_created"]


def test_a_counter_goes_by_its_name_with_and_without_total():
    registry = CollectorRegistry()
    Counter("a_total", "Own.", registry=registry)
    Counter("b_total", "Own.", registry=registry)
    text = plain(Exposition([], own=registry, disable=["a", "b_total"]))
    assert text == b""


def test_scrapes_see_the_last_completed_generation_only():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("a", "x", sync=1))
    exposition.refresh()
    before = plain(exposition)
    put(things, Thing("a", "x", sync=2, ready=False), Thing("a", "y"))
    assert plain(exposition) == before
    exposition.refresh()
    assert b't_ready{namespace="a",name="x"} 0\n' in plain(exposition)


def test_a_body_does_not_change_when_the_exposition_does():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("a", "x"))
    exposition.refresh()
    body = exposition.body(openmetrics=False, gzip=True, now=0)
    first = body.read()
    things.delete("a/x")
    exposition.refresh()
    assert body.read() == first
    assert body.length == len(first)


def test_plain_scrapes_again_and_again_tell_what_gzip_ones_do():
    """Blocks that plain scrapes left open are those of the generation that is asked for."""
    things = group()
    exposition = Exposition([things], own=CollectorRegistry())
    for number in range(6):
        put(things, Thing("a", f"x{number % 4}", ready=number < 4, sync=number))
        exposition.refresh()
        for _ in range(3):
            text = exposition.body(openmetrics=True, gzip=False, now=100 + number).read()
            packed = exposition.body(openmetrics=True, gzip=True, now=100 + number).read()
            assert text == gzip.decompress(packed)


def test_unchanged_blocks_are_shared_between_bodies():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("a", "x"))
    exposition.refresh()
    one, two = (exposition.body(openmetrics=openmetrics, gzip=True, now=0) for openmetrics in (False, True))
    assert {id(part) for part in one.parts()} & {id(part) for part in two.parts()}


class Slow:
    """A collector that waits while it is collected, and counts how often it is."""

    def __init__(self):
        self.collected = 0
        self.entered = threading.Event()
        self.go = threading.Event()

    def describe(self):
        return ()

    def collect(self):
        self.collected += 1
        self.entered.set()
        self.go.wait()
        yield GaugeMetricFamily("slow", "Slow.", value=self.collected)


def test_scrapes_that_wait_for_one_another_share_the_next_body():
    slow = Slow()
    registry = CollectorRegistry()
    registry.register(slow)
    exposition = Exposition([], own=registry)
    bodies = []

    def scrape():
        bodies.append(exposition.body(openmetrics=False, gzip=True, now=0))

    threads = [threading.Thread(target=scrape) for _ in range(12)]
    threads[0].start()
    slow.entered.wait()
    for thread in threads[1:]:
        thread.start()
    slow.go.set()
    for thread in threads:
        thread.join()
    # The first one's own metrics were read before most others came; at the very most those that started late read once more.
    assert len(bodies) == 12
    assert slow.collected < 12
    assert len({id(body) for body in bodies}) == slow.collected


def test_own_metrics_are_fresh_in_each_scrape():
    registry = CollectorRegistry()
    counter = Counter("own_total", "Own.", registry=registry)
    exposition = Exposition([], own=registry)
    assert b"own_total 0.0\n" in plain(exposition)
    counter.inc()
    assert b"own_total 1.0\n" in plain(exposition)


def test_ages_of_a_new_generation_are_not_those_of_the_old():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("a", "x", sync=10))
    exposition.refresh()
    plain(exposition, now=100)
    put(things, Thing("a", "x", sync=20))
    exposition.refresh()
    assert b't_sync_age_seconds{namespace="a",name="x"} 80\n' in plain(exposition, now=100.5)


def test_generations_are_whole_under_concurrent_scrapes():
    """Two families of all objects always tell the same number."""

    def rendered(name):
        line = name.encode() + b"%b %d\n"
        return Column(Family(name, "A."), lambda things: b"".join([line % (label(t), t.sync) for t in things]))

    things = Group("g", [rendered("t_a"), rendered("t_b")], shard_objects=5)
    exposition = Exposition([things])
    stop = threading.Event()
    seen = []

    def scrape():
        while not stop.is_set():
            families = parse_text(gzip.decompress(exposition.body(openmetrics=False, gzip=True, now=0).read()).decode())
            seen.append({sample.value for family in families for sample in family.samples})

    thread = threading.Thread(target=scrape)
    thread.start()
    for generation in range(60):
        put(things, *(Thing("a", f"x{i}", sync=generation) for i in range(30)))
        exposition.refresh()
    stop.set()
    thread.join()
    assert seen
    assert all(len(values) <= 1 for values in seen)
