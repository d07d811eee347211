"""Every family that the exporter prints: name, help, labels, unit. The source of `docs/metrics.md`.

Rules, dashboards and tests may use nothing that is not in here. `merge` tells how two replicas over one cluster are
joined: min for ready, available and since, else max. `per` and `each` give the cost: series per object of that kind.
"""

from __future__ import annotations

from exporter.metrics.catalogue_eso import EXTERNALSECRET, OTHER_KINDS, STORES
from exporter.metrics.catalogue_own import OWN
from exporter.metrics.catalogue_secrets import PROBLEMS, SECRETS
from exporter.metrics.catalogue_vault import VAULT
from exporter.metrics.spec import STORE_LABELS, FamilySpec

__all__ = ["FAMILIES", "STORE_LABELS", "FamilySpec", "spec"]

FAMILIES: tuple[FamilySpec, ...] = (*EXTERNALSECRET, *STORES, *OTHER_KINDS, *PROBLEMS, *SECRETS, *VAULT, *OWN)

_BY_NAME = {spec.name: spec for spec in FAMILIES}


def spec(name: str) -> FamilySpec:
    """The catalogue's entry. Raises KeyError for a family that is not in it."""
    return _BY_NAME[name]
