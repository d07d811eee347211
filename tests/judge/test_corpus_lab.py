"""Secrets as real servers made them (tests/lab/test_ownership.py), judged again without any server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import corpus
from tests.world import World, store

WAYS = corpus.read()


def placed(way: dict[str, Any]) -> World:
    """A world that holds what stood in the namespace, and the lab's ClusterSecretStore."""
    world = World()
    world.namespace(way["namespace"])
    world.add("clustersecretstores", store())
    world.add("secretstores", *way["secretstores"])
    world.add("externalsecrets", *way["externalsecrets"])
    for one in way["secrets"]:
        world.add("secrets", {"metadata": one["metadata"]}, type_=one["type"], keys=one["keys"])
    return world


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["way"])
def test_each_secret_gets_its_class(way: dict[str, Any]) -> None:
    world = placed(way)
    counted = {}
    for line in world.samples("eso_secrets"):
        count = int(line.rpartition(" ")[2])
        if count:
            counted[line.split('class="')[1].split('"')[0]] = count
    assert counted == way["classes"]
    told = [line.split('creator="')[1].split('"')[0] for line in world.samples("eso_manual_secret_info")]
    assert told == ([way["creator"]] if way["creator"] else [])


def test_every_way_is_there() -> None:
    assert len(WAYS) >= 36
    assert {"manual", "unknown", "system", "controller", "helm", "bootstrap"} <= {
        c for way in WAYS for c in way["classes"]
    }
    assert {"eso_owned", "eso_merged", "eso_orphan", "eso_leftover"} <= {c for way in WAYS for c in way["classes"]}
