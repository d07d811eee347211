"""The corpus of Secrets: each gets its class, no `manual` among the others, none missed, and classes sum to all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.eso.creators import CREATOR_OF_MANAGER, CREATORS
from exporter.eso.identity import created_by, object_hash_md5
from exporter.eso.ownership import CLASSES
from tests.world import NOW, World, external_secret, owned, secret, store

CORPUS: dict[str, list[list[Any]]] = yaml.safe_load((Path(__file__).parent / "corpus" / "secrets.yaml").read_text())
ENTRIES = [entry for entries in CORPUS.values() for entry in entries]


def make(given: dict[str, Any]) -> dict[str, Any]:
    """The Secret's metadata of one entry."""
    namespace = given.get("ns", "shop")
    labels = dict(given.get("labels", {}))
    for key, value in (("created_by", created_by), ("created_by_md5", lambda ns, n: object_hash_md5(f"{ns}/{n}"))):
        if key in given:
            labels["reconcile.external-secrets.io/created-by"] = value(namespace, given[key])
    entries = None
    if "by" in given:
        entries = tuple((manager, NOW - age, tuple(keys)) for manager, age, keys in given["by"])
    if "owned" in given:
        made = owned(
            given.get("name", given["owned"]),
            namespace,
            given["owned"],
            labels=labels,
            annotations=given.get("ann"),
            entries=entries or (),
        )
        made["metadata"]["ownerReferences"][0]["apiVersion"] = given.get("owner_version", "external-secrets.io/v1")
        return made
    owners = [
        {"kind": kind, "apiVersion": version, "name": name, "uid": "u"}
        for kind, version, name in given.get("owners", [])
    ]
    more = {} if entries is None else {"entries": entries}
    return secret(
        given.get("name", "db"), namespace, labels=labels, annotations=given.get("ann"), owners=owners, **more
    )


def place(entry: list[Any]) -> World:
    """A world that holds the entry's Secret and what stands around it."""
    given, around = entry[2], entry[3]
    world = World()
    namespace = given.get("ns", "shop")
    world.namespace(namespace)
    for es in around.get("es", []):
        spec_target = (
            {"template": {"templateFrom": [{"secret": {"name": es["template_from"], "items": []}}]}}
            if "template_from" in es
            else {}
        )
        policy = {"policy": es["policy"] or "None"} if "policy" in es else {}
        world.add(
            "externalsecrets",
            external_secret(es["name"], namespace, target=es.get("target", ""), spec_target=spec_target, **policy),
        )
    if "store" in around:
        world.add("secretstores", store("own", namespace, provider=around["store"]))
    if "cstore" in around:
        world.add("clustersecretstores", store("shared", provider=around["cstore"]))
    world.add("secrets", make(given), type_=given.get("type", "Opaque"))
    world.samples()
    return world


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[0])
def test_class(entry: list[Any]) -> None:
    world = place(entry)
    (record,) = world.inventory.secrets.all()
    assert record.ownership == entry[1]
    if len(entry) > 4:
        assert record.facts.creator == entry[4]


def test_the_corpus_is_large_and_reaches_every_class() -> None:
    assert len(ENTRIES) >= 120
    assert len({entry[0] for entry in ENTRIES}) == len(ENTRIES)
    assert {entry[1] for entry in ENTRIES} == set(CLASSES)


def test_every_row_of_the_tables_is_reached() -> None:
    rules, managers = set(), set()
    for entry in ENTRIES:
        world = place(entry)
        (record,) = world.inventory.secrets.all()
        rules.add(record.facts.rule)
        managers.add(record.facts.creator)
    assert {row.name for row in CREATORS} <= rules
    assert {creator for _, creator in CREATOR_OF_MANAGER} <= managers


def test_classes_sum_to_the_number_of_secrets() -> None:
    world = World()
    world.namespace("shop", "kube-system")
    for index, entry in enumerate(ENTRIES):
        made = make(entry[2])
        made["metadata"]["name"] = f"{index}-{made['metadata']['name']}"
        world.add("secrets", made, type_=entry[2].get("type", "Opaque"))
    counts = [int(line.rsplit(" ", 1)[1]) for line in world.samples("eso_secrets")]
    assert sum(counts) == len(ENTRIES)
