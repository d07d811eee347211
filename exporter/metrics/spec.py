"""What a family is, as the catalogue declares it."""

from __future__ import annotations

from typing import Literal

import msgspec

Type = Literal["gauge", "counter", "histogram"]
Merge = Literal["max", "min", "sum"]

STORE_LABELS = ("store_kind", "store_namespace", "store", "vault")
"""The identity of a store, everywhere the same; written S in the texts."""


class FamilySpec(msgspec.Struct, frozen=True):
    """One family. `group` is the chapter it stands in; `each` series per object of kind `per` (a text for people)."""

    name: str
    help: str
    labels: tuple[str, ...]
    group: str
    unit: str = ""
    type: Type = "gauge"
    merge: Merge = "max"
    per: str = ""


# Labels and words that many families share.
ES = ("namespace", "name")
S = STORE_LABELS
NODE = ("namespace", "vault", "node")
STORE = ("namespace", *S)
SECONDS = "seconds"
UNIX = "Unix seconds"
PER_ES = "ExternalSecret"


def declare(
    group: str,
    name: str,
    labels: tuple[str, ...],
    help_: str,
    *,
    unit: str = "",
    merge: Merge = "max",
    per: str = "",
    type_: Type = "gauge",
) -> FamilySpec:
    """A line of the catalogue, in the order in which it reads best; `group` is the chapter."""
    return FamilySpec(name, help_, labels, group, unit, type_, merge, per)
