"""A small kind of object with one family of each sort, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from exporter.exposition.families import AgeColumn, Column, Exposition, Family, Group, labels, number

READY = Family("t_ready", "Whether it is ready.")
SYNC = Family("t_sync_timestamp_seconds", "Last sync.")
AGE = Family("t_sync_age_seconds", "Seconds since the last sync.")
PROBLEM = Family("t_problem", 'A problem, "quoted", with a \\ in it.')


class Thing(msgspec.Struct, frozen=True):
    """An object: `sync` in Unix seconds."""

    namespace: str
    name: str
    ready: bool = True
    sync: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


def label(thing: Thing) -> bytes:
    return labels(namespace=thing.namespace, name=thing.name)


def ready(things: Iterable[Thing]) -> bytes:
    return b"".join([b"t_ready%b %d\n" % (label(thing), thing.ready) for thing in things])


def sync(things: Iterable[Thing]) -> bytes:
    return b"".join(
        [b"t_sync_timestamp_seconds%b %b\n" % (label(t), number(t.sync)) for t in things if t.sync is not None]
    )


def problem(things: Iterable[Thing]) -> bytes:
    return b"".join(
        [
            b"t_problem%b 1\n" % labels(namespace=thing.namespace, name=thing.name, problem=each)
            for thing in things
            for each in thing.problems
        ]
    )


def group(*, reads: bool = False, moving: bool = False, shard_objects: int = 400) -> Group[Thing]:
    """All four families; with `reads` columns name what they read, with `moving` two of them follow the last sync."""

    def read(*names: str) -> tuple[str, ...] | None:
        return ("namespace", "name", *names) if reads else None

    columns: list[Column[Thing]] = [
        Column(READY, ready, reads=read("ready")),
        AgeColumn(AGE, label, lambda thing: thing.sync, moving=moving, reads=read("sync")),
        Column(PROBLEM, problem, reads=read("problems")),
        Column(SYNC, sync, moving=moving, reads=read("sync")),
    ]
    moment = (lambda thing: thing.sync) if moving else None
    return Group("things", columns, shard_objects=shard_objects, moment=moment)


def put(things: Group[Thing], *objects: Thing) -> None:
    for thing in objects:
        things.put(thing.key, thing)


def shown(*objects: Thing, **options: Any) -> Exposition:
    """A fresh exposition of these objects."""
    things = group(**options)
    put(things, *objects)
    exposition = Exposition([things])
    exposition.refresh()
    return exposition


def plain(exposition: Exposition, *, now: float = 10_000, openmetrics: bool = False) -> bytes:
    return exposition.body(openmetrics=openmetrics, gzip=False, now=now).read()


def lines_of(exposition: Exposition, family: Family, *, now: float = 10_000) -> list[str]:
    """The sample lines of one family, without its name."""
    text = plain(exposition, now=now).decode()
    return [line.removeprefix(family.name) for line in text.split("\n") if line.startswith(family.name)]


class Oracle:
    """The same families the way prometheus_client's users write them."""

    def __init__(self, objects: Iterable[Thing], now: int) -> None:
        self._objects = sorted(objects, key=lambda thing: thing.key)
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        identity = ("namespace", "name")
        families = {
            family.name: GaugeMetricFamily(
                family.name, family.help, labels=(*identity, "problem") if family is PROBLEM else identity
            )
            for family in (READY, AGE, PROBLEM, SYNC)
        }
        for thing in self._objects:
            # A lone surrogate fails the whole of prometheus_client's exposition; ours prints a question mark.
            who = [text.encode(errors="replace").decode() for text in (thing.namespace, thing.name)]
            families[READY.name].add_metric(who, thing.ready)
            if thing.sync is not None:
                families[AGE.name].add_metric(who, max(0, self._now - thing.sync))
                families[SYNC.name].add_metric(who, thing.sync)
            for each in thing.problems:
                families[PROBLEM.name].add_metric([*who, each.encode(errors="replace").decode()], 1)
        return families.values()

    def registry(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(self)  # type: ignore[arg-type]
        return registry
