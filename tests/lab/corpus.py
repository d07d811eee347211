"""What real servers made of the ways in test_ownership.py, as data that the fast tests judge again.

`tests/judge/corpus/lab.jsonl`: one way a line, with the Secrets as the exporter gets them (metadata, type, number of keys),
the ExternalSecrets and the stores of their namespace. A run of test_ownership.py leaves a new one in its folder.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.lab.cluster import Cluster
from tests.lab.objects import ESO_GROUP, Object

_BUILD = re.compile(r"-[0-9a-f]{12}$")
"""What the lab appends to the names of its programs: they sign with these."""

FILE = Path(__file__).parents[1] / "judge" / "corpus" / "lab.jsonl"


def read() -> list[dict[str, Any]]:
    """All ways, in the order of the file."""
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def of(way: str) -> dict[str, Any]:
    """What was seen of one way; fails when there is nothing of it."""
    found = [one for one in read() if one["way"] == way]
    assert len(found) == 1, f"{FILE.name} has {len(found)} lines of {way}: copy the new one out of the test's folder"
    return found[0]


def seen(cluster: Cluster, namespace: str, way: str, classes: dict[str, int], creator: str) -> dict[str, Any]:
    """What stands in a namespace now. No value of a Secret is kept but those that kubectl wrote into annotations."""
    return {
        "way": way,
        "namespace": namespace,
        "classes": classes,
        "creator": creator,
        "secrets": [
            {"metadata": one["metadata"], "type": one["type"], "keys": len(one.get("data") or {})}
            for one in _sorted(cluster.list("v1", "Secret", namespace))
        ],
        "externalsecrets": [_without(one) for one in _sorted(cluster.list(ESO_GROUP, "ExternalSecret", namespace))],
        "secretstores": [_without(one) for one in _sorted(cluster.list(ESO_GROUP, "SecretStore", namespace))],
    }


def shape(way: dict[str, Any]) -> Any:
    """What of a way is the same in every run: names, types, keys of labels and annotations, owners, writers."""
    return way["classes"], way["creator"], [_shape(one) for one in way["secrets"]]


def _shape(secret: dict[str, Any]) -> Any:
    metadata = secret["metadata"]
    return {
        "name": metadata["name"],
        "type": secret["type"],
        "keys": secret["keys"],
        "labels": sorted(metadata.get("labels", {})),
        "annotations": sorted(metadata.get("annotations", {})),
        "owners": [(one["apiVersion"], one["kind"], one["name"]) for one in metadata.get("ownerReferences", [])],
        "writers": sorted(
            (_BUILD.sub("", one["manager"]), one["operation"], *sorted(one["fieldsV1"].get("f:data", {})))
            for one in metadata.get("managedFields", [])
        ),
    }


def _without(one: Object) -> Object:
    metadata = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
    return {"metadata": metadata, "spec": one["spec"], "status": one.get("status", {})}


def _sorted(found: list[Object]) -> list[Object]:
    return sorted(found, key=lambda one: str(one["metadata"]["name"]))
