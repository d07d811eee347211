"""What deploy/kustomize holds that is written elsewhere: a kustomization may not read files outside its own folder."""

from __future__ import annotations

from tools.chart import RBAC

_MARK = "# Generated from {source} by `make generate`; do not edit.\n"


def rbac() -> str:
    """The text of base/rbac.yaml: deploy/rbac.yaml."""
    return _MARK.format(source="deploy/rbac.yaml") + RBAC.read_text()


def role() -> str:
    """The text of components/sidecar/clusterrole.yaml: the ClusterRole of deploy/rbac.yaml, to be bound to another account."""
    [found] = [part for part in RBAC.read_text().split("---\n") if "\nkind: ClusterRole\n" in part]
    return _MARK.format(source="deploy/rbac.yaml") + found
