"""One scrape against the plain text, and against prometheus_client's parsers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import msgspec
import pytest
from isal import igzip
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import AgeColumn, Column, Exposition, Family, Group, labels, number

READY = Family("t_ready", "Whether it is ready.")
SYNC = Family("t_sync_timestamp_seconds", "Last sync.")
AGE = Family("t_sync_age_seconds", "Seconds since the last sync.")


class Thing(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    ready: bool = True
    sync: int | None = None


def label(thing: Thing) -> bytes:
    return labels(namespace=thing.namespace, name=thing.name)


def ready(things: Iterable[Thing]) -> bytes:
    return b"".join([b"t_ready%b %d\n" % (label(thing), thing.ready) for thing in things])


def sync(things: Iterable[Thing]) -> bytes:
    return b"".join(
        [b"t_sync_timestamp_seconds%b %b\n" % (label(t), number(t.sync)) for t in things if t.sync is not None]
    )


def group(**options: int) -> Group[Thing]:
    columns = [Column(READY, ready), AgeColumn(AGE, label, lambda thing: thing.sync), Column(SYNC, sync)]
    return Group("things", columns, **options)


def put(things: Group[Thing], *objects: Thing) -> None:
    for thing in objects:
        things.put(f"{thing.namespace}/{thing.name}", thing)


def plain(exposition: Exposition, now: float = 1000, openmetrics: bool = False) -> str:
    return exposition.body(openmetrics=openmetrics, gzip=False, now=now).read().decode()


def test_one_object_is_three_families():
    things = group()
    exposition = Exposition([things])
    put(things, Thing("shop", "db", sync=940))
    exposition.refresh()
    assert plain(exposition) == (
        "# HELP t_ready Whether it is ready.\n# TYPE t_ready gauge\n"
        't_ready{namespace="shop",name="db"} 1\n'
        "# HELP t_sync_age_seconds Seconds since the last sync.\n# TYPE t_sync_age_seconds gauge\n"
        't_sync_age_seconds{namespace="shop",name="db"} 60\n'
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
