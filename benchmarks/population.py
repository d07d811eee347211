"""What the exposition's benchmark shows: as many objects as asked, with families like the contract's, and what moves them."""

from __future__ import annotations

import hashlib
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from exporter.exposition.blocks import Codec
from exporter.exposition.families import AgeColumn, Column, Exposition, Family, Group, escape

START = 1_780_000_000
INTERVAL = 3600
_STORE = b'store_kind="ClusterSecretStore",store_namespace="",store="vault-backend",vault="main"'
_S = {"store_kind": "ClusterSecretStore", "store_namespace": "", "store": "vault-backend", "vault": "main"}


class ES(msgspec.Struct, frozen=True, gc=False):
    """An ExternalSecret as its lines need it."""

    ident: bytes
    namespace: str
    name: str
    target: str
    ready: bool
    created: int
    sync: int

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class Manual(msgspec.Struct, frozen=True, gc=False):
    """A manual Secret."""

    namespace: str
    name: str
    created: int


def _lines(name: str, rest: str, *pick: Callable[[ES], bytes | int]) -> Callable[[Iterable[ES]], bytes]:
    line = f"{name}%b{rest}\n".encode()

    def render(facts: Iterable[ES]) -> bytes:
        return b"".join([line % (f.ident, *[value(f) for value in pick]) for f in facts])

    return render


_PREFIX = "eso_externalsecret_"
_STORED = f",{_STORE.decode()}"
#: Eight families: name, text after the identity labels, values, the attributes they read, whether a sync moves them.
_FAMILIES: tuple[tuple[str, str, tuple[Callable[[ES], bytes | int], ...], tuple[str, ...], bool], ...] = (
    (
        "info",
        f',{_STORED[1:]},target="%b",refresh_policy="Periodic",creation_policy="Owner",deletion_policy="Retain",'
        'cluster_externalsecret="",owner="team-a"} 1',
        (lambda f: escape(f.target),),
        ("target",),
        False,
    ),
    ("ready", f"{_STORED}}} %d", (lambda f: f.ready,), ("ready",), False),
    ("status_info", ',status="True",reason="SecretSynced"} 1', (), (), False),
    ("created_timestamp_seconds", "} %d", (lambda f: f.created,), ("created",), False),
    ("refresh_interval_seconds", f"}} {INTERVAL}", (), (), False),
    ("last_sync_timestamp_seconds", "} %d", (lambda f: f.sync,), ("sync",), True),
    ("next_sync_timestamp_seconds", "} %d", (lambda f: f.sync + INTERVAL,), ("sync",), True),
    ("sync_deadline_timestamp_seconds", "} %d", (lambda f: f.sync + 2 * INTERVAL,), ("sync",), True),
)


def columns(*, age: bool) -> list[Column[ES]]:
    """The eight families, and the age family if asked."""
    made: list[Column[ES]] = [
        Column(
            Family(_PREFIX + name, f"Benchmark family {name}."),
            _lines(_PREFIX + name, rest, *values),
            reads=("ident", *reads),
            moving=moving,
        )
        for name, rest, values, reads, moving in _FAMILIES
    ]
    if age:
        family = Family(f"{_PREFIX}last_sync_age_seconds", "Benchmark age.")
        made.append(AgeColumn(family, lambda f: f.ident + b"}", lambda f: f.sync, moving=True, reads=("ident", "sync")))
    return made


def _manual_info(facts: Iterable[Manual]) -> bytes:
    line = b'eso_manual_secret_info{namespace="%b",secret="%b",type="Opaque",creator="kubectl-create",owner=""} 1\n'
    return b"".join([line % (escape(f.namespace), escape(f.name)) for f in facts])


def _manual_created(facts: Iterable[Manual]) -> bytes:
    line = b'eso_manual_secret_created_timestamp_seconds{namespace="%b",secret="%b"} %d\n'
    return b"".join([line % (escape(f.namespace), escape(f.name), f.created) for f in facts])


