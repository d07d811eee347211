"""What deploy/kustomize holds that is written elsewhere: a kustomization may not read files outside its own folder."""

from __future__ import annotations

from textwrap import indent

from tools.chart import RBAC, RULES

_MARK = "# Generated from {source} by `make generate`; do not edit.\n"

_RULE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: vault-eso-exporter
  namespace: vault-eso-exporter
  labels:
    app.kubernetes.io/name: vault-eso-exporter
spec:
"""


def rbac() -> str:
    """The text of base/rbac.yaml: deploy/rbac.yaml."""
    return _MARK.format(source="deploy/rbac.yaml") + RBAC.read_text()


def role() -> str:
    """The text of components/sidecar/clusterrole.yaml: the ClusterRole of deploy/rbac.yaml, to be bound to another account."""
    [found] = [part for part in RBAC.read_text().split("---\n") if "\nkind: ClusterRole\n" in part]
    return _MARK.format(source="deploy/rbac.yaml") + found


def prometheus_rule() -> str:
    """The text of components/prometheus-operator/prometheusrule.yaml: alerts/rules.yaml as the operator takes it."""
    return _MARK.format(source="alerts/rules.yaml") + _RULE + indent(RULES.read_text(), "  ")
