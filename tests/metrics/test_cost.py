"""What docs/metrics.md promises of the cost at 1,000 ExternalSecrets, counted on 1,000 healthy ones."""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter

import pytest

from exporter.metrics.catalogue import FAMILIES
from exporter.metrics.document import metrics
from tests.world import NOW, World, external_secret, owned, store

COUNT = 1000


@pytest.fixture(scope="module")
def world() -> World:
    """1,000 ExternalSecrets in 20 namespaces, each with its Secret."""
    world, chance = World(), random.Random(7)
    world.namespace(*(f"team-{number}" for number in range(20)))
    world.add("clustersecretstores", store())
    for number in range(COUNT):
        namespace, name = f"team-{number % 20}", f"application-{number:04}-database"
        # No two of a real cluster share their times.
        ago = [chance.randrange(1, most) for most in (3600, 40_000, 40_000_000)]
        times = {"synced": NOW - ago[0], "transition": NOW - ago[0] - ago[1], "created": NOW - sum(ago)}
        world.add("externalsecrets", external_secret(name, namespace, **times))
        world.add("secrets", owned(name, namespace, name))
    world.samples()
    return world


@pytest.fixture(scope="module")
def text(world: World) -> str:
    """Their exposition."""
    return world.exposition.body(openmetrics=False, gzip=False, now=world.now).read().decode()


def test_each_family_of_an_externalsecret_is_one_series_an_object(text: str) -> None:
    counted = Counter(line.split("{")[0] for line in text.splitlines() if line.startswith("eso_externalsecret_"))
    promised = {
        family.name: COUNT for family in FAMILIES if family.per in ("ExternalSecret", "ExternalSecret and store")
    }
    assert counted == promised


def test_secrets_that_are_well_cost_nothing(text: str) -> None:
    counted = Counter(
        line.split("{")[0] for line in text.splitlines() if line.startswith(("eso_secret_", "eso_manual"))
    )
    assert counted == {"eso_manual_secrets": 20}


def test_the_bytes_an_externalsecret(world: World, text: str) -> None:
    lines = [line for line in text.splitlines(keepends=True) if line.startswith("eso_externalsecret_")]
    plain = "".join(lines).encode()
    said = re.search(r"\(([\d.]+) kB of text an ExternalSecret in all, about (\d+) bytes gzipped\)", metrics())
    assert said is not None
    kilobytes, gzipped = float(said[1]), int(said[2])
    assert len(plain) / COUNT / 1000 == pytest.approx(kilobytes, rel=0.1)
    zipped = world.exposition.body(openmetrics=False, gzip=True, now=world.now).read()
    assert gzip.decompress(zipped).decode() == text
    assert len(zipped) / COUNT == pytest.approx(gzipped, rel=0.1)