def own() -> CollectorRegistry:
    """What every exporter tells of itself."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


class Population:
    """`count` ExternalSecrets and `manual` manual Secrets in an exposition. `order` is how syncs come: by schedule, or by chance."""

    def __init__(self, count: int, manual: int, *, age: bool = False, codec: Codec = "auto") -> None:
        self._random = random.Random(1)
        self.group = Group("es", columns(age=age), moment=lambda f: f.sync)
        self.manual: Group[Manual] = Group(
            "manual",
            [
                Column(Family("eso_manual_secret_info", "Benchmark."), _manual_info),
                Column(Family("eso_manual_secret_created_timestamp_seconds", "Benchmark."), _manual_created),
            ],
        )
        self.exposition = Exposition([self.group, self.manual], own=own(), compress=codec)
        for each in sorted((self._object(i, count) for i in range(count)), key=lambda f: f.key):
            self.group.put(each.key, each)
        for i in range(manual):
            namespace = sys.intern(f"team-{i // 20:05d}")
            self.manual.put(f"{namespace}/s{i}", Manual(namespace, f"s{i}", START - i))
        self._clock = float(START + INTERVAL)
        self._step = INTERVAL / count
        self._due = deque(sorted(self.group.keys(), key=lambda key: self._facts(key).sync))

    def _object(self, number: int, count: int) -> ES:
        namespace = sys.intern(f"team-{number * 37 % (count // 40 + 1):04d}")
        name = f"svc-{hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()[:6]}-db"
        return ES(
            ident=b'{namespace="%b",name="%b"' % (namespace.encode(), name.encode()),
            namespace=namespace,
            name=name,
            target=f"svc-{number}-db",
            ready=self._random.random() > 0.01,
            created=START - self._random.randrange(10**7),
            sync=START + self._random.randrange(INTERVAL),
        )

    def _facts(self, key: str) -> ES:
        found = self.group.get(key)
        assert found is not None
        return found

    def synced(self, count: int, *, by_chance: bool) -> list[tuple[str, ES]]:
        """New facts of the next `count` objects that ESO syncs."""
        due = self._due
        if by_chance:
            keys = [due[index] for index in self._random.sample(range(len(due)), count)]
        else:
            keys = [due.popleft() for _ in range(count)]
            due.extend(keys)
        changed = []
        for key in keys:
            self._clock += self._step
            changed.append((key, msgspec.structs.replace(self._facts(key), sync=int(self._clock))))
        return changed


class Plain:
    """The same eight families as prometheus_client's users write them: metrics are kept, only rendered when scraped."""

    def __init__(self, objects: Iterable[ES]) -> None:
        identity = ["namespace", "name"]
        stored = [*identity, *_S]
        label_names = {
            "info": [
                *stored, "target", "refresh_policy", "creation_policy", "deletion_policy", "cluster_externalsecret", "owner",
            ],
            "ready": stored,
            "status_info": [*identity, "status", "reason"],
        }  # fmt: skip
        self._families = {
            name: GaugeMetricFamily(_PREFIX + name, f"Benchmark family {name}.", labels=label_names.get(name, identity))
            for name, *_ in _FAMILIES
        }
        for f in objects:
            self._add(f)

    def _add(self, f: ES) -> None:
        who, store, families = [f.namespace, f.name], list(_S.values()), self._families
        families["info"].add_metric([*who, *store, f.target, "Periodic", "Owner", "Retain", "", "team-a"], 1)
        families["ready"].add_metric([*who, *store], f.ready)
        families["status_info"].add_metric([*who, "True", "SecretSynced"], 1)
        for name, value in (
            ("created_timestamp_seconds", f.created),
            ("refresh_interval_seconds", INTERVAL),
            ("last_sync_timestamp_seconds", f.sync),
            ("next_sync_timestamp_seconds", f.sync + INTERVAL),
            ("sync_deadline_timestamp_seconds", f.sync + 2 * INTERVAL),
        ):
            families[name].add_metric(who, value)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For prometheus_client's encoders."""
        yield from self._families.values()
