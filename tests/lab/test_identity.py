"""The identities that the exporter recomputes from metadata, against what the real operator wrote for 200 random objects."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from exporter.config.settings import Settings
from exporter.eso.identity import (
    LABEL_CREATED_BY,
    created_by,
    field_manager,
    is_created_by,
    is_field_manager,
    synced_resource_version,
)
from exporter.kube.records import ExternalSecret, Owned, Secret
from exporter.kube.resource import Cells
from exporter.kube.resources import EXTERNALSECRETS, SECRETS, resources
from tests.lab import objects
from tests.lab.cluster import Cluster, condition
from tests.lab.openbao import OpenBao
from tests.lab.waiting import wait_until

COUNT = 200
LONGEST_NAME = 253
_SCRIPTS = (
    "é",
    "ß",
    "ключ",
    "秘密",
    "🔑",
    "\u0301",
    "\u00a0",
    "\u2028",
    "\n",
    "\t",
    '"',
    "\\",
    "'",
    "<&>",
    "%s",
    "map[",
    ":",
    " ",
)


def _name(chance: random.Random, index: int) -> str:
    """A DNS subdomain: mostly short, some around the 27 bytes from which on the field manager is hashed, some of the longest."""
    length = chance.choice((12, 20, 26, 27, 28, 29, 62, 63, 64, 120, LONGEST_NAME))
    # No label of the name begins or ends with a hyphen.
    text = f"es{index}-" + "".join(chance.choice(string.ascii_lowercase + string.digits) for _ in range(length))
    parts = [text[start : start + 60] for start in range(0, length, 60)]
    return ".".join(parts)[:length].strip(".-")


def _labels(chance: random.Random) -> dict[str, str]:
    alphabet = string.ascii_letters + string.digits + "-_."
    values = ("", "x" * 63, *(f"a{''.join(chance.choices(alphabet, k=chance.randrange(60)))}z" for _ in range(4)))
    keys = ("app", "Team", "example.com/owner", "a.b-c_d", "app.kubernetes.io/managed-by", "9")
    return {key: chance.choice(values) for key in chance.sample(keys, chance.randrange(len(keys) + 1))}


def _annotations(chance: random.Random) -> dict[str, str]:
    keys = (
        "note",
        "example.com/what",
        "meta.helm.sh/release-name",
        "argocd.argoproj.io/tracking-id",
        "Z",
        "a_b",
        "a-b",
        "a.b",
    )
    return {
        key: "".join(chance.choices((*_SCRIPTS, *string.printable[:64]), k=chance.randrange(80)))
        for key in chance.sample(keys, chance.randrange(len(keys) + 1))
    }


class Written:
    """What ESO made of the random ExternalSecrets: pairs of the object and its target."""

    def __init__(self, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        self.pairs = pairs


@pytest.fixture(scope="module")
def written(cluster: Cluster, openbao: OpenBao, store: str) -> Iterator[Written]:
    """All of them, synced by ESO."""
    chance = random.Random(20_261_123)
    namespace = objects.namespace("identity")
    cluster.apply(namespace)
    openbao.put("secret/identity", {"key": "anything"})
    for index in range(COUNT):
        one = objects.external_secret("identity", _name(chance, index), path="identity", keys=("key",), store=store)
        one["metadata"] |= {"labels": _labels(chance), "annotations": _annotations(chance)}
        cluster.create(one)

    def synced() -> list[dict[str, Any]] | None:
        found = cluster.list(objects.ESO_GROUP, "ExternalSecret", "identity")
        return found if all(condition(one).get("status") == "True" for one in found) else None

    made = wait_until("all are synced", synced, timeout=100, every=1.0)
    secrets = {one["metadata"]["name"]: one for one in cluster.list("v1", "Secret", "identity")}
    yield Written([(one, secrets[one["metadata"]["name"]]) for one in made])
    cluster.delete(namespace, wait=False)
    openbao.delete("secret/identity")


def test_the_names_are_as_varied_as_they_should_be(written: Written) -> None:
    lengths = {len(one["metadata"]["name"]) for one, _ in written.pairs}
    assert len(written.pairs) == COUNT
    assert {27, 28, LONGEST_NAME} <= lengths
    assert any(not str(one["metadata"].get("annotations")).isascii() for one, _ in written.pairs)


def test_the_synced_resource_version(written: Written) -> None:
    for one, _ in written.pairs:
        meta = one["metadata"]
        expected = synced_resource_version(meta["generation"], meta.get("labels"), meta.get("annotations"))
        assert one["status"]["syncedResourceVersion"] == expected, meta


def test_the_created_by_label(written: Written) -> None:
    for one, secret in written.pairs:
        name, label = one["metadata"]["name"], secret["metadata"]["labels"][LABEL_CREATED_BY]
        assert label == created_by("identity", name)
        assert is_created_by(label, "identity", name)


def test_the_field_manager(written: Written) -> None:
    for one, secret in written.pairs:
        name = one["metadata"]["name"]
        managers = {entry["manager"] for entry in secret["metadata"]["managedFields"]}
        assert managers == {field_manager(name)}, name
        assert all(map(is_field_manager, managers))


def test_the_records_say_applied_and_owned(written: Written) -> None:
    kinds = {each.name: each for each in resources(Settings())}

    def record(resource: str, one: dict[str, Any], cells: Cells) -> Any:
        kind = kinds[resource]
        return kind.convert(msgspec.json.decode(json.dumps(one), type=kind.item), cells)

    for one, secret in written.pairs:
        name = one["metadata"]["name"]
        del secret["data"]  # the exporter never asks for it
        external_secret: ExternalSecret = record(EXTERNALSECRETS, one, Cells(None, None))
        target: Secret = record(SECRETS, secret, Cells("Opaque", 1))
        assert external_secret.applied is True
        assert target.owned == Owned(name, external_secret.uid)
